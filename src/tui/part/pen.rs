//! Writing into cells: cut by display width, masked where privacy asks for it.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::tui::mask::Mask;
use crate::tui::theme::Theme;

/// What every part needs to draw: how things look, and which names to hide.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// How things look.
    pub theme: &'a Theme,
    /// Pseudonyms, if names are to be hidden.
    pub mask: Option<&'a Mask>,
}

impl<'a> Page<'a> {
    /// A page on which names are shown.
    pub const fn new(theme: &'a Theme) -> Self {
        Self { theme, mask: None }
    }

    /// The text as it may be shown.
    pub fn shown<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.mask.map_or(Cow::Borrowed(text), |it| it.text(text))
    }

    /// The end of a path that is too long for so many cells: there it differs from others.
    pub(super) fn tail<'t>(&self, path: &'t str, room: usize) -> Cow<'t, str> {
        if path.width() <= room {
            return Cow::Borrowed(path);
        }
        let mut used = 1;
        let mut start = path.len();
        for (at, c) in path.char_indices().rev() {
            used += c.width().unwrap_or(0);
            if used > room {
                break;
            }
            start = at;
        }
        let kept = path.get(start..).unwrap_or_default();
        Cow::Owned(format!("{}{kept}", self.theme.glyphs().cut))
    }
}

/// A line that is written from left to right and never leaves its area.
pub(super) struct Pen<'b> {
    buf: &'b mut Buffer,
    x: u16,
    y: u16,
    end: u16,
    cut: &'static str,
}

impl<'b> Pen<'b> {
    /// A pen at the left end of a line of the area; at a line outside of it, it writes nothing.
    pub(super) fn new(buf: &'b mut Buffer, area: Rect, line: u16, page: &Page<'_>) -> Self {
        let area = area.intersection(buf.area);
        let end = if line < area.height { area.right() } else { area.x };
        let y = area.y.saturating_add(line);
        Self { buf, x: area.x, y, end, cut: page.theme.glyphs().cut }
    }

    /// Writes text; cuts it off at the end of the line.
    pub(super) fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.room();
        self.put_within(text, room, style)
    }

    /// Writes text into so many cells at most, and cuts off the rest.
    pub(super) fn put_within(&mut self, text: &str, room: u16, style: Style) -> &mut Self {
        let room = room.min(self.room());
        let (kept, is_cut) = cut(text, room);
        let (x, _) = self.buf.set_stringn(self.x, self.y, kept, usize::from(room), style);
        self.x = x;
        if is_cut && room > 0 {
            self.x = self.buf.set_stringn(x, self.y, self.cut, 1, style).0;
        }
        self
    }

    /// Writes text into a column of exactly so many cells.
    pub(super) fn column(&mut self, text: &str, width: u16, style: Style) -> &mut Self {
        let next = self.x.saturating_add(width).min(self.end);
        self.put_within(text, width, style);
        self.x = next;
        self
    }

    /// Writes a glyph of one cell up to the end of the line.
    pub(super) fn fill(&mut self, glyph: &str, style: Style) -> &mut Self {
        let room = self.room();
        self.put(&glyph.repeat(usize::from(room)), style)
    }

    /// Leaves cells as they are.
    pub(super) fn skip(&mut self, cells: u16) -> &mut Self {
        self.x = self.x.saturating_add(cells).min(self.end);
        self
    }

    /// How many cells are left on the line.
    pub(super) const fn room(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }
}

/// Puts one glyph into a cell, if the cell exists.
pub(super) fn dot(buf: &mut Buffer, x: u16, y: u16, glyph: &'static str, style: Style) {
    if let Some(cell) = buf.cell_mut(Position::new(x, y)) {
        cell.set_symbol(glyph).set_style(style);
    }
}

/// Writes text so that it ends at the right end of a line of the area.
pub(super) fn right(
    buf: &mut Buffer,
    area: Rect,
    line: u16,
    page: &Page<'_>,
    text: &str,
    style: Style,
) {
    let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
    let gap = area.width.saturating_sub(width);
    Pen::new(buf, area, line, page).skip(gap).put(text, style);
}

/// The beginning of a text that fits into so many cells, and whether something was cut off; then
/// one cell is left for the sign that says so.
pub fn cut(text: &str, room: u16) -> (&str, bool) {
    let room = usize::from(room);
    if text.len() <= room || text.width() <= room {
        return (text, false);
    }
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used >= room.max(1) {
            return (text.get(..at).unwrap_or_default(), true);
        }
    }
    (text, false)
}

/// Draws that the window is too small for anything else.
pub fn too_small(page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let (width, height) = MINIMUM;
    let Rect { width: has, height: tall, .. } = area;
    let by = page.theme.glyphs().by;
    let text = format!("window too small (need {width}{by}{height}, have {has}{by}{tall})");
    Pen::new(buf, area, 0, page).put(&text, page.theme.text());
}

/// The smallest window in cells that everything is drawn for.
pub const MINIMUM: (u16, u16) = (60, 14);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, room: u16, expect: &str, is_cut: bool) {
        assert_eq!(cut(text, room), (expect, is_cut));
    }

    #[test]
    fn text_is_cut_by_its_width() {
        check("api.example.net", 15, "api.example.net", false);
        check("api.example.net", 8, "api.exa", true);
        check("証明書", 6, "証明書", false);
        check("証明書", 5, "証明", true);
        check("証明書", 4, "証", true);
        check("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}", false);
        check("abc", 0, "", true);
    }
}
