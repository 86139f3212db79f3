//! Everything about one place, in tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::scroll::Scroll;
use super::{Outcome, Screen, about, open_row, plain};
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail::{self, Pane};
use crate::tui::rows::RowId;

/// A screen about one place.
#[derive(Debug)]
pub(super) struct Certificate {
    id: RowId,
    pane: Pane,
    scroll: Scroll,
}

impl Certificate {
    /// A screen about the place of that row.
    pub(super) fn new(id: RowId) -> Self {
        Self { id, pane: Pane::default(), scroll: Scroll::default() }
    }

    fn title(&self) -> String {
        match &self.id {
            RowId::Place { host, place, .. } => format!("{host} {place}"),
            other => other.host().map_or_else(String::new, ToString::to_string),
        }
    }

    fn lines(&self, desk: &Desk) -> Vec<Line<'static>> {
        if desk.find(&self.id).is_none() {
            return vec![Line::raw("The last visit did not find this certificate any more.")];
        }
        about(&self.id, self.pane, desk)
    }

    fn turn(&mut self, steps: usize) -> Outcome {
        let all = &Pane::ALL;
        let at = all.iter().position(|it| *it == self.pane).unwrap_or(0);
        self.pane = all.get((at + steps) % all.len()).copied().unwrap_or_default();
        self.scroll.reset();
        Outcome::Done
    }
}

impl Screen for Certificate {
    fn place(&self) -> Place {
        Place::Details
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        let page = areas(area).2;
        if self.scroll.go(command, &self.lines(desk), page) {
            return Outcome::Done;
        }
        match command {
            Command::NextPane | Command::NextTab => self.turn(1),
            Command::PreviousPane | Command::PreviousTab => self.turn(Pane::ALL.len() - 1),
            Command::Open => {
                let host = self.id.host().cloned().map(RowId::Host);
                host.and_then(|it| open_row(&it, desk)).map_or(Outcome::Ignored, Outcome::Open)
            }
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.scroll.settle(&self.lines(desk), areas(area).2);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (title, tabs, text) = areas(area);
        let page = desk.page();
        let heading = format!(" {}", self.title());
        let heading = Line::styled(page.shown(&heading).into_owned(), desk.theme.title());
        detail::draw(&[heading], 0, &page, title, buf);
        detail::draw_tabs(self.pane, &page, tabs, buf);
        detail::draw(&self.lines(desk), self.scroll.first(), &page, text, buf);
    }

    fn selected(&self, _desk: &Desk) -> Option<RowId> {
        Some(self.id.clone())
    }

    fn text(&self, desk: &Desk) -> String {
        let mut text = format!("{}\n", self.title());
        for pane in Pane::ALL {
            text.extend(["\n== ", pane.word(), " ==\n"]);
            text.push_str(&plain(&about(&self.id, pane, desk)));
        }
        text
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::NextPane,
            Command::Open,
            Command::Rescan,
            Command::CopyCommand,
            Command::Pager,
            Command::Edit,
            Command::Help,
            Command::Quit,
        ]
    }
}

/// Title, tabs and text.
fn areas(area: Rect) -> (Rect, Rect, Rect) {
    let [title, tabs, _, text] = area.layout(&Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
    ]));
    (title, tabs, text)
}
