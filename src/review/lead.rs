//! When in the life of a certificate its client renews it: as data, for each client where its own
//! configuration says nothing, and what it says where it does.

use std::fmt;

use crate::fleet::{Automation, Certificate, DAY, Place, human};

/// When a client renews.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lead {
    /// So many seconds after the certificate was issued, whatever its life.
    AfterIssue(i64),
    /// So many seconds before its end.
    BeforeEnd(i64),
    /// With the last third of its life or when its CA says so: as it should be.
    Share,
}

impl Lead {
    /// How long after its issue a certificate with that life is renewed, in seconds; not more than
    /// nought where it is due at once.
    pub const fn begins(self, lifetime: i64) -> i64 {
        match self {
            Self::AfterIssue(it) => it,
            // A host may tell any time.
            Self::BeforeEnd(it) => lifetime.saturating_sub(it),
            Self::Share => Certificate::renewal_of(lifetime).0,
        }
    }

    /// When the client of a place renews it: as it plans, or else as its version usually does.
    pub(super) fn of(place: &Place, leaf: &Certificate, automation: &Automation) -> Self {
        let client = CLIENTS.iter().find(|it| it.source == place.source);
        let planned = place.renewal.as_ref().and_then(|it| it.planned);
        match (planned, client) {
            // A plan that has passed or was told for another version still has its distance.
            (Some(it), Some(client)) if client.counts_from_issue => {
                Self::AfterIssue(it.since(leaf.not_before))
            }
            (Some(it), _) => Self::BeforeEnd(leaf.not_after.since(it)),
            (None, Some(client)) => client.usual(automation),
            (None, None) => Self::Share,
        }
    }
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AfterIssue(it) => write!(f, "renews {} after issue", human(*it)),
            Self::BeforeEnd(it) => write!(f, "renews {} before the end", human(*it)),
            Self::Share => f.write_str("renews with the last third of the life"),
        }
    }
}

/// What a client does where its configuration says nothing.
struct Client {
    /// Its kind of source.
    source: &'static str,
    /// From which version on, newest first.
    usual: &'static [((u32, u32), Lead)],
    /// Whether it counts from the issue rather than to the end.
    counts_from_issue: bool,
}

impl Client {
    fn usual(&self, automation: &Automation) -> Lead {
        let version = automation.version.as_ref().map(|it| numbers(it.as_str()));
        // A version that is not told may be an old one.
        let has = |it: &&((u32, u32), Lead)| version.unwrap_or_default() >= it.0;
        self.usual.iter().find(has).map_or(Lead::Share, |it| it.1)
    }
}

/// The first two numbers of a version.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.trim_start_matches(|it: char| !it.is_ascii_digit()).split('.');
    let mut next = || parts.next().and_then(|it| it.parse().ok()).unwrap_or(0);
    (next(), next())
}

static CLIENTS: &[Client] = &[
    // certbot 4.0.0, release notes of 2025-04-07: "Certificates now renew with 1/3rd of lifetime
    // left (or 1/2 … shorter than 10 days) … a change from a hardcoded renewal at 30 days".
    Client {
        source: "certbot",
        usual: &[((4, 0), Lead::Share), ((0, 0), Lead::BeforeEnd(30 * DAY))],
        counts_from_issue: false,
    },
    // acme.sh notes with each certificate when it will renew it, so many days after its issue: 60
    // for long (wiki, "Options and Params", `--days`).
    Client {
        source: "acme-sh",
        usual: &[((0, 0), Lead::AfterIssue(60 * DAY))],
        counts_from_issue: true,
    },
];

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, host, leaf, place};
    use super::*;
    use crate::source;
    use crate::text::SafeText;

    #[track_caller]
    fn check(source: &'static str, version: Option<&str>, planned: Option<i64>, expect: Lead) {
        let of = leaf("www", &["www.example.net"], 90, 80);
        let mut place = Place { source, ..place("www", of.clone()) };
        place.renewal.as_mut().unwrap().planned = planned.map(|it| NOW.plus(it * DAY));
        let mut automation = host("web-01", vec![]).automation.remove(0);
        automation.version = version.map(SafeText::new);
        assert_eq!(Lead::of(&place, &of, &automation), expect);
    }

    #[test]
    fn clients_renew_as_they_plan_or_as_their_version_does() {
        check("certbot", Some("2.1.0"), None, Lead::BeforeEnd(30 * DAY));
        check("certbot", Some("4.0.0"), None, Lead::Share);
        check("certbot", Some("certbot 5.6.0"), None, Lead::Share);
        check("certbot", None, None, Lead::BeforeEnd(30 * DAY));
        check("certbot", Some("5.6.0"), Some(70), Lead::BeforeEnd(10 * DAY));
        check("acme-sh", Some("3.0.7"), Some(50), Lead::AfterIssue(60 * DAY));
        check("acme-sh", Some("3.0.7"), None, Lead::AfterIssue(60 * DAY));
        check("dehydrated", Some("0.7.1"), Some(48), Lead::BeforeEnd(32 * DAY));
        check("certdeck", None, None, Lead::Share);
    }

    #[test]
    fn clients_are_those_that_there_are() {
        let is_known = |it: &Client| source::ALL.iter().any(|kind| kind.name == it.source);
        assert!(CLIENTS.iter().all(is_known));
    }
}
