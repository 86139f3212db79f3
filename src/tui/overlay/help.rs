//! Every key, searchable by text and by key; made from the table.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::field::Field;
use super::{Answer, Overlay, Under, sheet};
use crate::tui::desk::Desk;
use crate::tui::keys::{Binding, Keymap, Place, table};

/// The help.
#[derive(Debug, Default)]
pub(in crate::tui) struct Help {
    field: Field,
    first: usize,
}

impl Overlay for Help {
    fn key(&mut self, key: KeyEvent, _desk: &mut Desk, _under: &Under<'_>) -> Answer {
        match key.code {
            KeyCode::Esc | KeyCode::Enter => return Answer::Close,
            KeyCode::Down => self.first += 1,
            KeyCode::Up => self.first = self.first.saturating_sub(1),
            KeyCode::PageDown => self.first += STEP,
            KeyCode::PageUp => self.first = self.first.saturating_sub(STEP),
            _ => {
                if self.field.key(key) {
                    self.first = 0;
                }
            }
        }
        // Far more than there are lines, so that going down for long is no long way back.
        self.first = self.first.min(table().len() + 4);
        Answer::Stay
    }

    fn paste(&mut self, text: &str, _desk: &mut Desk) -> bool {
        self.field.paste(text);
        self.first = 0;
        true
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("up down", "scroll"), ("esc", "close")]
    }

    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let theme = &desk.theme;
        let room = sheet::lay("Help", (100, u16::MAX), theme, area, buf);
        let mut typed = self.field.line(None, theme);
        typed.spans.insert(0, Span::styled("Find: ", theme.dim()));
        typed.push_span(Span::styled("   (a word or a key; esc closes)", theme.dim()));
        sheet::put(0, &typed, room, buf);

        let mut lines = Vec::new();
        for place in Place::ALL {
            let mut found =
                table().iter().filter(|it| it.place == place && self.matches(it, under.keymap));
            let Some(first) = found.next() else { continue };
            lines.push(Line::styled(place.title(), theme.title()));
            for binding in std::iter::once(first).chain(found) {
                let keys = under.keymap.keys(binding.command);
                lines.push(Line::from(vec![
                    Span::raw("  "),
                    sheet::column(&keys, 17, theme.key()),
                    Span::styled(binding.help, theme.text()),
                ]));
            }
        }
        if lines.is_empty() {
            lines.push(Line::styled("no key and no help has this in it", theme.dim()));
        }
        let page = usize::from(room.height.saturating_sub(2));
        let first = self.first.min(lines.len().saturating_sub(page));
        for (row, line) in (2..).zip(lines.iter().skip(first)) {
            sheet::put(row, line, room, buf);
        }
    }
}

impl Help {
    fn matches(&self, binding: &Binding, keymap: &Keymap) -> bool {
        let text = self.field.text();
        let keys = keymap.keys(binding.command);
        if keys.split("  ").any(|it| it == text) {
            return true;
        }
        let all = format!("{} {} {} {keys}", binding.name, binding.title, binding.help);
        let all = all.to_lowercase();
        text.to_lowercase().split_whitespace().all(|it| all.contains(it))
    }
}

/// How far a page goes.
const STEP: usize = 10;
