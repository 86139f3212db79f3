//! The selection in a list: it follows what it is on, not where that stands.

use ratatui::layout::Rect;

use super::split;
use crate::budget::{Bucket, Ca, Scope};
use crate::diagnose::Cause;
use crate::fleet::{HostName, Severity, Verdict};
use crate::text::SafeText;
use crate::tui::jobs::JobId;
use crate::tui::keys::Command;
use crate::tui::part::hosts::HostRow;
use crate::tui::rows::{RowId, Rows};

/// Lines that can be selected.
pub(super) trait Lines {
    /// What a line is, wherever it stands.
    type Id: Clone + PartialEq;
    /// How many there are.
    fn count(&self) -> usize;
    /// What stands there.
    fn id(&self, position: usize) -> Option<Self::Id>;
    /// Where something stands.
    fn find(&self, id: &Self::Id) -> Option<usize>;
}

/// What is selected and which line is the first on screen.
#[derive(Debug)]
pub(super) struct Selection<Id> {
    /// `None` until somebody moves: then the first line is selected, whatever it is, so that the
    /// worst is in front while a first scan comes in.
    id: Option<Id>,
    position: usize,
    first: usize,
}

impl<Id> Default for Selection<Id> {
    fn default() -> Self {
        Self { id: None, position: 0, first: 0 }
    }
}

impl<Id: Clone + PartialEq> Selection<Id> {
    /// The position of the selected line.
    pub(super) fn position(&self, lines: &impl Lines<Id = Id>) -> Option<usize> {
        (self.position < lines.count()).then_some(self.position)
    }

    /// What is selected.
    pub(super) fn id(&self, lines: &impl Lines<Id = Id>) -> Option<Id> {
        lines.id(self.position)
    }

    /// The position of the first line on screen.
    pub(super) const fn first(&self) -> usize {
        self.first
    }

    /// Finds the selection again after the lines or the page have changed.
    pub(super) fn settle(&mut self, lines: &impl Lines<Id = Id>, page: u16) {
        let found = self.id.as_ref().and_then(|it| lines.find(it));
        let last = lines.count().saturating_sub(1);
        self.position = found.unwrap_or(self.position).min(last);
        if self.id.is_some() {
            self.id = lines.id(self.position);
        }
        let page = usize::from(page.max(1));
        self.first = self.first.clamp((self.position + 1).saturating_sub(page), self.position);
        // No empty room below while there are lines above.
        self.first = self.first.min(lines.count().saturating_sub(page));
    }

    /// Selects that line.
    pub(super) fn select(&mut self, lines: &impl Lines<Id = Id>, position: usize, page: u16) {
        self.position = position.min(lines.count().saturating_sub(1));
        self.id = lines.id(self.position);
        self.settle(lines, page);
    }

    /// Selects the line below the heading that was clicked, if there is one.
    pub(super) fn click(&mut self, lines: &impl Lines<Id = Id>, list: Rect, at: (u16, u16)) {
        if list.contains(at.into()) && at.1 > list.y {
            let position = self.first + usize::from(at.1 - list.y - 1);
            if position < lines.count() {
                self.select(lines, position, list.height.saturating_sub(1));
            }
        }
    }

    /// Moves, if the command is one to move; whether it was.
    pub(super) fn go(&mut self, command: Command, lines: &impl Lines<Id = Id>, page: u16) -> bool {
        let Some(position) = moved(command, self.position, lines.count(), page) else {
            return false;
        };
        self.select(lines, position, page);
        true
    }
}

/// How many lines of a list there are below its heading.
pub(super) fn page(area: Rect) -> u16 {
    split(area).0.height.saturating_sub(1)
}

/// Where a command to move leads from a position; `None` if it is no such command.
pub(super) fn moved(command: Command, from: usize, count: usize, page: u16) -> Option<usize> {
    let page = usize::from(page.max(2));
    let to = match command {
        Command::Up => from.saturating_sub(1),
        Command::Down => from + 1,
        Command::HalfUp => from.saturating_sub(page / 2),
        Command::HalfDown => from + page / 2,
        Command::PageUp => from.saturating_sub(page - 1),
        Command::PageDown => from + page - 1,
        Command::Top => 0,
        Command::Bottom => count,
        _ => return None,
    };
    Some(to.min(count.saturating_sub(1)))
}

impl Lines for Rows {
    type Id = RowId;

    fn count(&self) -> usize {
        self.len()
    }

    fn id(&self, position: usize) -> Option<RowId> {
        self.get(position).map(|it| it.id.clone())
    }

    fn find(&self, id: &RowId) -> Option<usize> {
        self.position(id)
    }
}

impl Lines for Vec<HostRow> {
    type Id = HostName;

    fn count(&self) -> usize {
        self.len()
    }

    fn id(&self, position: usize) -> Option<HostName> {
        self.get(position).map(|it| it.name.clone())
    }

    fn find(&self, id: &HostName) -> Option<usize> {
        self.iter().position(|it| it.name == *id)
    }
}

/// What a cause is, whatever its places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CauseId {
    rule: &'static str,
    severity: Severity,
    verdict: Verdict,
    shared: SafeText,
}

impl From<&Cause> for CauseId {
    fn from(it: &Cause) -> Self {
        let Cause { rule, severity, verdict, .. } = *it;
        Self { rule, severity, verdict, shared: it.shared.clone() }
    }
}

impl Lines for Vec<Cause> {
    type Id = CauseId;

    fn count(&self) -> usize {
        self.len()
    }

    fn id(&self, position: usize) -> Option<CauseId> {
        self.get(position).map(CauseId::from)
    }

    fn find(&self, id: &CauseId) -> Option<usize> {
        self.iter().position(|it| CauseId::from(it) == *id)
    }
}

impl Lines for Vec<JobId> {
    type Id = JobId;

    fn count(&self) -> usize {
        self.len()
    }

    fn id(&self, position: usize) -> Option<JobId> {
        self.get(position).copied()
    }

    fn find(&self, id: &JobId) -> Option<usize> {
        self.iter().position(|it| it == id)
    }
}

/// What a limit is, however much of it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BucketId {
    kind: &'static str,
    ca: Ca,
    scope: Scope,
}

impl From<&Bucket> for BucketId {
    fn from(it: &Bucket) -> Self {
        Self { kind: it.kind.name, ca: it.ca.clone(), scope: it.scope.clone() }
    }
}

impl Lines for Vec<Bucket> {
    type Id = BucketId;

    fn count(&self) -> usize {
        self.len()
    }

    fn id(&self, position: usize) -> Option<BucketId> {
        self.get(position).map(BucketId::from)
    }

    fn find(&self, id: &BucketId) -> Option<usize> {
        self.iter().position(|it| BucketId::from(it) == *id)
    }
}

/// Records of the audit log, by their numbers.
impl Lines for Vec<u64> {
    type Id = u64;

    fn count(&self) -> usize {
        self.len()
    }

    fn id(&self, position: usize) -> Option<u64> {
        self.get(position).copied()
    }

    fn find(&self, id: &u64) -> Option<usize> {
        self.iter().position(|it| it == id)
    }
}
