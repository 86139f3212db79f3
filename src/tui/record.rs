//! What ran on which host: the newest visits of this run.

use std::collections::VecDeque;
use std::time::Duration;

use crate::fleet::{HostName, Moment, Outcome, Visit};
use crate::text::SafeText;

/// The newest visits.
#[derive(Debug, Default)]
pub struct Record {
    entries: VecDeque<Entry>,
}

/// One visit.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it ended.
    pub at: Moment,
    /// The host.
    pub host: HostName,
    /// What came of it.
    pub result: SafeText,
    /// Whether the host could be read.
    pub is_read: bool,
    /// How long it took.
    pub took: Duration,
}

impl Record {
    /// Takes in a visit that ended.
    pub fn add(&mut self, visit: &Visit, took: Duration) {
        let (is_read, result) = match &visit.outcome {
            Outcome::Seen(seen) => {
                let (places, problems) = (seen.places.len(), seen.problems.len());
                (true, SafeText::new(&format!("read: {places} certificates, {problems} problems")))
            }
            Outcome::Unreached(unreached) => (false, unreached.text.clone()),
        };
        self.entries.truncate(KEPT - 1);
        self.entries.push_front(Entry {
            at: visit.at,
            host: visit.host.clone(),
            result,
            is_read,
            took,
        });
    }

    /// The visits, newest first.
    pub fn entries(&self) -> &VecDeque<Entry> {
        &self.entries
    }
}

/// Some scans of a large fleet.
const KEPT: usize = 2000;
