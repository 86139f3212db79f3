//! Points in time to the second, and how long they are apart.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::DateTime;

/// A point in time: whole seconds since 1970-01-01T00:00:00Z.
///
/// Not `jiff::Timestamp`, whose range ends at 9999-12-30: RFC 5280, section 4.1.2.5, gives
/// certificates without an expiry the date 9999-12-31T23:59:59Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(i64);

impl Moment {
    /// The moment that many seconds after the epoch.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// The moment `seconds` later; earlier if negative. Saturates.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to here; negative if it is later. Saturates.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads RFC 3339, as in `2026-11-23T03:12:44Z`, or a bare date, which is its midnight UTC.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
            return Some(Self(stamp.as_second()));
        }
        let date = text.parse::<jiff::civil::Date>().ok()?;
        Some(Self::from_civil(date.to_datetime(jiff::civil::Time::midnight())))
    }

    /// The moment when clocks in UTC show that date and time.
    pub fn from_civil(it: DateTime) -> Self {
        Self(it.duration_since(EPOCH).as_secs())
    }

    /// The date and time in UTC; `None` outside of the years -9999 to 9999.
    pub fn civil(self) -> Option<DateTime> {
        EPOCH.checked_add(SignedDuration::from_secs(self.0)).ok()
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in UTC, as in `2026-11-23T03:12:44Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(it) => write!(
                f,
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                it.year(),
                it.month(),
                it.day(),
                it.hour(),
                it.minute(),
                it.second()
            ),
            None => write!(f, "@{}", self.0),
        }
    }
}

/// A number of seconds in the unit that fits: `45s`, `12m`, `39h`, `6.3d`, `-0.2d`, `398d`.
///
/// Hours are used up to two days and tenths of a day up to a hundred; what lies in the past has
/// a sign and is never rounded to zero days.
pub fn human(seconds: i64) -> String {
    let size = seconds.unsigned_abs();
    let sign = if seconds < 0 { "-" } else { "" };
    match size {
        0..60 => format!("{sign}{size}s"),
        60..3600 => format!("{sign}{}m", size / 60),
        // Less than a tenth of a day ago is not `-0.0d`.
        3600..172_800 if seconds >= 0 || size < 8640 => format!("{sign}{}h", size / 3600),
        _ => {
            let tenths = size / 8640;
            if tenths >= 1000 {
                format!("{sign}{}d", tenths / 10)
            } else {
                format!("{sign}{}.{}d", tenths / 10, tenths % 10)
            }
        }
    }
}

/// Reads what [`human`] writes: `45s`, `12m`, `39h`, `6.3d`, and weeks as `2w`.
pub fn seconds(text: &str) -> Option<i64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    let number = text.get(..text.len() - 1)?;
    let (sign, number) = number.strip_prefix('-').map_or((1, number), |it| (-1, it));
    let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |it: &str| {
        let is_number = !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        is_number.then(|| it.parse::<i64>().ok()).flatten()
    };
    let tenths = digits(tenths).filter(|_| tenths.len() == 1)?;
    Some(sign * digits(whole)?.checked_mul(unit)?.checked_add(tenths * unit / 10)?)
}

/// Seconds in a day.
pub const DAY: i64 = 86_400;
/// Seconds in an hour.
pub const HOUR: i64 = 3_600;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_rfc_3339() {
        assert_eq!(Moment::from_unix(1_795_403_564).to_string(), "2026-11-23T03:12:44Z");
        assert_eq!(Moment::from_unix(253_402_300_799).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(Moment::from_unix(i64::MAX).to_string(), format!("@{}", i64::MAX));
    }

    #[test]
    fn is_read_from_dates_and_times() {
        assert_eq!(Moment::parse("2026-11-23T03:12:44Z"), Some(Moment(1_795_403_564)));
        assert_eq!(Moment::parse("1970-01-02"), Some(Moment(DAY)));
        assert_eq!(Moment::parse("tomorrow"), None);
    }

    #[test]
    fn lengths_use_the_unit_that_fits() {
        let cases = [
            (0, "0s"),
            (59, "59s"),
            (720, "12m"),
            (39 * HOUR + 1800, "39h"),
            (6 * DAY + 8 * HOUR, "6.3d"),
            (-17_280, "-0.2d"),
            (-7_200, "-2h"),
            (-8_640, "-0.1d"),
            (-300, "-5m"),
            (398 * DAY, "398d"),
        ];
        for (seconds, expect) in cases {
            assert_eq!(human(seconds), expect);
        }
    }

    #[test]
    fn lengths_are_read_back() {
        let cases = [
            ("0s", Some(0)),
            ("12m", Some(720)),
            ("39h", Some(39 * HOUR)),
            ("6.5d", Some(6 * DAY + 12 * HOUR)),
            ("-0.2d", Some(-17_280)),
            ("2w", Some(14 * DAY)),
            ("", None),
            ("7", None),
            ("d", None),
            ("7 d", None),
            ("1.d", None),
            ("+1d", None),
            ("99999999999999999999d", None),
            ("1ä", None),
        ];
        for (text, expect) in cases {
            assert_eq!(seconds(text), expect, "{text}");
        }
    }
}
