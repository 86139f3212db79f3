//! Inside the renewal window.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "due",
    about: "inside the renewal window",
    advice: "Nothing is wrong: automation should renew it within a day or two. If it does not, the place becomes overdue.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let sighting = subject.base()?;
    let leaf = &sighting.chain.leaf;
    if now < leaf.renewal_opens() || now >= leaf.renewal_closes() || now > leaf.not_after {
        return None;
    }
    Some(
        Finding::new(
            subject,
            Verdict::Due,
            Severity::Info,
            format!("renewal is due; {} left of {}", human(leaf.left(now)), human(leaf.lifetime())),
        )
        .evidence(format!("{}: not_after {}", sighting.location, leaf.not_after))
        .evidence(format!(
            "the window is open from {} to {}",
            leaf.renewal_opens(),
            leaf.renewal_closes()
        ))
        .cause("Automation should renew it within a day or two.")
        .remedies(&["dry-run", "renew"]),
    )
}
