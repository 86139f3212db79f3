//! What CAs still allow: one line per limit of which something is used.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::list::{BucketId, Selection, page};
use super::scroll::Scroll;
use super::{Kind, Outcome, Screen, plain, split};
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::budget::{self, BudgetView};
use crate::tui::part::detail;
use crate::tui::rows::RowId;

pub(super) const KIND: Kind = Kind {
    name: "budget",
    command: Command::Screen6,
    open: |_| Box::new(Budget { selection: Selection::default() }),
};

#[derive(Debug)]
struct Budget {
    selection: Selection<BucketId>,
}

/// The lines about a limit.
fn lines(id: Option<&BucketId>, desk: &Desk) -> Vec<Line<'static>> {
    let buckets = desk.buckets();
    let bucket = buckets.iter().find(|it| id == Some(&BucketId::from(*it)));
    budget::lines(bucket, desk.history().gaps(), desk.now, &desk.page())
}

impl Screen for Budget {
    fn place(&self) -> Place {
        Place::Lists
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.selection.go(command, desk.buckets(), page(area)) {
            return Outcome::Done;
        }
        match (command, self.selection.id(desk.buckets())) {
            (Command::Open, Some(id)) => {
                Outcome::Open(Box::new(BucketDetail { id, scroll: Scroll::default() }))
            }
            (Command::Open, None) => Outcome::Say("nothing is used of any limit".to_owned()),
            (Command::Filter, _) => {
                let text = "the budget has no filter; `certdeck budget FILTER` tells of some";
                Outcome::Say(text.to_owned())
            }
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.selection.settle(desk.buckets(), page(area));
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (area, look) = split(area);
        let view = BudgetView {
            buckets: desk.buckets(),
            first: self.selection.first(),
            selected: self.selection.position(desk.buckets()),
            is_seen: desk.fleet.hosts().any(|it| it.seen_at.is_some()),
            now: desk.now,
        };
        budget::draw(&view, &desk.page(), area, buf);
        if let Some(look) = look {
            let id = self.selection.id(desk.buckets());
            detail::draw(&lines(id.as_ref(), desk), 0, &desk.page(), look, buf);
        }
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        let position = self.selection.position(desk.buckets())?;
        row(desk.buckets().get(position)?, desk)
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&lines(self.selection.id(desk.buckets()).as_ref(), desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Open,
            Command::Rescan,
            Command::Pager,
            Command::Palette,
            Command::Help,
            Command::Quit,
        ]
    }

    fn click(&mut self, desk: &Desk, area: Rect, at: (u16, u16)) {
        self.selection.click(desk.buckets(), split(area).0, at);
    }
}

/// The place at which the newest of what is counted was seen.
fn row(bucket: &crate::budget::Bucket, desk: &Desk) -> Option<RowId> {
    let mut from = bucket.counted.iter().rev().flat_map(|it| &it.from);
    from.find_map(|it| {
        let (host, place) = it.place()?;
        desk.row_at(host, place)
    })
}

/// Everything about one limit.
#[derive(Debug)]
struct BucketDetail {
    id: BucketId,
    scroll: Scroll,
}

impl Screen for BucketDetail {
    fn place(&self) -> Place {
        Place::Details
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.scroll.go(command, &lines(Some(&self.id), desk), area) {
            return Outcome::Done;
        }
        match (command, self.selected(desk)) {
            (Command::Open, Some(id)) => {
                super::open_row(&id, desk).map_or(Outcome::Ignored, Outcome::Open)
            }
            (Command::Open, None) => {
                Outcome::Say("it is about no certificate that is known".to_owned())
            }
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.scroll.settle(&lines(Some(&self.id), desk), area);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let lines = lines(Some(&self.id), desk);
        detail::draw(&lines, self.scroll.first(), &desk.page(), area, buf);
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        let bucket = desk.buckets().iter().find(|it| self.id == BucketId::from(*it))?;
        row(bucket, desk)
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&lines(Some(&self.id), desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[Command::Open, Command::Pager, Command::Help, Command::Quit]
    }
}
