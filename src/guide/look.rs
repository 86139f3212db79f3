//! What was looked at before an order, as far as it has got. It is true for the moment and is kept
//! nowhere: whoever takes a run up looks again.

use std::collections::BTreeSet;

use super::Step;
use super::tell::SHOWN;
use crate::preflight::{ALL, Kind, Outcome, Verdict};
use crate::text::SafeText;

/// A look before an order.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// The order, as [`Step::about`] of the step before it names it.
    pub about: String,
    /// Why nothing could be looked at.
    pub refused: Option<SafeText>,
    /// What each check says that has ended.
    pub verdicts: Vec<(&'static Kind, Verdict)>,
    /// Whether nothing more comes of it.
    pub is_over: bool,
}

impl Looked {
    /// The checks that say that the order would fail.
    pub fn failed(&self) -> impl Iterator<Item = &(&'static Kind, Verdict)> {
        self.verdicts.iter().filter(|it| it.1.outcome == Outcome::Failed)
    }

    /// Why the order is left for another one, for the audit log.
    pub fn obstacles(&self) -> String {
        let names: Vec<_> = self.failed().map(|it| it.0.name).collect();
        match &self.refused {
            Some(why) => format!("nothing could be checked: {why}"),
            None => format!("failed checks: {}", names.join(", ")),
        }
    }

    /// Whether something is in the way of the order.
    pub(super) fn is_in_the_way(&self) -> bool {
        self.refused.is_some() || self.failed().next().is_some()
    }

    /// Tells of every check, the worst first: with what was seen and what to do where the order
    /// would fail, in a line where it matters, by name alone where it is well.
    pub(super) fn tell(&self, step: Step) -> Step {
        if let Some(why) = &self.refused {
            return step.tell(format!("NOTHING COULD BE CHECKED: {why}"));
        }
        let of = |outcome| self.verdicts.iter().filter(move |it| it.1.outcome == outcome);
        let mut step = step;
        for (kind, verdict) in self.failed() {
            step = step.tell(format!("FAILED   {}: {}", kind.name, verdict.text));
            let more = verdict.evidence.iter().filter(|it| **it != verdict.text);
            step = more.take(EVIDENCE).fold(step, |it, line| it.tell(format!("  seen   {line}")));
            let fixes = verdict.fix.iter().take(SHOWN);
            step = fixes.fold(step, |it, line| it.tell(format!("  fix    {line}")));
        }
        for (word, outcome) in [("unknown", Outcome::Unknown), ("warning", Outcome::Warning)] {
            for (kind, verdict) in of(outcome) {
                step = step.tell(format!("{word:<8} {}: {}", kind.name, verdict.text));
                let fix = verdict.fix.first();
                step = fix.into_iter().fold(step, |it, line| it.tell(format!("  fix    {line}")));
            }
        }
        let words = [("ok", Outcome::Ok), ("not needed", Outcome::NotNeeded)];
        for (word, outcome) in words {
            let names: Vec<_> = of(outcome).map(|it| it.0.name).collect();
            if !names.is_empty() {
                step = step.tell(format!("{word}: {}", names.join(", ")));
            }
        }
        let ended: BTreeSet<_> = self.verdicts.iter().map(|it| it.0.name).collect();
        let open: Vec<_> = ALL.iter().map(|it| it.name).filter(|it| !ended.contains(it)).collect();
        match (open.is_empty(), self.is_over) {
            (true, _) => step,
            (false, true) => step.tell(format!("NOT LOOKED AT: {}", open.join(", "))),
            (false, false) => step.tell(format!("looking at: {}", open.join(", "))),
        }
    }
}

/// So many lines of evidence are enough to believe it.
const EVIDENCE: usize = 3;
