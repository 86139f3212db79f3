//! Records for other programs, for spreadsheets, and for people who write up an incident.

use std::io::{self, Write};

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
    for record in records {
        let (seq, op) = (record.seq.to_string(), record.op.to_string());
        let fixed = [&seq, record.stamp(), &op, &record.kind].map(str::to_owned);
        let cells = COLUMNS.iter().map(|it| guarded(&record.shown(it)));
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
            cell(&record.shown("host")),
            cell(&record.shown("who")),
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
                ["to do:".to_owned(), part("action"), part(about), reason].to_vec()
            }
            "outcome" | "reconcile" => [part("ending"), part("summary")].to_vec(),
            "segment" => [part("after"), "was closed:".to_owned(), part("reason")].to_vec(),
            "change" => {
                [part("what"), part("old"), "->".to_owned(), part("new"), part("file")].to_vec()
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
    use uuid::Uuid;

    use super::*;
    use crate::fleet::Moment;

    fn records() -> Vec<Record> {
        let record = |(seq, kind, body): &(u64, &str, Value)| Record {
            seq: *seq,
            at: Moment::from_unix(1_795_403_564 + 70_000 * (*seq as i64 / 3) + *seq as i64),
            op: Uuid::from_u128((*seq).into()),
            kind: (*kind).to_owned(),
            body: body.as_object().unwrap().clone(),
            line: format!("{{\"seq\":{seq}}}"),
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
        .map(record)
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
        insta::assert_snapshot!(written("markdown"), @"");
    }

    #[test]
    fn csv_has_a_line_for_each() {
        insta::assert_snapshot!(written("csv"), @"");
    }

    #[test]
    fn json_is_what_stands_in_the_log() {
        let all: Value = serde_json::from_str(&written("json")).unwrap();
        assert_eq!(all, json!([{"seq": 1}, {"seq": 2}, {"seq": 3}, {"seq": 4}]));
        let mut out = Vec::new();
        json(&[], &mut out).unwrap();
        assert_eq!(out, b"[]\n");
    }
}
