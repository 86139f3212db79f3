//! Every command in README.md works as it stands there.

use std::fs;

use crate::serve::Serve;

/// Commands that run something which this test is part of, or which wait for somebody; with what
/// tries them instead.
const TRIED_ELSEWHERE: &[(&str, &str)] = &[
    ("cargo run --release -- demo", "tests/it/pty.rs opens the console on the practice fleet"),
    ("tests/run", "runs this test"),
    (".ci/run", "runs tests/run"),
    ("certdeck audit show 4127", "tests/it/audit/command.rs shows a record that is there"),
    (
        r#"jq -c 'select(.kind == "outcome")' ~/.local/state/certdeck/audit/*.jsonl"#,
        "tests/it/audit/command.rs runs it on a log that is there",
    ),
    (
        r#"jq -r 'select(.kind == "intent") | [.t, .who, .host, .action] | @tsv' ~/.local/state/certdeck/audit/*.jsonl"#,
        "tests/it/audit/command.rs runs it on a log that is there",
    ),
    ("certdeck issuer", ISSUER),
    ("certdeck issuer show letsencrypt", ISSUER),
    ("certdeck issuer register letsencrypt --yes letsencrypt", ISSUER),
    ("certdeck issuer backup letsencrypt letsencrypt.json --yes letsencrypt", ISSUER),
    ("certdeck dns check www.example.net", DNS),
    ("certdeck dns check www.example.net --write", DNS),
    ("certdeck dns orphans", DNS),
    ("certdeck preflight www.example.net", PREFLIGHT),
    (
        "certdeck preflight web-01/www.example.net --names www.example.net,example.net --format json",
        PREFLIGHT,
    ),
    ("certdeck run renew due --unattended", "tests/it/unattended.rs has lineages that are due"),
    ("certdeck budget www.example.net", BUDGET),
    ("certdeck budget due", BUDGET),
    ("certdeck plan renew web-01/www.example.net --over-budget", BUDGET),
];

const BUDGET: &str = "tests/it/budget.rs has certificates of a CA whose limits are known";
const DNS: &str = "tests/it/dns.rs has DNS servers of its own";
const PREFLIGHT: &str = "tests/it/preflight.rs has names and servers of its own";
const ISSUER: &str = "tests/it/issuer.rs has a CA of its own";

#[test]
fn every_command_of_the_readme_works() {
    let serve = Serve::start(&[]);
    fs::create_dir(serve.home().join(".ssh")).unwrap();
    fs::write(serve.home().join(".ssh/config"), "Host web-01\n  User certdeck\n").unwrap();
    let mut tried = 0;
    for line in commands(&fs::read_to_string("README.md").unwrap()) {
        if TRIED_ELSEWHERE.iter().any(|it| it.0 == line) {
            continue;
        }
        let output = serve.command("sh").args(["-euc", &line]).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        // A fleet for practice has much that is critical, so 1 and `check`'s 2 are right.
        let most = if line.starts_with("certdeck check") { 2 } else { 1 };
        assert!(output.status.code().is_some_and(|it| it <= most), "{line}\n{errors}");
        assert!(!errors.contains("error:"), "{line}\n{errors}");
        tried += 1;
    }
    assert!(tried > 10, "only {tried} commands were found");
}

#[test]
fn what_is_tried_elsewhere_is_in_the_readme() {
    let commands = commands(&fs::read_to_string("README.md").unwrap());
    for (command, by) in TRIED_ELSEWHERE {
        assert!(commands.iter().any(|it| it == command), "{command}: {by}");
        let named = by.split_whitespace().find(|it| it.contains('/'));
        assert!(named.is_none_or(|it| fs::exists(it).unwrap()), "{by}");
    }
}

/// The files that the README leads to are there.
#[test]
fn links_of_the_readme_lead_somewhere() {
    let text = fs::read_to_string("README.md").unwrap();
    let links = text.split("](").skip(1).filter_map(|it| it.split(')').next());
    for link in links.filter(|it| !it.contains("://")) {
        assert!(fs::exists(link).unwrap(), "{link}");
    }
}

/// The lines of all `sh` blocks.
fn commands(text: &str) -> Vec<String> {
    let blocks = text.split("```sh\n").skip(1).filter_map(|it| it.split("```").next());
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}
