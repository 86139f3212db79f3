//! A question with one answer that does something; every other key leaves things as they are.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Answer, Do, Overlay, READING, Under, sheet};
use crate::tui::desk::Desk;
use crate::tui::part::detail;

/// A question.
#[derive(Debug)]
pub(in crate::tui) struct Question {
    title: &'static str,
    /// What it means, line by line.
    lines: Vec<String>,
    /// What `y` does, in words.
    yes: &'static str,
    does: Do,
    /// What is said when it is not done.
    otherwise: &'static str,
}

impl Question {
    /// Asks whether to leave while these jobs run.
    pub(in crate::tui) fn leave(jobs: &[String]) -> Self {
        let mut lines = vec![
            "They go on on their hosts without this console, and the next one tells what became \
             of them. Nothing is stopped."
                .to_owned(),
            String::new(),
        ];
        lines.extend(jobs.iter().cloned());
        Self { title: "Leave while jobs run?", lines, yes: "leave", does: Do::Leave, otherwise: "" }
    }

    /// Asks whether to stop a job.
    pub(in crate::tui) fn stop(lines: Vec<String>, does: Do) -> Self {
        let otherwise = "the job goes on";
        Self { title: "Stop this job?", lines, yes: "stop it", does, otherwise }
    }
}

impl Overlay for Question {
    fn key(&mut self, key: KeyEvent, _desk: &mut Desk, under: &Under<'_>) -> Answer {
        match key.code {
            KeyCode::Char('y') if under.seen < READING => {
                Answer::Say("that was faster than anybody reads: once more".to_owned())
            }
            KeyCode::Char('y') => Answer::Do(self.does.clone()),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('n' | 'q') => {
                Answer::CloseAnd(self.otherwise.to_owned())
            }
            _ => Answer::Say(format!("y: {}; esc keeps things as they are", self.yes)),
        }
    }

    fn is_guarded(&self) -> bool {
        true
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("esc", "keep as is")]
    }

    fn draw(&self, desk: &Desk, _under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let (theme, page) = (&desk.theme, desk.page());
        let width = area.width.min(90);
        let lines: Vec<_> = self
            .lines
            .iter()
            .map(|it| Line::from(vec![Span::raw(" "), Span::raw(page.shown(it).into_owned())]))
            .collect();
        let taken = detail::height(&lines, width.saturating_sub(2));
        let room = sheet::lay(self.title, (width, taken.saturating_add(4)), theme, area, buf);
        let text = Rect { height: room.height.saturating_sub(2), ..room };
        detail::draw(&lines, 0, &page, text, buf);
        let ask = Line::from(vec![
            Span::styled(" Keep as is ", theme.badge()),
            Span::styled(" esc", theme.key()),
            Span::raw("      "),
            Span::styled("y", theme.key()),
            Span::styled(format!(" {}", self.yes), theme.text()),
        ]);
        sheet::put(room.height.saturating_sub(1), &ask, room, buf);
    }
}
