//! The audit log: who changed what, and what came of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::list::Selection;
use super::scroll::Scroll;
use super::{Kind, Outcome, Screen, plain, split};
use crate::text::SafeText;
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::audit::{self, AuditView, HEAD};
use crate::tui::part::detail;
use crate::tui::rows::RowId;

pub(super) const KIND: Kind = Kind {
    name: "audit",
    command: Command::Screen5,
    open: |_| Box::new(Audit { selection: Selection::default() }),
};

#[derive(Debug)]
struct Audit {
    selection: Selection<u64>,
}

impl Audit {
    fn lines(&self, desk: &Desk) -> Vec<Line<'static>> {
        self.selection.id(&desk.found).map_or_else(Vec::new, |it| lines(it, desk))
    }
}

fn page(area: Rect) -> u16 {
    split(area).0.height.saturating_sub(HEAD)
}

impl Screen for Audit {
    fn place(&self) -> Place {
        Place::Lists
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.selection.go(command, &desk.found, page(area)) {
            return Outcome::Done;
        }
        match (command, self.selection.id(&desk.found)) {
            (Command::Filter, _) => Outcome::Search,
            (Command::Escape, _) if !desk.search.is_empty() => {
                desk.search_audit(String::new());
                Outcome::Say("every record".to_owned())
            }
            (Command::Open, Some(seq)) => Outcome::Open(Box::new(RecordDetail::new(seq))),
            (Command::Open, None) => Outcome::Say("there is no record".to_owned()),
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.selection.settle(&desk.found, page(area));
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (area, look) = split(area);
        let view = AuditView {
            book: &desk.book,
            found: &desk.found,
            first: self.selection.first(),
            selected: self.selection.position(&desk.found),
            now: desk.now,
        };
        audit::draw(&view, &desk.page(), area, buf);
        if let Some(look) = look {
            detail::draw(&self.lines(desk), 0, &desk.page(), look, buf);
        }
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        row(self.selection.id(&desk.found)?, desk)
    }

    fn line(&self, desk: &Desk) -> Option<String> {
        Some(desk.book.record(self.selection.id(&desk.found)?)?.line.clone())
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&self.lines(desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Open,
            Command::Filter,
            Command::CopyRow,
            Command::Pager,
            Command::Incident,
            Command::Screen4,
            Command::Help,
            Command::Quit,
        ]
    }

    fn click(&mut self, desk: &Desk, area: Rect, at: (u16, u16)) {
        let (list, _) = split(area);
        if list.contains(at.into()) && at.1 >= list.y + HEAD {
            let position = self.selection.first() + usize::from(at.1 - list.y - HEAD);
            if position < desk.found.len() {
                self.selection.select(&desk.found, position, page(area));
            }
        }
    }
}

/// A screen about one record and those that belong to it.
#[derive(Debug)]
struct RecordDetail {
    seq: u64,
    scroll: Scroll,
}

impl RecordDetail {
    fn new(seq: u64) -> Self {
        Self { seq, scroll: Scroll::default() }
    }
}

impl Screen for RecordDetail {
    fn place(&self) -> Place {
        Place::Details
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.scroll.go(command, &lines(self.seq, desk), area) {
            return Outcome::Done;
        }
        match (command, self.selected(desk)) {
            (Command::Open, Some(id)) => {
                super::open_row(&id, desk).map_or(Outcome::Ignored, Outcome::Open)
            }
            (Command::Open, None) => {
                Outcome::Say("it is about no certificate that is known".into())
            }
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.scroll.settle(&lines(self.seq, desk), area);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        detail::draw(&lines(self.seq, desk), self.scroll.first(), &desk.page(), area, buf);
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        row(self.seq, desk)
    }

    fn line(&self, desk: &Desk) -> Option<String> {
        Some(desk.book.record(self.seq)?.line.clone())
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&lines(self.seq, desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[Command::Open, Command::CopyRow, Command::Pager, Command::Help, Command::Quit]
    }
}

fn lines(seq: u64, desk: &Desk) -> Vec<Line<'static>> {
    match desk.book.record(seq) {
        Some(record) => audit::record(record, &desk.book, desk.now, &desk.page()),
        None => vec![Line::raw("This record is not in the log any more.")],
    }
}

/// The row of the certificate or host that a record is about.
fn row(seq: u64, desk: &Desk) -> Option<RowId> {
    let record = desk.book.record(seq)?;
    let host = crate::fleet::HostName::new(desk.book.said(record, "host")?);
    let lineage = desk.book.said(record, "lineage").map(SafeText::new);
    desk.row_at(&host, lineage.as_ref().map(SafeText::as_str))
}
