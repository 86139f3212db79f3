//! Everything about one host.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::scroll::Scroll;
use super::{Outcome, Screen, about, plain};
use crate::fleet::HostName;
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail::{self, Pane};
use crate::tui::rows::RowId;

/// A screen about one host.
#[derive(Debug)]
pub(super) struct HostDetail {
    host: HostName,
    scroll: Scroll,
}

impl HostDetail {
    /// A screen about that host.
    pub(super) fn new(host: HostName) -> Self {
        Self { host, scroll: Scroll::default() }
    }

    fn lines(&self, desk: &Desk) -> Vec<Line<'static>> {
        if desk.fleet.host(&self.host).is_none() {
            return vec![Line::raw("This host is not in the inventory any more.")];
        }
        about(&RowId::Host(self.host.clone()), Pane::Overview, desk)
    }
}

impl Screen for HostDetail {
    fn place(&self) -> Place {
        Place::Details
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.scroll.go(command, &self.lines(desk), areas(area).1) {
            return Outcome::Done;
        }
        match command {
            Command::Open => Outcome::Say("there is nothing further to open; esc goes back".into()),
            Command::NextTab | Command::PreviousTab => {
                Outcome::Say("a host has no tabs".to_owned())
            }
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.scroll.settle(&self.lines(desk), areas(area).1);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (title, text) = areas(area);
        let page = desk.page();
        let heading = format!(" {}", self.host);
        let heading = Line::styled(page.shown(&heading).into_owned(), desk.theme.title());
        detail::draw(&[heading], 0, &page, title, buf);
        detail::draw(&self.lines(desk), self.scroll.first(), &page, text, buf);
    }

    fn selected(&self, _desk: &Desk) -> Option<RowId> {
        Some(RowId::Host(self.host.clone()))
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&self.lines(desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Rescan,
            Command::CopyCommand,
            Command::Log,
            Command::Pager,
            Command::Edit,
            Command::Help,
            Command::Quit,
        ]
    }
}

/// Title and text.
fn areas(area: Rect) -> (Rect, Rect) {
    let [title, _, text] = area.layout(&Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
    ]));
    (title, text)
}
