//! How many things end in each cell of the axis: where herds are.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use super::pen;
use super::window::Window;
use crate::tui::rows::Rows;

/// Draws one line of heights, cell by cell as the window below it. Up to five ends have the
/// height of their number; where there are more, the most has the full height.
pub fn draw(rows: &Rows, window: Window, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let most = most(rows, window, area.width);
    for (column, count) in counts(rows, window, area.width) {
        let glyph = glyph(page.theme.glyphs().heights, count, most);
        let style = if count > HERD { page.theme.text() } else { page.theme.dim() };
        pen::dot(buf, area.x.saturating_add(column), area.y, glyph, style);
    }
}

/// The most ends in one cell.
pub fn most(rows: &Rows, window: Window, width: u16) -> usize {
    counts(rows, window, width).map(|(_, count)| count).max().unwrap_or(0)
}

/// So many ends in one cell stand out.
const HERD: usize = 2;

fn counts(rows: &Rows, window: Window, width: u16) -> impl Iterator<Item = (u16, usize)> {
    let mut before = rows.ending_before(window.start());
    (0..width).map(move |column| {
        let until = rows.ending_before(window.moment_at(column.saturating_add(1), width));
        let count = until.saturating_sub(before);
        before = until;
        (column, count)
    })
}

fn glyph(heights: &[&'static str], count: usize, most: usize) -> &'static str {
    if count == 0 {
        return " ";
    }
    if heights.is_empty() {
        return DIGITS.get(count.saturating_sub(1)).copied().unwrap_or("#");
    }
    let height = if most <= heights.len() { count } else { (count * heights.len()).div_ceil(most) };
    heights.get(height.saturating_sub(1)).or_else(|| heights.last()).copied().unwrap_or(" ")
}

const DIGITS: [&str; 9] = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_numbers_up_to_five_and_shares_beyond() {
        let heights = &["1", "2", "3", "4", "5"];
        assert_eq!(glyph(heights, 0, 3), " ");
        assert_eq!(glyph(heights, 2, 3), "2");
        assert_eq!(glyph(heights, 1, 500), "1");
        assert_eq!(glyph(heights, 250, 500), "3");
        assert_eq!(glyph(heights, 500, 500), "5");
        assert_eq!(glyph(&[], 9, 500), "9");
        assert_eq!(glyph(&[], 10, 500), "#");
    }
}
