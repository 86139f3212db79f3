//! One file of the log: whole records, and perhaps a torn one at the end. Reads in bounded
//! memory, whatever the file holds.

use std::collections::HashSet;
use std::io::{self, BufRead, Read as _};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::record::{self, Envelope, Hash, LONGEST, Last, Why};

/// A segment this long is full, and a new one begins. What another process has appended is read
/// before anything is written, so this is also what a first append may have to read.
pub(super) const FULL: u64 = 8 * 1024 * 1024;

/// What is known of a segment, or of what was appended to it.
#[derive(Debug, Default)]
pub(super) struct Checker {
    /// The record before the first one here.
    pub(super) before: Option<Last>,
    /// The last record so far; the one before the first if there is none.
    pub(super) last: Option<Last>,
    /// How many records are good.
    pub(super) records: u64,
    /// The line that is looked at, from 1.
    pub(super) line: usize,
    /// How many bytes the good records take.
    pub(super) kept: u64,
    /// What follows them.
    pub(super) torn: Torn,
    /// The closed segments that are declared here.
    pub(super) declared: Vec<(usize, Closed)>,
    /// The lines of records that begin a log.
    pub(super) genesis: Vec<usize>,
    /// The line of the first record that declares no segment.
    pub(super) first_other: Option<usize>,
    /// What was begun here, and not ended here.
    pub(super) opened: HashSet<Uuid>,
    /// What was ended here, and not begun here.
    pub(super) ended: HashSet<Uuid>,
    /// How many intents were open before.
    pub(super) carried: u64,
    /// Records of which somebody knows the hash.
    pub(super) known: Vec<Last>,
    /// Those of them that have another one here.
    pub(super) others: Vec<Last>,
}

/// The bytes after the last whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) bytes: u64,
    pub(super) hash: Hash,
}

impl Default for Torn {
    fn default() -> Self {
        Self { bytes: 0, hash: Hash::of(&[]) }
    }
}

/// A segment to which nothing is appended any more, as a record of a later one declares it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Closed {
    after: String,
    after_seq: u64,
    after_hash: String,
    kept_bytes: u64,
    torn_bytes: u64,
    torn_hash: String,
}

/// A line that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) why: Why,
}

impl Fault {
    pub(super) fn changed(line: usize, what: &'static str) -> Self {
        Self { line, why: Why::Changed(what) }
    }
}

/// Why reading a segment ended early.
#[derive(Debug)]
pub(super) enum Stop {
    Fault(Fault),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Checker {
    /// For what follows `last`, which ended on that line.
    pub(super) fn after(last: Last, line: usize) -> Self {
        Self { before: Some(last), last: Some(last), line, ..Self::default() }
    }

    /// Reads to the end. Every good record is shown to `see`.
    pub(super) fn read(
        &mut self,
        mut bytes: impl BufRead,
        see: &mut dyn FnMut(&str, &Envelope<'_>),
    ) -> Result<(), Stop> {
        let mut line = Vec::new();
        loop {
            line.clear();
            bytes.by_ref().take(LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(());
            }
            self.line += 1;
            let Some(record) = line.strip_suffix(b"\n") else {
                return self.tear(&line, bytes);
            };
            self.take(record, see).map_err(|why| Stop::Fault(Fault { line: self.line, why }))?;
            self.kept += line.len() as u64;
        }
    }

    /// A line without an end was torn by a crash, if nothing follows it.
    fn tear(&mut self, start: &[u8], mut bytes: impl BufRead) -> Result<(), Stop> {
        let mut hasher = Sha256::new();
        hasher.update(start);
        let mut length = start.len() as u64;
        loop {
            let more = match bytes.fill_buf() {
                Err(it) if it.kind() == io::ErrorKind::Interrupted => continue,
                more => more?,
            };
            if more.contains(&b'\n') {
                return Err(Stop::Fault(Fault::changed(self.line, "too long")));
            }
            if more.is_empty() {
                break;
            }
            hasher.update(more);
            let read = more.len();
            length += read as u64;
            bytes.consume(read);
        }
        self.line -= 1;
        self.torn = Torn { bytes: length, hash: Hash::from_hasher(hasher) };
        Ok(())
    }

    fn take(&mut self, line: &[u8], see: &mut dyn FnMut(&str, &Envelope<'_>)) -> Result<(), Why> {
        let record = record::check(line)?;
        let before = *self.before.get_or_insert(Last {
            // Numbers begin with 1, or the line would not have been taken for a record.
            seq: record.seq - 1,
            hash: record.prev,
        });
        let last = self.last.unwrap_or(before);
        if last.seq.checked_add(1) != Some(record.seq) {
            return Err(Why::Changed("not the next number"));
        }
        if record.prev != last.hash {
            return Err(Why::Changed("not the record after the one before"));
        }
        // It was UTF-8 for the check.
        let text = str::from_utf8(line).unwrap_or_default();
        match record.kind {
            "segment" => self.declare(text)?,
            _ => {
                self.first_other.get_or_insert(self.line);
            }
        }
        match record.kind {
            "genesis" => self.genesis.push(self.line),
            "intent" => {
                self.opened.insert(record.op);
            }
            "outcome" | "reconcile" if !self.opened.remove(&record.op) => {
                self.ended.insert(record.op);
            }
            _ => {}
        }
        let others = self.known.iter().filter(|it| it.seq == record.seq && it.hash != record.hash);
        self.others.extend(others);
        self.last = Some(record.last());
        self.records += 1;
        see(text, &record);
        Ok(())
    }

    fn declare(&mut self, text: &str) -> Result<(), Why> {
        #[derive(Deserialize)]
        struct Says {
            #[serde(flatten)]
            closed: Closed,
            #[serde(default)]
            open: u64,
        }
        let Ok(Says { closed, open }) = serde_json::from_str(text) else {
            return Err(Why::Changed("declares no segment"));
        };
        if self.declared.is_empty() {
            self.carried = open;
        }
        self.declared.push((self.line, closed));
        Ok(())
    }
}

impl Closed {
    /// A segment with its last record, that many bytes of records, and what follows them.
    pub(super) fn new(number: u64, last: Last, kept: u64, torn: Torn) -> Self {
        Self {
            after: name(number),
            after_seq: last.seq,
            after_hash: last.hash.to_string(),
            kept_bytes: kept,
            torn_bytes: torn.bytes,
            torn_hash: torn.hash.to_string(),
        }
    }

    /// What the record says that declares it.
    pub(super) fn body(&self, open: u64) -> Map<String, Value> {
        let reason = if self.torn_bytes == 0 { "full" } else { "torn" };
        [
            ("after", json!(self.after)),
            ("after-seq", json!(self.after_seq)),
            ("after-hash", json!(self.after_hash)),
            ("kept-bytes", json!(self.kept_bytes)),
            ("torn-bytes", json!(self.torn_bytes)),
            ("torn-hash", json!(self.torn_hash)),
            ("reason", json!(reason)),
            ("open", json!(open)),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }

    /// Whether a crash has torn its last record.
    pub(super) fn is_torn(&self) -> bool {
        self.torn_bytes > 0
    }
}

/// The name of a segment's file.
pub(super) fn name(number: u64) -> String {
    format!("{number:06}.jsonl")
}

/// The number of a segment's file.
pub(super) fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".jsonl")?.parse().ok()?;
    (number > 0 && self::name(number) == name).then_some(number)
}
