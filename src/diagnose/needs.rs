//! What the renewal configuration names is not there: the next renewal fails, whatever today is.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Need, NeedKind, NeedState, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "needs",
    about: "something that a renewal needs is not there",
    advice: "The certificate is fine today, and the next renewal fails for certain. Put back what is missing, or hand the lineage over to a method that does not need it, and prove it with a dry run. A dry run does not try deploy hooks: run those with `hook`.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let renewal = subject.place?.renewal.as_ref().filter(|it| it.is_enabled)?;
    let missing = || renewal.needs.iter().filter(|it| it.state.is_fault());
    let first = missing().min_by_key(|it| it.kind)?;
    let summary = format!("{} {} {}", what(first), first.path, state(first));
    let cause = match first.kind {
        NeedKind::Hook(_) => {
            "The certificate will be renewed, and the hook that should follow fails."
        }
        NeedKind::Account => "Without the key of its account the client cannot order.",
        NeedKind::Credentials | NeedKind::ProofHook | NeedKind::Webroot => {
            "The client cannot prove control of the names, so that the next renewal fails."
        }
    };
    let found = Finding::new(subject, Verdict::Automation, Severity::Warning, &summary)
        .cause(cause)
        .shared(summary);
    Some(missing().fold(found, |found, it| {
        let mode = it.mode.map(|it| format!(", mode {it:04o}")).unwrap_or_default();
        found.evidence(format!("{} {}: {}{mode}", what(it), it.path, state(it)))
    }))
}

fn what(need: &Need) -> String {
    match need.kind {
        NeedKind::Account => "the account key".to_owned(),
        NeedKind::Credentials => "the file of credentials".to_owned(),
        NeedKind::Hook(stage) => format!("the program of the {stage} hook"),
        NeedKind::ProofHook => "the program that proves control".to_owned(),
        NeedKind::Webroot => "the webroot".to_owned(),
    }
}

const fn state(need: &Need) -> &'static str {
    match need.state {
        NeedState::Different => "is something else",
        NeedState::Missing => "is not there",
        NeedState::NotExecutable => "is not executable",
        NeedState::There => "is there",
        NeedState::Unseen => "could not be seen",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Host, Need, NeedKind, NeedState};
    use crate::text::SafeText;

    fn with(kind: NeedKind, state: NeedState) -> Host {
        let mut it = place("www", signed(leaf("www", &["www.example.net"], 90, 80)));
        let path = SafeText::new("/var/www/html");
        it.renewal.as_mut().unwrap().needs.push(Need { kind, path, state, mode: None });
        host("web-01", vec![it])
    }

    #[test]
    fn what_is_missing_is_told_before_the_renewal_fails() {
        let warning = "needs warning automation web-01/www:";
        check([with(NeedKind::Webroot, NeedState::Missing)], warning);
        check([with(NeedKind::ProofHook, NeedState::NotExecutable)], warning);
        check([with(NeedKind::Credentials, NeedState::There)], "");
        check([with(NeedKind::Credentials, NeedState::Unseen)], "");
    }
}
