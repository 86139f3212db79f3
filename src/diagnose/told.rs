//! What somebody else has found about a host that is not read from here: said again as it was told.

use super::{ALL, Finding, Subject};
use crate::fleet::{PlaceName, Told, ToldFinding, Verdict};

/// What was found about the place, or about the host.
pub(super) fn findings(subject: &Subject<'_>, told: &Told) -> Vec<Finding> {
    let name = subject.place.map(|it| &it.name);
    let is_it = |it: &&(PlaceName, &str, Verdict)| {
        subject.place.is_some_and(|place| it.0 == place.name && it.1 == place.source)
    };
    let verdict = told.verdicts.iter().find(is_it).map(|it| it.2);
    // Of what is found about a host as a whole, some is true of its places and some is not; the
    // verdict of the place tells.
    let is_about = |it: &&ToldFinding| match &it.place {
        Some(place) => Some(place) == name,
        None => verdict.is_none_or(|verdict| it.verdict <= verdict),
    };
    told.findings.iter().filter(is_about).map(|it| finding(subject, told, it)).collect()
}

fn finding(subject: &Subject<'_>, told: &Told, it: &ToldFinding) -> Finding {
    let host = subject.host;
    let kind = ALL.iter().find(|kind| kind.name == it.rule.as_str());
    let about = kind.map_or_else(|| it.verdict.word(), |it| it.about);
    let mut found = Finding::new(subject, it.verdict, it.severity, about);
    if it.place.is_none() {
        found = found.of_host();
    }
    let when = host.seen_at.map_or_else(|| "never".to_owned(), |it| it.to_string());
    found.owner.clone_from(&told.owner);
    found.runbook.clone_from(&told.runbook);
    found
        .evidence(format!("{} tells so; it last read the host: {when}", told.by))
        .cause(
            "It is read elsewhere, where `certdeck scan` tells the cause and what would mend it.",
        )
        .with_kind(kind)
        .shared(format!("{about}, told by {}", told.by))
}

impl Finding {
    /// Takes the name and the advice of a rule.
    fn with_kind(mut self, kind: Option<&'static super::Kind>) -> Self {
        if let Some(kind) = kind {
            (self.rule, self.advice) = (kind.name, kind.advice);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::sample::{NOW, fleet, host, leaf, place, signed};
    use super::super::{diagnose, worst};
    use super::*;
    use crate::fleet::Severity;
    use crate::text::SafeText;

    #[test]
    fn what_others_found_counts_and_nothing_is_found_besides() {
        // By itself it would be expired.
        let it = place("www", signed(leaf("www", &["www.example.net"], 90, -5)));
        let other = place("api", signed(leaf("api", &["www.example.net"], 90, 80)));
        let mut host = host("web-01", vec![it, other]);
        host.told = Some(Arc::new(Told {
            by: SafeText::new("asia"),
            owner: Some(SafeText::new("edge team")),
            runbook: None,
            verdicts: vec![
                (SafeText::new("www"), "certbot", Verdict::Chain),
                (SafeText::new("api"), "certbot", Verdict::Ok),
            ],
            findings: vec![
                ToldFinding {
                    place: Some(SafeText::new("www")),
                    verdict: Verdict::Chain,
                    severity: Severity::Critical,
                    rule: SafeText::new("chain"),
                },
                ToldFinding {
                    place: None,
                    verdict: Verdict::Unknown,
                    severity: Severity::Info,
                    rule: SafeText::new("a rule of some later version"),
                },
            ],
        }));
        let diagnosis = diagnose(&fleet([host]), NOW);
        assert_eq!(diagnosis.places, [Verdict::Chain, Verdict::Ok]);
        assert_eq!(worst(&diagnosis.findings), Verdict::Chain);
        let [found, of_host] = &*diagnosis.findings else { panic!("{diagnosis:?}") };
        assert!(of_host.place.is_none() && of_host.summary == "unknown", "{of_host:?}");
        assert!(found.rule == "chain" && !found.advice.is_empty(), "{found:?}");
        assert!(found.owner.as_ref().is_some_and(|it| *it == "edge team"), "{found:?}");
        assert!(found.remedies.is_empty(), "nothing can be done there from here");
        assert!(found.evidence[0].as_str().starts_with("asia tells so"), "{found:?}");
    }
}
