//! A text to be read, as the complaints about an inventory, or why an action is refused.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Answer, Overlay, Under, sheet};
use crate::text::SafeText;
use crate::tui::desk::Desk;
use crate::tui::part::detail;

/// A text to be read.
#[derive(Debug)]
pub(in crate::tui) struct Notice {
    title: String,
    lines: Vec<SafeText>,
    first: usize,
}

impl Notice {
    /// Shows that text.
    pub(in crate::tui) fn new(title: impl Into<String>, text: &str) -> Self {
        Self { title: title.into(), lines: text.lines().map(SafeText::new).collect(), first: 0 }
    }
}

impl Overlay for Notice {
    fn key(&mut self, key: KeyEvent, _desk: &mut Desk, _under: &Under<'_>) -> Answer {
        match key.code {
            KeyCode::Down | KeyCode::Char('j') => self.first += 1,
            KeyCode::Up | KeyCode::Char('k') => self.first = self.first.saturating_sub(1),
            KeyCode::PageDown => self.first += 10,
            KeyCode::PageUp => self.first = self.first.saturating_sub(10),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Answer::Close,
            _ => return Answer::Say("esc closes this".to_owned()),
        }
        self.first = self.first.min(self.lines.len().saturating_sub(1));
        Answer::Stay
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("j k", "scroll"), ("esc", "close")]
    }

    fn draw(&self, desk: &Desk, _under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let page = desk.page();
        let style = desk.theme.text();
        let line = |it: &SafeText| {
            let text = page.shown(it.as_str()).into_owned();
            Line::from(vec![Span::raw(" "), Span::styled(text, style)])
        };
        let lines: Vec<_> = self.lines.iter().map(line).collect();
        let height = detail::height(&lines, area.width.saturating_sub(2)).saturating_add(2);
        let room = sheet::lay(&self.title, (area.width, height), &desk.theme, area, buf);
        detail::draw(&lines, detail::settled(self.first, &lines, room), &page, room, buf);
    }
}
