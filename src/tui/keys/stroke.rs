//! Keys as they are written, in the table, in `[keys]` and on screen: `j`, `G`, `ctrl-d`, `g g`.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One key, with what is held down beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stroke {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Keys to be pressed one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chord(pub Vec<Stroke>);

impl Stroke {
    /// Reads one key.
    pub fn parse(text: &str) -> Option<Self> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        while let Some((word, after)) = rest.split_once('-').filter(|(_, it)| !it.is_empty()) {
            modifiers |= match word {
                "ctrl" => KeyModifiers::CONTROL,
                "s" => KeyModifiers::SHIFT,
                _ => return None,
            };
            rest = after;
        }
        let named = NAMES.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
        let code = named.or_else(|| function_key(rest)).or_else(|| {
            let mut chars = rest.chars();
            let first = chars.next().filter(|it| !it.is_whitespace() && !it.is_control());
            first.filter(|_| chars.next().is_none()).map(KeyCode::Char)
        })?;
        Some(Self::normal(code, modifiers))
    }

    /// Shift is part of a character, and Shift with Tab is a key of its own.
    fn normal(code: KeyCode, modifiers: KeyModifiers) -> Self {
        match code {
            KeyCode::Tab if modifiers.contains(KeyModifiers::SHIFT) => {
                Self { code: KeyCode::BackTab, modifiers: KeyModifiers::NONE }
            }
            KeyCode::Char(_) | KeyCode::BackTab => {
                Self { code, modifiers: modifiers - KeyModifiers::SHIFT }
            }
            _ => Self { code, modifiers },
        }
    }
}

impl Chord {
    /// Reads keys separated by spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let strokes = text.split_whitespace().map(Stroke::parse).collect::<Option<Vec<_>>>()?;
        (!strokes.is_empty()).then_some(Self(strokes))
    }
}

impl From<KeyEvent> for Stroke {
    fn from(key: KeyEvent) -> Self {
        Self::normal(key.code, key.modifiers)
    }
}

impl From<Stroke> for KeyEvent {
    fn from(stroke: Stroke) -> Self {
        Self::new(stroke.code, stroke.modifiers)
    }
}

impl fmt::Display for Stroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, word) in [
            (KeyModifiers::CONTROL, "ctrl-"),
            (KeyModifiers::ALT, "alt-"),
            (KeyModifiers::SHIFT, "s-"),
        ] {
            if self.modifiers.contains(held) {
                f.write_str(word)?;
            }
        }
        if let Some((name, _)) = NAMES.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(number) => write!(f, "f{number}"),
            _ => f.write_str("?"),
        }
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, stroke) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{stroke}")?;
        }
        Ok(())
    }
}

fn function_key(name: &str) -> Option<KeyCode> {
    let number = name.strip_prefix('f')?.parse().ok()?;
    (1..=12).contains(&number).then_some(KeyCode::F(number))
}

const NAMES: &[(&str, KeyCode)] = &[
    ("backspace", KeyCode::Backspace),
    ("del", KeyCode::Delete),
    ("down", KeyCode::Down),
    ("end", KeyCode::End),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("home", KeyCode::Home),
    ("ins", KeyCode::Insert),
    ("left", KeyCode::Left),
    ("pgdn", KeyCode::PageDown),
    ("pgup", KeyCode::PageUp),
    ("right", KeyCode::Right),
    ("s-tab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("tab", KeyCode::Tab),
    ("up", KeyCode::Up),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        for text in ["j", "G", "-", "ctrl-d", "ctrl-left", "s-tab", "f12", "g g", "y n"] {
            assert_eq!(Chord::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "jj", "alt-x", "strg-d", "f13", "ctrl-", "hyper-x"] {
            assert_eq!(Chord::parse(text), None, "{text}");
        }
    }

    #[test]
    fn shift_is_part_of_a_character() {
        let key = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert_eq!(Some(Stroke::from(key)), Stroke::parse("G"));
        let key = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Some(Stroke::from(key)), Stroke::parse("s-tab"));
    }
}
