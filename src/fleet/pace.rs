//! How often timed work runs, from the words in which a scheduler tells it. Local time is taken for
//! a time without jumps: an hour more or less decides nothing here.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::{Automation, DAY, HOUR, Trigger};

impl Trigger {
    /// The longest time between two of its runs in seconds, without what is added at random; `None`
    /// if its words do not tell it, or if it does not come again by itself.
    pub fn pause(&self) -> Option<i64> {
        let told = self.calendar.as_ref().and_then(|it| pause(it.as_str()));
        // When it fired and fires next tells it, too, where its words are not understood.
        let seen = || Some(self.next?.since(self.last?)).filter(|it| *it > 0);
        told.or_else(seen)
    }
}

impl Automation {
    /// The trigger by which this client is started most often, and its longest pause; a trigger
    /// that will not fire counts for nothing.
    pub fn pause(&self) -> Option<(&Trigger, i64)> {
        let armed = self.schedule.triggers.iter().filter(|it| it.is_armed);
        armed.filter_map(|it| Some((it, it.pause()?))).min_by_key(|it| it.1)
    }
}

/// A span of time as systemctl prints it, in seconds: `12h`, `1h 30min`, `0`; `None` of `infinity`.
pub fn span(text: &str) -> Option<i64> {
    text.split_whitespace()
        .map(|it| {
            let end = it.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(it.len());
            let (digits, unit) = it.split_at_checked(end)?;
            let whole: i64 = digits.split('.').next()?.parse().ok()?;
            let seconds = match unit {
                "y" => 31_557_600,
                "month" => 2_629_800,
                "w" => 604_800,
                "d" => 86_400,
                "h" => 3600,
                "min" => 60,
                "s" => 1,
                "" | "ms" | "us" => 0,
                _ => return None,
            };
            whole.checked_mul(seconds)
        })
        .try_fold(0_i64, |sum, it| sum.checked_add(it?))
}

/// The longest pause of `0 */12 * * *`, `@daily`, `*-*-* 00,12:00:00` or `OnUnitActiveUSec=12h`.
fn pause(text: &str) -> Option<i64> {
    if let Some((event, length)) = text.split_once('=') {
        // The others tell of one moment after a start.
        let comes_again = matches!(event, "OnUnitActiveUSec" | "OnUnitInactiveUSec");
        return span(length).filter(|it| comes_again && *it > 0);
    }
    match text.trim_start_matches('@') {
        "hourly" => return Some(HOUR),
        "daily" | "midnight" => return Some(DAY),
        "weekly" => return Some(7 * DAY),
        "monthly" => return Some(31 * DAY),
        "yearly" | "annually" => return Some(366 * DAY),
        _ => {}
    }
    let words: Vec<_> = text.split_whitespace().collect();
    match words.as_slice() {
        [minute, hour, day, month, weekday] => {
            Plan::of_cron([minute, hour, day, month, weekday])?.longest()
        }
        words => Plan::of_systemd(words)?.longest(),
    }
}

/// When something runs: sets of numbers, a bit for each.
#[derive(Debug, Clone, Copy)]
struct Plan {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a day counts that fits either by its number or by its weekday, as cron has it where
    /// both are told (crontab(5)); else it must fit by both.
    is_either: bool,
}

impl Plan {
    fn of_cron([minute, hour, day, month, weekday]: [&str; 5]) -> Option<Self> {
        let weekdays = set(weekday, (0, 7), &WEEKDAYS)?;
        Some(Self {
            minutes: set(minute, (0, 59), &[])?,
            hours: set(hour, (0, 23), &[])?,
            days: set(day, (1, 31), &[])?,
            months: set(month, (1, 12), &MONTHS)?,
            // Seven is Sunday as well.
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            is_either: !day.starts_with('*') && !weekday.starts_with('*'),
        })
    }

    /// `Mon..Fri *-*-* 06,18:00:00 UTC`: weekdays and time zone may be left out (systemd.time(7)).
    fn of_systemd(words: &[&str]) -> Option<Self> {
        let weekdays = words.first().filter(|it| it.starts_with(|it: char| it.is_alphabetic()));
        let rest = words.get(usize::from(weekdays.is_some())..)?;
        let (date, time) = match rest {
            [time, ..] if time.contains(':') => ("*-*-*", *time),
            [date, time, ..] if time.contains(':') => (*date, *time),
            _ => return None,
        };
        let date: Vec<_> = date.split('-').collect();
        let (month, day) = match date.as_slice() {
            // A year that is told comes once.
            ["*", month, day] | [month, day] => (*month, *day),
            _ => return None,
        };
        let mut time = time.split(':');
        let (hour, minute) = (time.next()?, time.next()?);
        Some(Self {
            minutes: set(minute, (0, 59), &[])?,
            hours: set(hour, (0, 23), &[])?,
            days: set(day, (1, 31), &[])?,
            months: set(month, (1, 12), &[])?,
            weekdays: weekdays.map_or(Some(0x7f), |it| set(it, (0, 6), &WEEKDAYS))?,
            is_either: false,
        })
    }

    fn is_on(&self, day: Date) -> bool {
        let has = |set: u64, number: i8| set & (1 << number) != 0;
        let by_number = has(self.days, day.day());
        let by_weekday = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        let fits = if self.is_either { by_number || by_weekday } else { by_number && by_weekday };
        has(self.months, day.month()) && fits
    }

    /// The longest pause within four years, which have every kind of day.
    fn longest(&self) -> Option<i64> {
        let mut times = Vec::new();
        for hour in (0..24).filter(|it| self.hours & (1 << it) != 0) {
            let minutes = (0..60).filter(|it| self.minutes & (1 << it) != 0);
            times.extend(minutes.map(|it| hour * HOUR + it * 60));
        }
        let (first, last) = (times.first()?, times.last()?);
        let within = times.iter().zip(times.iter().skip(1)).map(|(a, b)| b - a).max();
        let days = FIRST.series(1.day()).zip(0..).take(4 * 366 + 1);
        let mut before: Option<i64> = None;
        let mut longest = None;
        for (_, number) in days.filter(|it| self.is_on(it.0)) {
            let pause = before.map(|it| number * DAY + first - it);
            longest = longest.max(within).max(pause);
            before = Some(number * DAY + last);
        }
        longest
    }
}

/// Reads `*`, `*/15`, `0,30`, `1-5`, `Mon..Fri`, `00/12` as a set of numbers.
fn set(text: &str, (low, high): (i64, i64), names: &[&str]) -> Option<u64> {
    let number = |it: &str| {
        let it = it.to_ascii_lowercase();
        let named = names.iter().position(|name| it.starts_with(name));
        let read = it.parse::<i64>().ok().or_else(|| {
            // Months are counted from one, weekdays from nought.
            i64::try_from(named?).ok().map(|it| it + low)
        });
        read.filter(|it| (low..=high).contains(it))
    };
    let mut all = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<i64>().ok().filter(|it| *it > 0)?)),
            None => (part, None),
        };
        let ends = range.split_once("..").or_else(|| range.split_once('-'));
        let (from, to) = match (range, ends) {
            ("*", _) => (low, high),
            (_, Some((from, to))) => (number(from)?, number(to)?),
            (one, None) => (number(one)?, if step.is_some() { high } else { number(one)? }),
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        for it in (from..=to).step_by(step) {
            all |= 1_u64 << it;
        }
    }
    (all != 0).then_some(all)
}

const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// A day from which four years have a leap day among them.
const FIRST: Date = Date::constant(2023, 1, 1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Moment;
    use crate::text::SafeText;

    #[test]
    fn the_longest_pause_is_told_by_many_words() {
        let cases = [
            ("0 */12 * * *", Some(12 * HOUR)),
            ("17 3 * * *", Some(DAY)),
            ("43 0,12 * * *", Some(12 * HOUR)),
            ("0 3,5 * * *", Some(22 * HOUR)),
            ("0 3 * * 1", Some(7 * DAY)),
            ("0 3 * * 7", Some(7 * DAY)),
            ("0 3 * * sun", Some(7 * DAY)),
            ("0 3 * * 1-5", Some(3 * DAY)),
            ("0 3 1 * *", Some(31 * DAY)),
            ("0 3 1,15 * *", Some(17 * DAY)),
            // Either of them, where both are told.
            ("0 3 1 * 1", Some(7 * DAY)),
            ("0 3 1 jan *", Some(366 * DAY)),
            ("*/5 * * * *", Some(300)),
            ("@daily", Some(DAY)),
            ("weekly", Some(7 * DAY)),
            ("@reboot", None),
            ("*-*-* 00,12:00:00", Some(12 * HOUR)),
            ("*-*-* 00/12:00:00", Some(12 * HOUR)),
            ("*-*-* 06:00:00 Europe/Berlin", Some(DAY)),
            ("Mon *-*-* 06:00:00", Some(7 * DAY)),
            ("Mon..Fri *-*-* 06:00:00", Some(3 * DAY)),
            ("Sat,Sun 06:00", Some(6 * DAY)),
            ("*-*-01 00:00:00", Some(31 * DAY)),
            ("2027-*-* 00:00:00", None),
            ("*-02~03 00:00:00", None),
            ("OnUnitActiveUSec=12h", Some(12 * HOUR)),
            ("OnUnitInactiveUSec=1w 1d", Some(8 * DAY)),
            ("OnBootUSec=5min", None),
            ("61 * * * *", None),
            ("0 3 31 2 *", None),
            ("* * * *", None),
            ("", None),
        ];
        for (text, expect) in cases {
            assert_eq!(pause(text), expect, "{text}");
        }
    }

    #[test]
    fn what_was_seen_counts_where_words_do_not() {
        let at = Moment::from_unix;
        let trigger = Trigger { last: Some(at(0)), next: Some(at(DAY)), ..Trigger::default() };
        assert_eq!(trigger.pause(), Some(DAY));
        let weekly = Trigger { calendar: Some(SafeText::new("weekly")), ..trigger };
        assert_eq!(weekly.pause(), Some(7 * DAY));
        assert_eq!(Trigger::default().pause(), None);
    }

    #[test]
    fn spans_are_those_of_systemctl() {
        for (text, expect) in
            [("12h", Some(12 * HOUR)), ("1h 30min", Some(5400)), ("0", Some(0)), ("infinity", None)]
        {
            assert_eq!(span(text), expect, "{text}");
        }
    }
}
