//! The guided emergency renewal, from "the site is down" to proof on every node. What was answered
//! and done so far and what is known now go in, the next step comes out. Nothing here asks
//! anybody, and nothing here does anything.
//!
//! The fleet decides more than the answers do: a fault that is gone is not repaired again, and
//! what was done is taken from the audit log. That is why a run can be taken up by somebody else,
//! or after a kill at any point, and nothing is done twice.
//!
//! # Adding a step
//! 1. A file here with `KIND` and its `step`, with a test that it comes and one that it does not.
//! 2. Two lines below: `mod` and the entry in [`ALL`], in the order in which they come.

mod call;
mod canary;
mod case;
mod cause;
mod certificate;
mod dry_run;
mod extent;
mod hand_over;
mod look;
mod offer;
mod order;
mod preflight;
mod prevent;
mod proof;
mod repair;
mod roll_out;
mod run;
mod step;
mod tell;

use crate::action::Find;
use crate::diagnose::{self, Diagnosis, Finding};
use crate::fleet::{Certificate, HostName, Place, Reach, Severity, Verdict};
use crate::text::SafeText;

pub use call::whom_to_call;
pub use case::{Case, Spot};
pub use look::Looked;
pub use proof::Proof;
pub use run::{Answer, Became, Done, Given, Run};
pub use step::{Does, Mark, Step};

/// Every step, in the order in which they come.
pub static ALL: &[Kind] = &[
    certificate::KIND,
    cause::KIND,
    extent::KIND,
    repair::KIND,
    preflight::KIND,
    dry_run::KIND,
    canary::KIND,
    roll_out::KIND,
    proof::KIND,
    prevent::KIND,
    hand_over::KIND,
];

/// What the rest of the program knows about a step.
#[derive(Debug)]
pub struct Kind {
    /// Its name: in the file of a run, in the audit log.
    pub name: &'static str,
    /// What is asked or done, as a heading.
    pub title: &'static str,
    /// Why it comes, for the one who would rather skip it.
    pub why: &'static str,
    step: fn(&Scene<'_>) -> Option<Step>,
}

/// What a run is about, and all that is known of it now.
#[derive(Debug)]
pub struct Scene<'a> {
    find: Find<'a>,
    run: &'a Run,
    case: Case,
    diagnosis: Diagnosis,
    looked: Option<&'a Looked>,
}

impl<'a> Scene<'a> {
    /// Looks at everything that is known.
    pub fn new(find: Find<'a>, run: &'a Run) -> Self {
        let diagnosis = diagnose::diagnose(find.fleet, find.now);
        let case = Case::of(&run.about, find, &diagnosis);
        Self { find, run, case, diagnosis, looked: None }
    }

    /// Takes in what was looked at before an order in this session.
    #[must_use]
    pub fn after(self, looked: Option<&'a Looked>) -> Self {
        Self { looked, ..self }
    }

    /// What the run is about.
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// The step that is next; `None` once the run has ended.
    pub fn next(&self) -> Option<Step> {
        if self.run.ended.is_some() {
            return None;
        }
        ALL.iter().find_map(|it| (it.step)(self))
    }

    /// Whether clients get what they should, as far as can be told.
    pub fn proof(&self) -> Proof {
        Proof::of(self)
    }

    /// Whether every host that it is about has been read.
    pub fn is_read(&self) -> bool {
        let hosts = self.case.hosts();
        let is_up =
            |it: &HostName| self.find.fleet.host(it).is_some_and(|it| it.reach == Reach::Up);
        !hosts.is_empty() && hosts.iter().all(is_up)
    }

    /// Whether a rule has something to say of it that is worth a warning.
    pub fn says(&self, rule: &str) -> bool {
        self.findings().any(|it| it.rule == rule && it.severity >= Severity::Warning)
    }

    /// Every step with where it stands, for a list beside the current one.
    pub fn marks(&self) -> Vec<(&'static Kind, Mark)> {
        let next = self.next().map(|it| it.kind.name);
        let mut is_before = next.is_some();
        let mark = |kind: &'static Kind| {
            if next == Some(kind.name) {
                is_before = false;
                return (kind, Mark::Here);
            }
            let past = || self.run.standing().into_iter().rev();
            let given = past().find(|it| it.step == kind.name).map(|it| it.answer);
            let mark = match given {
                Some(Answer::Skip) => Mark::Skipped,
                Some(_) => Mark::Done,
                None if is_before || next.is_none() => Mark::NotNeeded,
                None => Mark::ToCome,
            };
            (kind, mark)
        };
        ALL.iter().map(mark).collect()
    }

    /// The findings about what the run is about, the worst first.
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.diagnosis.findings.iter().filter(|it| self.case.holds(it))
    }

    /// What is wrong with what clients get.
    fn faults(&self) -> Vec<&Finding> {
        self.findings().filter(|it| is_fault(it) && !self.is_replaced(it)).collect()
    }

    /// Lineages that have ended and of which another place has taken over: nobody loads them.
    fn replaced(&self) -> Vec<&Finding> {
        self.findings().filter(|it| is_fault(it) && self.is_replaced(it)).collect()
    }

    /// Whether a finding is about the end of a lineage that nobody shows any more, where another
    /// place of the host shows a certificate for the same names that is valid.
    fn is_replaced(&self, it: &Finding) -> bool {
        let is_end = matches!(it.verdict, Verdict::Expired | Verdict::Overdue | Verdict::Staging);
        let (Some(name), Some(host)) = (&it.place, self.find.fleet.host(&it.host)) else {
            return false;
        };
        let now = self.find.now;
        let serves = |it: &&Place, names: &[SafeText]| {
            let leaf = it.layers.disk.as_ref().map(|it| &it.chain.leaf);
            let is_shown = |leaf: &Certificate| {
                it.probes.iter().any(|probe| probe.leaf() == Some(leaf.sha256))
            };
            leaf.is_some_and(|leaf| {
                leaf.left(now) > 0
                    && is_shown(leaf)
                    && names.iter().all(|it| leaf.covers(it.as_str()))
            })
        };
        let mut old = host.places.iter().filter(|it| it.name == *name && it.probes.is_empty());
        is_end
            && old.any(|it| {
                let names = it.leaf().map(|it| it.names.as_slice()).unwrap_or_default();
                host.places.iter().any(|it| serves(&it, names))
            })
    }

    /// What is right today and will not stay so.
    fn worries(&self) -> Vec<&Finding> {
        let is_worry =
            |it: &&Finding| it.verdict == Verdict::Automation && it.severity >= Severity::Warning;
        self.findings().filter(is_worry).collect()
    }

    /// Why something could not be told.
    fn gaps(&self) -> Vec<&Finding> {
        let is_gap = |it: &&Finding| {
            matches!(it.verdict, Verdict::Unknown | Verdict::Unreachable)
                && it.severity >= Severity::Warning
        };
        self.findings().filter(is_gap).collect()
    }

    /// Whether something has been done in this run.
    fn has_acted(&self) -> bool {
        self.run.done.iter().any(|it| it.became == Became::Done)
    }
}

/// Whether a finding says that clients get, or will get, what they should not.
fn is_fault(it: &Finding) -> bool {
    let is_told = matches!(
        it.verdict,
        Verdict::Ok | Verdict::Due | Verdict::Automation | Verdict::Unknown | Verdict::Unreachable
    );
    !is_told && it.severity >= Severity::Warning
}

/// The step of that name.
pub fn named(name: &str) -> Option<&'static Kind> {
    ALL.iter().find(|it| it.name == name)
}

#[cfg(test)]
mod sample;
