//! The timeline: one line per thing that expires, on a common axis of time. Narrow windows get a
//! table instead.

use std::fmt;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use super::window::Window;
use crate::fleet::Moment;
use crate::tui::rows::{RowId, Rows};

/// What the timeline shows.
#[derive(Clone, Copy)]
pub struct TimelineView<'a> {
    /// Everything that could be shown.
    pub rows: &'a Rows,
    /// The position of the first line on screen.
    pub first: usize,
    /// The position of the selected line.
    pub selected: Option<usize>,
    /// Which rows are marked.
    pub marked: &'a dyn Fn(&RowId) -> bool,
    /// The stretch of time on screen.
    pub window: Window,
    /// The cursor on the axis.
    pub cursor: Option<Moment>,
    /// The present.
    pub now: Moment,
}

impl fmt::Debug for TimelineView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimelineView")
            .field("first", &self.first)
            .field("selected", &self.selected)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// Where the columns of a timeline lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The headings and the labels of the axis.
    pub head: Rect,
    /// The herds, where there is room for them.
    pub herds: Option<Rect>,
    /// The rows; its height is a page.
    pub list: Rect,
    /// The width of the host column.
    pub host: u16,
    /// The width of the name column.
    pub name: u16,
    /// The axis, as a part of `list`; `None` where a table stands instead.
    pub axis: Option<Rect>,
    /// The width of the column of verdicts; 0 without one.
    pub verdict: u16,
}

/// Where the columns lie in that area, for the widths of these rows.
pub fn layout(_rows: &Rows, _area: Rect) -> Layout {
    todo!()
}

/// Draws headings, axis, herds and the rows that fit.
pub fn draw(_view: &TimelineView<'_>, _page: &Page<'_>, _area: Rect, _buf: &mut Buffer) {
    todo!()
}

/// Draws what the cursor points at: `2026-12-02 14:00Z (+9d 10h) 3 expire before this`.
pub fn draw_read_out(
    _cursor: Moment,
    _rows: &Rows,
    _now: Moment,
    _page: &Page<'_>,
    _area: Rect,
    _buf: &mut Buffer,
) {
    todo!()
}
