//! How the segments of a log hang together: which record is the last, which closed segments are
//! still to be declared, and what is open.

use std::collections::HashSet;
use std::collections::VecDeque;

use uuid::Uuid;

use super::record::Last;
use super::segment::{Checker, Closed, Fault, Torn};

/// The log up to some record.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// The last record.
    pub(super) last: Last,
    /// Closed segments that no record has declared yet, oldest first.
    pub(super) undeclared: VecDeque<Closed>,
    /// The newest segment: its number, or 0.
    pub(super) segment: u64,
    /// How many bytes of it are good records.
    pub(super) kept: u64,
    /// How many lines they have.
    pub(super) lines: usize,
    /// What follows them.
    pub(super) torn: Torn,
    /// How many records there are.
    pub(super) records: u64,
    /// Whether the record that begins a log is there.
    pub(super) has_genesis: bool,
    opened: HashSet<Uuid>,
    carried: u64,
}

impl Chain {
    /// A chain that begins with a later segment and believes what it says of those before.
    pub(super) fn from_middle(first: &Checker) -> Self {
        Self {
            last: first.before.unwrap_or_default(),
            undeclared: first.declared.iter().map(|it| it.1.clone()).collect(),
            has_genesis: true,
            carried: first.carried,
            ..Self::default()
        }
    }

    /// Goes on with a segment, which closes the one before.
    pub(super) fn enter(&mut self, number: u64) {
        if self.segment > 0 {
            self.undeclared.push_back(Closed::new(self.segment, self.last, self.kept, self.torn));
        }
        self.segment = number;
        (self.kept, self.lines, self.torn) = (0, 0, Torn::default());
    }

    /// Goes on with what was found in the newest segment, as far as it was good.
    pub(super) fn absorb(&mut self, found: &Checker) -> Result<(), Fault> {
        // The first fault counts, so that everybody who looks finds the same one.
        let faults = [
            self.seam(found),
            self.declaration(found),
            self.omission(found),
            self.beginning(found),
        ];
        if let Some(fault) = faults.into_iter().flatten().min_by_key(|it| it.line) {
            return Err(fault);
        }
        self.undeclared.drain(..found.declared.len());
        self.has_genesis |= found.first_other.is_some();
        for op in &found.ended {
            self.end(*op);
        }
        self.opened.extend(&found.opened);
        self.last = found.last.unwrap_or(self.last);
        self.kept += found.kept;
        self.lines = found.line;
        self.torn = found.torn;
        self.records += found.records;
        Ok(())
    }

    /// Goes on with records that this process has written.
    pub(super) fn advance(&mut self, last: Last, lines: usize, bytes: u64) {
        self.undeclared.clear();
        self.has_genesis = true;
        self.last = last;
        self.kept += bytes;
        self.lines += lines;
        self.records += lines as u64;
    }

    /// Counts an intent.
    pub(super) fn begin(&mut self, op: Uuid) {
        self.opened.insert(op);
    }

    /// Counts an outcome.
    pub(super) fn end(&mut self, op: Uuid) {
        if !self.opened.remove(&op) {
            self.carried = self.carried.saturating_sub(1);
        }
    }

    /// How many intents have no outcome.
    pub(super) fn open(&self) -> u64 {
        self.carried.saturating_add(self.opened.len() as u64)
    }

    /// Whether the end of a segment was torn and no record says so.
    pub(super) fn is_torn(&self) -> bool {
        self.torn.bytes > 0 || self.undeclared.iter().any(Closed::is_torn)
    }

    fn seam(&self, found: &Checker) -> Option<Fault> {
        let is_whole = found.before.is_none_or(|it| it == self.last);
        (!is_whole).then(|| Fault::changed(self.lines + 1, "not the record after the one before"))
    }

    fn declaration(&self, found: &Checker) -> Option<Fault> {
        let mut closed = self.undeclared.iter();
        let wrong = found.declared.iter().find(|it| closed.next() != Some(&it.1))?;
        Some(Fault::changed(wrong.0, "does not tell how the segment before ended"))
    }

    /// Every closed segment is declared before anything else is written.
    fn omission(&self, found: &Checker) -> Option<Fault> {
        let other = found.first_other?;
        let declared = found.declared.iter().filter(|it| it.0 < other).count();
        (declared < self.undeclared.len())
            .then(|| Fault::changed(other, "nothing tells how the segment before ended"))
    }

    /// The first record that declares no segment begins the log, and no other does.
    fn beginning(&self, found: &Checker) -> Option<Fault> {
        let mut genesis = found.genesis.iter();
        if !self.has_genesis
            && let Some(other) = found.first_other
            && genesis.next() != Some(&other)
        {
            return Some(Fault::changed(other, "not the record that begins a log"));
        }
        genesis.next().map(|line| Fault::changed(*line, "begins a log a second time"))
    }
}
