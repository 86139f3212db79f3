//! Text compared with text, prepared once so that comparing allocates nothing.

/// What a text is compared with: parts in their order, with any text between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<String>,
    /// Whether the first part must be the beginning and the last one the end.
    is_anchored: bool,
}

impl Pattern {
    /// The whole text, where `*` stands for any text.
    pub(super) fn whole(text: &str) -> Self {
        Self { parts: text.split('*').map(str::to_owned).collect(), is_anchored: true }
    }

    /// A part of the text; `*` is itself.
    pub(super) fn within(text: &str) -> Self {
        Self { parts: vec![text.to_owned()], is_anchored: false }
    }

    /// Whether the text fits, without regard to the case of ASCII letters.
    pub(super) fn fits(&self, text: &str) -> bool {
        let text = text.as_bytes();
        match (self.parts.as_slice(), self.is_anchored) {
            ([only], true) => text.eq_ignore_ascii_case(only.as_bytes()),
            ([first, middle @ .., last], true) => {
                let Some(rest) = strip_prefix(text, first.as_bytes()) else { return false };
                let Some(mut rest) = strip_suffix(rest, last.as_bytes()) else { return false };
                for part in middle {
                    match find(rest, part.as_bytes()) {
                        Some(after) => rest = after,
                        None => return false,
                    }
                }
                true
            }
            (parts, _) => parts.iter().all(|it| find(text, it.as_bytes()).is_some()),
        }
    }

    /// Whether a certificate for this name is good for it: as [`Self::fits`], and a wildcard
    /// covers every name with one label in its place (RFC 9525, section 6.3).
    pub(super) fn is_covered_by(&self, name: &str) -> bool {
        if self.fits(name) {
            return true;
        }
        let ([wanted], true) = (self.parts.as_slice(), self.is_anchored) else { return false };
        let (Some(parent), Some((label, rest))) = (name.strip_prefix("*."), wanted.split_once('.'))
        else {
            return false;
        };
        !label.is_empty() && rest.eq_ignore_ascii_case(parent)
    }
}

fn strip_prefix<'t>(text: &'t [u8], part: &[u8]) -> Option<&'t [u8]> {
    let (head, rest) = text.split_at_checked(part.len())?;
    head.eq_ignore_ascii_case(part).then_some(rest)
}

fn strip_suffix<'t>(text: &'t [u8], part: &[u8]) -> Option<&'t [u8]> {
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(part.len())?)?;
    tail.eq_ignore_ascii_case(part).then_some(rest)
}

/// What follows the first place where `part` stands in the text.
fn find<'t>(text: &'t [u8], part: &[u8]) -> Option<&'t [u8]> {
    if part.is_empty() {
        return Some(text);
    }
    let at = text.windows(part.len()).position(|it| it.eq_ignore_ascii_case(part))?;
    text.get(at + part.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expect: bool) {
        assert_eq!(Pattern::whole(pattern).fits(text), expect);
    }

    #[test]
    fn a_star_stands_for_any_text() {
        check("edge-*", "edge-fra-1", true);
        check("edge-*", "edge-", true);
        check("edge-*", "my-edge-1", false);
        check("*.cdn.*", "*.cdn.example.net", true);
        check("*.cdn.*", "cdn.example.net", false);
        check("a*b*c", "aXXbYYc", true);
        check("a*b*c", "aXXcYYb", false);
        check("ab*ba", "aba", false);
        check("*", "", true);
        check("EDGE", "edge", true);
        check("", "x", false);
    }

    #[test]
    fn a_part_is_found_anywhere() {
        assert!(Pattern::within("FRA").fits("edge-fra-1"));
        assert!(Pattern::within("*.c").fits("*.cdn"));
        assert!(!Pattern::within("ams").fits("edge-fra-1"));
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let covers = |wanted, name| Pattern::whole(wanted).is_covered_by(name);
        assert!(covers("www.example.net", "*.Example.net"));
        assert!(!covers("a.b.example.net", "*.example.net"));
        assert!(!covers("example.net", "*.example.net"));
        assert!(!covers(".example.net", "*.example.net"));
        assert!(covers("*.example.net", "*.example.net"));
    }
}
