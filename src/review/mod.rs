//! The weekly look at a fleet: what changed since the last one, what is overdue, what ends soon, how
//! renewals crowd, and what will break when lifetimes get shorter. Values in, one value out; how it
//! is written stands in [`crate::report::review`].

mod change;
mod ending;
mod herd;
mod lead;
mod lifetime;
mod mark;
mod neglect;
#[cfg(test)]
mod sample;
mod section;
mod word;

use std::collections::HashMap;

use crate::budget::Limit;
use crate::budget::authority::LETS_ENCRYPT;
use crate::diagnose::{Diagnosis, Finding};
use crate::fleet::{DAY, Fleet, HostName, Moment, PlaceName, Severity, Verdict};
use crate::inventory::Issuer;
use crate::text::SafeText;

pub use change::{Aspect, Change, Changes};
pub use ending::{Ending, EndingKind};
pub use herd::{Busy, Crowd, Herd};
pub use lead::Lead;
pub use lifetime::{Grade, LIFETIMES, Lifetime, Slow, Untold};
pub use mark::{Kept, Mark, Spot};
pub use neglect::{DryRunAge, Neglect};
pub use section::{Row, Section, date};
pub use word::Word;

/// What a review is made of.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The fleet as it is now.
    pub fleet: &'a Fleet,
    /// What is to be said of it.
    pub diagnosis: &'a Diagnosis,
    /// The CAs of the inventory, for their limits.
    pub issuers: &'a [Issuer],
    /// With what it is compared.
    pub since: Since<'a>,
    /// Dry runs that went well, by the audit log.
    pub dry_runs: &'a HashMap<(HostName, PlaceName), Moment>,
    /// The present.
    pub now: Moment,
}

/// With what the present is compared.
#[derive(Debug, Clone, Copy)]
pub enum Since<'a> {
    /// With the versions that are kept on the hosts, as they were then; no mark is that old.
    Archives(Moment),
    /// With nothing: nobody has signed off a review yet.
    Beginning,
    /// With the fleet as it was when that review was signed off.
    Mark(&'a Mark),
}

/// One review.
#[derive(Debug, Clone)]
pub struct Review {
    /// When it was made.
    pub at: Moment,
    /// When the last host was read.
    pub scanned_at: Option<Moment>,
    /// How many hosts there are, and certificates at them.
    pub hosts: usize,
    /// How many places there are.
    pub places: usize,
    /// How many places have which verdict, the worst first.
    pub verdicts: Vec<(Verdict, usize)>,
    /// What has changed, and since when.
    pub changes: Changes,
    /// What is wrong or will not renew, the most urgent first.
    pub findings: Vec<Finding>,
    /// What nobody looks after.
    pub neglect: Neglect,
    /// What ends soon, the first first.
    pub endings: Vec<Ending>,
    /// When renewals are due.
    pub herd: Herd,
    /// Which schedules are too slow for which lifetimes.
    pub slow: Vec<Slow>,
    /// Of which hosts that cannot be told.
    pub untold: Vec<Untold>,
}

impl Review {
    /// The review of that fleet.
    pub fn of(asked: &Asked<'_>) -> Self {
        let Asked { fleet, diagnosis, now, .. } = *asked;
        let is_open = |it: &&Finding| it.severity > Severity::Info || is_telling(it.verdict);
        let (slow, untold) = lifetime::simulate(fleet, now);
        Self {
            at: now,
            scanned_at: fleet.scanned_at,
            hosts: fleet.hosts().len(),
            places: fleet.places().count(),
            verdicts: counted(&diagnosis.places),
            changes: Changes::since(asked.since, fleet),
            findings: diagnosis.findings.iter().filter(is_open).cloned().collect(),
            neglect: Neglect::of(fleet, asked.dry_runs, now),
            endings: ending::endings(fleet, now),
            herd: Herd::of(fleet, asked.issuers, now),
            slow,
            untold,
        }
    }

    /// It in one line: what a record of a sign-off says of it.
    pub fn summary(&self) -> SafeText {
        let known = self.findings.iter().filter(|it| it.ack.is_some()).count();
        SafeText::new(&format!(
            "{}, {}; {}; {}, {known} of them known; {} within {DAYS} days",
            many(self.hosts, "host"),
            many(self.places, "certificate"),
            many(self.changes.changes.len(), "change"),
            many(self.findings.len(), "finding"),
            ends(self.endings.len()),
        ))
    }
}

/// Whether a verdict belongs into a review even where it is no warning.
const fn is_telling(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Overdue | Verdict::Automation | Verdict::Expired)
}

fn counted(verdicts: &[Verdict]) -> Vec<(Verdict, usize)> {
    let count = |it: &Verdict| verdicts.iter().filter(|other| *other == it).count();
    let all = Verdict::ALL.iter().rev().map(|it| (*it, count(it)));
    all.filter(|it| it.1 > 0).collect()
}

/// `1 thing ends`, `2 things end`.
fn ends(count: usize) -> String {
    format!("{} {}", many(count, "thing"), if count == 1 { "ends" } else { "end" })
}

/// `1 host`, `2 hosts`.
pub fn many(count: usize, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}

/// How many certificates Let's Encrypt gives out for one set of names, by which crowds and schedules
/// are measured.
const EXACT_SET: Limit = match LETS_ENCRYPT.limits.exact_set {
    Some(it) => it,
    None => Limit::new(i64::MAX, DAY),
};

/// How far a review looks ahead, in days.
pub const DAYS: usize = 100;

/// The end of the last day that a review looks at.
fn horizon(now: Moment) -> Moment {
    now.plus(i64::try_from(DAYS).unwrap_or(i64::MAX) * DAY)
}
