//! Reading the log: records for people and programs, and what has no outcome yet.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use uuid::Uuid;

use super::chain::Chain;
use super::record::{self, ENVELOPE, Envelope};
use super::segment::{self, Checker, Stop};
use super::{Error, FOLDER, blob, head, tail};
use crate::fleet::{HostName, Moment};
use crate::text::SafeText;

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
    let mut records = Vec::new();
    scan(state_dir, &mut |it| records.push(it))?;
    Ok(records)
}

/// Shows every record of the log below the state folder, oldest first.
///
/// # Errors
/// Where the log cannot be read, or is not as it was written; what is before has been shown.
pub fn scan(state_dir: &Path, show: &mut dyn FnMut(Record)) -> Result<(), Error> {
    scan_folder(&state_dir.join(FOLDER), show)
}

/// The intents that have neither an outcome nor a reconciliation, oldest first.
pub fn open_intents(records: &[Record]) -> Vec<&Record> {
    let ended: HashSet<Uuid> = records.iter().filter(|it| it.is_end()).map(|it| it.op).collect();
    records.iter().filter(|it| it.kind == "intent" && !ended.contains(&it.op)).collect()
}

/// The same from the log below the state folder. Whether the log is as it was written is not
/// looked at, and of most records only the beginning: this is asked before every change.
///
/// # Errors
/// Where the log cannot be read.
pub fn open(state_dir: &Path) -> Result<Vec<Record>, Error> {
    let dir = state_dir.join(FOLDER);
    let mut open: HashMap<Uuid, String> = HashMap::new();
    let mut line = Vec::new();
    for number in tail::numbers(&dir)? {
        let path = dir.join(segment::name(number));
        let file = File::open(&path).map_err(Error::read(&path))?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        loop {
            line.clear();
            let part = file.by_ref().take(record::LONGEST as u64).read_until(b'\n', &mut line);
            if part.map_err(Error::read(&path))? == 0 {
                break;
            }
            // What a crash has torn is no record.
            let Some(whole) = line.strip_suffix(b"\n") else { continue };
            let Ok(text) = std::str::from_utf8(whole) else { continue };
            let Some(envelope) = record::parse(text) else { continue };
            match envelope.kind {
                "intent" => drop(open.insert(envelope.op, text.to_owned())),
                "outcome" | "reconcile" => drop(open.remove(&envelope.op)),
                _ => {}
            }
        }
    }
    let whole = |line: &String| record(line, &record::parse(line)?);
    let mut open: Vec<_> = open.values().filter_map(whole).collect();
    open.sort_by_key(|it| it.seq);
    Ok(open)
}

/// When an action last went well at each lineage, by host; the oldest record first.
pub fn last_done<'r>(
    records: impl IntoIterator<Item = &'r Record>,
    action: &str,
) -> HashMap<(HostName, SafeText), Moment> {
    let mut begun: HashMap<Uuid, (HostName, SafeText)> = HashMap::new();
    let mut done = HashMap::new();
    for it in records {
        match (it.text("action"), it.text("host"), it.text("lineage")) {
            (Some(what), Some(host), Some(lineage)) if it.kind == "intent" && what == action => {
                let host = HostName::new(SafeText::new(host).as_str());
                begun.insert(it.op, (host, SafeText::new(lineage)));
            }
            _ if it.is_end() && it.text("ending") == Some("ok") => {
                done.extend(begun.remove(&it.op).map(|at| (at, it.at)));
            }
            _ => {}
        }
    }
    done
}

/// The output that a record names by its hash; `None` if it is gone or was changed.
pub fn output(state_dir: &Path, name: &str) -> Option<Vec<u8>> {
    blob::read(&state_dir.join(FOLDER), name)
}

/// Where the output is that a record names by its hash.
pub fn output_path(state_dir: &Path, name: &str) -> PathBuf {
    blob::path(&state_dir.join(FOLDER), name)
}

impl Record {
    /// A text of the record.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.body.get(key).and_then(Value::as_str)
    }

    /// Whether it tells what became of an action.
    pub fn is_end(&self) -> bool {
        matches!(self.kind.as_str(), "outcome" | "reconcile")
    }

    /// Its hash, in hex.
    pub fn hash(&self) -> Option<String> {
        record::parse(&self.line).map(|it| it.hash.to_string())
    }

    /// When, to the microsecond.
    pub fn stamp(&self) -> &str {
        record::parse(&self.line).map_or("", |it| it.time)
    }
}

pub(super) fn scan_folder(dir: &Path, show: &mut dyn FnMut(Record)) -> Result<(), Error> {
    // First, or it may know of records that are written while we read.
    let head = head::read(dir);
    let mut chain = Chain::default();
    for (number, expected) in tail::numbers(dir)?.into_iter().zip(1..) {
        let path = dir.join(segment::name(expected));
        if number != expected {
            return Err(Error::Tampered { path, line: 0, what: "the file is missing" });
        }
        let file = File::open(&path).map_err(Error::read(&path))?;
        let mut found = Checker::default();
        chain.enter(number);
        let read = found.read(BufReader::new(file), &mut |line, it| {
            if let Some(record) = record(line, it) {
                show(record);
            }
        });
        let joined = chain.absorb(&found).map_err(Stop::Fault);
        joined.and(read).map_err(|it| tail::refuse(&path, it))?;
    }
    match head.iter().map(|it| it.seq).max() {
        Some(had) if had > chain.last.seq => Err(Error::Truncated { has: chain.last.seq, had }),
        _ => Ok(()),
    }
}

fn record(line: &str, envelope: &Envelope<'_>) -> Option<Record> {
    let mut body: Map<String, Value> = serde_json::from_str(line).ok()?;
    body.retain(|key, _| !ENVELOPE.contains(&key.as_str()));
    Some(Record {
        seq: envelope.seq,
        // Digits in the right places are not always a date.
        at: Moment::parse(envelope.time)?,
        op: envelope.op,
        kind: envelope.kind.to_owned(),
        body,
        line: line.to_owned(),
    })
}

const BUFFER: usize = 256 * 1024;
