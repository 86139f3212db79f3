//! Foreign text made safe to show: the only text type that screens, labels, logs and tables
//! accept from outside. Holds no formatting and no colour.

use std::borrow::Borrow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// Text from outside this program in which nothing can act on a terminal, reorder a line or
/// hide: controls are spelled out, invisible and direction-changing characters are named, and
/// the length is capped.
///
/// ```
/// use certdeck::text::SafeText;
///
/// assert_eq!(SafeText::new("a\x1b[31mb").as_str(), "a^[[31mb");
/// assert_eq!(SafeText::new("x\u{202e}y").as_str(), "x<U+202E>y");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeText(Arc<str>);

impl SafeText {
    /// The most characters kept; the rest is replaced by `…`.
    pub const MAX_CHARS: usize = 1024;

    /// Makes any text safe.
    pub fn new(text: &str) -> Self {
        Self::capped(text, Self::MAX_CHARS)
    }

    /// Makes bytes safe; what is not UTF-8 is shown as `\xNN`.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut text = String::new();
        // Four bytes make at least one character, so nothing that will be kept is cut off here.
        let bytes = bytes.get(..4 * Self::MAX_CHARS).unwrap_or(bytes);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            for byte in chunk.invalid() {
                let _ = write!(text, "\\x{byte:02X}");
            }
        }
        Self::new(&text)
    }

    /// An error with everything below it, in a line.
    pub fn of_error(error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut below = error.source();
        while let Some(it) = below {
            let _ = write!(text, ": {it}");
            below = it.source();
        }
        Self::new(&text)
    }

    /// Makes text safe and keeps at most `max` characters of it.
    pub fn capped(text: &str, max: usize) -> Self {
        if text.len() <= max && text.bytes().all(|it| matches!(it, b' '..=b'~')) {
            return Self(text.into());
        }
        let mut out = String::with_capacity(text.len().min(4 * max));
        let mut kept = 0;
        let mut marks = 0;
        for c in text.chars() {
            if kept >= max {
                out.push('…');
                break;
            }
            if is_combining(c) {
                marks += 1;
                if marks > MAX_MARKS {
                    continue;
                }
            } else {
                marks = 0;
            }
            kept += 1;
            push_safe(&mut out, c);
        }
        Self(out.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for SafeText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SafeText {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for SafeText {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for SafeText {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

/// Writes one character in the form in which it can do no harm.
fn push_safe(out: &mut String, c: char) {
    match c {
        '\u{1b}' => out.push_str("^["),
        // C0 and DEL in caret form, as `cat -v` prints them.
        '\0'..='\x1f' | '\x7f' => {
            out.push('^');
            out.push(char::from((c as u8) ^ 0x40));
        }
        '\u{80}'..='\u{9f}' => {
            let _ = write!(out, "\\x{:02X}", c as u32);
        }
        _ if is_hidden(c) => {
            let _ = write!(out, "<U+{:04X}>", c as u32);
        }
        _ => out.push(c),
    }
}

/// Characters that take no room, change direction, or look like a line end.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// Marks that are drawn over the character before them.
fn is_combining(c: char) -> bool {
    unicode_width::UnicodeWidthChar::width(c) == Some(0) && !is_hidden(c) && !c.is_control()
}

/// More marks on one character than any language uses; the rest is dropped.
const MAX_MARKS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(SafeText::new(text).as_str(), expect);
    }

    #[test]
    fn plain_text_stays() {
        check("edge-fra-2 *.cdn.example.net", "edge-fra-2 *.cdn.example.net");
        check("bücher.example 証明書", "bücher.example 証明書");
    }

    #[test]
    fn controls_are_spelled_out() {
        check("\x1b]52;c;AAAA\x07", "^[]52;c;AAAA^G");
        check("a\nb\r\tc\0", "a^Jb^M^Ic^@");
        check("\x7f\u{9b}31m", "^?\\x9B31m");
    }

    #[test]
    fn hidden_characters_are_named() {
        check("a\u{202e}b\u{200b}c\u{2028}", "a<U+202E>b<U+200B>c<U+2028>");
        check("\u{e0041}", "<U+E0041>");
    }

    #[test]
    fn marks_and_length_are_capped() {
        check("e\u{301}\u{301}\u{301}\u{301}\u{301}", "e\u{301}\u{301}\u{301}");
        let long = SafeText::new(&"x".repeat(70_000));
        assert_eq!(long.as_str().chars().count(), SafeText::MAX_CHARS + 1);
    }

    #[test]
    fn bytes_that_are_not_text_are_shown() {
        assert_eq!(SafeText::from_bytes(b"a\xffb").as_str(), "a\\xFFb");
    }
}
