//! The host could not be read: nothing that is known of it is judged, only its age is told.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Reach, Severity, Verdict, Why, human};

pub(super) const KIND: Kind = Kind {
    name: "unreachable",
    about: "the host could not be read",
    advice: "What is shown is old, and nothing of it is judged. See whether the host is up and, where SSH leads there, whether ssh works by hand with the same user. A key that changed without notice may be an attack: ask before it is trusted.",
    is_about_reach: true,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let host = subject.host;
    let Reach::Down(unreached) = &host.reach else { return None };
    // A key that changed may be an attack; it is never only a host that is down.
    let severity = match unreached.why {
        Why::ChangedKey => Severity::Critical,
        _ => Severity::Warning,
    };
    let age = match host.seen_at {
        Some(at) => format!("last read {} ago, at {at}", human(now.since(at))),
        None => "never read so far".to_owned(),
    };
    let mut finding = Finding::new(subject, Verdict::Unreachable, severity, &unreached.text)
        .of_host()
        .evidence(age)
        .cause(match host.seen_at {
            Some(_) => "The host could not be read; what is shown of it is what was seen last.",
            None => "The host could not be read; nothing is known of its certificates.",
        });
    if let Some(hint) = &unreached.hint {
        finding = finding.evidence(hint);
    }
    Some(finding)
}
