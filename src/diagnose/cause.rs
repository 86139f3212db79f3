//! Findings with the same cause, gathered across the fleet: one intermediate, seven places.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};

use super::{ALL, Ack, Finding, Remedy};
use crate::fleet::{HostName, PlaceName, Severity, Verdict};
use crate::text::SafeText;

/// Findings with the same cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The rule that found it, as in [`super::ALL`].
    pub rule: &'static str,
    /// How soon somebody must act: the soonest of all.
    pub severity: Severity,
    /// What it makes of the places.
    pub verdict: Verdict,
    /// What they have in common.
    pub shared: SafeText,
    /// The cause in plain words.
    pub cause: SafeText,
    /// The findings, by their position.
    pub findings: Vec<usize>,
}

/// Gathers findings by what they share, in the order of the findings.
pub fn gather<T: Borrow<Finding>>(findings: &[T]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    let mut known: HashMap<(Severity, Verdict, &str, &str), usize> = HashMap::new();
    for (position, it) in findings.iter().map(Borrow::borrow).enumerate() {
        let key = (it.severity, it.verdict, it.rule, it.shared.as_str());
        let index = *known.entry(key).or_insert_with(|| {
            causes.push(Cause {
                rule: it.rule,
                severity: it.severity,
                verdict: it.verdict,
                shared: it.shared.clone(),
                cause: it.cause.clone(),
                findings: Vec::new(),
            });
            causes.len() - 1
        });
        if let Some(cause) = causes.get_mut(index) {
            cause.findings.push(position);
        }
    }
    causes
}

impl Cause {
    /// Its findings among those that it was gathered from.
    pub fn among<'a, T: Borrow<Finding>>(
        &'a self,
        findings: &'a [T],
    ) -> impl Iterator<Item = &'a Finding> + Clone {
        self.findings.iter().filter_map(|it| findings.get(*it)).map(Borrow::borrow)
    }

    /// What was found, in one line for all of its places: what is said of each of them, if that is
    /// the same, or what they have in common.
    pub fn headline<T: Borrow<Finding>>(&self, findings: &[T]) -> SafeText {
        let mut found = self.among(findings).map(|it| &it.summary);
        let first = found.next().cloned().unwrap_or_default();
        if found.all(|it| *it == first) {
            return first;
        }
        let about = ALL.iter().find(|it| it.name == self.rule).map(|it| it.about);
        let shared = Some(self.shared.as_str()).filter(|it| **it != *self.cause.as_str());
        match (about, shared) {
            (Some(about), Some(shared)) => SafeText::new(&format!("{about}: {shared}")),
            (Some(text), None) | (None, Some(text)) => SafeText::new(text),
            (None, None) => self.cause.clone(),
        }
    }

    /// What was said about how many of them by the same person, until the same moment.
    pub fn acks<'a, T: Borrow<Finding>>(&'a self, findings: &'a [T]) -> Vec<(&'a Ack, usize)> {
        let mut all: Vec<(&Ack, usize)> = Vec::new();
        for ack in self.among(findings).filter_map(|it| it.ack.as_ref()) {
            let is_same = |it: &&mut (&Ack, usize)| {
                let (a, b) = (it.0, ack);
                (a.kind, a.until, &a.who, &a.reason) == (b.kind, b.until, &b.who, &b.reason)
            };
            match all.iter_mut().find(is_same) {
                Some(known) => known.1 += 1,
                None => all.push((ack, 1)),
            }
        }
        all
    }

    /// The same as lines for people: how many of its findings are known, and who says so.
    pub fn known<T: Borrow<Finding>>(&self, findings: &[T]) -> Vec<SafeText> {
        let all = self.findings.len();
        let line = |(ack, count): (&Ack, usize)| {
            let of = if all > 1 { format!("{count} of {all} ") } else { String::new() };
            SafeText::new(&format!("{of}{ack}"))
        };
        self.acks(findings).into_iter().map(line).collect()
    }

    /// Where it is true, each once.
    pub fn places<'a, T: Borrow<Finding>>(
        &'a self,
        findings: &'a [T],
    ) -> Vec<(&'a HostName, Option<&'a PlaceName>)> {
        let mut places: Vec<_> =
            self.among(findings).map(|it| (&it.host, it.place.as_ref())).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    /// How many places these are: `7 places`, or `2 hosts` where it is about hosts.
    pub fn extent<T: Borrow<Finding>>(&self, findings: &[T]) -> String {
        let places = self.places(findings);
        let word = if places.iter().all(|it| it.1.is_none()) { "hosts" } else { "places" };
        format!("{} {word}", places.len())
    }

    /// The first so many places by name; a name that is the same at all of them is said once.
    pub fn whereabouts<T: Borrow<Finding>>(&self, findings: &[T], most: usize) -> String {
        let places = self.places(findings);
        let name = places.first().and_then(|it| it.1);
        let is_one = places.len() > 1 && places.iter().all(|it| it.1 == name);
        let each = |it: &(&HostName, Option<&PlaceName>)| at(it.0, it.1.filter(|_| !is_one));
        let hosts = places.iter().take(most).map(each).collect::<Vec<_>>().join(", ");
        let name = name.filter(|_| is_one).map(|it| format!("{it} at ")).unwrap_or_default();
        match places.len().saturating_sub(most) {
            0 => format!("{name}{hosts}"),
            more => format!("{name}{hosts} and {more} more"),
        }
    }

    /// What would mend it, the cheapest and safest first. What is the same action with the same
    /// choices stands together, place by place, so that one command does all of it.
    pub fn remedies<'a, T: Borrow<Finding>>(&'a self, findings: &'a [T]) -> Vec<Vec<&'a Remedy>> {
        let mut all: Vec<Vec<&Remedy>> = Vec::new();
        let mut groups = HashMap::new();
        let mut known = HashSet::new();
        for it in self.among(findings).flat_map(|it| &it.remedies) {
            let group = *groups.entry((it.action, &it.chosen)).or_insert_with(|| {
                all.push(Vec::new());
                all.len() - 1
            });
            if known.insert((group, &it.host, &it.place))
                && let Some(group) = all.get_mut(group)
            {
                group.push(it);
            }
        }
        all
    }
}

/// A place at its host for people; between a host and a path a slash would be lost.
pub fn at(host: &HostName, place: Option<&PlaceName>) -> String {
    match place {
        Some(path) if path.as_str().starts_with('/') => format!("{host} {path}"),
        Some(name) => format!("{host}/{name}"),
        None => host.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(host: &str, summary: &str, shared: &str) -> Finding {
        let (host, place) = (HostName::new(host), PlaceName::new("www"));
        Finding {
            rule: "chain",
            cause: SafeText::new("No client accepts it."),
            shared: SafeText::new(shared),
            remedies: vec![Remedy::new("reload", &host, Some(&place))],
            ..Finding::bare(
                host,
                Some(place),
                Verdict::Chain,
                Severity::Critical,
                SafeText::new(summary),
            )
        }
    }

    #[test]
    fn one_cause_is_one_line_and_one_command() {
        let findings = [finding("a", "it expired", "R3"), finding("b", "it expired", "R3"), {
            finding("c", "it is missing", "R4")
        }];
        let causes = gather(&findings);
        let counts: Vec<_> = causes.iter().map(|it| it.findings.len()).collect();
        assert_eq!(counts, [2, 1]);
        let cause = &causes[0];
        assert_eq!(cause.headline(&findings), "it expired");
        let first = &cause.remedies(&findings)[0];
        assert_eq!(super::super::command(first), "certdeck run reload a/www b/www");
    }

    #[test]
    fn what_differs_is_named_by_what_is_shared() {
        let findings = [finding("a", "expired 2h ago", "R3"), finding("b", "expired 3h ago", "R3")];
        let about = "an intermediate is missing, wrong or expired: R3";
        assert_eq!(gather(&findings)[0].headline(&findings), about);
        let cause = "No client accepts it.";
        let findings = findings.map(|it| Finding { shared: SafeText::new(cause), ..it });
        let about = "an intermediate is missing, wrong or expired";
        assert_eq!(gather(&findings)[0].headline(&findings), about);
    }

    #[test]
    fn places_are_named_once_and_counted() {
        let findings = ["a", "b", "c"].map(|it| finding(it, "it expired", "R3"));
        let cause = &gather(&findings)[0];
        assert_eq!(cause.extent(&findings), "3 places");
        assert_eq!(cause.whereabouts(&findings, 2), "www at a, b and 1 more");
        let mut findings = findings;
        findings[2].place = Some(PlaceName::new("/etc/ssl/vpn.pem"));
        assert_eq!(
            gather(&findings)[0].whereabouts(&findings, 8),
            "a/www, b/www, c /etc/ssl/vpn.pem"
        );
    }

    #[test]
    fn other_choices_are_another_command() {
        let mut findings = [finding("a", "it expired", "R3"), finding("b", "it expired", "R3")];
        findings[1].remedies[0].chosen.push(("server", "nginx".to_owned()));
        let causes = gather(&findings);
        assert_eq!(causes[0].remedies(&findings).iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    }
}
