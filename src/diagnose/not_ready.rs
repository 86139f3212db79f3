//! Whoever renews the certificate says itself that something is wrong with it.

use super::{Finding, Kind, Subject, renewal_failed};
use crate::explain;
use crate::fleet::{Moment, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "not-ready",
    about: "cert-manager says that a Certificate is not ready, or does not get on with it",
    advice: "What cert-manager made for it is told from top to bottom, CertificateRequest, Order and Challenge; the lowest of them names the cause. Whoever may not list these looks with `kubectl describe`. Do not delete the secret: it holds what is served meanwhile. After a failure cert-manager waits for an hour, then for two, then for four.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let told = || place.problems.iter().filter(|it| it.kind == ProblemKind::NotReady);
    let first = told().next()?;
    let found = Finding::new(subject, Verdict::Automation, Severity::Warning, &first.text);
    let hangs = || place.problems.iter().filter(|it| it.kind == ProblemKind::StuckOn);
    let lowest = hangs().next_back();
    let cause = match (lowest, place.last_failure()) {
        (Some(it), _) => match explain::certbot(it.text.as_str()) {
            Some(known) => renewal_failed::plain(&known),
            None => format!("It hangs on this: {}", it.text),
        },
        (None, Some(it)) => format!("The last issuance failed: {}", it.text),
        (None, None) => "The status of its Certificate in the cluster says so.".to_owned(),
    };
    Some(told().chain(hangs()).fold(found, |it, line| it.evidence(&line.text)).cause(cause))
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
        check([host("k8s", vec![it.clone()])], "not-ready warning automation k8s/web/www:");
        let mut because = |text: &str| {
            let (kind, text) = (ProblemKind::StuckOn, SafeText::new(text));
            it.problems.push(Problem { kind, text, path: None });
            found([host("k8s", vec![it.clone()])]).remove(0).cause.to_string()
        };
        let said = because("Challenge for a.test, by dns-01 is pending: something new");
        assert_eq!(
            said,
            "It hangs on this: Challenge for a.test, by dns-01 is pending: something new"
        );
        let said = because("Challenge for a.test is invalid: urn:ietf:params:acme:error:caa: x");
        assert!(said.contains("CAA"), "{said}");
    }
}
