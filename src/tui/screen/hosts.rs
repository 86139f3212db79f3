//! Every host: how it is reached and how it renews.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::list::{Selection, page};
use super::{Kind, Outcome, Screen, about, open_row, plain, split};
use crate::fleet::HostName;
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail::{self, Pane};
use crate::tui::part::hosts::{self, HostsView};
use crate::tui::rows::RowId;

pub(super) const KIND: Kind = Kind {
    name: "hosts",
    command: Command::Screen2,
    open: |_| Box::new(Hosts { selection: Selection::default() }),
};

#[derive(Debug)]
struct Hosts {
    selection: Selection<HostName>,
}

impl Screen for Hosts {
    fn place(&self) -> Place {
        Place::Lists
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.selection.go(command, &desk.hosts, page(area)) {
            return Outcome::Done;
        }
        match (command, self.selected(desk)) {
            (Command::Open, Some(id)) => {
                open_row(&id, desk).map_or(Outcome::Ignored, Outcome::Open)
            }
            (Command::Open, None) => Outcome::Say("nothing is selected".to_owned()),
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.selection.settle(&desk.hosts, page(area));
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (area, look) = split(area);
        let view = HostsView {
            rows: &desk.hosts,
            first: self.selection.first(),
            selected: self.selection.position(&desk.hosts),
            now: desk.now,
        };
        hosts::draw(&view, &desk.page(), area, buf);
        if let Some((id, look)) = self.selected(desk).zip(look) {
            let lines = about(&id, Pane::Overview, desk);
            detail::draw(&lines, 0, &desk.page(), look, buf);
        }
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        self.selection.id(&desk.hosts).map(RowId::Host)
    }

    fn text(&self, desk: &Desk) -> String {
        let id = self.selected(desk);
        id.map_or_else(String::new, |it| plain(&about(&it, Pane::Overview, desk)))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Open,
            Command::Filter,
            Command::Rescan,
            Command::Edit,
            Command::Log,
            Command::Palette,
            Command::Help,
            Command::Quit,
        ]
    }

    fn click(&mut self, desk: &Desk, area: Rect, at: (u16, u16)) {
        self.selection.click(&desk.hosts, split(area).0, at);
    }
}
