//! The first line: which fleet, whether things can be changed, how it is, what time it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use crate::fleet::{Moment, Weight};

/// What the header tells.
#[derive(Debug, Clone)]
pub struct HeaderView<'a> {
    /// The name of the fleet.
    pub fleet: &'a str,
    /// Whether things can be changed.
    pub mode: Mode,
    /// How many hosts there are.
    pub hosts: usize,
    /// How many places there are.
    pub places: usize,
    /// How many things of each weight, see [`crate::tui::rows::Rows::count`].
    pub counts: [(Weight, usize); 5],
    /// How many rows the filter keeps, of how many; `None` without a filter.
    pub filtered: Option<(usize, usize)>,
    /// How many visits of a running scan have ended, of how many.
    pub progress: Option<(usize, usize)>,
    /// When the last visit was taken in.
    pub scanned_at: Option<Moment>,
    /// The time.
    pub now: Moment,
}

/// Whether things can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Not now.
    ReadOnly,
    /// For so many seconds.
    Armed(i64),
}

/// Draws the header into the first line of the area.
pub fn draw(_view: &HeaderView<'_>, _page: &Page<'_>, _area: Rect, _buf: &mut Buffer) {
    todo!()
}
