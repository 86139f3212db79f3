//! The filter, as it is typed: what can be read holds at once, what cannot keeps the last that
//! could.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::field::Field;
use super::{Answer, Overlay, Under, sheet};
use crate::filter::Filter;
use crate::fleet::Weight;
use crate::spanned::Diagnostic;
use crate::tui::desk::Desk;

/// The line in which the filter is typed.
#[derive(Debug)]
pub(in crate::tui) struct FilterLine {
    field: Field,
    before: (String, Filter),
    complaint: Option<Diagnostic>,
}

impl FilterLine {
    /// Begins with the filter that holds.
    pub(in crate::tui) fn new(desk: &Desk) -> Self {
        Self {
            field: Field::new(&desk.filter_text),
            before: (desk.filter_text.clone(), desk.filter.clone()),
            complaint: None,
        }
    }

    fn apply(&mut self, desk: &mut Desk) {
        match Filter::parse(self.field.text()) {
            Ok(filter) => {
                desk.filter = filter;
                self.field.text().clone_into(&mut desk.filter_text);
                desk.arrange();
                self.complaint = None;
            }
            Err(complaint) => self.complaint = Some(complaint),
        }
    }
}

impl Overlay for FilterLine {
    fn key(&mut self, key: KeyEvent, desk: &mut Desk, _under: &Under<'_>) -> Answer {
        match (key.code, &self.complaint) {
            (KeyCode::Enter, None) => Answer::Close,
            (KeyCode::Enter, Some(complaint)) => {
                Answer::Say(format!("{}: the filter before it still holds", complaint.message))
            }
            (KeyCode::Esc, _) => {
                (desk.filter_text, desk.filter) = std::mem::take(&mut self.before);
                desk.arrange();
                Answer::Close
            }
            _ => {
                if self.field.key(key) {
                    self.apply(desk);
                }
                Answer::Stay
            }
        }
    }

    fn paste(&mut self, text: &str, desk: &mut Desk) -> bool {
        self.field.paste(text);
        self.apply(desk);
        true
    }

    fn draw(&self, desk: &Desk, _under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let theme = &desk.theme;
        let mut line = Line::from(Span::styled(" / ", theme.key()));
        let typed = self.field.line(self.complaint.as_ref().map(|it| &it.span), theme);
        line.spans.extend(typed.spans);
        let remark = match &self.complaint {
            Some(complaint) => {
                let hint = complaint.hint.as_ref().map_or_else(String::new, |it| format!("; {it}"));
                let style = theme.weight(Weight::Wrong);
                Span::styled(format!("  {}{hint}", complaint.message), style)
            }
            None => Span::styled(
                format!("  {} of {}", desk.rows.shown(), desk.rows.total()),
                theme.dim(),
            ),
        };
        line.push_span(remark);
        sheet::put(0, &line, area, buf);
    }

    fn is_line(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("enter", "keep"), ("esc", "as before"), ("ctrl-u", "empty")]
    }
}
