//! How long a CA wants to be left alone: from `Retry-After`, and from the words of Let's Encrypt.
//! Text in, moments out.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::fleet::{DAY, Moment};

/// Reads a `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. `None` if it is neither.
///
/// A date is meant by the clock of the server, so the server's own `Date` tells how far off it is.
pub(super) fn retry_after(text: &str, date: Option<&str>, now: Moment) -> Option<Moment> {
    let text = text.trim();
    let length = if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
        text.parse::<i64>().ok()?
    } else {
        let there = date.and_then(http_date).unwrap_or(now);
        http_date(text)?.since(there)
    };
    (length <= MAX).then(|| now.plus(length))
}

/// Reads what Let's Encrypt says in its details: `retry after 2026-11-29 01:02:03 UTC`
/// (Boulder, ratelimits/limiter.go).
pub(super) fn in_words(detail: &str) -> Option<Moment> {
    let (_, rest) = detail.split_once("retry after ")?;
    let date = rest.get(..10)?;
    let time = rest.get(11..19)?;
    let is_utc = rest.get(19..).is_some_and(|it| it.starts_with(" UTC") || it.starts_with('Z'));
    is_utc.then(|| Moment::parse(&format!("{date}T{time}Z")))?
}

pub(super) fn http_date(text: &str) -> Option<Moment> {
    let time: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Moment::from_unix(i64::try_from(seconds).ok()?))
}

/// How many seconds are waited where a CA does not say how long.
pub(super) const DEFAULT: i64 = 300;
/// No CA means more than a year.
const MAX: i64 = 366 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Mon, 23 Nov 2026 03:13:44 GMT", Some(60)),
            ("Monday, 23-Nov-26 03:13:44 GMT", Some(60)),
            ("Mon Nov 23 03:13:44 2026", Some(60)),
            ("Mon, 23 Nov 2026 03:11:44 GMT", Some(-60)),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("99999999999999999999999", None),
            ("999999999", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ];
        for (text, expect) in cases {
            let expect = expect.map(|it| NOW.plus(it));
            assert_eq!(retry_after(text, None, NOW), expect, "{text}");
        }
    }

    #[test]
    fn a_date_is_meant_by_the_clock_of_the_server() {
        let date = Some("Mon, 23 Nov 2026 01:00:00 GMT");
        let until = retry_after("Mon, 23 Nov 2026 01:10:00 GMT", date, NOW);
        assert_eq!(until, Some(NOW.plus(600)));
    }

    #[test]
    fn the_words_of_lets_encrypt_are_read() {
        let detail = "too many certificates (5) already issued for this exact set of identifiers \
                      in the last 168h0m0s, retry after 2026-11-23 03:12:44 UTC: see https://x";
        assert_eq!(in_words(detail), Some(NOW));
        assert_eq!(in_words("retry after 2026-11-23T03:12:44Z"), Some(NOW));
        for wrong in ["retry after", "retry after é2026-11-23 03:12:44 UTC", "later", ""] {
            assert_eq!(in_words(wrong), None, "{wrong}");
        }
    }
}
