//! The certificate begins in the future: the clock of whoever made it, or of this host, is off.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "not-yet-valid",
    about: "the certificate is not valid yet",
    advice: "Compare three clocks first: that of the host, that here, and that of the CA. Do not order another one: it would begin at the same wrong time. An older version that is valid can be linked meanwhile.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let sighting = subject.base()?;
    let leaf = &sighting.chain.leaf;
    let ahead = leaf.not_before.since(now);
    if ahead <= 0 {
        return None;
    }
    let finding = Finding::new(
        subject,
        Verdict::Clock,
        Severity::Critical,
        format!("not valid before {}, in {}", leaf.not_before, human(ahead)),
    )
    .evidence(format!("{}: not_before {}", sighting.location, leaf.not_before))
    .cause("It was made by a machine whose clock is ahead, or deployed before its time.");
    Some(match subject.host.clock_offset.filter(|it| *it != 0) {
        Some(offset) => finding.evidence(format!("the clock of the host differs by {offset} s")),
        None => finding,
    })
}
