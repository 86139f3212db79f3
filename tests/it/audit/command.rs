//! `certdeck audit`, the real binary on real logs.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use certdeck::audit::Log;
use certdeck::clock::Clock;
use certdeck::fleet::Moment;
use serde_json::{Map, Value, json};

use super::tear;
use crate::serve::{Home, shown};

const NOW: &str = "2026-11-23T04:00:00Z";

/// An incident: somebody renews by force, a hook fails, and one action has no outcome.
fn incident() -> (Home, String) {
    let home = Home::new();
    let body = |value: Value| -> Map<String, Value> { value.as_object().unwrap().clone() };
    let log =
        |time: &str| Log::open(&state(&home), Clock::fixed(Moment::parse(time).unwrap())).unwrap();
    let mut night = log("2026-11-23T03:12:44Z");
    let renew = night
        .intent(&body(json!({
            "action": "force-renew", "host": "web-01", "lineage": "www.example.net",
            "who": "anna@laptop", "reason": "expires at 04:00", "confirmed": "typed web-01",
            "argv": [["certbot", "renew", "-n", "--cert-name", "www.example.net"]],
        })))
        .unwrap();
    let op = renew.op().to_string();
    let output = night.keep(b"Congratulations\x1b[2J\nHook ended with 1").unwrap();
    let mut later = log("2026-11-23T03:13:10Z");
    later
        .outcome(
            renew,
            &body(json!({
                "ending": "failed", "summary": "the deploy hook ended with 1", "exit": 0,
                "output": output,
            })),
        )
        .unwrap();
    later
        .change(&body(
            json!({"what": "host-key", "host": "web-02", "new": "SHA256:x", "who": "ben@bastion"}),
        ))
        .unwrap();
    let hook = json!({"action": "hook", "host": "web-01", "lineage": "www.example.net", "who": "anna@laptop"});
    log("2026-11-23T03:20:00Z").intent(&body(hook)).unwrap();
    (home, op)
}

fn state(home: &Home) -> PathBuf {
    home.path().join(".local/state/certdeck")
}

fn audit(home: &Home, arguments: &[&str]) -> Output {
    home.certdeck(&[&["--now", NOW, "audit"], arguments].concat())
}

#[test]
fn records_are_listed_and_chosen() {
    let (home, op) = incident();
    let log = fs::read_to_string(state(&home).join("audit/000001.jsonl")).unwrap();
    let genesis: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let machine = genesis["origin"].as_str().unwrap();
    let list = shown(&audit(&home, &["list"])).replace(machine, "MACHINE");
    insta::assert_snapshot!(list, @r"
    -- stdout
         1  2026-11-23T03:12:44Z  genesis    -                 -                   the log begins on MACHINE
         2  2026-11-23T03:12:44Z  intent     web-01            anna@laptop         begins: force-renew www.example.net (expires at 04:00)
         3  2026-11-23T03:13:10Z  outcome    web-01            anna@laptop         failed: the deploy hook ended with 1
         4  2026-11-23T03:13:10Z  change     web-02            ben@bastion         host-key -> SHA256:x
         5  2026-11-23T03:20:00Z  intent     web-01            anna@laptop         begins: hook www.example.net
    -- exit status: 0
    ");
    let lines = |arguments: &[&str]| {
        audit(&home, arguments).stdout.iter().filter(|it| **it == b'\n').count()
    };
    assert_eq!(lines(&[]), 5);
    assert_eq!(lines(&["list", "--since", "47m"]), 3);
    assert_eq!(lines(&["list", "--since", "2026-11-23", "--until", "2026-11-23T03:12:44Z"]), 2);
    assert_eq!(lines(&["list", "--host", "web-01", "--actor", "anna"]), 3);
    assert_eq!(lines(&["list", "--action", "force-renew"]), 2);
    assert_eq!(lines(&["list", "--op", &op]), 2);
    let output = audit(&home, &["list", "--since", "yesterday"]);
    assert_eq!(output.status.code(), Some(2));
    let all: Value =
        serde_json::from_slice(&audit(&home, &["list", "--format", "json"]).stdout).unwrap();
    assert_eq!(all.as_array().unwrap().len(), 5);
    let csv = audit(&home, &["export", "--format", "csv"]).stdout;
    assert_eq!(String::from_utf8(csv).unwrap().lines().count(), 6);
}

#[test]
fn a_record_is_shown_with_what_belongs_to_it() {
    let (home, op) = incident();
    let shown = shown(&audit(&home, &["show", "2"])).replace(&op, "OP");
    let is_hash = |it: &str| it.len() == 64 && it.bytes().all(|it| it.is_ascii_hexdigit());
    let shown: Vec<String> = shown
        .lines()
        .map(|line| {
            line.split(' ')
                .map(|it| if is_hash(it) { "HASH" } else { it })
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    -- stdout
    record   2, intent
    time     2026-11-23T03:12:44.000000Z
    action   OP
    hash     HASH
    chain    good, open intents: 5 records in 1 segment, 1 open
      action: force-renew
      argv: ["certbot","renew","-n","--cert-name","www.example.net"]
      confirmed: typed web-01
      host: web-01
      lineage: www.example.net
      reason: expires at 04:00
      who: anna@laptop

    The records of this action:
         2  2026-11-23T03:12:44Z  intent     web-01            anna@laptop         begins: force-renew www.example.net (expires at 04:00)
         3  2026-11-23T03:13:10Z  outcome    web-01            anna@laptop         failed: the deploy hook ended with 1

    Output (37 bytes):
      Congratulations^[[2J
      Hook ended with 1
    -- exit status: 0
    "#);
    let output = audit(&home, &["show", "99"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the last is 5"));
}

#[test]
fn an_incident_can_be_written_up() {
    let (home, _) = incident();
    let arguments = ["export", "--format", "markdown", "--host", "web-01"];
    insta::assert_snapshot!(shown(&audit(&home, &arguments)), @r"
    -- stdout
    ## Timeline, 2026-11-23T03:12:44Z to 2026-11-23T03:20:00Z

    Times are UTC. From the audit log, records 2 to 5.

    | time | + | host | who | what | record |
    |---|---|---|---|---|---|
    | 2026-11-23 03:12:44 | 0s | web-01 | anna@laptop | begins: force-renew www.example.net (expires at 04:00) | 2 |
    | 03:13:10 | 26s | web-01 | anna@laptop | failed: the deploy hook ended with 1 | 3 |
    | 03:20:00 | 6m | web-01 | anna@laptop | begins: hook www.example.net | 5 |
    -- exit status: 0
    ");
}

#[test]
fn each_state_of_the_log_has_its_code() {
    let (home, _) = incident();
    let code = || audit(&home, &["verify"]).status.code();
    insta::assert_snapshot!(shown(&audit(&home, &["verify"])), @r"
    -- stdout
    good, open intents: 5 records in 1 segment, 1 open
    -- stderr
    open: 5 web-01 begins: hook www.example.net
    -- exit status: 6
    ");
    tear(&state(&home));
    assert_eq!(code(), Some(2));
    let path = state(&home).join("audit/000001.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("anna", "ben_")).unwrap();
    assert_eq!(code(), Some(3));
    let cut: String = good.split_inclusive('\n').take(3).collect();
    fs::write(&path, &cut).unwrap();
    assert_eq!(code(), Some(4));
    fs::write(&path, cut + "{\"v\":2,\"seq\":4}\n").unwrap();
    assert_eq!(code(), Some(5));
    assert_eq!(audit(&home, &["list"]).status.code(), Some(5));
    assert_eq!(audit(&Home::new(), &["verify"]).status.code(), Some(0));
}

#[test]
fn a_damaged_log_is_kept_and_another_one_begins() {
    let (home, _) = incident();
    assert_eq!(audit(&home, &["fork", "--reason", "x"]).status.code(), Some(2));
    let path = state(&home).join("audit/000001.jsonl");
    let bad = fs::read_to_string(&path).unwrap().replace("web-02", "web-03");
    fs::write(&path, &bad).unwrap();
    let mut writer = super::log(&state(&home));
    assert!(writer.change(&super::body("web-01")).unwrap_err().to_string().contains("audit fork"));
    let forked = audit(&home, &["fork", "--reason", "edited by hand"]);
    assert_eq!(forked.status.code(), Some(0), "{forked:?}");
    assert!(String::from_utf8_lossy(&forked.stderr).contains("audit.1"));
    assert_eq!(fs::read_to_string(state(&home).join("audit.1/000001.jsonl")).unwrap(), bad);
    // A console that is open goes on with the new log.
    writer.change(&super::body("web-01")).unwrap();
    assert_eq!(audit(&home, &["verify"]).status.code(), Some(0));
    let all: Value =
        serde_json::from_slice(&audit(&home, &["list", "--format", "json"]).stdout).unwrap();
    assert_eq!(all[0]["fork"]["last-seq"], json!(3));
    assert_eq!(all[0]["reason"], json!("edited by hand"));
    assert_eq!(all.as_array().unwrap().len(), 2);
}

#[test]
fn witnesses_find_a_log_that_was_written_anew() {
    let (home, _) = incident();
    let all: Value =
        serde_json::from_slice(&audit(&home, &["list", "--format", "json"]).stdout).unwrap();
    let line = |name: &str, at: usize| {
        format!("{name} {} {}\n", all[at]["seq"], all[at]["h"].as_str().unwrap())
    };
    let witnesses = home.path().join("witnesses");
    fs::write(&witnesses, line("web-01", 1) + &line("web-02", 3)).unwrap();
    let compare = || audit(&home, &["verify", "--witness", witnesses.to_str().unwrap()]);
    assert_eq!(compare().status.code(), Some(6));
    assert!(String::from_utf8_lossy(&compare().stdout).contains("2 of 2 witnesses agree"));
    // Whoever can write here can write a log that is good in itself.
    fs::remove_dir_all(state(&home).join("audit")).unwrap();
    super::log(&state(&home)).change(&super::body("web-01")).unwrap();
    insta::assert_snapshot!(shown(&compare()), @r"
    -- stdout
    good: 2 records in 1 segment, 0 open
    web-01: record 2 was another one
    web-02: record 4 was there
    0 of 2 witnesses agree
    -- exit status: 3
    ");
}
