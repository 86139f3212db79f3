//! What was tried and failed: whoever fails twice for the same cause does not try a third time,
//! which only uses up what the CA allows.

use std::fmt;

use super::names::NameSet;
use super::{History, Wanted, What};
use crate::fleet::{DAY, HOUR, HostName, Moment};
use crate::text::SafeText;

/// An order or a rehearsal of one that was tried, as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// When it ended.
    pub at: Moment,
    /// On which host.
    pub host: HostName,
    /// For which lineage.
    pub lineage: Option<String>,
    /// For which names, if that is on record.
    pub names: NameSet,
    /// Whether it was a rehearsal: a dry run, or an order at a staging twin.
    pub is_rehearsal: bool,
    /// The name of the cause for which it failed, as it is explained; `None` if it went well.
    pub cause: Option<String>,
}

/// Why nothing is tried again now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The name of the cause.
    pub cause: String,
    /// How often in a row it was the same.
    pub times: usize,
    /// When it was the last time.
    pub last: Moment,
    /// From when on it is tried again all the same.
    pub until: Moment,
}

/// Why nobody who is not asked for it orders again now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    /// How often in a row control of the names could not be proven.
    pub times: usize,
    /// From when on it is tried again.
    pub until: Moment,
}

impl History {
    /// Adds what was tried.
    #[must_use]
    pub fn with_tries(mut self, mut tries: Vec<Try>) -> Self {
        tries.sort_by_key(|it| it.at);
        self.tries = tries;
        self
    }

    /// Why an order for a lineage or for exactly these names is not tried again now: twice in a
    /// row it has failed for the same cause, within a day, and nothing has gone well since.
    pub fn guard(
        &self,
        host: &HostName,
        lineage: Option<&str>,
        names: &NameSet,
        now: Moment,
    ) -> Option<Guard> {
        let is_same = |it: &&Try| {
            let is_lineage =
                it.host == *host && it.lineage.is_some() && it.lineage.as_deref() == lineage;
            is_lineage || (!names.is_empty() && it.names == *names)
        };
        // A rehearsal that fails says nothing new; one that goes well opens it again.
        let failed: Vec<_> = self
            .tries
            .iter()
            .rev()
            .filter(is_same)
            .take_while(|it| it.cause.is_some())
            .filter(|it| !it.is_rehearsal)
            .collect();
        let last = failed.first()?;
        let times = failed.iter().take_while(|it| it.cause == last.cause).count();
        let until = last.at.plus(PAUSE);
        (times >= ENOUGH && until > now).then(|| Guard {
            cause: last.cause.clone().unwrap_or_default(),
            times,
            last: last.at,
            until,
        })
    }
}

impl History {
    /// Whether orders of our own for exactly these names have failed so often that nobody who is
    /// not asked for it tries again now: after the second time in a row an hour later, then four,
    /// then a day.
    pub fn rest(&self, wanted: &Wanted, now: Moment) -> Option<Rest> {
        let ends = self.own.get(&(wanted.ca.clone(), wanted.names.clone()))?;
        let of_orders = ends.iter().rev().filter(|it| it.what != What::Rehearsed);
        let failed: Vec<_> = of_orders.take_while(|it| it.what == What::Unproven).collect();
        let times = failed.len();
        let wait = match times {
            0 | 1 => return None,
            2 => HOUR,
            3 => 4 * HOUR,
            _ => PAUSE,
        };
        let until = failed.first()?.at.plus(wait);
        (until > now).then_some(Rest { times, until })
    }

    /// Whether the last order of our own for these names failed to prove them, and nothing has
    /// since: then the staging twin is asked first.
    pub fn wants_rehearsal(&self, wanted: &Wanted) -> bool {
        let ends = self.own.get(&(wanted.ca.clone(), wanted.names.clone()));
        ends.and_then(|it| it.last()).is_some_and(|it| it.what == What::Unproven)
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, times, .. } = self;
        let cause = SafeText::new(cause);
        write!(f, "it has failed {times} times in a row for the same cause ({cause})")
    }
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "control could not be proven {} times in a row", self.times)
    }
}

/// The third of the same kind has never been of use to anybody.
const ENOUGH: usize = 2;

/// "At most once a day" (letsencrypt.org/docs/integration-guide, "Retrying Failures"), in seconds.
const PAUSE: i64 = DAY;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// Tries of `a/www`, the oldest first: hours ago, and what came of it.
    #[track_caller]
    fn check(tries: &[(i64, &str)], expect: Option<(&str, usize, i64)>) {
        let tries = tries.iter().map(|(hours, what)| Try {
            at: NOW.plus(-hours * HOUR),
            host: HostName::new("a"),
            lineage: Some("www".to_owned()),
            names: NameSet::new(["www.example.net"]),
            is_rehearsal: what.starts_with("dry"),
            cause: (!what.ends_with("ok")).then(|| what.trim_start_matches("dry ").to_owned()),
        });
        let history = History::default().with_tries(tries.collect());
        let guard = |host: &str, lineage, names: &[&str]| {
            history.guard(&HostName::new(host), lineage, &NameSet::new(names), NOW)
        };
        let told = guard("a", Some("www"), &[]);
        let short = told.as_ref().map(|it| (it.cause.as_str(), it.times, it.until.since(NOW)));
        assert_eq!(short, expect);
        // The same names elsewhere are as the same lineage; others are another matter.
        assert_eq!(guard("b", Some("x"), &["WWW.example.net"]), told);
        assert_eq!(guard("b", Some("www"), &["other.example.net"]), None);
        assert_eq!(guard("a", None, &[]), None);
    }

    #[test]
    fn the_third_of_the_same_kind_is_not_tried() {
        check(&[], None);
        check(&[(1, "refused")], None);
        check(&[(2, "refused"), (1, "refused")], Some(("refused", 2, 23 * HOUR)));
        check(&[(3, "caa"), (2, "refused"), (1, "refused")], Some(("refused", 2, 23 * HOUR)));
        check(&[(3, "refused"), (2, "refused"), (1, "caa")], None);
        check(&[(3, "refused"), (2, "ok"), (1, "refused")], None);
        // A dry run that passes opens it again, one that fails is no third try.
        check(&[(3, "refused"), (2, "refused"), (1, "dry ok")], None);
        check(
            &[(3, "refused"), (2, "refused"), (1, "dry refused")],
            Some(("refused", 2, 22 * HOUR)),
        );
        check(&[(26, "refused"), (25, "refused")], None);
        check(&[(49, "refused"), (23, "refused")], Some(("refused", 2, HOUR)));
    }
}
