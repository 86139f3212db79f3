//! A renewal was cut off between two of its steps: the pair fits, but the links do not agree.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Problem, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "half-done",
    about: "a renewal was left half done",
    advice: "Do not restart the server before the links agree. Leading them all to one version needs no CA; the next renewal then begins from there.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    // Where the key differs, or cannot be compared, the rule about keys says more.
    place.key_matches().filter(|it| *it)?;
    let is_mixed = |it: &&Problem| it.kind == ProblemKind::MixedVersions;
    let first = place.problems.iter().find(is_mixed)?;
    let found = Finding::new(subject, Verdict::Automation, Severity::Warning, &first.text)
        .cause("A renewal was cut off between two of its steps; the next one may trip over it.")
        .remedies(&["rollback", "renew"]);
    Some(
        place
            .problems
            .iter()
            .filter(is_mixed)
            .fold(found, |it, problem| it.evidence(&problem.text)),
    )
}
