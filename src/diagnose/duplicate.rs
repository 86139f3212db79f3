//! Two lineages for the same names: one is renewed, and perhaps the other is loaded.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "duplicate",
    about: "a second lineage for the same names",
    advice: "See which of them the server really loads before either is deleted. Deleting the one that is loaded takes the service down with the next reload.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let problem = place.problems.iter().find(|it| it.kind == ProblemKind::Duplicate)?;
    Some(
        Finding::new(subject, Verdict::Ok, Severity::Info, &problem.text).cause(
            "The client was asked twice for the same names; a service may load the older one.",
        ),
    )
}
