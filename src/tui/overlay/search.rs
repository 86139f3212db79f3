//! The words by which the audit log is searched, as they are typed.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::field::Field;
use super::{Answer, Overlay, Under, sheet};
use crate::tui::desk::Desk;

/// The line in which they are typed.
#[derive(Debug)]
pub(in crate::tui) struct Search {
    field: Field,
    before: String,
}

impl Search {
    /// Begins with the words that hold.
    pub(in crate::tui) fn new(desk: &Desk) -> Self {
        Self { field: Field::new(&desk.search), before: desk.search.clone() }
    }
}

impl Overlay for Search {
    fn key(&mut self, key: KeyEvent, desk: &mut Desk, _under: &Under<'_>) -> Answer {
        match key.code {
            KeyCode::Enter => return Answer::Close,
            KeyCode::Esc => {
                desk.search_audit(self.before.clone());
                return Answer::Close;
            }
            _ => {
                if self.field.key(key) {
                    desk.search_audit(self.field.text().to_owned());
                }
            }
        }
        Answer::Stay
    }

    fn paste(&mut self, text: &str, desk: &mut Desk) -> bool {
        self.field.paste(text);
        desk.search_audit(self.field.text().to_owned());
        true
    }

    fn draw(&self, desk: &Desk, _under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let theme = &desk.theme;
        let mut line = Line::from(Span::styled(" / ", theme.key()));
        line.spans.extend(self.field.line(None, theme).spans);
        let (shown, all) = (desk.found.len(), desk.book.records().len());
        let words = "words of host, action, who, time";
        line.push_span(Span::styled(format!("  {shown} of {all}  ({words})"), theme.dim()));
        sheet::put(0, &line, area, buf);
    }

    fn is_line(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("enter", "keep"), ("esc", "as before"), ("ctrl-u", "empty")]
    }
}
