//! `check` for cron, pipelines and monitoring plugins, on the practice fleet.

use serde_json::Value;

use crate::serve::Serve;

#[test]
fn a_pipeline_fails_on_what_it_names_and_cron_hears_of_nothing_else() {
    let fleet = Serve::start(&[]);
    let check = |arguments: &[&str]| {
        let output = fleet.certdeck(&[&["check", "host:web-lhr-1"], arguments].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    // There the old certificate is still served.
    let (code, said) = check(&["--fail-on", "expired,key"]);
    assert!(code == 0 && said.starts_with("CERTDECK OK - "), "{said}");
    assert_eq!(check(&["--quiet", "--fail-on", "expired,key"]), (0, String::new()));
    let (code, said) = check(&["--quiet", "--fail-on", "unloaded"]);
    assert!(code == 2 && said.starts_with("CERTDECK CRITICAL - 1 unloaded of "), "{said}");
    let (code, said) = check(&["--quiet", "--fail-on", "unloaded", "--warning", "due"]);
    assert!(code == 3 && said.contains("cannot be used with"), "{said}");
}

/// What somebody has put off fails nothing until then, and is told of.
#[test]
fn what_is_acknowledged_is_told_and_does_not_fail() {
    let fleet = Serve::start(&[]);
    let check = |arguments: &[&str]| {
        let output = fleet.certdeck(&[&["check", "host:web-lhr-1"], arguments].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (before, said) = check(&[]);
    assert!(before > 0 && said.contains(" acknowledged=0"), "{said}");
    let scan = fleet.certdeck(&["scan", "host:web-lhr-1", "--format", "json"]);
    let scan: Value = serde_json::from_slice(&scan.stdout).unwrap();
    let findings = scan["findings"].as_array().unwrap().iter();
    let findings: Vec<_> = findings.filter(|it| it["severity"] != "info").collect();
    assert!(!findings.is_empty());
    for it in &findings {
        let [rule, host] = ["rule", "host"].map(|key| it[key].as_str().unwrap());
        let place = it["place"].as_str().map(|it| format!("/{it}")).unwrap_or_default();
        let id = format!("{rule}@{host}{place}");
        let ack = ["review", "snooze", &id, "--until", "2w", "--reason", "moves on Monday"];
        let output = fleet.certdeck(&ack);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{id}: {said}");
    }
    let (code, said) = check(&[]);
    let count = findings.len();
    assert!(code == 0 && said.starts_with("CERTDECK OK - "), "{said}");
    let s = if count == 1 { "" } else { "s" };
    assert!(said.contains(&format!("{count} finding{s} acknowledged | ")), "{said}");
    assert!(said.contains(&format!(" acknowledged={count}")), "{said}");
    assert!(said.contains("\nOK: ") && said.contains("(snoozed by "), "{said}");
    assert!(said.contains(": moves on Monday)"), "{said}");
    assert_eq!(check(&["--quiet", "--fail-on", "unloaded"]), (0, String::new()));
    let (code, said) = check(&["--with-acknowledged"]);
    assert!(code == before && said.contains(" acknowledged=0"), "{said}");
    assert_eq!(check(&["--with-acknowledged", "--fail-on", "unloaded"]).0, 2);

    let export = fleet.certdeck(&["export", "--textfile", "known.prom"]);
    assert_eq!(export.status.code(), Some(0), "{}", String::from_utf8_lossy(&export.stderr));
    let text = std::fs::read_to_string(fleet.home().join("known.prom")).unwrap();
    let known = text.lines().filter(|it| {
        it.starts_with("certdeck_finding_known_until_timestamp_seconds{host=\"web-lhr-1\"")
            && it.contains(",kind=\"snoozed\"} 1")
    });
    assert_eq!(known.count(), count, "{text}");
}

#[test]
fn every_place_has_a_line_and_performance_data() {
    let fleet = Serve::start(&[]);
    let scan = fleet.certdeck(&["scan", "--format", "json"]);
    let scan: Value = serde_json::from_slice(&scan.stdout).unwrap();
    let hosts = scan["hosts"].as_array().unwrap();
    let places = hosts.iter().flat_map(|it| it["places"].as_array().unwrap());
    let is_seen = |it: &&Value| {
        it["layers"]
            .as_object()
            .unwrap()
            .values()
            .any(|it| !it.is_null() && it.as_array().is_none_or(|it| !it.is_empty()))
    };
    let (places, seen) = (places.clone().count(), places.filter(is_seen).count());
    let bare = hosts.iter().filter(|it| it["places"].as_array().unwrap().is_empty()).count();

    let output = fleet.certdeck(&["check", "--places"]);
    let said = String::from_utf8(output.stdout).unwrap();
    let (first, rest) = said.split_once('\n').unwrap();
    assert_eq!(rest.lines().count(), places + bare, "{said}");
    for line in rest.lines() {
        let state = line.split(": ").next().unwrap();
        assert!(["OK", "WARNING", "CRITICAL", "UNKNOWN"].contains(&state), "{line}");
        assert!(!line.contains('|'), "{line}");
    }
    let data = first.split(" | ").nth(1).unwrap();
    let of_places: Vec<_> = data.split(" '").skip(1).collect();
    assert_eq!(of_places.len(), seen, "{data}");
    for it in of_places {
        // 'label'=value[UOM];[warn];[crit], where `n:` warns below n.
        let (label, values) = it.split_once("'=").unwrap();
        assert!(label.contains('/') && !label.contains('='), "{it}");
        let mut values = values.split(';');
        let number = |text: Option<&str>, unit: char| {
            text.and_then(|it| it.strip_suffix(unit)).and_then(|it| it.parse::<i64>().ok())
        };
        let [left, due, overdue] =
            [number(values.next(), 's'), number(values.next(), ':'), number(values.next(), ':')];
        assert!(left.is_some() && due > overdue && overdue > Some(0), "{it}");
        assert_eq!(values.next(), None, "{it}");
    }
}
