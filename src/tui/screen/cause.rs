//! One cause: evidence, remedies, and where it is true.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::list::CauseId;
use super::scroll::Scroll;
use super::{Outcome, Screen, open_row, plain};
use crate::diagnose::{Cause, Finding, Remedy};
use crate::fleet::{HostName, Moment};
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::cause::{self, CauseView};
use crate::tui::part::detail;
use crate::tui::rows::RowId;

/// A screen about one cause.
#[derive(Debug)]
pub(super) struct CauseDetail {
    id: CauseId,
    scroll: Scroll,
    /// The remedy that Enter shows, counted from 0.
    chosen: usize,
}

impl CauseDetail {
    /// A screen about that cause.
    pub(super) fn new(id: CauseId) -> Self {
        Self { id, scroll: Scroll::default(), chosen: 0 }
    }

    fn all<'d>(&self, desk: &'d Desk) -> impl Iterator<Item = &'d Finding> + use<'d> {
        find(&self.id, desk).into_iter().flat_map(|it| it.among(&desk.findings))
    }

    fn turn(&mut self, steps: usize, desk: &Desk, area: Rect) -> Outcome {
        let count = find(&self.id, desk).map_or(0, |it| it.remedies(&desk.findings).len());
        if count < 2 {
            return Outcome::Say("there is no other remedy".to_owned());
        }
        self.chosen = (self.chosen + if steps == 1 { 1 } else { count - 1 }) % count;
        let (lines, at) = lines(&self.id, self.chosen, desk);
        self.scroll.show(at, &lines, area);
        Outcome::Done
    }

    /// Asks for the chosen remedy, or opens what the cause is about where there is none.
    fn open(&self, desk: &Desk) -> Outcome {
        let Some(cause) = find(&self.id, desk) else { return Outcome::Say(GONE.to_owned()) };
        let mut remedies = cause.remedies(&desk.findings);
        if self.chosen < remedies.len() {
            return Outcome::Mend(remedies.swap_remove(self.chosen).into_iter().cloned().collect());
        }
        self.show(desk)
    }

    fn show(&self, desk: &Desk) -> Outcome {
        match self.selected(desk) {
            Some(id) => open_row(&id, desk).map_or(Outcome::Ignored, Outcome::Open),
            None => Outcome::Say(GONE.to_owned()),
        }
    }
}

impl Screen for CauseDetail {
    fn place(&self) -> Place {
        Place::Cause
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.scroll.go(command, &lines(&self.id, self.chosen, desk).0, area) {
            return Outcome::Done;
        }
        match command {
            Command::Open => self.open(desk),
            Command::ShowPlace => self.show(desk),
            Command::NextPane => self.turn(1, desk, area),
            Command::PreviousPane => self.turn(0, desk, area),
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        let count = find(&self.id, desk).map_or(0, |it| it.remedies(&desk.findings).len());
        self.chosen = self.chosen.min(count.saturating_sub(1));
        self.scroll.settle(&lines(&self.id, self.chosen, desk).0, area);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (lines, _) = lines(&self.id, self.chosen, desk);
        detail::draw(&lines, self.scroll.first(), &desk.page(), area, buf);
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        self.all(desk).next().map(|it| desk.row_of(it))
    }

    fn hosts(&self, desk: &Desk) -> Vec<HostName> {
        let hosts: BTreeSet<_> = self.all(desk).map(|it| it.host.clone()).collect();
        hosts.into_iter().collect()
    }

    fn targets(&self, desk: &Desk) -> Vec<RowId> {
        self.all(desk).map(|it| desk.row_of(it)).collect()
    }

    fn findings<'d>(&self, desk: &'d Desk) -> Vec<&'d Finding> {
        self.all(desk).collect()
    }

    fn mends<'d>(&self, action: &str, desk: &'d Desk) -> Vec<&'d Remedy> {
        mends(find(&self.id, desk), action, desk)
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&lines(&self.id, self.chosen, desk).0)
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Open,
            Command::NextPane,
            Command::ShowPlace,
            Command::Rescan,
            Command::Pager,
            Command::Help,
            Command::Quit,
        ]
    }
}

/// The first remedy of a cause that is that action, at every place where it would help.
pub(super) fn mends<'d>(cause: Option<&'d Cause>, action: &str, desk: &'d Desk) -> Vec<&'d Remedy> {
    let all = cause.map(|it| it.remedies(&desk.findings)).unwrap_or_default();
    let is_it = |group: &Vec<&Remedy>| group.first().is_some_and(|it| it.action == action);
    all.into_iter().find(is_it).unwrap_or_default()
}

/// What a part needs to tell of a cause.
pub(super) fn view<'d>(cause: &'d Cause, others: usize, desk: &'d Desk) -> CauseView<'d> {
    let host = cause.among(&desk.findings).next().and_then(|it| desk.fleet.host(&it.host));
    let age = worth_telling(host.and_then(|it| it.seen_at), desk.now);
    CauseView { cause, findings: &desk.findings, others, age, keys: &desk.keymap }
}

/// How old in seconds what was seen then is, if that is worth a word.
pub(super) fn worth_telling(seen_at: Option<Moment>, now: Moment) -> Option<i64> {
    seen_at.map(|it| now.since(it)).filter(|it| *it > OLD)
}

/// From how many seconds on the age of what is known is told.
const OLD: i64 = 15 * 60;

/// The lines about a cause, or that it is gone; and the line of the chosen remedy.
pub(super) fn lines(id: &CauseId, chosen: usize, desk: &Desk) -> (Vec<Line<'static>>, usize) {
    match find(id, desk) {
        Some(it) => cause::detail(&view(it, 0, desk), chosen, &desk.page()),
        None => (vec![Line::raw(format!(" {GONE}"))], 0),
    }
}

const GONE: &str = "It is no longer true of anything.";

fn find<'d>(id: &CauseId, desk: &'d Desk) -> Option<&'d Cause> {
    desk.causes.iter().find(|it| CauseId::from(*it) == *id)
}
