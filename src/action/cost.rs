//! What an order uses up at the CA, as far as it is known without asking anybody.

use std::fmt::Write as _;

use super::{Refusal, Why};
use crate::budget::{EXACT_SET, Limit, REGISTERED_DOMAIN};
use crate::fleet::{Certificate, DAY, HOUR, Host, Moment, human};
use crate::text::SafeText;

/// Let's Encrypt dates certificates back by an hour (boulder, `issuance.backdate`, 2026).
const BACKDATED: i64 = HOUR;

/// What an order uses up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// In a line.
    pub text: String,
    /// When the CA takes such an order again, if by all that is known it would refuse it now.
    pub refused_until: Option<Moment>,
    /// Whether the limits of that CA are known here.
    pub is_known: bool,
}

impl Cost {
    /// Refuses an order that the CA would refuse. `instead` ends the hint: what can be done until
    /// it takes such an order again.
    pub(super) fn check(&self, now: Moment, instead: &str) -> Result<(), Refusal> {
        let Some(until) = self.refused_until else { return Ok(()) };
        let text = format!(
            "Let's Encrypt would refuse: the limit for this exact set of names is used up ({})",
            self.text
        );
        let wait = human(until.since(now));
        let hint = format!("order again after {until}, in {wait}; {instead}");
        Err(Refusal::new(Why::Pointless, text).hint(hint))
    }
}

/// The CA that a directory belongs to, as far as its limits are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authority {
    LetsEncrypt,
    LetsEncryptStaging,
    Other,
}

impl Authority {
    pub(super) fn of(directory: &str) -> Self {
        let host = directory.split("://").nth(1).unwrap_or_default();
        match host.split(['/', ':']).next() {
            Some("acme-v02.api.letsencrypt.org") => Self::LetsEncrypt,
            Some("acme-staging-v02.api.letsencrypt.org") => Self::LetsEncryptStaging,
            _ => Self::Other,
        }
    }
}

/// What one order for these names costs at that directory, by what lies on the host.
pub fn of(directory: &str, names: &[SafeText], host: &Host, now: Moment) -> Cost {
    let free = |text: String, is_known| Cost { text, refused_until: None, is_known };
    match Authority::of(directory) {
        Authority::LetsEncryptStaging => {
            free("nothing in production; the limits of staging are far wider".to_owned(), true)
        }
        Authority::Other => {
            let directory = SafeText::new(directory);
            let text = format!("unknown: the limits of {directory} are not known here, ask the CA");
            free(text, false)
        }
        Authority::LetsEncrypt => {
            let issued = issued(names, host, now);
            let is_renewal = issued.iter().any(|it| now.since(*it) < RENEWAL);
            let since = |it: &&Moment| now.since(**it) < EXACT_SET.burst * EXACT_SET.refill;
            let recent: Vec<_> = issued.iter().filter(since).copied().collect();
            exact_set(&recent, is_renewal, now)
        }
    }
}

fn exact_set(issued: &[Moment], is_renewal: bool, now: Moment) -> Cost {
    let Limit { burst, refill, window } = EXACT_SET;
    let used = EXACT_SET.used(issued, now);
    let mut text = format!("1 of {burst} for this exact set of names in {window}");
    if used > 0 {
        let back = human(EXACT_SET.back_in(issued, now));
        text = format!("{text}; {used} used by what this host shows, next back in {back}");
    } else {
        text = format!("{text}; it comes back in {}", human(refill));
    }
    if !is_renewal {
        let Limit { burst, window, .. } = REGISTERED_DOMAIN;
        let _ = write!(text, "; 1 of {burst} for each registered domain in {window}");
    }
    Cost { text, refused_until: EXACT_SET.free_at(issued, now), is_known: true }
}

/// A set that was issued within this time is renewed, in seconds (the page above).
const RENEWAL: i64 = 120 * DAY;

/// When certificates of Let's Encrypt for exactly these names were issued, by the versions that
/// lie on the host, oldest first.
fn issued(names: &[SafeText], host: &Host, now: Moment) -> Vec<Moment> {
    let sorted = |names: &[SafeText]| {
        let mut names: Vec<_> = names.iter().map(|it| it.as_str().to_lowercase()).collect();
        names.sort();
        names.dedup();
        names
    };
    let wanted = sorted(names);
    let is_one = |it: &Certificate| {
        it.issuer.as_str().contains("O=Let's Encrypt")
            && !it.is_of_staging()
            && sorted(&it.names) == wanted
    };
    let versions = host.places.iter().flat_map(|it| &it.versions);
    let mut issued: Vec<_> = versions
        .filter_map(|it| it.certificate.as_deref())
        .filter(|it| is_one(it))
        .map(|it| it.not_before.plus(BACKDATED).min(now))
        .collect();
    issued.sort();
    issued
}

/// The directories of Let's Encrypt (letsencrypt.org/docs/acme-protocol-updates, and
/// staging-environment beside it).
pub(super) const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
pub(super) const LETS_ENCRYPT_STAGING: &str =
    "https://acme-staging-v02.api.letsencrypt.org/directory";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[track_caller]
    fn check(hours_ago: &[i64], expect: &str, refused_for: Option<i64>) {
        let issued: Vec<_> = hours_ago.iter().map(|it| NOW.plus(-it * HOUR)).collect();
        let cost = exact_set(&issued, true, NOW);
        assert_eq!(cost.text, format!("1 of 5 for this exact set of names in 7 days; {expect}"));
        assert_eq!(cost.refused_until, refused_for.map(|it| NOW.plus(it * HOUR)));
    }

    #[test]
    fn the_bucket_fills_one_by_one() {
        check(&[], "it comes back in 34h", None);
        check(&[35], "it comes back in 34h", None);
        check(&[10], "1 used by what this host shows, next back in 24h", None);
        check(&[10, 10], "2 used by what this host shows, next back in 24h", None);
        check(&[4, 3, 2, 1], "4 used by what this host shows, next back in 30h", None);
        check(&[4, 4, 3, 2, 1], "5 used by what this host shows, next back in 30h", Some(30));
        check(&[34, 34, 34, 34, 34], "4 used by what this host shows, next back in 34h", None);
    }

    #[test]
    fn limits_are_known_of_one_authority() {
        let of = |directory| Authority::of(directory);
        assert_eq!(of("https://acme-v02.api.letsencrypt.org/directory"), Authority::LetsEncrypt);
        assert_eq!(
            of("https://acme-staging-v02.api.letsencrypt.org/directory"),
            Authority::LetsEncryptStaging
        );
        for other in ["", "https://acme-v02.api.letsencrypt.org.example/directory", "x://y:1/"] {
            assert_eq!(of(other), Authority::Other, "{other}");
        }
    }
}
