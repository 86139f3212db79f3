//! Past the end of the renewal window, and nothing newer is there: automation fails silently.

use super::drift::from_sibling;
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "overdue",
    about: "renewal should have happened by now",
    advice: "Automation has failed in silence, and there is time to find out why: read the last failure, see whether a timer starts the client, and whether every name of the certificate still leads here. One dead name blocks all of them. A dry run shows the cause without drawing on the budget.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let sighting = subject.base()?;
    let leaf = &sighting.chain.leaf;
    if now < leaf.renewal_closes() || now > leaf.not_after {
        return None;
    }
    let finding = Finding::new(
        subject,
        Verdict::Overdue,
        Severity::Critical,
        format!("{} left of {}, renewal is overdue", human(leaf.left(now)), human(leaf.lifetime())),
    )
    .evidence(format!("{}: not_after {}", sighting.location, leaf.not_after))
    .evidence(format!(
        "renewal was due from {} and should have been done by {}",
        leaf.renewal_opens(),
        leaf.renewal_closes()
    ));
    let silent = "No attempt is on record, or it left no trace.";
    let finding = finding.not_renewed(subject, place, silent);
    Some(from_sibling(subject, now).into_iter().fold(finding, Finding::remedy))
}
