//! The last attempt to renew failed, or the client cannot use its configuration.

use super::hook_failed;
use super::{Finding, Kind, Subject};
use crate::explain;
use crate::fleet::{Moment, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "renewal-failed",
    about: "the last renewal failed, or its configuration is broken",
    advice: "Do not renew in a loop: every failed attempt draws on a limit of its own (five an hour for each name). Read the message, mend the cause, prove it with a dry run, and let the timer do the rest.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let warn = |text: &str| Finding::new(subject, Verdict::Automation, Severity::Warning, text);
    if let Some(broken) = place.problems.iter().find(|it| it.kind == ProblemKind::BrokenConf) {
        let finding = warn("the renewal configuration is broken")
            .evidence(&broken.text)
            .cause("The client skips this certificate until the file is mended by hand.");
        return Some(finding);
    }
    // A cluster tells of it together with what is in the way.
    if place.problems.iter().any(|it| it.kind == ProblemKind::NotReady) {
        return None;
    }
    let failure = place.last_failure()?;
    let when = failure.at.map_or_else(|| "at an unknown time".to_owned(), |it| format!("at {it}"));
    let known = explain::certbot(failure.text.as_str());
    // The certificate came: what is left to do is what the hook should have done.
    let is_hook = known.as_ref().is_some_and(|it| it.name == "deploy-hook");
    if is_hook && hook_failed::is_known(subject) {
        return None;
    }
    let what = if is_hook {
        "the deploy hook failed after the last renewal"
    } else {
        "the last renewal failed"
    };
    let finding = warn(what).evidence(format!("the client's log, {when}: {}", failure.text));
    let finding = match known {
        Some(known) => finding.cause(plain(&known)),
        None => finding.cause(&failure.text),
    };
    let remedies: &[&str] = if is_hook { &["hook"] } else { &["dry-run", "renew"] };
    Some(finding.remedies(remedies))
}

/// The cause and the next step, as sentences.
pub(super) fn plain(known: &explain::Explanation) -> String {
    format!("{}. {}.", capitalized(known.cause.as_str()), capitalized(known.next.as_str()))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |it| it.to_uppercase().chain(letters).collect())
}
