//! The host's clock is off, so that it judges certificates by the wrong time.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "clock",
    about: "the host's clock is off",
    advice: "Do not renew or issue anything before the clock is right: certificates look expired or not yet valid by a wrong clock, and logs lie about when. See whether time synchronisation runs at all, and why not: a virtual machine that slept, or a firewall that drops NTP.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let offset = subject.host.clock_offset?;
    if offset.abs() <= TOLERANCE {
        return None;
    }
    let direction = if offset > 0 { "ahead" } else { "behind" };
    let size = human(offset.saturating_abs());
    Some(
        Finding::new(
            subject,
            Verdict::Clock,
            Severity::Warning,
            format!("the host's clock is {size} {direction}"),
        )
        .of_host()
        .evidence(format!("date +%s over ssh, minus the clock here: {offset} s"))
        .cause("Without time synchronisation a host rejects certificates that are valid.")
        .remedy(subject.host_remedy("sync-clock")),
    )
}

/// How far a clock may be off, in seconds. The answer of a slow host can be late by as much, and
/// Let's Encrypt dates certificates back by an hour for the sake of clients' clocks.
const TOLERANCE: i64 = 60;
