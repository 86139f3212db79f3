//! Whether anything may be changed from this console: not until it is armed, by a command that is
//! typed, and then only for a while.

use std::fmt;

use crate::fleet::{HOUR, Moment, seconds};
use crate::text::SafeText;

/// Whether anything may be changed.
#[derive(Debug)]
pub struct Arming {
    bar: Option<Bar>,
    armed: Option<Armed>,
}

/// What keeps the console from being armed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bar {
    /// It was started with `--read-only`.
    Option,
    /// The audit log is not open yet.
    Opening,
    /// The audit log refuses.
    Refused(SafeText),
}

#[derive(Debug, Clone, Copy)]
struct Armed {
    until: Moment,
    /// When somebody last did something at the terminal.
    touched: Moment,
}

/// Why armed mode has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Its time has passed.
    Time,
    /// Nobody was at the terminal.
    Idle,
}

impl Arming {
    /// Read-only. `is_read_only` holds for as long as the console runs.
    pub fn new(is_read_only: bool) -> Self {
        let bar = if is_read_only { Bar::Option } else { Bar::Opening };
        Self { bar: Some(bar), armed: None }
    }

    /// The audit log is open.
    pub fn log_is_open(&mut self) {
        self.bar.take_if(|it| *it == Bar::Opening);
    }

    /// The audit log refuses: from here on, nothing may be changed.
    pub fn log_refuses(&mut self, why: SafeText) {
        self.armed = None;
        if self.bar != Some(Bar::Option) {
            self.bar = Some(Bar::Refused(why));
        }
    }

    /// What keeps it from being armed.
    pub fn bar(&self) -> Option<&Bar> {
        self.bar.as_ref()
    }

    /// Arms for so many seconds from now; what keeps it from that, if anything does.
    pub fn arm(&mut self, seconds: i64, now: Moment) -> Result<(), &Bar> {
        if let Some(bar) = &self.bar {
            return Err(bar);
        }
        let until = now.plus(seconds.clamp(1, LONGEST));
        self.armed = Some(Armed { until, touched: now });
        Ok(())
    }

    /// Read-only again; whether it was armed.
    pub fn disarm(&mut self) -> bool {
        self.armed.take().is_some()
    }

    /// Somebody is at the terminal. It brings back nothing that has ended already.
    pub fn touch(&mut self, now: Moment) {
        if self.is_armed(now)
            && let Some(armed) = &mut self.armed
        {
            armed.touched = now;
        }
    }

    /// Whether anything may be changed now.
    pub fn is_armed(&self, now: Moment) -> bool {
        self.bar.is_none() && self.armed.is_some_and(|it| it.over(now).is_none())
    }

    /// For how many seconds it may.
    pub fn left(&self, now: Moment) -> Option<i64> {
        self.armed.filter(|_| self.is_armed(now)).map(|it| it.until.since(now))
    }

    /// Ends what is over, and tells why, once.
    pub fn expire(&mut self, now: Moment) -> Option<Over> {
        let over = self.armed?.over(now)?;
        self.armed = None;
        Some(over)
    }
}

impl Armed {
    fn over(self, now: Moment) -> Option<Over> {
        if now >= self.until {
            Some(Over::Time)
        } else if now.since(self.touched) >= IDLE {
            Some(Over::Idle)
        } else {
            None
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option => f.write_str("this console was started with --read-only"),
            Self::Opening => f.write_str("the audit log is not open yet"),
            Self::Refused(why) => write!(f, "{why}"),
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time => f.write_str("read-only again: the time is over"),
            Self::Idle => write!(f, "read-only again: no key for {} minutes", IDLE / 60),
        }
    }
}

/// Reads `15m`, `90s` or `2h`.
///
/// # Errors
/// Says what is wrong with it.
pub fn parse(text: &str) -> Result<i64, String> {
    let read = seconds(text).filter(|it| *it > 0);
    let seconds =
        read.ok_or_else(|| format!("`{text}` is no time; write it as in 15m, 90s or 2h"))?;
    if seconds > LONGEST {
        return Err(format!("{} h is the longest that it can be armed", LONGEST / HOUR));
    }
    Ok(seconds)
}

/// For how long it is armed if nobody says otherwise.
pub const USUAL: i64 = 15 * 60;
/// The longest: half a night shift.
const LONGEST: i64 = 4 * HOUR;
/// After how long without a key nobody is at the terminal.
const IDLE: i64 = 5 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_000_000);

    fn open() -> Arming {
        let mut arming = Arming::new(false);
        arming.log_is_open();
        arming
    }

    #[test]
    fn it_ends_by_itself() {
        let mut arming = open();
        assert!(!arming.is_armed(NOW));
        arming.arm(120, NOW).unwrap();
        assert_eq!(arming.left(NOW.plus(20)), Some(100));
        assert_eq!(arming.expire(NOW.plus(119)), None);
        // Even before anybody has noticed.
        assert!(!arming.is_armed(NOW.plus(120)));
        arming.touch(NOW.plus(120));
        assert_eq!(arming.expire(NOW.plus(120)), Some(Over::Time));
        assert_eq!(arming.expire(NOW.plus(120)), None);
    }

    #[test]
    fn it_ends_when_nobody_is_there() {
        let mut arming = open();
        arming.arm(USUAL, NOW).unwrap();
        arming.touch(NOW.plus(IDLE - 1));
        assert!(arming.is_armed(NOW.plus(IDLE + 1)));
        assert_eq!(arming.expire(NOW.plus(2 * IDLE - 1)), Some(Over::Idle));
    }

    #[test]
    fn what_is_barred_cannot_be_armed() {
        let mut arming = Arming::new(false);
        assert_eq!(arming.arm(USUAL, NOW), Err(&Bar::Opening));
        let mut arming = Arming::new(true);
        arming.log_is_open();
        assert_eq!(arming.arm(USUAL, NOW), Err(&Bar::Option));
        let mut arming = open();
        arming.arm(USUAL, NOW).unwrap();
        arming.log_refuses(SafeText::new("full"));
        assert!(!arming.is_armed(NOW));
        assert!(arming.arm(USUAL, NOW).is_err());
    }

    #[track_caller]
    fn check(text: &str, expect: Option<i64>) {
        assert_eq!(parse(text).ok(), expect, "{text}");
    }

    #[test]
    fn times_are_read() {
        check("15m", Some(900));
        check("90s", Some(90));
        check("4h", Some(4 * HOUR));
        check("5h", None);
        check("", None);
        check("m", None);
        check("-1m", None);
        check("15", None);
        check("1ü", None);
        check("9999999999999999999h", None);
    }
}
