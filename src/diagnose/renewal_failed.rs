//! The last attempt to renew failed, or the client cannot use its configuration.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "renewal-failed",
    about: "the last renewal failed, or its configuration is broken",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let warn = |text: &str| Finding::new(subject, Verdict::Automation, Severity::Warning, text);
    if let Some(broken) = place.problems.iter().find(|it| it.kind == ProblemKind::BrokenConf) {
        let finding = warn("the renewal configuration is broken")
            .evidence(&broken.text)
            .cause("The client skips this certificate; it will not be renewed.")
            .remedies(&["issue"]);
        return Some(finding);
    }
    let failure = place.last_failure()?;
    let when = failure.at.map_or_else(|| "at an unknown time".to_owned(), |it| format!("at {it}"));
    Some(
        warn("the last renewal failed")
            .evidence(format!("the client's log, {when}: {}", failure.text))
            .cause(&failure.text)
            .remedies(&["dry-run", "renew"]),
    )
}
