//! What a CA still allows: its limits as data, each with its source, and the one rule by which
//! they fill up again. History in, moments out.

use crate::fleet::{HOUR, Moment};

/// A limit that fills up again one by one, as a leaky bucket does: the generic cell rate
/// algorithm, in which Boulder keeps all of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many there are at the most.
    pub burst: i64,
    /// How long it takes until one comes back, in seconds.
    pub refill: i64,
    /// In how long all of them come back, as it is told.
    pub window: &'static str,
}

/// Certificates for the same exact set of names: over all accounts, with no exception for
/// renewals and none on request. Revoking gives nothing back.
///
/// Source of this and the next ones: letsencrypt.org/docs/rate-limits, production, page of
/// 2026-08-05.
pub const EXACT_SET: Limit = Limit { burst: 5, refill: 34 * HOUR, window: "7 days" };

/// Certificates for names under one registered domain; renewals of the same set are free of it.
pub const REGISTERED_DOMAIN: Limit = Limit { burst: 50, refill: 202 * 60, window: "7 days" };

/// New orders of one account.
pub const ORDERS: Limit = Limit { burst: 300, refill: 36, window: "3 hours" };

/// New orders of one account at staging.
pub const STAGING_ORDERS: Limit = Limit { burst: 1500, refill: 7, window: "3 hours" };

/// Names that could not be verified, by name, wherever they are ordered. Let's Encrypt lets five
/// pass in an hour; the third of the same kind has never been of use to anybody.
pub const FAILURES: Limit = Limit { burst: 2, refill: HOUR / 2, window: "hour" };

impl Limit {
    /// How many are used up now, by when they were used.
    pub fn used(&self, at: &[Moment], now: Moment) -> i64 {
        let full = self.full_at(at, now);
        ((full.since(now).max(0) + self.refill - 1) / self.refill).min(self.burst)
    }

    /// When the next may be used, if none is left now.
    pub fn free_at(&self, at: &[Moment], now: Moment) -> Option<Moment> {
        let free = self.full_at(at, now).plus(-(self.burst - 1) * self.refill);
        (free > now).then_some(free)
    }

    /// When the next of those that are used comes back, in seconds.
    pub fn back_in(&self, at: &[Moment], now: Moment) -> i64 {
        (self.full_at(at, now).since(now) - 1).rem_euclid(self.refill) + 1
    }

    /// The moment at which all of them are there again.
    fn full_at(&self, at: &[Moment], now: Moment) -> Moment {
        let empty = now.plus(-self.burst * self.refill);
        at.iter().fold(empty, |full, at| full.max(*at).plus(self.refill))
    }

    /// Reads `300/3h`: how many in how long. `s`, `m`, `h` and `d` are known.
    pub fn parse(text: &str) -> Option<Self> {
        let (burst, window) = text.trim().split_once('/')?;
        let burst: i64 = burst.trim().parse().ok().filter(|it| (1..=1_000_000).contains(it))?;
        let window = window.trim();
        let unit = match window.chars().last()? {
            's' => 1,
            'm' => 60,
            'h' => HOUR,
            'd' => 24 * HOUR,
            _ => return None,
        };
        let count: i64 = window.get(..window.len() - 1)?.trim().parse().ok()?;
        let seconds = count.checked_mul(unit).filter(|it| (1..=366 * 24 * HOUR).contains(it))?;
        Some(Self { burst, refill: (seconds / burst).max(1), window: "" })
    }
}

/// How many orders an account may place at the CA of that directory, where that is known.
pub fn orders_at(directory: &str) -> Option<Limit> {
    let host = directory.split("://").nth(1)?.split(['/', ':']).next()?;
    match host {
        "acme-v02.api.letsencrypt.org" => Some(ORDERS),
        "acme-staging-v02.api.letsencrypt.org" => Some(STAGING_ORDERS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    fn ago(seconds: &[i64]) -> Vec<Moment> {
        seconds.iter().map(|it| NOW.plus(-it)).collect()
    }

    #[test]
    fn what_is_used_comes_back_one_by_one() {
        let limit = Limit { burst: 3, refill: 60, window: "3 minutes" };
        let check = |at: &[i64], used, free_in: Option<i64>| {
            let at = ago(at);
            assert_eq!(limit.used(&at, NOW), used, "{at:?}");
            assert_eq!(limit.free_at(&at, NOW).map(|it| it.since(NOW)), free_in, "{at:?}");
        };
        check(&[], 0, None);
        check(&[60], 0, None);
        check(&[59], 1, None);
        check(&[10, 5], 2, None);
        check(&[10, 5, 1], 3, Some(50));
        check(&[600, 10, 5, 1], 3, Some(50));
    }

    #[test]
    fn limits_are_read() {
        assert_eq!(Limit::parse("300/3h"), Some(Limit { window: "", ..ORDERS }));
        assert_eq!(Limit::parse(" 5 / 7 d ").map(|it| it.refill), Some(120_960));
        for wrong in
            ["", "3", "/h", "0/h", "3/0h", "x/3h", "3/3y", "3/h", "9999999/1h", "1/999999d"]
        {
            assert_eq!(Limit::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn limits_are_known_by_the_host_alone() {
        assert_eq!(orders_at("https://acme-v02.api.letsencrypt.org/directory"), Some(ORDERS));
        for other in ["", "https://acme-v02.api.letsencrypt.org.example/x", "https://ca.test/"] {
            assert_eq!(orders_at(other), None);
        }
    }
}
