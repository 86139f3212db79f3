//! A text to be read, as the complaints about an inventory.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Answer, Overlay, Under, sheet};
use crate::text::SafeText;
use crate::tui::desk::Desk;

/// A text to be read.
#[derive(Debug)]
pub(in crate::tui) struct Notice {
    title: &'static str,
    lines: Vec<SafeText>,
    first: usize,
}

impl Notice {
    /// Shows that text.
    pub(in crate::tui) fn new(title: &'static str, text: &str) -> Self {
        Self { title, lines: text.lines().map(SafeText::new).collect(), first: 0 }
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

    fn draw(&self, desk: &Desk, _under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let height = u16::try_from(self.lines.len()).unwrap_or(u16::MAX).saturating_add(2);
        let room = sheet::lay(self.title, (area.width, height), &desk.theme, area, buf);
        for (row, line) in (0..room.height).zip(self.lines.iter().skip(self.first)) {
            sheet::put(row, &Line::styled(line.as_str(), desk.theme.text()), room, buf);
        }
    }
}
