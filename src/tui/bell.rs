//! Notices of the terminal: a bell, and a line that it may show elsewhere when nobody looks.

use crate::text::SafeText;

/// How a terminal is asked to tell something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bell {
    /// It is not.
    Off,
    /// By a bell alone.
    #[default]
    Plain,
    /// By a bell and OSC 9, as iTerm2 has it.
    Osc9,
    /// By a bell and OSC 777, as rxvt-unicode has it.
    Osc777,
}

/// Every one, by its name in the settings.
pub static ALL: &[(&str, Bell)] =
    &[("off", Bell::Off), ("bell", Bell::Plain), ("osc9", Bell::Osc9), ("osc777", Bell::Osc777)];

impl Bell {
    /// What a terminal of that kind understands. Whoever does not know a sequence leaves it out;
    /// the console of Linux is no place for any.
    pub fn of(term: &str, is_vte: bool) -> Self {
        match term {
            "" | "dumb" => Self::Off,
            "linux" | "vt100" | "vt220" => Self::Plain,
            _ if is_vte || term.contains("rxvt") || term.starts_with("foot") => Self::Osc777,
            _ => Self::Osc9,
        }
    }

    /// What is written to the terminal. Nothing in the text can end the sequence or begin another.
    pub fn bytes(self, text: &SafeText) -> String {
        let text = SafeText::capped(text.as_str(), MAX_TEXT);
        // A digit would make it something else to ConEmu and Windows Terminal, a semicolon a field.
        let text = text.as_str().replace(';', ",");
        match self {
            Self::Off => String::new(),
            Self::Plain => "\x07".to_owned(),
            Self::Osc9 => format!("\x1b]9;certdeck: {text}\x1b\\\x07"),
            Self::Osc777 => format!("\x1b]777;notify;certdeck;{text}\x1b\\\x07"),
        }
    }
}

/// As much as a desktop shows.
const MAX_TEXT: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_gets_out_of_it() {
        let text = SafeText::new("renew \x1b]52;c;AAAA\x07 \u{9c}a;b\u{202e}");
        for (_, bell) in ALL {
            let bytes = bell.bytes(&text);
            let inner = bytes.strip_suffix('\x07').unwrap_or(&bytes);
            let inner = inner.strip_suffix("\x1b\\").unwrap_or(inner);
            let inner = inner.strip_prefix('\x1b').unwrap_or(inner);
            assert!(!inner.chars().any(|it| it.is_control() || it == '\u{202e}'), "{bytes:?}");
        }
        assert_eq!(Bell::Osc777.bytes(&text).matches(';').count(), 3);
        assert!(Bell::Osc9.bytes(&SafeText::new(&"x".repeat(9000))).len() < 200);
        assert_eq!(Bell::Off.bytes(&text), "");
    }

    #[test]
    fn terminals_are_told_as_they_understand_it() {
        for (term, is_vte, bell) in [
            ("xterm-256color", false, Bell::Osc9),
            ("xterm-256color", true, Bell::Osc777),
            ("rxvt-unicode-256color", false, Bell::Osc777),
            ("foot", false, Bell::Osc777),
            ("linux", false, Bell::Plain),
            ("dumb", false, Bell::Off),
            ("", false, Bell::Off),
        ] {
            assert_eq!(Bell::of(term, is_vte), bell, "{term}");
        }
    }
}
