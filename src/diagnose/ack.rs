//! What somebody has said about a finding: that it is known, or put off, for which reason and until
//! when. It marks a finding and takes nothing away from it.

use std::fmt;

use super::{Diagnosis, Finding};
use crate::fleet::{HostName, Moment, PlaceName, Severity, Verdict};
use crate::text::SafeText;

/// What a finding is, whatever was seen: the rule, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingId {
    /// The rule, as in [`super::ALL`].
    pub rule: SafeText,
    /// The host.
    pub host: HostName,
    /// The place; `None` if it is about the whole host.
    pub place: Option<PlaceName>,
}

impl FindingId {
    /// Reads `overdue@web-01/www.example.net`, or `schedule@web-01` of a whole host.
    pub fn parse(text: &str) -> Option<Self> {
        let (rule, at) = text.trim().split_once('@')?;
        let (host, place) = at.split_once('/').map_or((at, None), |it| (it.0, Some(it.1)));
        let is_told = !rule.is_empty() && !host.is_empty() && place != Some("");
        let (rule, place) = (SafeText::new(rule), place.map(SafeText::new));
        is_told.then(|| Self { rule, host: HostName::new(SafeText::new(host).as_str()), place })
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.as_ref().map(|it| format!("/{it}")).unwrap_or_default();
        f.pad(&format!("{}@{}{place}", self.rule, self.host))
    }
}

/// What was said about a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The finding.
    pub id: FindingId,
    /// In which sense.
    pub kind: AckKind,
    /// From when on it counts for nothing.
    pub until: Moment,
    /// Why.
    pub reason: SafeText,
    /// Who has said it.
    pub who: SafeText,
    /// When.
    pub at: Moment,
    /// How soon somebody had to act when it was said.
    pub severity: Severity,
    /// What the finding then made of the place.
    pub verdict: Verdict,
}

/// In which sense something was said about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckKind {
    /// It is known, and somebody is at it.
    Acknowledged,
    /// It is known, and nobody is to look at it before then.
    Snoozed,
}

impl AckKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Acknowledged, Self::Snoozed];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Snoozed => "snoozed",
        }
    }
}

impl Ack {
    /// What is to be said about that finding from now on.
    pub fn of(
        finding: &Finding,
        kind: AckKind,
        (at, until): (Moment, Moment),
        (who, reason): (&str, &str),
    ) -> Self {
        Self {
            id: finding.id(),
            kind,
            until,
            reason: SafeText::new(reason),
            who: SafeText::new(who),
            at,
            severity: finding.severity,
            verdict: finding.verdict,
        }
    }

    /// Whether it counts for that finding: until its end, and as long as things are not worse than
    /// they were when it was said.
    pub fn holds(&self, finding: &Finding, now: Moment) -> bool {
        now < self.until
            && finding.severity <= self.severity
            && finding.verdict <= self.verdict
            && finding.id() == self.id
    }
}

impl fmt::Display for Ack {
    /// `acknowledged by anna@laptop until 2026-12-01T00:00:00Z: the new key comes on Monday`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, who, until, reason, .. } = self;
        write!(f, "{} by {who} until {until}: {reason}", kind.word())
    }
}

impl Finding {
    /// What it is, whatever was seen.
    pub fn id(&self) -> FindingId {
        let (host, place) = (self.host.clone(), self.place.clone());
        FindingId { rule: SafeText::new(self.rule), host, place }
    }
}

impl Diagnosis {
    /// Marks the findings that somebody knows of. Verdicts and urgency stay as they are.
    pub fn acknowledge(&mut self, acks: &[Ack], now: Moment) {
        for finding in &mut self.findings {
            finding.ack = acks.iter().find(|it| it.holds(finding, now)).cloned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnose;
    use super::super::sample::{NOW, fleet, host, leaf, place, signed};
    use super::*;
    use crate::fleet::DAY;

    /// A certificate with so many days left of 90.
    fn with(left: i64) -> Diagnosis {
        let place = place("www", signed(leaf("www", &["www.example.net"], 90, left)));
        diagnose(&fleet([host("web-01", vec![place])]), NOW)
    }

    fn ack(diagnosis: &Diagnosis, days: i64) -> Ack {
        let end = (NOW, NOW.plus(days * DAY));
        Ack::of(&diagnosis.findings[0], AckKind::Acknowledged, end, ("anna", "moved away"))
    }

    #[test]
    fn it_is_marked_and_nothing_else_changes() {
        let mut it = with(10);
        let before = it.clone();
        it.acknowledge(&[ack(&before, 7)], NOW);
        assert_eq!(it.findings[0].ack.as_ref().unwrap().who, "anna");
        assert_eq!((&it.places, &it.hosts), (&before.places, &before.hosts));
        assert_eq!(it.findings[0].severity, before.findings[0].severity);
    }

    #[test]
    fn it_comes_back_at_its_end_and_when_it_gets_worse() {
        let is_marked = |left, ack: &Ack, now| {
            let mut it = with(left);
            it.acknowledge(std::slice::from_ref(ack), now);
            it.findings.iter().any(|it| it.ack.is_some())
        };
        let ack = ack(&with(10), 7);
        assert!(is_marked(10, &ack, NOW));
        assert!(!is_marked(10, &ack, NOW.plus(7 * DAY)));
        // An expired certificate is found by another rule; and the same rule, but more urgent.
        assert!(!is_marked(-1, &ack, NOW));
        let calmer = Ack { severity: Severity::Warning, ..ack.clone() };
        assert!(!is_marked(10, &calmer, NOW));
        let better = Ack { verdict: Verdict::Due, ..ack };
        assert!(!is_marked(10, &better, NOW));
    }

    #[test]
    fn names_are_read_back() {
        for text in ["overdue@web-01/www.example.net", "schedule@web-01", "key@lb-1//etc/a/b.pem"] {
            assert_eq!(FindingId::parse(text).unwrap().to_string(), text);
        }
        for wrong in ["", "overdue", "@web-01", "overdue@", "overdue@/www", "overdue@web-01/"] {
            assert_eq!(FindingId::parse(wrong), None, "{wrong}");
        }
    }
}
