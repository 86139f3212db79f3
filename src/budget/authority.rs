//! CAs and what they allow: data with date and source, and nothing else.

use super::Limit;
use crate::fleet::{DAY, HOUR, host_of};

/// A CA whose limits are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authority {
    /// Its name.
    pub name: &'static str,
    /// The URL of its directory.
    pub directory: &'static str,
    /// Whether it only tests: no client trusts what it signs.
    pub is_staging: bool,
    /// What it allows.
    pub limits: Limits,
    /// Where that is written.
    pub source: &'static str,
    /// Of which day the page is.
    pub as_of: &'static str,
}

/// What a CA allows; what is not known of it is `None`, which is never taken for free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Certificates for the same exact set of names, over all accounts.
    pub exact_set: Option<Limit>,
    /// Certificates for names under one registered domain, over all accounts.
    pub registered_domain: Option<Limit>,
    /// New orders of one account.
    pub orders: Option<Limit>,
    /// Names that could not be verified, by name and account.
    pub failures: Option<Limit>,
    /// The same in a row, until the account is paused for that name.
    pub pause: Option<Limit>,
    /// Whether an order for a set of names that had a certificate lately is free of the limits of
    /// registered domains and orders.
    pub frees_renewals: bool,
}

/// Every CA whose limits are known.
static AUTHORITIES: &[Authority] = &[LETS_ENCRYPT, LETS_ENCRYPT_STAGING];

/// Let's Encrypt. The page rounds how fast its limits fill up: "1 certificate every 34 hours" is
/// one in a fifth of 168 hours, which is what its refusals say ("in the last 168h0m0s") and how
/// Boulder divides (ratelimits/limit.go).
pub const LETS_ENCRYPT: Authority = Authority {
    name: "Let's Encrypt",
    directory: "https://acme-v02.api.letsencrypt.org/directory",
    is_staging: false,
    limits: Limits {
        exact_set: Some(Limit::new(5, 7 * DAY)),
        registered_domain: Some(Limit::new(50, 7 * DAY)),
        orders: Some(Limit::new(300, 3 * HOUR)),
        failures: Some(Limit::new(5, HOUR)),
        pause: Some(Limit { burst: 1152, count: 1, period: DAY }),
        frees_renewals: true,
    },
    source: "letsencrypt.org/docs/rate-limits",
    as_of: "2026-08-05",
};

/// Its staging twin.
pub const LETS_ENCRYPT_STAGING: Authority = Authority {
    name: "Let's Encrypt staging",
    directory: "https://acme-staging-v02.api.letsencrypt.org/directory",
    is_staging: true,
    limits: Limits {
        exact_set: Some(Limit::new(30_000, 7 * DAY)),
        registered_domain: Some(Limit::new(30_000, 7 * DAY)),
        orders: Some(Limit::new(1500, 3 * HOUR)),
        failures: Some(Limit::new(200, HOUR)),
        pause: Some(Limit { burst: 3600, count: 3600, period: 6 * HOUR }),
        frees_renewals: true,
    },
    source: "letsencrypt.org/docs/staging-environment",
    as_of: "2026-08-05",
};

/// Let's Encrypt dates certificates back by an hour (boulder, `issuance.backdate`, 2026).
pub const BACKDATED: i64 = HOUR;

/// A set that had a certificate within this time is renewed, in seconds (boulder, wfe2/wfe.go,
/// `NewOrder`, and ra/ra.go, `FinalizeOrder`).
pub const RENEWED_WITHIN: i64 = 120 * DAY;

/// The CA of that directory, if its limits are known. The host alone decides.
pub fn of_directory(directory: &str) -> Option<&'static Authority> {
    let host = host_of(directory)?;
    AUTHORITIES.iter().find(|it| host_of(it.directory) == Some(host))
}

/// How many orders an account may place at the CA of that directory, where that is known.
pub fn orders_at(directory: &str) -> Option<Limit> {
    of_directory(directory)?.limits.orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_known_by_the_host_alone() {
        let orders = LETS_ENCRYPT.limits.orders;
        assert_eq!(orders_at("https://acme-v02.api.letsencrypt.org/directory"), orders);
        assert_eq!(orders_at("https://acme-v02.api.letsencrypt.org:443/x"), orders);
        for other in [
            "",
            "x://y:1/",
            "https://acme-v02.api.letsencrypt.org.example/x",
            "https://acme-v02.api.letsencrypt.org@ca.test/x",
            "https://ca.test/",
        ] {
            assert_eq!(orders_at(other), None);
        }
    }

    /// The page rounds to whole hours and minutes.
    #[test]
    fn limits_fill_up_as_the_page_says() {
        let Limits { exact_set, registered_domain, orders, failures, .. } = LETS_ENCRYPT.limits;
        let hours = (exact_set.unwrap().refill() + HOUR - 1) / HOUR;
        assert_eq!(hours, 34);
        assert_eq!((registered_domain.unwrap().refill() + 59) / 60, 202);
        assert_eq!((orders.unwrap().refill(), failures.unwrap().refill()), (36, 12 * 60));
    }
}
