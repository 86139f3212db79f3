//! The audit log as it was last read: records, what belongs together, and whether it is as it was
//! written. Values only.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::action::DRY_RUN;
pub use crate::audit::read::Record;
use crate::audit::read::last_done;
use crate::audit::verify::{State, Verified};
use crate::budget::{Event, Try};
use crate::fleet::{HostName, Moment, Weight};
use crate::perform::{Noted, Past};
use crate::text::SafeText;

/// The audit log as it was last read.
#[derive(Debug, Default)]
pub struct Book {
    /// The newest records, newest first.
    records: Vec<Record>,
    /// Which of them belong to an action, oldest first.
    of: HashMap<Uuid, Vec<usize>>,
    open: Vec<Record>,
    verified: Option<Verified>,
    /// How many older ones are left out.
    left_out: usize,
    /// Why it could not be read further.
    problem: Option<SafeText>,
    /// What was asked of CAs: what it tells itself, and what was noted beside it.
    at_cas: Noted,
}

/// A book while it is read: the newest records, and every intent that is still open.
#[derive(Debug, Default)]
pub struct Reading {
    newest: VecDeque<Record>,
    /// By their identity, those that are older than the newest.
    open: HashMap<Uuid, Record>,
    left_out: usize,
}

impl Reading {
    /// Takes in the next record.
    pub fn add(&mut self, record: Record) {
        match record.kind.as_str() {
            "intent" => {
                self.open.insert(record.op, record.clone());
            }
            _ if record.is_end() => {
                self.open.remove(&record.op);
            }
            _ => {}
        }
        self.newest.push_front(record);
        if self.newest.len() > KEPT {
            self.newest.pop_back();
            self.left_out += 1;
        }
    }

    /// The book, and why it ends where it does, if it could not be read further.
    pub fn book(self, verified: Verified, problem: Option<SafeText>) -> Book {
        let records: Vec<Record> = self.newest.into();
        let mut past = Past::default();
        records.iter().rev().for_each(|it| past.add(it));
        let at_cas = past.told();
        let mut of: HashMap<Uuid, Vec<usize>> = HashMap::new();
        for (at, record) in records.iter().enumerate().rev() {
            of.entry(record.op).or_default().push(at);
        }
        let mut open: Vec<Record> = self.open.into_values().collect();
        open.sort_by_key(|it| it.seq);
        let verified = Some(verified);
        let left_out = self.left_out;
        Book { records, of, open, verified, left_out, problem, at_cas }
    }
}

impl Book {
    /// Adds what was noted beside it of what happened at CAs.
    #[must_use]
    pub fn with(mut self, at_cas: Vec<Event>) -> Self {
        self.at_cas.events.extend(at_cas);
        self
    }

    /// What happened at CAs, as far as it was written down here.
    pub fn at_cas(&self) -> &[Event] {
        &self.at_cas.events
    }

    /// What was tried at CAs, and what came of it.
    pub fn tries(&self) -> &[Try] {
        &self.at_cas.tries
    }

    /// Why it could not be read further, if it could not.
    pub fn problem(&self) -> Option<&SafeText> {
        self.problem.as_ref()
    }

    /// The records, newest first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// How many older records are not shown.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The record of that number.
    pub fn record(&self, seq: u64) -> Option<&Record> {
        let at = self.records.binary_search_by(|it| seq.cmp(&it.seq)).ok()?;
        self.records.get(at)
    }

    /// Every record of an action, oldest first.
    pub fn of_action(&self, op: Uuid) -> impl Iterator<Item = &Record> {
        let all = self.of.get(&op).map_or(&[][..], Vec::as_slice);
        all.iter().filter_map(|it| self.records.get(*it))
    }

    /// The intents without an outcome, oldest first.
    pub fn open(&self) -> impl Iterator<Item = &Record> {
        self.open.iter()
    }

    /// What was done at a place, newest first: the intent, and the record of what came of it.
    pub fn changes<'b>(
        &'b self,
        host: &'b HostName,
        lineage: &'b str,
    ) -> impl Iterator<Item = (&'b Record, Option<&'b Record>)> {
        let is_meant = move |it: &&Record| {
            it.kind == "intent"
                && it.text("host") == Some(host.as_str())
                && it.text("lineage") == Some(lineage)
        };
        self.records.iter().filter(is_meant).map(|it| (it, self.end_of(it.op)))
    }

    /// The record of what came of an action.
    pub fn end_of(&self, op: Uuid) -> Option<&Record> {
        self.of_action(op).filter(|it| it.is_end()).last()
    }

    /// What a record is about: what its intent says, where it does not say it itself.
    pub fn said<'b>(&'b self, record: &'b Record, key: &str) -> Option<&'b str> {
        let of_action = || self.of_action(record.op).find_map(|it| it.text(key));
        record.text(key).or_else(of_action)
    }

    /// The records that have all of these words in them, newest first.
    pub fn search(&self, words: &str) -> Vec<u64> {
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        let has_all = |it: &&Record| {
            if words.is_empty() {
                return true;
            }
            let keys = ["action", "host", "lineage", "who", "user"];
            let said: Vec<_> = keys.iter().filter_map(|key| self.said(it, key)).collect();
            let text = format!("#{} {} {} {} {}", it.seq, it.at, it.kind, said.join(" "), it.line);
            let text = text.to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        self.records.iter().filter(has_all).map(|it| it.seq).collect()
    }

    /// Whether the log is as it was written, in words.
    pub fn verdict(&self) -> Option<(Weight, SafeText)> {
        let it = self.verified.as_ref()?;
        let all = format!("{}, {}", many(it.records, "record"), many(it.segments as u64, "file"));
        let (weight, words) = match it.state {
            State::Good => (Weight::Fine, format!("the chain holds: {all}")),
            State::OpenIntents => {
                let open = match it.open {
                    1 => "1 action has no outcome yet".to_owned(),
                    many => format!("{many} actions have no outcome yet"),
                };
                (Weight::Due, format!("the chain holds: {all}; {open}"))
            }
            State::Torn => {
                let text = "the last record was torn by a crash; the chain before it holds";
                (Weight::Due, format!("{text}: {all}"))
            }
            State::Tampered => {
                (Weight::Expired, format!("SOMEBODY HAS CHANGED IT; {all} are good"))
            }
            State::Truncated => (Weight::Expired, format!("IT WAS CUT: {all} are left")),
            State::UnknownVersion => {
                (Weight::Unknown, format!("a newer certdeck has written it; {all} can be read"))
            }
        };
        let fault = it.fault.as_ref().map_or_else(String::new, |(path, line, what)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("; {name} line {line}: {what}")
        });
        Some((weight, SafeText::new(&format!("{words}{fault}"))))
    }

    /// When an action last went well at each lineage, by host.
    pub fn last_done(&self, action: &str) -> HashMap<(HostName, SafeText), Moment> {
        last_done(self.records.iter().rev(), action)
    }

    /// How the last dry run of a place ended, and when.
    pub fn dry_run<'b>(
        &'b self,
        host: &'b HostName,
        lineage: &'b str,
    ) -> Option<(&'b Record, Moment)> {
        let mut changes = self.changes(host, lineage);
        changes.find_map(|(intent, end)| {
            end.filter(|_| intent.text("action") == Some(DRY_RUN)).map(|it| (it, it.at))
        })
    }
}

fn many(count: u64, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}

/// As many as anybody scrolls through; `certdeck audit` shows the rest.
const KEPT: usize = 20_000;
