//! The one rule by which limits fill up again, and the limits that do not belong to a CA.

use crate::fleet::{DAY, HOUR, Moment};

/// A limit that fills up again one by one, as a leaky bucket does: the generic cell rate
/// algorithm, in which Boulder keeps all of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many there are at the most.
    pub burst: i64,
    /// How many come back in a period.
    pub count: i64,
    /// The period, in seconds.
    pub period: i64,
}

impl Limit {
    /// A limit of which as many come back in a period as there are.
    pub const fn new(burst: i64, period: i64) -> Self {
        Self { burst, count: burst, period }
    }

    /// How many are used up now, by when they were used, the oldest first.
    pub fn used(&self, at: &[Moment], now: Moment) -> i64 {
        Gauge::of(*self, at, now).used(now)
    }

    /// When the next may be used, if none is left now.
    pub fn free_at(&self, at: &[Moment], now: Moment) -> Option<Moment> {
        Gauge::of(*self, at, now).free_at(now)
    }

    /// How long it takes until one comes back, in whole seconds.
    pub fn refill(&self) -> i64 {
        seconds_up(self.emission())
    }

    /// In how long all of them come back, in words: `7 days`, `3 hours`.
    pub fn window(&self) -> String {
        let all = seconds_up(self.emission() * i128::from(self.burst));
        match (all % DAY, all / DAY, all % HOUR, all / HOUR) {
            (0, 1, ..) => "day".to_owned(),
            (0, days, ..) => format!("{days} days"),
            (_, _, 0, 1) => "hour".to_owned(),
            (_, _, 0, hours) => format!("{hours} hours"),
            _ => exact(all),
        }
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
            'd' => DAY,
            _ => return None,
        };
        let count: i64 = window.get(..window.len() - 1)?.trim().parse().ok()?;
        let period = count.checked_mul(unit).filter(|it| (1..=366 * DAY).contains(it))?;
        Some(Self::new(burst, period))
    }

    /// Until one comes back, in nanoseconds, rounded as Boulder does (ratelimits/limit.go).
    fn emission(&self) -> i128 {
        (i128::from(self.period) * NANOS / i128::from(self.count.max(1))).max(1)
    }
}

/// How full a limit is: when all of it will be there again, which Boulder calls the theoretical
/// arrival time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauge {
    limit: Limit,
    /// In nanoseconds since the epoch.
    full: i128,
}

impl Gauge {
    /// A limit of which nothing is used.
    pub const fn new(limit: Limit) -> Self {
        Self { limit, full: i128::MIN }
    }

    /// A limit after it was used at these moments, the oldest first.
    pub fn of(limit: Limit, at: &[Moment], now: Moment) -> Self {
        let mut gauge = Self::new(limit);
        for it in at {
            gauge.take((*it).min(now));
        }
        gauge
    }

    /// Takes one. What there was none left for takes nothing and is refused, as in Boulder.
    pub fn take(&mut self, at: Moment) -> bool {
        let is_left = self.free_at(at).is_none();
        if is_left {
            self.full = self.full.max(nanos(at)) + self.limit.emission();
        }
        is_left
    }

    /// Takes in that the CA itself has said when the next is there again.
    pub fn empty_until(&mut self, until: Moment) {
        let rest = i128::from(self.limit.burst - 1) * self.limit.emission();
        self.full = self.full.max(nanos(until) + rest);
    }

    /// How many are used up now.
    pub fn used(&self, now: Moment) -> i64 {
        let emission = self.limit.emission();
        let missing = self.full.saturating_sub(nanos(now)).max(0);
        let used = (missing + emission - 1) / emission;
        i64::try_from(used).unwrap_or(i64::MAX).min(self.limit.burst)
    }

    /// How many are left now.
    pub fn left(&self, now: Moment) -> i64 {
        self.limit.burst - self.used(now)
    }

    /// When one may be taken, if none is left now.
    pub fn free_at(&self, now: Moment) -> Option<Moment> {
        let rest = i128::from(self.limit.burst - 1) * self.limit.emission();
        let free = self.full.saturating_sub(rest);
        (free > nanos(now)).then(|| moment_up(free))
    }

    /// When the next of those that are used comes back, if any is used.
    pub fn next_at(&self, now: Moment) -> Option<Moment> {
        let missing = self.full.saturating_sub(nanos(now));
        (missing > 0).then(|| {
            let emission = self.limit.emission();
            // Of what is over the limit by the CA's own word, nothing comes back before the rest.
            let over = (missing - emission * i128::from(self.limit.burst)).max(0);
            moment_up(nanos(now) + over + (missing - over - 1) % emission + 1)
        })
    }

    /// When all of them are there again, if any is used.
    pub fn full_at(&self, now: Moment) -> Option<Moment> {
        (self.full > nanos(now)).then(|| moment_up(self.full))
    }
}

/// A length of time to the minute: `45s`, `12m`, `33h 36m`, `6d 20h`.
pub fn exact(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let two = |large: i64, unit: &str, small: i64, part: &str| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit} {small}{part}"),
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..HOUR => format!("{}m", (seconds + 59) / 60),
        HOUR..172_800 => {
            let minutes = (seconds + 59) / 60;
            two(minutes / 60, "h", minutes % 60, "m")
        }
        _ => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    }
}

const NANOS: i128 = 1_000_000_000;

fn nanos(at: Moment) -> i128 {
    i128::from(at.unix()) * NANOS
}

/// The first whole second at which that has come.
fn moment_up(nanos: i128) -> Moment {
    Moment::from_unix(seconds_up(nanos))
}

fn seconds_up(nanos: i128) -> i64 {
    let whole = nanos.div_euclid(NANOS) + i128::from(nanos.rem_euclid(NANOS) > 0);
    i64::try_from(whole).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::authority::LETS_ENCRYPT;
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    fn ago(seconds: &[i64]) -> Vec<Moment> {
        seconds.iter().map(|it| NOW.plus(-it)).collect()
    }

    #[test]
    fn what_is_used_comes_back_one_by_one() {
        let limit = Limit::new(3, 180);
        let check = |at: &[i64], used, free_in: Option<i64>, next_in: Option<i64>| {
            let gauge = Gauge::of(limit, &ago(at), NOW);
            assert_eq!((gauge.used(NOW), gauge.left(NOW)), (used, 3 - used), "{at:?}");
            let since = |it: Option<Moment>| it.map(|it| it.since(NOW));
            assert_eq!(since(gauge.free_at(NOW)), free_in, "{at:?}");
            assert_eq!(since(gauge.next_at(NOW)), next_in, "{at:?}");
        };
        check(&[], 0, None, None);
        check(&[60], 0, None, None);
        check(&[59], 1, None, Some(1));
        check(&[10, 5], 2, None, Some(50));
        check(&[10, 5, 1], 3, Some(50), Some(50));
        check(&[600, 10, 5, 1], 3, Some(50), Some(50));
        // What was refused takes nothing: 180 of one moment are as three.
        check(&[10; 180], 3, Some(50), Some(50));
    }

    #[test]
    fn what_the_ca_says_counts_more_than_what_was_seen() {
        let mut gauge = Gauge::of(Limit::new(5, 5 * HOUR), &ago(&[60]), NOW);
        gauge.empty_until(NOW.plus(30 * 60));
        assert_eq!(gauge.left(NOW), 0);
        assert_eq!(gauge.free_at(NOW), Some(NOW.plus(30 * 60)));
        assert_eq!(gauge.full_at(NOW), Some(NOW.plus(4 * HOUR + 30 * 60)));
        // Longer than all of it takes to come back.
        gauge.empty_until(NOW.plus(9 * HOUR));
        assert_eq!(gauge.next_at(NOW), gauge.free_at(NOW));
        assert_eq!(gauge.left(NOW), 0);
    }

    #[test]
    fn limits_are_read_and_told() {
        assert_eq!(Limit::parse("300/3h"), LETS_ENCRYPT.limits.orders);
        assert_eq!(Limit::parse(" 5 / 7 d ").map(|it| it.refill()), Some(120_960));
        for wrong in
            ["", "3", "/h", "0/h", "3/0h", "x/3h", "3/3y", "3/h", "9999999/1h", "1/999999d"]
        {
            assert_eq!(Limit::parse(wrong), None, "{wrong}");
        }
        for (text, window) in [("5/7d", "7 days"), ("1/1d", "day"), ("3/3h", "3 hours")] {
            assert_eq!(Limit::parse(text).unwrap().window(), window);
        }
        assert_eq!(Limit::new(3, 90 * 60).window(), "1h 30m");
    }

    #[test]
    fn lengths_are_told_to_the_minute() {
        for (seconds, expect) in [
            (-5, "0s"),
            (59, "59s"),
            (61, "2m"),
            (120_960, "33h 36m"),
            (24 * HOUR, "24h"),
            (6 * DAY + 20 * HOUR, "6d 20h"),
            (7 * DAY, "7d"),
        ] {
            assert_eq!(exact(seconds), expect);
        }
    }

    /// Boulder's own rule, written down again from ratelimits/gcra.go with its words: spends what
    /// is allowed, and tells what remains and when the next is allowed, in nanoseconds.
    fn boulder(limit: &Limit, at: &[i64], now: i64) -> (i64, i64) {
        let interval = i128::from(limit.period) * 1_000_000_000 / i128::from(limit.count);
        let burst_offset = interval * i128::from(limit.burst);
        let mut tat: Option<i128> = None;
        for it in at {
            let now = i128::from(*it) * 1_000_000_000;
            let new = tat.map_or(now, |it| it.max(now)) + interval;
            if now - (new - burst_offset) >= 0 {
                tat = Some(new);
            }
        }
        let now = i128::from(now) * 1_000_000_000;
        let tat = tat.map_or(now, |it| it.max(now));
        let remaining = (now - (tat - burst_offset)) / interval;
        let retry_in = -(now - (tat + interval - burst_offset));
        (i64::try_from(remaining).unwrap(), i64::try_from(retry_in.max(0) / 1_000_000_000).unwrap())
    }

    fn limits() -> impl Strategy<Value = Limit> {
        let known = LETS_ENCRYPT.limits;
        let all = [known.exact_set, known.registered_domain, known.orders, known.failures];
        let known: Vec<_> = all.into_iter().flatten().collect();
        prop_oneof![
            prop::sample::select(known),
            (1..20_i64, 1..20_i64, 1..1_000_000_i64).prop_map(|(burst, count, period)| Limit {
                burst,
                count,
                period
            }),
        ]
    }

    proptest! {
        #[test]
        fn is_to_the_second_as_boulder_counts(
            limit in limits(),
            mut at in prop::collection::vec(0..900_000_i64, 0..80),
            now in 0..1_500_000_i64,
        ) {
            at.sort_unstable();
            at.retain(|it| *it <= now);
            let moments: Vec<_> = at.iter().map(|it| Moment::from_unix(*it)).collect();
            let now_moment = Moment::from_unix(now);
            let gauge = Gauge::of(limit, &moments, now_moment);
            let (remaining, retry_in) = boulder(&limit, &at, now);
            prop_assert_eq!(gauge.left(now_moment), remaining);
            let free = gauge.free_at(now_moment).map_or(0, |it| it.since(now_moment));
            prop_assert!((free - retry_in).abs() <= 1, "{} {}", free, retry_in);
            if let Some(next) = gauge.next_at(now_moment) {
                prop_assert!(gauge.left(next) > remaining);
                prop_assert_eq!(gauge.left(next.plus(-1)), remaining);
            }
        }

        #[test]
        fn no_moment_is_too_far(at: i64, now: i64) {
            let mut gauge = Gauge::new(Limit::new(5, 7 * DAY));
            gauge.take(Moment::from_unix(at));
            gauge.empty_until(Moment::from_unix(at));
            let now = Moment::from_unix(now);
            prop_assert!((0..=5).contains(&gauge.used(now)));
            gauge.full_at(now);
            gauge.next_at(now);
        }
    }
}
