//! Why something is broken: one rule per file, from what is known of a place to a finding with
//! evidence, a cause in plain words and remedies. Nothing here asks the world.
//!
//! # Adding a rule
//! 1. A file here with `KIND` and its `check`, with a test that it fires and one that it does not.
//! 2. Two lines below: `mod` and the entry in [`ALL`].

use crate::fleet::{Fleet, Host, HostName, Moment, Place, PlaceName, Severity, Verdict};
use crate::text::SafeText;

/// Every rule. The order is that of findings of one place with the same verdict.
pub static ALL: &[Kind] = &[];

/// What the rest of the program knows about a rule.
#[derive(Debug)]
pub struct Kind {
    /// Its name, for tests and runbooks.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    check: fn(&Subject<'_>, Moment) -> Option<Finding>,
}

/// What a rule looks at: a place at its host, or a host of which no place is known.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The host.
    pub host: &'a Host,
    /// The place, if the host has any.
    pub place: Option<&'a Place>,
}

/// Something that is wrong, or that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The host.
    pub host: HostName,
    /// The place; `None` if it is about the whole host.
    pub place: Option<PlaceName>,
    /// What it makes of the place.
    pub verdict: Verdict,
    /// How soon somebody must act.
    pub severity: Severity,
    /// One line: what is wrong.
    pub summary: SafeText,
    /// What was read where, line by line.
    pub evidence: Vec<SafeText>,
    /// The cause in plain words.
    pub cause: SafeText,
    /// Names of actions that would mend it, cheapest first.
    pub remedies: &'static [&'static str],
}

/// What is to be said of a whole fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Diagnosis {
    /// Every finding: worst first, then by host and place.
    pub findings: Vec<Finding>,
    /// The verdict of every place, in the order of [`Fleet::places`].
    pub places: Vec<Verdict>,
}

/// Judges one place, or a host without places. The worst verdict of the findings is the verdict.
pub fn judge(subject: &Subject<'_>, now: Moment) -> Vec<Finding> {
    ALL.iter().filter_map(|it| (it.check)(subject, now)).collect()
}

/// Judges the whole fleet.
pub fn diagnose(fleet: &Fleet, now: Moment) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    for host in fleet.hosts() {
        for place in &host.places {
            let found = judge(&Subject { host, place: Some(place) }, now);
            diagnosis.places.push(worst(&found));
            diagnosis.findings.extend(found);
        }
        if host.places.is_empty() {
            diagnosis.findings.extend(judge(&Subject { host, place: None }, now));
        }
    }
    diagnosis.findings.sort_by(|a, b| {
        (b.severity, b.verdict, &a.host, &a.place).cmp(&(a.severity, a.verdict, &b.host, &b.place))
    });
    // A finding about a whole host is made once per place.
    diagnosis.findings.dedup();
    diagnosis
}

/// The verdict that these findings amount to.
pub fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|it| it.verdict).max().unwrap_or(Verdict::Ok)
}
