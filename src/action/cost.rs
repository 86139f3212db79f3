//! What an order uses up at the CA, by everything that is known without asking it.

use std::fmt::Write as _;

use crate::budget::authority::{LETS_ENCRYPT as KNOWN, LETS_ENCRYPT_STAGING as KNOWN_STAGING};
use crate::budget::{Account, Bucket, Ca, History, NameSet, Scope, Wanted, exact};
use crate::fleet::Moment;
use crate::text::SafeText;

/// What an order uses up.
#[derive(Debug, Clone)]
pub struct Cost {
    /// In a line.
    pub text: String,
    /// Whether the limits of that CA are known here.
    pub is_known: bool,
    /// The limit for which the CA would refuse it now, if it would by all that is known.
    pub empty: Option<Bucket>,
}

impl Cost {
    /// Whether it is for this exact set of names that the CA would refuse it.
    pub(super) fn is_of_set(&self) -> bool {
        self.empty.as_ref().is_some_and(|it| matches!(it.scope, Scope::Set(_)))
    }

    /// What the CA would refuse it for, and when it takes it again, if that is known.
    pub(super) fn refusal(&self, now: Moment) -> Option<(String, Option<Moment>)> {
        let bucket = self.empty.as_ref()?;
        let what = match &bucket.scope {
            Scope::Set(_) => "the limit for this exact set of names is used up".to_owned(),
            Scope::Ca => "it has asked to be left alone".to_owned(),
            _ if bucket.is_closed => format!("it has paused {}", bucket.scope),
            scope => format!("the limit for {} ({scope}) is used up", bucket.kind.title),
        };
        let mut text = format!("{} would refuse: {what}", bucket.ca);
        // What it counts has nothing to do with it.
        if bucket.scope != Scope::Ca {
            let _ = write!(text, " ({})", self.text);
        }
        Some((SafeText::capped(&text, MAX_TEXT).to_string(), bucket.free_at(now)))
    }
}

/// A hundred names of 253 characters are longer than any text of a host.
const MAX_TEXT: usize = 32 * 1024;

/// The CA that a directory belongs to, as far as its name is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authority {
    LetsEncrypt,
    LetsEncryptStaging,
    Other,
}

impl Authority {
    pub(super) fn of(directory: &str) -> Self {
        match Ca::of_directory(directory).authority().map(|it| it.directory) {
            Some(LETS_ENCRYPT) => Self::LetsEncrypt,
            Some(LETS_ENCRYPT_STAGING) => Self::LetsEncryptStaging,
            _ => Self::Other,
        }
    }
}

/// What one order costs, by what has happened at the CA.
pub fn of(history: &History, wanted: &Wanted, now: Moment) -> Cost {
    let buckets = history.of_order(wanted, now);
    let text = match wanted.ca.directory().map_or(Authority::Other, Authority::of) {
        Authority::LetsEncryptStaging => {
            "nothing in production; the limits of staging are far wider".to_owned()
        }
        Authority::LetsEncrypt => told(&buckets, wanted, now),
        Authority::Other => {
            let orders = told(&buckets, wanted, now);
            let ca = SafeText::new(wanted.ca.directory().unwrap_or_default());
            match orders.as_str() {
                "" => format!("unknown: the limits of {ca} are not known here, ask the CA"),
                _ => format!("{orders}; other limits of {ca} are not known here"),
            }
        }
    };
    let empty = buckets.into_iter().filter(|it| it.is_empty(now));
    // What is refused for the longest time decides, as it does at the CA.
    let empty = empty.max_by_key(|it| (it.is_closed, it.free_at(now)));
    Cost { text, is_known: is_known(&wanted.ca), empty }
}

/// An order of a client of the host, or of our own, for these names.
pub(super) fn wanted(directory: &str, names: &[SafeText], account: Account) -> Wanted {
    let names = NameSet::new(names.iter().map(SafeText::as_str));
    Wanted::new(Ca::of_directory(directory), names, account)
}

/// What it takes of limits whose size is known, and how much of that is used.
fn told(buckets: &[Bucket], wanted: &Wanted, now: Moment) -> String {
    if wanted.is_replacing {
        return "nothing, as long as it is ordered within the time that the CA suggests; after that 1 for this exact set of names".to_owned();
    }
    let lines = buckets.iter().filter_map(|it| line(it, now));
    lines.collect::<Vec<_>>().join("; ")
}

fn line(bucket: &Bucket, now: Moment) -> Option<String> {
    let (limit, used) = (bucket.limit?, bucket.used(now));
    let burst = limit.burst;
    let of = match &bucket.scope {
        Scope::Set(_) => "for this exact set of names".to_owned(),
        Scope::Domain(it) => format!("for {it}"),
        // The usual account is far from its limit: it is told of once it has used some.
        Scope::Account(it) if used > 0 || !is_known(&bucket.ca) => format!("orders of {it}"),
        _ => return None,
    };
    let text = format!("1 of {burst} {of} in {}", limit.window());
    Some(match bucket.gauge.and_then(|it| it.next_at(now)) {
        Some(next) => {
            let by = if bucket.refused_until.is_some() {
                "the CA's own word"
            } else {
                "what the fleet shows"
            };
            let back = exact(next.since(now));
            format!("{text}; {used} used by {by}, next back in {back}")
        }
        None if matches!(bucket.scope, Scope::Set(_)) => {
            format!("{text}; it comes back in {}", exact(limit.refill()))
        }
        None => text,
    })
}

fn is_known(ca: &Ca) -> bool {
    ca.authority().is_some()
}

/// The directories of Let's Encrypt.
pub(super) const LETS_ENCRYPT: &str = KNOWN.directory;
pub(super) const LETS_ENCRYPT_STAGING: &str = KNOWN_STAGING.directory;

#[cfg(test)]
mod tests {
    use super::*;

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
