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
    let window = subject.place.and_then(|it| it.window_of(leaf));
    let opens = window.map_or_else(|| leaf.renewal_opens(), |it| it.start);
    if now < opens || now >= leaf.renewal_closes() || now > leaf.not_after {
        return None;
    }
    if window.is_some_and(|it| it.is_summons(leaf, now)) {
        return None;
    }
    let told = match window {
        // Clients that do not ask the CA begin a little later, and are in time.
        Some(it) => format!("the CA wants it to be renewed from {} to {}", it.start, it.end),
        None => format!("the window is open from {opens} to {}", leaf.renewal_closes()),
    };
    Some(
        Finding::new(
            subject,
            Verdict::Due,
            Severity::Info,
            format!("renewal is due; {} left of {}", human(leaf.left(now)), human(leaf.lifetime())),
        )
        .evidence(format!("{}: not_after {}", sighting.location, leaf.not_after))
        .evidence(told)
        .cause("Automation should renew it within a day or two.")
        .remedies(&["dry-run", "renew"]),
    )
}
