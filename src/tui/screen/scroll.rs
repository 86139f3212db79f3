//! Lines of text that are longer than the window.

use super::list::moved;
use crate::tui::keys::Command;

/// How far down a text is shown.
#[derive(Debug, Default)]
pub(super) struct Scroll {
    first: usize,
}

impl Scroll {
    /// The first line on screen.
    pub(super) const fn first(&self) -> usize {
        self.first
    }

    /// Goes back to the beginning.
    pub(super) const fn reset(&mut self) {
        self.first = 0;
    }

    /// Moves, if the command is one to move; whether it was. Down and up go by a line.
    pub(super) fn go(&mut self, command: Command, lines: usize, page: u16) -> bool {
        let Some(to) = moved(command, self.first, lines, page) else { return false };
        self.first = to;
        self.settle(lines, page);
        true
    }

    /// Leaves no empty room below while there are lines above.
    pub(super) fn settle(&mut self, lines: usize, page: u16) {
        self.first = self.first.min(lines.saturating_sub(usize::from(page)));
    }
}
