//! Reading the log: records for people and programs, and what has no outcome yet.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Error, segment};
use crate::fleet::Moment;

/// One record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// When, to the second; the line has it to the microsecond.
    pub at: Moment,
    /// The action that it belongs to.
    pub op: Uuid,
    /// `intent`, `step`, `outcome`, …
    pub kind: String,
    /// Everything else in it.
    pub body: Map<String, Value>,
    /// The line, as it stands in the file.
    pub line: String,
}

/// Every record of the log below the state folder, oldest first.
///
/// # Errors
/// Where the log cannot be read, or is not as it was written.
pub fn records(state_dir: &Path) -> Result<Vec<Record>, Error> {
    let dir = state_dir.join("audit");
    let mut records = Vec::new();
    for number in 1_u64.. {
        let path = dir.join(format!("{number:06}.jsonl"));
        let bytes = match fs::read(&path) {
            Ok(it) => it,
            Err(it) if it.kind() == io::ErrorKind::NotFound => break,
            Err(source) => return Err(Error::Write { path, source }),
        };
        segment::read(&bytes).map_err(|fault| Error::Tampered {
            path,
            line: fault.line,
            what: fault.what,
        })?;
        let lines = bytes.split_inclusive(|it| *it == b'\n');
        records.extend(lines.filter_map(|it| parse(it.strip_suffix(b"\n")?)));
    }
    Ok(records)
}

/// The intents that have neither an outcome nor a reconciliation, oldest first.
pub fn open_intents(records: &[Record]) -> Vec<&Record> {
    let ended: HashSet<Uuid> = records
        .iter()
        .filter(|it| matches!(it.kind.as_str(), "outcome" | "reconcile"))
        .map(|it| it.op)
        .collect();
    records.iter().filter(|it| it.kind == "intent" && !ended.contains(&it.op)).collect()
}

fn parse(line: &[u8]) -> Option<Record> {
    let line = std::str::from_utf8(line).ok()?;
    let mut body: Map<String, Value> = serde_json::from_str(line).ok()?;
    let mut take = |key| body.remove(key);
    take("v")?;
    take("prev")?;
    take("h")?;
    Some(Record {
        seq: take("seq")?.as_u64()?,
        at: Moment::parse(take("t")?.as_str()?)?,
        op: take("op")?.as_str()?.parse().ok()?,
        kind: take("kind")?.as_str()?.to_owned(),
        body,
        line: line.to_owned(),
    })
}

impl Record {
    /// A text of the record.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key).and_then(Value::as_str)
    }
}
