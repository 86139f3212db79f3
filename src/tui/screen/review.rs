//! The review: what changed, what is to be looked at, what comes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::list::moved;
use super::scroll::Scroll;
use super::{Outcome, Screen, open_row, plain};
use crate::diagnose::Finding;
use crate::review::{Review, Row};
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail;
use crate::tui::part::review;
use crate::tui::rows::RowId;

/// The screen of the review on the desk.
#[derive(Debug, Default)]
pub(super) struct ReviewScreen {
    /// Which row is selected, counted over all sections.
    selected: usize,
    scroll: Scroll,
}

impl ReviewScreen {
    fn lines(&self, desk: &Desk) -> (Vec<Line<'static>>, usize) {
        match &desk.review {
            Some(it) => review::lines(it, self.selected, &desk.page()),
            None => (vec![Line::raw(" There is no review yet.")], 0),
        }
    }

    fn row(&self, desk: &Desk) -> Option<Row> {
        let sections = desk.review.as_ref()?.sections();
        sections.into_iter().flat_map(|it| it.rows).nth(self.selected)
    }

    fn select(&mut self, to: usize, desk: &Desk, area: Rect) {
        self.selected = to;
        let (lines, at) = self.lines(desk);
        if to == 0 {
            self.scroll.reset();
        }
        self.scroll.show(at, &lines, area);
        if to + 1 == count(desk) {
            self.scroll.go_to_end(&lines, area);
        }
    }
}

impl Screen for ReviewScreen {
    fn place(&self) -> Place {
        Place::Cause
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if let Some(to) = moved(command, self.selected, count(desk), area.height) {
            self.select(to, desk, area);
            return Outcome::Done;
        }
        match command {
            Command::Open | Command::ShowPlace => match self.selected(desk) {
                Some(id) => open_row(&id, desk).map_or(Outcome::Ignored, Outcome::Open),
                None => Outcome::Say("it is about no certificate or host that is known".into()),
            },
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.selected = self.selected.min(count(desk).saturating_sub(1));
        self.scroll.settle(&self.lines(desk).0, area);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        detail::draw(&self.lines(desk).0, self.scroll.first(), &desk.page(), area, buf);
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        let (host, place) = self.row(desk)?.spot?;
        desk.row_at(&host, place.as_ref().map(AsRef::as_ref))
    }

    fn findings<'d>(&self, desk: &'d Desk) -> Vec<&'d Finding> {
        let Some(id) = self.row(desk).and_then(|it| it.finding) else { return Vec::new() };
        desk.diagnosis.findings.iter().filter(|it| it.id() == id).collect()
    }

    fn is_review(&self) -> bool {
        true
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&self.lines(desk).0)
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Open,
            Command::Acknowledge,
            Command::Snooze,
            Command::SignOff,
            Command::Pager,
            Command::Help,
            Command::Quit,
        ]
    }
}

/// How many rows there are.
fn count(desk: &Desk) -> usize {
    let sections = desk.review.as_ref().map(Review::sections).unwrap_or_default();
    sections.iter().map(|it| it.rows.len()).sum()
}
