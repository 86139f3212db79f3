//! Records for other programs, for spreadsheets, and for people who write up an incident.

use std::collections::HashMap;
use std::io::{self, Write};

use uuid::Uuid;

use super::read::Record;
use crate::fleet::human;
use crate::text::SafeText;

/// A form in which records leave.
#[derive(Debug)]
pub struct Format {
    /// What it is called.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Writes the records.
    pub write: fn(&[&Record], &mut dyn Write) -> io::Result<()>,
}

/// Every form.
pub static FORMATS: &[Format] = &[
    Format { name: "json", about: "one array of records, as they stand in the log", write: json },
    Format { name: "csv", about: "one line per record, for spreadsheets", write: csv },
    Format { name: "markdown", about: "a timeline, for what is written after", write: markdown },
];

fn json(records: &[&Record], out: &mut dyn Write) -> io::Result<()> {
    let mut before = "[\n";
    for record in records {
        write!(out, "{before}{}", record.line)?;
        before = ",\n";
    }
    writeln!(out, "{}", if records.is_empty() { "[]" } else { "\n]" })
}

fn csv(records: &[&Record], out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    let fixed = ["seq", "time", "op", "kind"];
    table.write_record(fixed.iter().chain(COLUMNS))?;
    let actions = Actions::of(records.iter().copied());
    for record in records {
        let (seq, op) = (record.seq.to_string(), record.op.to_string());
        let fixed = [&seq, record.stamp(), &op, &record.kind].map(str::to_owned);
        let cells = COLUMNS.iter().map(|it| guarded(&actions.shown(record, it)));
        table.write_record(fixed.into_iter().chain(cells))?;
    }
    table.flush()
}

/// Text that no spreadsheet calculates (OWASP, "CSV Injection").
fn guarded(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn markdown(records: &[&Record], out: &mut dyn Write) -> io::Result<()> {
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return writeln!(out, "No records.");
    };
    writeln!(out, "## Timeline, {} to {}\n", first.at, last.at)?;
    writeln!(out, "Times are UTC. From the audit log, records {} to {}.\n", first.seq, last.seq)?;
    writeln!(out, "| time | + | host | who | what | record |")?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let mut day = None;
    let mut before = first.at;
    let actions = Actions::of(records.iter().copied());
    for record in records {
        let at = record.at.to_string();
        let (date, time) = at.split_once('T').unwrap_or((&at, ""));
        let time = time.trim_end_matches('Z');
        // The date stands where it changes.
        let time =
            if day.as_deref() == Some(date) { time.to_owned() } else { format!("{date} {time}") };
        day = Some(date.to_owned());
        writeln!(
            out,
            "| {time} | {} | {} | {} | {} | {} |",
            human(record.at.since(before)),
            cell(&actions.shown(record, "host")),
            cell(&actions.shown(record, "who")),
            cell(record.summary().as_str()),
            record.seq,
        )?;
        before = record.at;
    }
    Ok(())
}

/// Text in which nothing marks up.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '|' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '~' | '#') {
            cell.push('\\');
        }
        cell.push(c);
    }
    cell
}

/// What the first record of each action says, and its later ones do not repeat.
#[derive(Debug)]
pub struct Actions<'r>(HashMap<Uuid, &'r Record>);

impl<'r> Actions<'r> {
    /// The actions of these records.
    pub fn of(records: impl IntoIterator<Item = &'r Record>) -> Self {
        let mut firsts = HashMap::new();
        for record in records {
            firsts.entry(record.op).or_insert(record);
        }
        Self(firsts)
    }

    /// A member of the record, or else what its action began with, as text that is safe to show.
    pub fn shown(&self, record: &Record, key: &str) -> String {
        let own = record.shown(key);
        match self.0.get(&record.op) {
            Some(first) if own.is_empty() && COMMON.contains(&key) => first.shown(key),
            _ => own,
        }
    }
}

impl Record {
    /// What was done: the action of an intent, or what was changed here.
    pub fn action(&self) -> Option<&str> {
        self.text("action").or_else(|| self.text("what"))
    }

    /// The record in one line, without its host.
    pub fn summary(&self) -> SafeText {
        let part = |key: &str| self.shown(key);
        let words = match self.kind.as_str() {
            "genesis" if self.body.contains_key("fork") => {
                ["a new log begins:".to_owned(), part("reason")].to_vec()
            }
            "genesis" => ["the log begins on".to_owned(), part("origin")].to_vec(),
            "session" => {
                [part("what"), "session".to_owned(), part("event"), part("version")].to_vec()
            }
            "intent" => {
                let about = if self.text("lineage").is_some() { "lineage" } else { "names" };
                let reason = self.text("reason").map(|it| format!("({it})")).unwrap_or_default();
                ["begins:".to_owned(), part("action"), part(about), reason].to_vec()
            }
            "outcome" | "reconcile" => {
                let ending = part("ending");
                [if ending.is_empty() { ending } else { ending + ":" }, part("summary")].to_vec()
            }
            "segment" => [part("after"), "was closed:".to_owned(), part("reason")].to_vec(),
            "change" => {
                [part("what"), part("old"), "->".to_owned(), part("new"), part("file")].to_vec()
            }
            "guide" => {
                let reason = self.text("reason").map(|it| format!("({it})")).unwrap_or_default();
                [part("event"), part("step"), part("answer"), part("about"), reason].to_vec()
            }
            "step" => [part("n"), part("what"), part("event"), part("text")].to_vec(),
            _ => self.body.keys().take(3).map(|it| format!("{it}={}", part(it))).collect(),
        };
        let words: Vec<String> = words.into_iter().filter(|it| !it.is_empty()).collect();
        SafeText::new(&words.join(" "))
    }

    /// A member as text that is safe to show; empty if it is not there.
    pub fn shown(&self, key: &str) -> String {
        let text = match self.body.get(key) {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(value) => plain(value),
        };
        SafeText::new(&text).to_string()
    }
}

fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// What is the same for a whole action.
const COMMON: [&str; 5] = ["host", "lineage", "names", "action", "who"];

const COLUMNS: &[&str] = &[
    "host",
    "lineage",
    "names",
    "action",
    "what",
    "who",
    "confirmed",
    "reason",
    "ending",
    "summary",
    "exit",
    "before",
    "after",
    "output",
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::record::{self, Last};
    use super::*;
    use crate::fleet::Moment;

    fn records() -> Vec<Record> {
        let mut last = Last::default();
        let mut record = |(seq, kind, body): &(i64, &str, Value)| {
            let at = Moment::from_unix(1_795_403_564 + 70_000 * (seq / 3) + seq);
            let stamp = at.to_string().replace('Z', ".123456Z");
            let op = Uuid::from_u128(if *seq == 3 { 2 } else { u128::try_from(*seq).unwrap() });
            let body = body.as_object().unwrap();
            let (line, next) = record::write(last, &stamp, op, kind, body);
            last = next;
            Record {
                seq: last.seq,
                at,
                op,
                kind: (*kind).to_owned(),
                body: body.clone(),
                line: String::from_utf8(line).unwrap().trim_end().to_owned(),
            }
        };
        [
            (1, "genesis", json!({"origin": "laptop"})),
            (
                2,
                "intent",
                json!({
                    "action": "force-renew", "host": "web-01", "lineage": "a_b.example.net",
                    "who": "=anna@laptop", "reason": "CA | revoked \u{202e}it",
                }),
            ),
            (3, "outcome", json!({"ending": "failed", "summary": "deploy hook ended with 1"})),
            (4, "change", json!({"what": "host-key", "host": "web-02", "new": "SHA256:x"})),
        ]
        .iter()
        .map(&mut record)
        .collect()
    }

    fn written(name: &str) -> String {
        let records = records();
        let mut out = Vec::new();
        let format = FORMATS.iter().find(|it| it.name == name).unwrap();
        (format.write)(&records.iter().collect::<Vec<_>>(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn markdown_is_a_timeline() {
        insta::assert_snapshot!(written("markdown"), @r"
        ## Timeline, 2026-11-23T03:12:45Z to 2026-11-23T22:39:28Z

        Times are UTC. From the audit log, records 1 to 4.

        | time | + | host | who | what | record |
        |---|---|---|---|---|---|
        | 2026-11-23 03:12:45 | 0s |  |  | the log begins on laptop | 1 |
        | 03:12:46 | 1s | web-01 | =anna@laptop | begins: force-renew a\_b.example.net (CA \| revoked \<U+202E\>it) | 2 |
        | 22:39:27 | 19h | web-01 | =anna@laptop | failed: deploy hook ended with 1 | 3 |
        | 22:39:28 | 1s | web-02 |  | host-key -\> SHA256:x | 4 |
        ");
    }

    #[test]
    fn csv_has_a_line_for_each() {
        insta::assert_snapshot!(written("csv"), @r"
        seq,time,op,kind,host,lineage,names,action,what,who,confirmed,reason,ending,summary,exit,before,after,output
        1,2026-11-23T03:12:45.123456Z,00000000-0000-0000-0000-000000000001,genesis,,,,,,,,,,,,,,
        2,2026-11-23T03:12:46.123456Z,00000000-0000-0000-0000-000000000002,intent,web-01,a_b.example.net,,force-renew,,'=anna@laptop,,CA | revoked <U+202E>it,,,,,,
        3,2026-11-23T22:39:27.123456Z,00000000-0000-0000-0000-000000000002,outcome,web-01,a_b.example.net,,force-renew,,'=anna@laptop,,,failed,deploy hook ended with 1,,,,
        4,2026-11-23T22:39:28.123456Z,00000000-0000-0000-0000-000000000004,change,web-02,,,,host-key,,,,,,,,,
        ");
    }

    #[test]
    fn json_is_what_stands_in_the_log() {
        let all: Value = serde_json::from_str(&written("json")).unwrap();
        assert_eq!(all.as_array().map(Vec::len), Some(4));
        assert_eq!((&all[3]["seq"], &all[3]["host"]), (&json!(4), &json!("web-02")));
        let mut out = Vec::new();
        json(&[], &mut out).unwrap();
        assert_eq!(out, b"[]\n");
    }
}
