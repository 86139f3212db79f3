//! A line of text that is being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use std::ops::Range;
use tui_input::{Input, InputRequest};

use crate::tui::theme::Theme;

/// What is typed, and where the cursor is.
#[derive(Debug, Default)]
pub(super) struct Field {
    input: Input,
}

impl Field {
    /// A field with text in it, the cursor at its end.
    pub(super) fn new(text: &str) -> Self {
        Self { input: Input::new(text.to_owned()) }
    }

    /// The text.
    pub(super) fn text(&self) -> &str {
        self.input.value()
    }

    /// Takes a key; whether the text has changed.
    pub(super) fn key(&mut self, key: KeyEvent) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let request = match (key.code, is_control) {
            (KeyCode::Char('a'), true) | (KeyCode::Home, _) => InputRequest::GoToStart,
            (KeyCode::Char('e'), true) | (KeyCode::End, _) => InputRequest::GoToEnd,
            (KeyCode::Char('k'), true) => InputRequest::DeleteTillEnd,
            (KeyCode::Char('u'), true) => InputRequest::DeleteFromStart,
            (KeyCode::Char('w'), true) => InputRequest::DeletePrevWord,
            (KeyCode::Char('h'), true) | (KeyCode::Backspace, _) => InputRequest::DeletePrevChar,
            (KeyCode::Delete, _) => InputRequest::DeleteNextChar,
            (KeyCode::Left, true) => InputRequest::GoToPrevWord,
            (KeyCode::Left, false) => InputRequest::GoToPrevChar,
            (KeyCode::Right, true) => InputRequest::GoToNextWord,
            (KeyCode::Right, false) => InputRequest::GoToNextChar,
            (KeyCode::Char(c), false) if self.has_room() => InputRequest::InsertChar(c),
            _ => return false,
        };
        self.input.handle(request).is_some_and(|it| it.value)
    }

    /// Takes pasted text; line ends become spaces.
    pub(super) fn paste(&mut self, text: &str) {
        let room = MAX_CHARS.saturating_sub(self.text().chars().count());
        let typed = text.trim().chars().map(|it| if it.is_whitespace() { ' ' } else { it });
        for c in typed.filter(|it| !it.is_control()).take(room) {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    /// The text as a line with its cursor, and a part of it underlined.
    pub(super) fn line(&self, culprit: Option<&Range<usize>>, theme: &Theme) -> Line<'static> {
        let mut line = Line::default();
        let mut cells = 0;
        for (at, c) in self.text().char_indices() {
            let is_culprit = culprit.is_some_and(|it| it.contains(&at));
            let style = if is_culprit { theme.culprit() } else { theme.text() };
            let style = if cells == self.input.cursor() {
                style.add_modifier(Modifier::REVERSED)
            } else {
                style
            };
            // What hides or turns text around is shown as what it is.
            let shown = crate::text::SafeText::new(c.encode_utf8(&mut [0; 4])).to_string();
            line.push_span(Span::styled(shown, style));
            cells += 1;
        }
        if self.input.cursor() >= cells {
            line.push_span(Span::styled(" ", theme.text().add_modifier(Modifier::REVERSED)));
        }
        line
    }

    fn has_room(&self) -> bool {
        self.text().chars().count() < MAX_CHARS
    }
}

/// No filter and no command is longer.
const MAX_CHARS: usize = 512;
