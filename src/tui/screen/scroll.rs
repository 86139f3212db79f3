//! Lines of text that are longer than the window.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::list::moved;
use crate::tui::keys::Command;
use crate::tui::part::detail;

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

    /// Shows the end.
    pub(super) fn go_to_end(&mut self, lines: &[Line<'_>], area: Rect) {
        self.first = lines.len();
        self.settle(lines, area);
    }

    /// Goes back to the beginning.
    pub(super) const fn reset(&mut self) {
        self.first = 0;
    }

    /// Moves, if the command is one to move; whether it was. Down and up go by a line.
    pub(super) fn go(&mut self, command: Command, lines: &[Line<'_>], area: Rect) -> bool {
        let Some(to) = moved(command, self.first, lines.len(), area.height) else { return false };
        self.first = to;
        self.settle(lines, area);
        true
    }

    /// Brings a line into view, with a few of those after it.
    pub(super) fn show(&mut self, line: usize, lines: &[Line<'_>], area: Rect) {
        let end = (line + AFTER).min(lines.len());
        self.first = self.first.min(line);
        let rows =
            |first: usize| detail::height(lines.get(first..end).unwrap_or_default(), area.width);
        while self.first < line && rows(self.first) > area.height {
            self.first += 1;
        }
        self.settle(lines, area);
    }

    /// Leaves no empty room below while there are lines above.
    pub(super) fn settle(&mut self, lines: &[Line<'_>], area: Rect) {
        self.first = detail::settled(self.first, lines, area);
    }
}

/// The lines that belong to one that is brought into view, itself counted.
const AFTER: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_stays_at_the_bottom() {
        let lines: Vec<_> = (0..10).map(|it| Line::raw(it.to_string())).collect();
        let mut scroll = Scroll::default();
        let area = Rect::new(0, 0, 20, 4);
        assert!(scroll.go(Command::Bottom, &lines, area));
        assert_eq!(scroll.first(), 6);
        assert!(scroll.go(Command::Up, &lines, area));
        assert_eq!(scroll.first(), 5);
        assert!(!scroll.go(Command::Open, &lines, area));
        scroll.settle(&lines[..3], area);
        assert_eq!(scroll.first(), 0);
    }

    #[test]
    fn long_lines_count_for_more() {
        let lines: Vec<_> =
            (0..4).map(|_| Line::from(vec!["".into(), "x".repeat(30).into()])).collect();
        let mut scroll = Scroll::default();
        scroll.go(Command::Bottom, &lines, Rect::new(0, 0, 20, 5));
        assert_eq!(scroll.first(), 2);
    }
}
