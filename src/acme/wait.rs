//! How long a CA wants to be left alone, where it says so in words as Let's Encrypt does.
//! Text in, moments out.

use crate::fleet::Moment;

/// Reads what Let's Encrypt says in its details: `retry after 2026-11-29 01:02:03 UTC`
/// (Boulder, ratelimits/limiter.go).
pub(super) fn in_words(detail: &str) -> Option<Moment> {
    let (_, rest) = detail.split_once("retry after ")?;
    let date = rest.get(..10)?;
    let time = rest.get(11..19)?;
    let is_utc = rest.get(19..).is_some_and(|it| it.starts_with(" UTC") || it.starts_with('Z'));
    is_utc.then(|| Moment::parse(&format!("{date}T{time}Z")))?
}

/// How many seconds are waited where a CA does not say how long.
pub(super) const DEFAULT: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

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
