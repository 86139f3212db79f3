//! One cause: evidence, remedies, and where it is true.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::scroll::Scroll;
use super::{Outcome, Screen, open_row, plain};
use crate::diagnose::Cause;
use crate::fleet::HostName;
use crate::text::SafeText;
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail;
use crate::tui::part::findings;
use crate::tui::rows::RowId;

/// A screen about one cause.
#[derive(Debug)]
pub(super) struct CauseDetail {
    cause: SafeText,
    scroll: Scroll,
}

impl CauseDetail {
    /// A screen about that cause, in its own words.
    pub(super) fn new(cause: SafeText) -> Self {
        Self { cause, scroll: Scroll::default() }
    }
}

impl Screen for CauseDetail {
    fn place(&self) -> Place {
        Place::Details
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.scroll.go(command, &lines(&self.cause, desk), area) {
            return Outcome::Done;
        }
        match (command, self.selected(desk)) {
            (Command::Open, Some(id)) => {
                open_row(&id, desk).map_or(Outcome::Ignored, Outcome::Open)
            }
            (Command::Open, None) => Outcome::Say("it is no longer true of anything".to_owned()),
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.scroll.settle(&lines(&self.cause, desk), area);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let lines = lines(&self.cause, desk);
        detail::draw(&lines, self.scroll.first(), &desk.page(), area, buf);
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        let finding = find(&self.cause, desk)?.findings.first()?;
        Some(desk.row_of(desk.findings.get(*finding)?))
    }

    fn hosts(&self, desk: &Desk) -> Vec<HostName> {
        let findings = find(&self.cause, desk).map_or(&[][..], |it| &it.findings);
        let hosts: BTreeSet<_> =
            findings.iter().filter_map(|it| Some(desk.findings.get(*it)?.host.clone())).collect();
        hosts.into_iter().collect()
    }

    fn targets(&self, desk: &Desk) -> Vec<RowId> {
        let findings = find(&self.cause, desk).map_or(&[][..], |it| &it.findings);
        findings.iter().filter_map(|it| Some(desk.row_of(desk.findings.get(*it)?))).collect()
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&lines(&self.cause, desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[Command::Open, Command::Rescan, Command::Pager, Command::Help, Command::Quit]
    }
}

/// The lines about a cause, or that it is gone.
pub(super) fn lines(cause: &SafeText, desk: &Desk) -> Vec<Line<'static>> {
    match find(cause, desk) {
        Some(cause) => findings::detail(cause, &desk.findings, &desk.page()),
        None => vec![Line::raw(format!("Nothing has this cause any more: {cause}"))],
    }
}

fn find<'d>(cause: &SafeText, desk: &'d Desk) -> Option<&'d Cause> {
    desk.causes.iter().find(|it| it.cause == *cause)
}
