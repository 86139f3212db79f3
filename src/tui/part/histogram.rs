//! How many things end in each cell of the axis: where herds are.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use super::window::Window;
use crate::fleet::Moment;
use crate::tui::rows::Rows;

/// Draws one line of heights, cell by cell as the window below it.
pub fn draw(
    _rows: &Rows,
    _window: Window,
    _now: Moment,
    _page: &Page<'_>,
    _area: Rect,
    _buf: &mut Buffer,
) {
    todo!()
}
