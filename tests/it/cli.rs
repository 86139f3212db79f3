//! The real binary, from outside: what it prints, and how it ends.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use crate::serve::{Home, binary, shown};

/// The moment at which everything here happens.
const NOW: &str = "2026-11-23T03:12:44Z";

/// A home with an inventory of one host that refuses connections: port 1 of loopback.
fn refusing() -> Home {
    let home = Home::new();
    let inventory = "[[host]]\nname = \"web-01\"\naddress = \"127.0.0.1\"\nport = 1\n\
                     groups = [\"production\"]\n\n[[host.source]]\nkind = \"certbot\"\n\n\
                     [[group]]\nname = \"production\"\n";
    fs::create_dir_all(home.path().join(".config/certdeck")).unwrap();
    fs::write(home.path().join(".config/certdeck/inventory.toml"), inventory).unwrap();
    home
}

#[test]
fn a_host_that_refuses_is_a_row_and_not_an_error() {
    insta::assert_snapshot!(shown(&refusing().certdeck(&["--now", NOW, "scan"])), @r"
    -- stdout
    ? unreachable  web-01: connection refused (ssh: connect to host 127.0.0.1 port 1: Connection refused)
      cause   The host could not be read; nothing is known of its certificates.
      seen    never read so far
      hint    try `ssh -p 1 127.0.0.1 true`

    VERDICT        HOST    CERTIFICATE    LEFT  NOT AFTER   ISSUER
    ? unreachable  web-01  -                 -  -

    1 host, 0 certificates: 1 unreachable
    -- exit status: 3
    ");
}

#[test]
fn what_monitoring_gets_of_a_host_that_refuses() {
    insta::assert_snapshot!(shown(&refusing().certdeck(&["--now", NOW, "check"])), @r"
    -- stdout
    CERTDECK UNKNOWN - 1 unreachable of 0 certificates on 1 host; web-01: connection refused (ssh: connect to host 127.0.0.1 port 1: Connection refused) (The host could not be read; nothing is known of its certificates) | certificates=0 critical=0 warning=0 unknown=1 acknowledged=0
    UNKNOWN: web-01: connection refused (ssh: connect to host 127.0.0.1 port 1: Connection refused)
    -- exit status: 3
    ");
}

#[test]
fn verdicts_can_be_made_critical() {
    let output = refusing().certdeck(&["check", "--critical", "unreachable"]);
    assert_eq!(output.status.code(), Some(2));
    let output = refusing().certdeck(&["check", "--warning", "unreachable,expired"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn hosts_that_the_filter_cannot_keep_are_not_visited() {
    let home = refusing();
    let output = home.certdeck(&["scan", "--format", "csv", "host:mail-*"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn mistakes_in_the_inventory_are_shown_at_once() {
    let home = Home::new();
    fs::write(
        home.path().join("hosts.toml"),
        "[[host]]\nnmae = \"web-01\"\n\n[[host]]\nname = \"web-02\"\n\n\
         [[host.source]]\nkind = \"certbt\"\n",
    )
    .unwrap();
    let output = home.certdeck(&["--inventory", "hosts.toml", "scan"]);
    insta::assert_snapshot!(shown(&output), @r#"
    -- stderr
    error: unknown key `nmae`
     --> hosts.toml:2:1
      |
    2 | nmae = "web-01"
      | ^^^^
      |
      = help: did you mean `name`?

    error: unknown kind `certbt`, expected one of certdeck, certbot, acme-sh, dehydrated, lego, cert-manager, pem, servers
     --> hosts.toml:8:8
      |
    8 | kind = "certbt"
      |        ^^^^^^^^
      |
      = help: did you mean `certbot`?

    2 things are wrong in hosts.toml
    -- exit status: 2
    "#);
}

#[test]
fn whoever_has_no_inventory_is_told_how_to_begin() {
    let output = Home::new().certdeck(&["--inventory", "hosts.toml", "scan"]);
    insta::assert_snapshot!(shown(&output), @r"
    -- stderr
    error: there is no inventory at hosts.toml
    hint: `certdeck demo` shows the console on a practice fleet, without any inventory
    hint: `certdeck inventory import ssh-config ~/.ssh/config` prints one to start from
    hint: `certdeck --inventory FILE` or CERTDECK_INVENTORY uses another file
    -- exit status: 2
    ");
}

#[test]
fn monitoring_always_gets_a_line_and_unknown() {
    let home = Home::new();
    insta::assert_snapshot!(
        shown(&home.certdeck(&["--inventory", "hosts.toml", "check"])), @r"
    -- stdout
    CERTDECK UNKNOWN - there is no inventory at hosts.toml
    -- exit status: 3
    "
    );
    insta::assert_snapshot!(shown(&home.certdeck(&["check", "--critcal", "expired"])), @r"
    -- stdout
    CERTDECK UNKNOWN - unexpected argument '--critcal' found
    -- exit status: 3
    ");
}

#[test]
fn a_filter_that_is_wrong_is_drawn() {
    insta::assert_snapshot!(shown(&refusing().certdeck(&["scan", "state:du"])), @r"
    -- stderr
    error: unknown state `du`
     --> filter:1:7
      |
    1 | state:du
      |       ^^
      |
      = help: did you mean `due`?
    -- exit status: 2
    ");
}

#[test]
fn settings_that_are_wrong_are_drawn() {
    let home = refusing();
    fs::write(home.path().join("config.toml"), "theem = 'dark'\n").unwrap();
    let mut command = home.command(binary());
    command.env("CERTDECK_CONFIG_DIR", ".").arg("keys");
    insta::assert_snapshot!(shown(&command.output().unwrap()), @r"
    -- stderr
    error: unknown field `theem`, expected one of `theme`, `mouse`, `ascii`, `bell`, `keys`
     --> ./config.toml:1:1
      |
    1 | theem = 'dark'
      | ^^^^^
      |
      = help: did you mean `theme`?

    1 thing is wrong in ./config.toml
    -- exit status: 2
    ");
}

#[test]
fn the_console_needs_a_terminal() {
    insta::assert_snapshot!(shown(&refusing().certdeck(&[])), @r"
    -- stderr
    error: the console needs a terminal
    hint: `certdeck scan` prints the same facts as text, JSON or CSV
    -- exit status: 2
    ");
}

#[test]
fn options_of_the_console_are_for_the_console() {
    insta::assert_snapshot!(shown(&refusing().certdeck(&["--theme", "light", "scan"])), @r"
    -- stderr
    error: this command takes no options of the console
    hint: `certdeck --help` shows which options every command takes
    -- exit status: 2
    ");
}

#[test]
fn wrong_requests_end_with_two() {
    let home = Home::new();
    for arguments in [&["skan"][..], &["scan", "--format", "xml"], &["--now", "soon", "keys"]] {
        assert_eq!(home.certdeck(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    let home = refusing();
    let is_colored = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = home.command(binary());
        command.envs(variables.iter().copied()).args(arguments);
        command.output().unwrap().stdout.contains(&0x1b)
    };
    assert!(!is_colored(&[], &["scan"]));
    assert!(is_colored(&[("FORCE_COLOR", "1")], &["scan"]));
    assert!(!is_colored(&[("FORCE_COLOR", "1"), ("NO_COLOR", "1")], &["scan"]));
    assert!(is_colored(&[("NO_COLOR", "1")], &["scan", "--color", "always"]));
    assert!(!is_colored(&[("FORCE_COLOR", "1")], &["scan", "--color", "never"]));
    assert!(!is_colored(&[("FORCE_COLOR", "1")], &["scan", "--format", "json"]));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let home = Home::new();
    let mut child = home
        .command(binary())
        .arg("man")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Closed before anything is read: whatever is written meets a broken pipe.
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn an_inventory_can_come_from_stdin() {
    let home = refusing();
    let output = home
        .command("sh")
        .arg("-c")
        .arg("certdeck --inventory - scan --format csv < .config/certdeck/inventory.toml")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("\nweb-01,127.0.0.1,production,down"));
}

#[test]
fn the_snapshot_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = refusing();
    home.certdeck(&["scan"]);
    let snapshot = home.path().join(".local/state/certdeck/fleet.snapshot");
    assert_eq!(snapshot.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&snapshot, "damaged").unwrap();
    assert_eq!(home.certdeck(&["scan"]).status.code(), Some(3));
}

#[test]
fn the_doctor_finds_what_is_missing() {
    let home = Home::new();
    let output = home.certdeck(&["doctor"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("ok    ssh client   OpenSSH_"), "{text}");
    assert!(text.contains("\nFAIL  inventory    there is no inventory at "), "{text}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "it only looks");
    assert_eq!(refusing().certdeck(&["doctor"]).status.code(), Some(0));
}

#[test]
fn completions_man_and_keys_name_every_command() {
    let home = Home::new();
    let text = |arguments: &[&str]| {
        let output = home.certdeck(arguments);
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(&["completions", shell]);
        assert!(["scan", "check", "doctor"].iter().all(|it| script.contains(it)));
    }
    let page = text(&["man"]);
    assert!(page.contains(".SH \"CERTDECK INVENTORY IMPORT\""), "{page}");
    for binding in certdeck::tui::keys::table() {
        assert!(text(&["keys"]).contains(binding.help), "{}", binding.help);
    }
}

#[cfg(feature = "practice")]
mod practice {
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::path::Path;
    use std::process::Stdio;

    use certdeck::practice::ALL;
    use serde_json::Value;

    use crate::serve::{Serve, binary};

    fn json(serve: &Serve, arguments: &[&str]) -> Value {
        let output = serve.certdeck(&[&["scan", "--format", "json"], arguments].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[test]
    fn a_whole_fleet_is_told_in_every_format() {
        let serve = Serve::start(&[]);
        let scan = json(&serve, &[]);
        let hosts = scan["hosts"].as_array().unwrap();
        assert_eq!(hosts.len(), ALL.len());
        let reach = |it: &str| hosts.iter().filter(|host| host["reach"] == it).count();
        assert_eq!(reach("up") + reach("down"), ALL.len());

        let places: usize = hosts.iter().map(|it| it["places"].as_array().unwrap().len()).sum();
        let empty = hosts.iter().filter(|it| it["places"].as_array().unwrap().is_empty()).count();
        let csv = serve.certdeck(&["scan", "--format", "csv"]).stdout;
        let csv =
            csv::Reader::from_reader(csv.as_slice()).into_records().map(Result::unwrap).count();
        assert_eq!(csv, places + empty);

        let metrics = serve.certdeck(&["scan", "--format", "prometheus"]).stdout;
        let metrics = String::from_utf8(metrics).unwrap();
        let count = |name: &str| metrics.lines().filter(|it| it.starts_with(name)).count();
        assert_eq!(count("certdeck_place_verdict{"), places);
        assert_eq!(count("certdeck_host_up{"), ALL.len());

        let filtered = json(&serve, &["state:expired"]);
        let verdicts: Vec<&Value> = filtered["hosts"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|it| it["places"].as_array().unwrap())
            .map(|it| &it["verdict"])
            .collect();
        assert!(!verdicts.is_empty() && verdicts.iter().all(|it| *it == "expired"));
        assert_eq!(serve.certdeck(&["scan"]).status.code(), Some(1));
        assert_eq!(serve.certdeck(&["check"]).status.code(), Some(2));
        assert_eq!(serve.certdeck(&["check", "host=edge-fra-1"]).status.code(), Some(0));
    }

    #[test]
    fn nothing_hostile_reaches_stdout() {
        let serve = Serve::start(&[]);
        for format in ["text", "json", "csv", "prometheus"] {
            let out = serve.certdeck(&["scan", "--format", format]).stdout;
            let text = String::from_utf8(out).unwrap();
            let is_foul = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!text.contains(is_foul), "{format}");
        }
    }

    /// An interrupt ends a scan at once, and no ssh outlives it.
    #[test]
    fn an_interrupt_ends_a_scan() {
        let serve = Serve::start(&[]);
        let mut child = serve
            .command(binary())
            .arg("scan")
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let run = serve.home().join("run/certdeck");
        wait_for("a session", || fs::read_dir(&run).is_ok_and(|mut it| it.next().is_some()));
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let line = BufReader::new(child.stderr.take().unwrap()).lines().next().unwrap().unwrap();
        assert!(line.starts_with("error: stopped after "), "{line}");
        let here = run.to_str().unwrap();
        let is_named = |pid: &Path| {
            let arguments = fs::read(pid.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(here)
        };
        wait_for("the end of every ssh", || {
            let mut processes = fs::read_dir("/proc").unwrap().map(|it| it.unwrap().path());
            !processes.any(|it| is_named(&it))
        });
    }

    #[track_caller]
    fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !is_there() {
            assert!(std::time::Instant::now() < deadline, "waited in vain for {what}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}
