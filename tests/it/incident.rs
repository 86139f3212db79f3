//! The hand-over of an incident, from the audit log of real actions on the practice fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::serve::{Home, Serve, shown};

/// A fleet on which something has failed and something has gone well.
fn night() -> Serve {
    let serve = Serve::start(&[]);
    let run = |words: &[&str], code: i32| {
        let output = serve.certdeck(&[&["run"], words].concat());
        assert_eq!(output.status.code(), Some(code), "{}", shown(&output));
    };
    run(&["dry-run", "edge-fra-2/api.example.net"], 1);
    let reason = ["--reason", "the key | was `leaked`"];
    let renew = ["force-renew", "edge-fra-1/www.example.net", "--yes", "www.example.net"];
    run(&[&renew[..], &reason].concat(), 0);
    serve
}

fn incident(serve: &Serve, words: &[&str]) -> String {
    let output = serve.certdeck(&[&["incident"], words].concat());
    assert_eq!(output.status.code(), Some(0), "{}", shown(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn json(serve: &Serve, words: &[&str]) -> Value {
    serde_json::from_str(&incident(serve, &[words, &["--format", "json"]].concat())).unwrap()
}

/// What is different each time by a word that says what it is, the same for the same.
fn fixed(text: &str) -> String {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == ':';
    let mut name = |word: &str| {
        let is_hex = word.len() >= 12 && word.bytes().all(|it| it.is_ascii_hexdigit());
        let what = if word.len() == 20 && word.starts_with("20") && word.ends_with('Z') {
            return "TIME".to_owned();
        } else if is_hex {
            "HASH"
        } else {
            return word.to_owned();
        };
        // A fingerprint and its beginning are the same.
        let word = word.get(..12).unwrap_or(word).to_owned();
        let named = seen.entry(word).or_insert_with(|| {
            let count = counts.entry(what).or_default();
            *count += 1;
            format!("{what}-{count}")
        });
        named.clone()
    };
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if is_part(c) {
            word.push(c);
        } else {
            let bare = word.trim_end_matches(':');
            out += &name(bare);
            out += &word[bare.len()..];
            out.push(c);
            word.clear();
        }
    }
    out
}

#[test]
fn a_night_on_the_practice_fleet_is_handed_over() {
    let serve = night();
    let text = incident(&serve, &[]);
    let json = json(&serve, &[]);
    let who = json["people"][0].as_str().unwrap().to_owned();
    let (head, rest) = text.split_once("\nThe end of what").unwrap();
    let at = head.find("--config-dir ").map(|it| it + "--config-dir ".len()).unwrap();
    let (root, _) = head[at..].split_once("/at/").unwrap();
    // How long it took is told to the second.
    let head: Vec<_> = head.lines().filter(|it| !it.starts_with("- Took: ")).collect();
    let head = head.join("\n").replace(&who, "WHO").replace(root, "/PRACTICE");
    insta::assert_snapshot!(fixed(&head));
    assert!(rest.contains("Invalid response from http://api.example.net"), "{rest}");
    assert!(rest.contains("reason the key &#124; was &#96;leaked&#96;"), "{rest}");
    assert!(rest.contains("\n## Root cause\n"), "{rest}");
}

/// What is told of the whole log and of parts of it is what the log itself has, record by record.
#[test]
fn every_change_in_the_log_is_handed_over_once() {
    let serve = night();
    let output = serve.certdeck(&["audit", "export", "--format", "json"]);
    let log: Value = serde_json::from_slice(&output.stdout).unwrap();
    let records = log.as_array().unwrap();
    let is_change = |it: &&Value| {
        ["intent", "outcome", "change", "reconcile"].contains(&it["kind"].as_str().unwrap())
    };
    let seqs = |all: &mut dyn Iterator<Item = &Value>| -> Vec<u64> {
        all.map(|it| it["seq"].as_u64().unwrap()).collect()
    };
    let told = |words: &[&str]| {
        let json = json(&serve, words);
        let in_json = seqs(&mut json["timeline"].as_array().unwrap().iter());
        let text = incident(&serve, words);
        let (_, table) = text.split_once("## Timeline\n").unwrap();
        let rows = table.lines().skip(3).take_while(|it| it.starts_with("| "));
        let in_text: Vec<u64> =
            rows.map(|it| it.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        assert_eq!(in_json, in_text);
        in_json
    };
    let all = seqs(&mut records.iter().filter(is_change));
    assert_eq!(all.len(), 4);
    assert_eq!(told(&[]), all);
    assert_eq!(told(&["--since", "1"]), all);
    let ops: BTreeSet<&str> =
        records.iter().filter(is_change).map(|it| it["op"].as_str().unwrap()).collect();
    for op in ops {
        let of_op = records.iter().filter(is_change).filter(|it| it["op"] == op);
        assert_eq!(told(&["--op", op]), seqs(&mut of_op.into_iter()));
    }
    let third = all[2].to_string();
    assert_eq!(told(&["--since", &third]), all[2..]);
    assert_eq!(told(&["--since", &third, "--until", &third]), all[2..3]);
    let host = |name: &str| {
        let ops: BTreeSet<_> =
            records.iter().filter(|it| it["host"] == name).map(|it| it["op"].as_str()).collect();
        let of_host = records.iter().filter(is_change);
        seqs(&mut of_host.filter(|it| ops.contains(&it["op"].as_str())))
    };
    assert_eq!(told(&["host:edge-fra-2"]), host("edge-fra-2"));
    assert_eq!(told(&["edge-fra-1/www.example.net"]), host("edge-fra-1"));
    assert_eq!(told(&["group=edge"]), all);
    assert!(json(&serve, &["host:web-*"])["timeline"].as_array().unwrap().is_empty());
}

/// Whoever is given a hand-over of a drill is told so first, in a chat as well.
#[test]
fn nobody_takes_practice_for_an_incident() {
    let serve = night();
    let text = incident(&serve, &[]);
    assert!(text.lines().nth(2) == Some("**PRACTICE: nothing of this is real.**"), "{text}");
    let json = json(&serve, &[]);
    assert_eq!(json["practice"], true);
    assert_eq!(json["status"][0], "PRACTICE: nothing of this is real.");
    let output = serve.certdeck(&["run", "dry-run", "edge-fra-1/www.example.net"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("PRACTICE: nothing here is real\n"), "{said}");
}

#[test]
fn a_damaged_log_is_handed_over_as_far_as_it_is_good() {
    let serve = night();
    let output = serve.command("sh").args(["-c", "echo $CERTDECK_STATE_DIR"]).output().unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    let path = format!("{}/audit/000001.jsonl", state.trim());
    let good = fs::read_to_string(&path).unwrap();
    // The name of the lineage stands in the last records only.
    fs::write(&path, good.replace("edge-fra-1", "edge-fra-9")).unwrap();
    let output = serve.certdeck(&["incident"]);
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(out.contains("- State: tampered") && out.contains("- Fault: "), "{out}");
    assert!(out.contains("api.example.net on edge-fra-2") && !out.contains("edge-fra-9"), "{out}");
    assert!(err.contains("what is good of the log is written"), "{err}");
}

#[test]
fn without_an_inventory_and_without_a_log_it_says_so() {
    let home = Home::new();
    insta::assert_snapshot!(
        shown(&home.certdeck(&["--now", "2026-11-23T04:00:00Z", "incident", "--since", "2h"]))
            .lines()
            .take(4)
            .collect::<Vec<_>>()
            .join("\n"),
        @r"
    -- stdout
    # Hand-over

    The audit log holds nothing (`since 2026-11-23T02:00:00Z`).
    "
    );
    assert_eq!(home.certdeck(&["incident", "--since", "yesterday"]).status.code(), Some(2));
    assert_eq!(home.certdeck(&["incident", "state:dieu"]).status.code(), Some(2));
}
