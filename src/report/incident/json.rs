//! The hand-over for programs: one object, schema 1. Keys are added, never renamed.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::story::{Entry, Story, Wire};

/// Writes the whole of it.
pub(super) fn write(story: &Story<'_>, out: &mut dyn Write) -> io::Result<()> {
    let verified = &story.extract.verified;
    let end = |at: usize| {
        let (seq, hash) = story.ends()?.into_iter().nth(at)?;
        Some(json!({ "seq": seq, "hash": hash }))
    };
    let fault = verified.fault.as_ref().map(|(path, line, what)| {
        json!({ "file": path.display().to_string(), "line": line, "what": what })
    });
    let group = |it: &&crate::fleet::Group| {
        json!({
            "group": it.name,
            "owner": it.owner.as_ref().map(AsRef::<str>::as_ref),
            "runbook": it.runbook.as_ref().map(AsRef::<str>::as_ref),
        })
    };
    let tail = |it: &Entry| {
        let tail = story.extract.tails.get(&it.output)?;
        Some((it.seq.to_string(), tail.iter().map(ToString::to_string).collect::<Value>()))
    };
    let seqs = |all: &mut dyn Iterator<Item = &Entry>| all.map(|it| it.seq).collect::<Value>();
    let object = json!({
        "schema": 1,
        "certdeck": env!("CARGO_PKG_VERSION"),
        "written-at": story.now.to_string(),
        "asked": story.asked,
        "practice": story.is_practice(),
        "from": story.span().map(|it| it.0.to_string()),
        "to": story.span().map(|it| it.1.to_string()),
        "status": story.status(),
        "hosts": story.hosts(),
        "targets": story.targets(),
        "names": story.names(),
        "people": story.people(),
        "ask": story.groups.iter().map(group).collect::<Value>(),
        "timeline": story.timeline.iter().map(entry).collect::<Value>(),
        "steps": story.steps.iter().map(entry).collect::<Value>(),
        "sessions": story.sessions.iter().map(entry).collect::<Value>(),
        "failed": seqs(&mut story.failed()),
        "reasoned": seqs(&mut story.reasoned()),
        "host-keys": seqs(&mut story.host_keys()),
        "configuration": seqs(&mut story.configuration()),
        "open": story.open.iter().map(|it| json!({
            "seq": it.seq, "what": it.what.name(), "target": it.target, "text": it.text,
        })).collect::<Value>(),
        "output": story.failed().filter_map(tail).collect::<Map<_, _>>(),
        "log": {
            "state": verified.state.word(),
            "records": verified.records,
            "files": verified.segments,
            "fault": fault,
            "problem": story.extract.problem.as_ref().map(ToString::to_string),
            "first": end(0),
            "last": end(1),
            "about": story.log.iter().map(entry).collect::<Value>(),
        },
    });
    serde_json::to_writer_pretty(&mut *out, &object)?;
    out.write_all(b"\n")
}

/// A record, without what it does not say.
fn entry(it: &Entry) -> Value {
    let texts = [
        ("kind", &it.word),
        ("who", &it.who),
        ("action", &it.action),
        ("host", &it.host),
        ("lineage", &it.lineage),
        ("confirmed", &it.confirmed),
        ("ending", &it.ending),
        ("summary", &it.summary),
        ("cause", &it.cause),
        ("before", &it.before),
        ("after", &it.after),
        ("output", &it.output),
    ];
    let mut object: Map<String, Value> = [
        ("seq", json!(it.seq)),
        ("time", json!(it.at.to_string())),
        ("op", json!(it.op.to_string())),
    ]
    .into_iter()
    .chain(texts.into_iter().filter(|it| !it.1.is_empty()).map(|(key, text)| (key, json!(text))))
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let mut add = |key: &str, value: Value| object.insert(key.to_owned(), value);
    if let Ok(exit) = it.exit.parse::<i64>() {
        add("exit", json!(exit));
    }
    for (key, list) in
        [("names", &it.names), ("commands", &it.commands), ("evidence", &it.evidence)]
    {
        if !list.is_empty() {
            add(key, json!(list));
        }
    }
    if !it.reasons.is_empty() {
        add("reasons", pairs(&it.reasons));
    }
    if !it.others.is_empty() {
        add("said", pairs(&it.others));
    }
    if !it.wire.is_empty() {
        add("wire", it.wire.iter().map(wire).collect());
    }
    Value::Object(object)
}

fn pairs(all: &[(String, String)]) -> Value {
    Value::Object(all.iter().map(|(key, text)| (key.clone(), json!(text))).collect())
}

fn wire(it: &Wire) -> Value {
    let or_null = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    json!({
        "name": it.name,
        "from": it.from,
        "address": it.address,
        "leaf": or_null(&it.leaf),
        "error": or_null(&it.error),
    })
}
