//! The line above everything where nothing is real: in colours that nothing else has, in words, and
//! in a pattern that is seen where there are no colours.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use super::pen::Pen;

/// Draws it into the first line of the area, from end to end.
pub fn draw(page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let style = page.theme.practice();
    let text = format!(" PRACTICE {} nothing here is real ", page.theme.glyphs().dot);
    let mut pen = Pen::new(buf, area, 0, page);
    pen.put("////", style).put(&text, style).fill("/", style);
}
