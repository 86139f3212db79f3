//! What is wrong: one line per cause.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::list::{CauseId, Selection};
use super::{Kind, Outcome, Screen, WIDE, cause, plain, split};
use crate::diagnose::{Cause, Finding, Remedy};
use crate::fleet::HostName;
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail;
use crate::tui::part::findings::{self, FindingsView};
use crate::tui::rows::RowId;

pub(super) const KIND: Kind = Kind {
    name: "findings",
    command: Command::Screen3,
    open: |_| Box::new(Findings { selection: Selection::default() }),
};

/// The fewest rows of the list with its heading, and of a look that is worth having.
const LEAST: u16 = 5;
const LOOK: u16 = 12;

#[derive(Debug)]
struct Findings {
    selection: Selection<CauseId>,
}

impl Findings {
    fn lines(&self, desk: &Desk) -> Vec<Line<'static>> {
        let cause = self.selection.id(&desk.causes);
        cause.map_or_else(Vec::new, |it| cause::lines(&it, 0, desk).0)
    }

    fn cause<'d>(&self, desk: &'d Desk) -> Option<&'d Cause> {
        self.selection.position(&desk.causes).and_then(|it| desk.causes.get(it))
    }

    /// The findings of the selected cause.
    fn chosen<'d>(&self, desk: &'d Desk) -> impl Iterator<Item = &'d Finding> + use<'d> {
        self.cause(desk).into_iter().flat_map(|it| it.among(&desk.findings))
    }
}

/// The list, and a look at the selected cause in all the room that the list leaves.
fn areas(desk: &Desk, area: Rect) -> (Rect, Option<Rect>) {
    if area.width >= WIDE {
        return split(area);
    }
    let lines = u16::try_from(desk.causes.len().max(1)).unwrap_or(u16::MAX);
    let list = lines.saturating_add(1).min(area.height / 3).max(LEAST);
    if list + LOOK > area.height {
        return (area, None);
    }
    let parts = Layout::vertical([Constraint::Length(list), Constraint::Fill(1)]).spacing(1);
    let [list, look] = area.layout(&parts);
    (list, Some(look))
}

fn page(desk: &Desk, area: Rect) -> u16 {
    areas(desk, area).0.height.saturating_sub(1)
}

impl Screen for Findings {
    fn place(&self) -> Place {
        Place::Lists
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        let page = page(desk, area);
        if self.selection.go(command, &desk.causes, page) {
            return Outcome::Done;
        }
        match (command, self.selection.id(&desk.causes)) {
            (Command::Open, Some(cause)) => Outcome::Open(Box::new(cause::CauseDetail::new(cause))),
            (Command::Open, None) => Outcome::Say("nothing was found".to_owned()),
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        let page = page(desk, area);
        self.selection.settle(&desk.causes, page);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (area, look) = areas(desk, area);
        let view = FindingsView {
            causes: &desk.causes,
            findings: &desk.findings,
            first: self.selection.first(),
            selected: self.selection.position(&desk.causes),
        };
        findings::draw(&view, &desk.page(), area, buf);
        if let Some(look) = look {
            detail::draw(&self.lines(desk), 0, &desk.page(), look, buf);
        }
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        let finding = self.chosen(desk).next()?;
        Some(desk.row_of(finding))
    }

    fn hosts(&self, desk: &Desk) -> Vec<HostName> {
        let hosts: BTreeSet<_> = self.chosen(desk).map(|it| it.host.clone()).collect();
        hosts.into_iter().collect()
    }

    fn targets(&self, desk: &Desk) -> Vec<RowId> {
        self.chosen(desk).map(|it| desk.row_of(it)).collect()
    }

    fn findings<'d>(&self, desk: &'d Desk) -> Vec<&'d Finding> {
        self.chosen(desk).collect()
    }

    fn mends<'d>(&self, action: &str, desk: &'d Desk) -> Vec<&'d Remedy> {
        cause::mends(self.cause(desk), action, desk)
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&self.lines(desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Open,
            Command::Filter,
            Command::Rescan,
            Command::Palette,
            Command::Help,
            Command::Quit,
        ]
    }

    fn click(&mut self, desk: &Desk, area: Rect, at: (u16, u16)) {
        let list = areas(desk, area).0;
        self.selection.click(&desk.causes, list, at);
    }
}
