//! Past the end of the renewal window, and nothing newer is there: automation fails silently.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "overdue",
    about: "renewal should have happened by now",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let sighting = place.nearest()?;
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
    let newer = place.layers.issued.as_ref().filter(|it| it.chain.leaf.not_after > leaf.not_after);
    if let Some(newer) = newer {
        return Some(
            finding
                .evidence(format!("{}: valid until {}", newer.location, newer.chain.leaf.not_after))
                .cause("A newer certificate is on the host, but the live links do not lead to it.")
                .remedies(&["relink", "reload"]),
        );
    }
    let failure = place.renewal.as_ref().and_then(|it| it.last_failure.as_ref());
    Some(
        match failure {
            Some(failure) => finding.cause(format!("The last renewal failed: {}", failure.text)),
            None => finding.cause("No attempt is on record, or it left no trace."),
        }
        .remedies(&["dry-run", "renew"]),
    )
}
