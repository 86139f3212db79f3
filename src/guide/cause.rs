//! The second step: which cause?

use super::tell::SHOWN;
use super::{Kind, Scene, Step};
use crate::diagnose::{self, Finding, gather};

pub(super) const KIND: Kind = Kind {
    name: "cause",
    title: "Which cause?",
    why: "What is repaired without its cause comes back with the next renewal; and of two causes the first repair only shows the second.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    let found: Vec<&Finding> =
        [scene.faults(), scene.gaps(), scene.worries()].into_iter().flatten().collect();
    if found.is_empty() || scene.run.is_past(KIND.name, "") {
        return None;
    }
    let causes = gather(&found);
    let mut step = Step::look(&KIND);
    for cause in causes.iter().take(SHOWN) {
        let line = format!("{}: {}", cause.verdict, cause.headline(&found));
        step = step.tell(line).tell(format!("  where     {}", cause.whereabouts(&found, SHOWN)));
        if !cause.cause.is_empty() {
            step = step.tell(format!("  cause     {}", cause.cause));
        }
        let first = cause.among(&found).next();
        let evidence = first.map_or(&[][..], |it| it.evidence.as_slice());
        step = evidence
            .iter()
            .take(EVIDENCE)
            .fold(step, |it, line| it.tell(format!("  seen      {line}")));
        if let Some(rule) = diagnose::ALL.iter().find(|it| it.name == cause.rule) {
            step = step.tell(format!("  know      {}", rule.advice));
        }
    }
    if causes.len() > SHOWN {
        step = step.tell(format!("and {} more causes", causes.len() - SHOWN));
    }
    let runbook = found.iter().find_map(|it| it.runbook.as_ref());
    let owner = found.iter().find_map(|it| it.owner.as_ref());
    step = owner.into_iter().fold(step, |it, owner| it.tell(format!("owner: {owner}")));
    step = runbook.into_iter().fold(step, |it, link| it.tell(format!("runbook: {link}")));
    let expect = "a cause that fits what users report";
    let if_not = "look again (n), or leave the guide and see `certdeck scan` for the whole fleet";
    Some(step.command(scene.scan()).expect(expect, if_not))
}

/// So many lines of evidence are enough to believe it.
const EVIDENCE: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::sample::{check_step, healthy, next_name, unloaded};

    #[test]
    fn every_cause_is_told_with_its_evidence_and_what_not_to_do() {
        check_step(
            &unloaded(),
            &["certificate"],
            "cause",
            &["where     shop at web-01", "cause     "],
        );
        assert_ne!(next_name(&healthy(), &["certificate"]), "cause");
    }
}
