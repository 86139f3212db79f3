//! The hand-over: what is told, what is not, and what cannot break out of it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::sample::{NOW, extract, fleet, night, record};
use super::{FORMATS, Incident};
use crate::audit::Extract;
use crate::audit::read::Record;

fn written(extract: &Extract, format: &str) -> String {
    let (fleet, mut out) = (fleet(), Vec::new());
    let incident =
        Incident { extract, asked: "since 2026-11-23T03:00:00Z", fleet: &fleet, now: NOW };
    let format = FORMATS.iter().find(|it| it.name == format).unwrap();
    (format.write)(&incident, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn json_of(extract: &Extract) -> Value {
    serde_json::from_str(&written(extract, "json")).unwrap()
}

/// The rows of the timeline, cell by cell, as a reader of GitHub's Markdown splits them.
fn rows(markdown: &str) -> Vec<Vec<String>> {
    let (_, table) = markdown.split_once("## Timeline\n\n").unwrap();
    let rows = table.lines().take_while(|it| it.starts_with('|')).skip(2);
    rows.map(|row| {
        let mut cells = vec![String::new()];
        let mut is_escaped = false;
        for c in row.trim_matches('|').chars() {
            match c {
                '|' if !is_escaped => cells.push(String::new()),
                _ => cells.last_mut().unwrap().push(c),
            }
            is_escaped = c == '\\' && !is_escaped;
        }
        cells.iter().map(|it| it.trim().to_owned()).collect()
    })
    .collect()
}

#[test]
fn a_night_is_told_in_markdown() {
    insta::assert_snapshot!(written(&extract(night(), |it| (3..=20).contains(&it.seq)), "md"));
}

#[test]
fn a_night_is_told_to_programs() {
    let json = json_of(&extract(night(), |it| (3..=20).contains(&it.seq)));
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn a_status_fits_into_a_chat() {
    let (extract, fleet) = (extract(night(), |it| (3..=20).contains(&it.seq)), fleet());
    let incident = Incident { extract: &extract, asked: "", fleet: &fleet, now: NOW };
    insta::assert_snapshot!(incident.status().join("\n"), @r"
    certdeck, 2026-11-23T03:12:44Z to 2026-11-23T03:27:44Z: 5 actions (1 failed, 2 ok, 1 unknown), 2 changes of host keys or settings on 3 hosts.
    Touched: www.example.net on web-01; www.example.net on web-02; www.example.net on web-03; and 2 more.
    Last, 2026-11-23T03:24:44Z: issuer-register: unknown; it was cut off (ben@bastion).
    Open: issue www.example.net on web-02: the certificate is not proven on the wire; issuer-register: its outcome is not known; renew www.example.net on web-03: it has no outcome and may still run; and 1 more.
    Ask: edge team, +31 20 555 0100, https://wiki.example.net/tls (edge).
    ");
    let mut called = night();
    called[4].body.insert("summary".into(), json!("@everyone <!channel> \u{202e}anna@laptop"));
    let extract = super::sample::extract(called, |it| it.seq == 5);
    let incident = Incident { extract: &extract, asked: "", fleet: &fleet, now: NOW };
    let text = incident.status().join("\n");
    assert!(text.contains("(at)everyone (!channel) (U+202E)anna@laptop"), "{text}");
}

#[test]
fn a_span_in_which_nothing_happened_says_so() {
    let nothing = extract(night(), |_| false);
    assert!(written(&nothing, "md").contains("The audit log holds nothing"));
    assert_eq!(json_of(&nothing)["timeline"], json!([]));
    let end = extract(night(), |it| it.seq == 21);
    // Its beginning is another time's: what it was about is told, what was done then is not.
    let text = written(&end, "md");
    assert!(text.contains("`dry-run` ended `ok`") && text.contains("web-03"), "{text}");
    assert!(!text.contains("begins") && !text.contains("expires at"), "{text}");
}

#[test]
fn what_is_open_is_listed_once_and_nothing_else_is() {
    let json = json_of(&extract(night(), |it| it.seq != 21));
    let open = json["open"].as_array().unwrap().iter();
    let open: Vec<_> =
        open.map(|it| format!("{} {}", it["seq"], it["what"].as_str().unwrap())).collect();
    let expect = [
        "2 ends-later",
        "11 not-proven",
        "16 unknown-outcome",
        "18 no-outcome",
        "19 challenge-in-place",
    ];
    assert_eq!(open, expect);
}

#[test]
fn what_stands_in_a_log_marks_nothing_up() {
    let hostile = [
        "| a | b |",
        "`code` ``` x",
        "\\| \\` \\\\|",
        "<script>alert(1)</script>",
        "[x](https://evil.example)",
        "![x](//evil)",
        "https://evil.example www.evil.example a@evil.example",
        "a\nb\r\n# c\n- d",
        "*x* _y_ ~~z~~",
        "&lt;b&gt; &#124;",
        "\u{1b}[2J\u{202e}x",
        " lead and trail ",
        "-->",
        "$x$ :boom: @all",
        "`",
        "|",
        "\\",
    ];
    for (text, also) in hostile.iter().zip(hostile.iter().cycle().skip(3)) {
        let body = json!({
            "action": text, "host": also, "lineage": text, "who": text, "argv": [[text, also]], "confirmed": text,
            "names": [text], "reason": also, "ending": "failed", "summary": text, "evidence": [also], "cause": text,
            "before": text, "after": also, "exit": text, "output": "2c2c",
            "wire": [{"name": text, "from": text, "address": also, "error": text}], "strange|`key": text,
            "what": also,
        });
        let kinds = ["intent", "outcome", "change", "step", "session", "what|ever", "genesis"];
        let records: Vec<_> =
            (1..).zip(kinds).map(|(seq, kind)| record(seq, 1, 1, kind, &body)).collect();
        let text = written(&extract(records, |_| true), "md");
        let rows = rows(&text);
        assert_eq!(rows.len(), 4, "{text}");
        assert!(rows.iter().all(|it| it.len() == 9), "{text}");
        let mut fence: Option<&str> = None;
        for line in text.lines() {
            match fence {
                Some(open) if line == open => fence = None,
                Some(_) => {}
                None if line.starts_with("```") => fence = Some(line.trim_end_matches("text")),
                None => check_line(line),
            }
        }
        assert_eq!(fence, None, "a fence is left open:\n{text}");
        assert!(text.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{text}");
    }
}

/// Outside of code spans there is nothing that could mark up, link or call.
#[track_caller]
fn check_line(line: &str) {
    // Comments and boxes to tick are our own.
    if line.starts_with("<!-- ") {
        return;
    }
    let line = line.strip_prefix("- [ ] ").unwrap_or(line);
    let pieces: Vec<_> = line.split('`').collect();
    assert!(pieces.len() % 2 == 1, "a code span is left open: {line}");
    for outside in pieces.iter().step_by(2) {
        let is_odd = |it: &str| outside.contains(it);
        let odd = ["<", "[", "](", "*", "_", "~", "\\", "://", "www.", "@", "$"];
        assert!(!odd.iter().any(|it| is_odd(it)), "{outside:?} in {line}");
    }
}

fn any_record() -> impl Strategy<Value = (i64, u8, &'static str, String)> {
    let kinds = [
        "intent",
        "outcome",
        "reconcile",
        "change",
        "step",
        "session",
        "genesis",
        "segment",
        "newer",
    ];
    (0..60_i64, 0..6_u8, proptest::sample::select(kinds.to_vec()), "[a-z|`<\\\\\\n]{0,8}")
}

proptest! {
    /// Every change of the span is told exactly once, and nothing that is not in it.
    #[test]
    fn every_change_of_a_span_is_told_once_and_no_other(
        all in proptest::collection::vec(any_record(), 0..40),
        (from, length) in (0..60_i64, 0..60_i64),
    ) {
        let records: Vec<Record> = (1_u64..)
            .zip(&all)
            .map(|(seq, (minute, op, kind, text))| {
                // What only this record says.
                let mark = format!("mark{seq}x{text}");
                let body = json!({
                    "action": "renew", "host": format!("h{op}"), "what": "w", "who": "w",
                    "summary": mark, "ending": "failed", "reason": mark, "new": mark,
                });
                record(seq, *minute, u128::from(*op), kind, &body)
            })
            .collect();
        let minute = |it: &Record| it.at.since(record(1, 0, 1, "", &json!({})).at) / 60;
        let is_in = |it: &Record| (from..=from + length).contains(&minute(it));
        let is_change = |it: &&Record| {
            matches!(it.kind.as_str(), "intent" | "outcome" | "reconcile" | "change" | "newer")
        };
        let expect: Vec<u64> = records.iter().filter(|it| is_in(it)).filter(is_change).map(|it| it.seq).collect();
        let extract = extract(records, is_in);
        let text = written(&extract, "md");
        let told: Vec<u64> = if expect.is_empty() {
            prop_assert!(!text.contains("\n| record |"));
            Vec::new()
        } else {
            rows(&text).iter().map(|it| it[0].parse().unwrap()).collect()
        };
        prop_assert_eq!(&told, &expect);
        let json = json_of(&extract);
        let told: Vec<u64> =
            json["timeline"].as_array().unwrap().iter().map(|it| it["seq"].as_u64().unwrap()).collect();
        prop_assert_eq!(&told, &expect);
        let chosen: BTreeSet<u64> = extract.chosen.clone();
        for it in extract.records.iter().filter(|it| !chosen.contains(&it.seq)) {
            let mark = format!("mark{}x", it.seq);
            prop_assert!(!text.contains(&mark) && !json.to_string().contains(&mark), "{}", mark);
        }
        for seq in expect {
            let mark = format!("mark{seq}x");
            prop_assert!(text.contains(&mark), "{}", mark);
        }
    }
}
