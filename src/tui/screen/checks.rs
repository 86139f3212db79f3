//! The checks before an order, and everything about one of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::list::moved;
use super::scroll::Scroll;
use super::{Outcome, Screen, plain};
use crate::preflight::{ALL, Kind};
use crate::tui::checks::{Checks, ChecksId};
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::checks::{self, ChecksView, HEAD};
use crate::tui::part::detail;
use crate::tui::rows::RowId;

/// A screen about one look.
#[derive(Debug)]
pub(super) struct ChecksList {
    id: ChecksId,
    selected: usize,
    first: usize,
}

impl ChecksList {
    /// A screen about that look.
    pub(super) const fn new(id: ChecksId) -> Self {
        Self { id, selected: 0, first: 0 }
    }

    fn page(area: Rect) -> u16 {
        area.height.saturating_sub(HEAD).max(1)
    }
}

impl Screen for ChecksList {
    fn place(&self) -> Place {
        Place::Details
    }

    fn run(&mut self, command: Command, _desk: &mut Desk, area: Rect) -> Outcome {
        if let Some(to) = moved(command, self.selected, ALL.len(), Self::page(area)) {
            self.selected = to;
            return Outcome::Done;
        }
        match (command, ALL.get(self.selected)) {
            (Command::Open, Some(kind)) => Outcome::Open(Box::new(CheckDetail::new(self.id, kind))),
            (Command::NextTab | Command::PreviousTab, _) => {
                Outcome::Say("there are no tabs here".to_owned())
            }
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, _desk: &Desk, area: Rect) {
        let page = usize::from(Self::page(area));
        self.selected = self.selected.min(ALL.len().saturating_sub(1));
        self.first = self.first.clamp((self.selected + 1).saturating_sub(page), self.selected);
        self.first = self.first.min(ALL.len().saturating_sub(page));
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let page = desk.page();
        match desk.looks.find(self.id) {
            Some(checks) => {
                let view = ChecksView { checks, first: self.first, selected: self.selected };
                checks::draw(&view, &page, area, buf);
            }
            None => detail::draw(&[Line::raw(GONE)], 0, &page, area, buf),
        }
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        desk.looks.find(self.id).map(|it| it.row.clone())
    }

    fn text(&self, desk: &Desk) -> String {
        let Some(checks) = desk.looks.find(self.id) else { return String::new() };
        let page = desk.page();
        let mut lines = Vec::new();
        for kind in ALL {
            lines.extend(checks::detail(checks, kind, &page));
            lines.push(Line::default());
        }
        plain(&lines)
    }

    fn hints(&self) -> &'static [Command] {
        HINTS
    }

    fn click(&mut self, _desk: &Desk, area: Rect, (_, row): (u16, u16)) {
        let at = row.checked_sub(area.y + HEAD).map(|it| self.first + usize::from(it));
        if let Some(at) = at.filter(|it| *it < ALL.len()) {
            self.selected = at;
        }
    }
}

/// A screen about one check of a look.
#[derive(Debug)]
struct CheckDetail {
    id: ChecksId,
    kind: &'static Kind,
    scroll: Scroll,
}

impl CheckDetail {
    fn new(id: ChecksId, kind: &'static Kind) -> Self {
        Self { id, kind, scroll: Scroll::default() }
    }

    fn checks<'d>(&self, desk: &'d Desk) -> Option<&'d Checks> {
        desk.looks.find(self.id)
    }

    fn lines(&self, desk: &Desk) -> Vec<Line<'static>> {
        match self.checks(desk) {
            Some(checks) => checks::detail(checks, self.kind, &desk.page()),
            None => vec![Line::raw(GONE)],
        }
    }
}

impl Screen for CheckDetail {
    fn place(&self) -> Place {
        Place::Details
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.scroll.go(command, &self.lines(desk), area) {
            return Outcome::Done;
        }
        match command {
            Command::Open => Outcome::Say("there is nothing further to open; esc goes back".into()),
            Command::NextTab | Command::PreviousTab => {
                Outcome::Say("there are no tabs here".to_owned())
            }
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.scroll.settle(&self.lines(desk), area);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        detail::draw(&self.lines(desk), self.scroll.first(), &desk.page(), area, buf);
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        self.checks(desk).map(|it| it.row.clone())
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&self.lines(desk))
    }

    fn hints(&self) -> &'static [Command] {
        HINTS
    }
}

const HINTS: &[Command] = &[
    Command::Open,
    Command::Preflight,
    Command::Pager,
    Command::Log,
    Command::Help,
    Command::Quit,
];
const GONE: &str = " this look is not kept any more; look again";
