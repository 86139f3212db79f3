//! Why a step of a guided run is left out: one line, for the audit log.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::field::Field;
use super::{Answer, Do, Overlay, Under, sheet};
use crate::tui::desk::Desk;

/// The line in which it is typed.
#[derive(Debug, Default)]
pub(in crate::tui) struct Reason {
    field: Field,
}

impl Overlay for Reason {
    fn key(&mut self, key: KeyEvent, _desk: &mut Desk, _under: &Under<'_>) -> Answer {
        match key.code {
            KeyCode::Esc => Answer::CloseAnd("nothing was left out".to_owned()),
            KeyCode::Enter if self.field.text().trim().is_empty() => {
                Answer::Say("nothing is left out without a reason; esc goes back".to_owned())
            }
            KeyCode::Enter => Answer::Do(Do::SkipStep(self.field.text().trim().to_owned())),
            _ => {
                self.field.key(key);
                Answer::Stay
            }
        }
    }

    fn paste(&mut self, text: &str, _desk: &mut Desk) -> bool {
        self.field.paste(text);
        true
    }

    fn draw(&self, desk: &Desk, _under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let theme = &desk.theme;
        let mut line = Line::from(Span::styled(" Skip it, why? ", theme.key()));
        line.spans.extend(self.field.line(None, theme).spans);
        sheet::put(0, &line, area, buf);
    }

    fn is_line(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("enter", "skip, on record"), ("esc", "keep the step")]
    }
}
