//! Whoever renews the certificate says itself that something is wrong with it.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "not-ready",
    about: "cert-manager says that a Certificate is not ready, or does not get on with it",
    advice: "Follow the chain of what cert-manager made for it: `kubectl describe certificate`, then its CertificateRequest, Order and Challenge; the lowest of them names the cause. Do not delete the secret: it holds what is served meanwhile. After a failure cert-manager waits for an hour, then for two, then for four.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let told = || place.problems.iter().filter(|it| it.kind == ProblemKind::NotReady);
    let first = told().next()?;
    let found = Finding::new(subject, Verdict::Automation, Severity::Warning, &first.text);
    let cause = match place.last_failure() {
        Some(it) => format!("The last issuance failed: {}", it.text),
        None => "The status of its Certificate in the cluster says so.".to_owned(),
    };
    Some(told().fold(found, |it, line| it.evidence(&line.text)).cause(cause))
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Problem, ProblemKind};
    use crate::text::SafeText;

    #[test]
    fn what_its_controller_says_is_told() {
        let mut it = place("web/www", signed(leaf("www", &["www.example.net"], 90, 80)));
        check([host("k8s", vec![it.clone()])], "");
        let text = SafeText::new("cert-manager says that it is not ready: DoesNotExist");
        it.problems.push(Problem { kind: ProblemKind::NotReady, text, path: None });
        check([host("k8s", vec![it])], "not-ready warning automation k8s/web/www:");
    }
}
