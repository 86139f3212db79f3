//! `not_after` has passed on the layer that clients see.

use super::drift::from_sibling;
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "expired",
    about: "the certificate has expired",
    advice: "Order nothing before the cause is known: a renewal that has failed for weeks fails again, and draws on the budget. See first whether a good certificate is on a sibling; else try a dry run, then renew one place and prove it on the wire before the rest. Do not revoke what has expired, and do not delete anything below `live` or `archive`.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let sighting = subject.base()?;
    let leaf = &sighting.chain.leaf;
    let over = now.since(leaf.not_after);
    if over <= 0 {
        return None;
    }
    let finding = Finding::new(
        subject,
        Verdict::Expired,
        Severity::Critical,
        format!("expired {} ago, at {}", human(over), leaf.not_after),
    )
    .evidence(format!(
        "{}: serial {}, not_after {}",
        sighting.location, leaf.serial, leaf.not_after
    ));
    let silent = "Nothing newer is on the host: automatic renewal has not worked.";
    let finding = finding.not_renewed(subject, place, silent);
    Some(from_sibling(subject, now).into_iter().fold(finding, Finding::remedy))
}
