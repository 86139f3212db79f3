//! A sheet of lines that lies over the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;

use crate::tui::part;
use crate::tui::theme::Theme;

/// Lays a sheet of at most that size in the middle of the area, and returns the room on it. Rules
/// stand above and below only, so that text on it can be selected line by line.
pub(super) fn lay(
    title: &str,
    size: (u16, u16),
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let area = area.intersection(buf.area);
    let (width, height) = (size.0.min(area.width), size.1.min(area.height));
    let sheet = area.centered(Constraint::Length(width), Constraint::Length(height));
    for position in sheet.positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
            cell.set_style(theme.base());
        }
    }
    // A cell is left empty at both sides, so that nothing below touches what is written here.
    let room = Rect { x: sheet.x + 1.min(width), width: width.saturating_sub(2), ..sheet };
    let rule = theme.glyphs().rule;
    let rest = usize::from(room.width).saturating_sub(title.chars().count() + 4);
    let top = Line::from(vec![
        Span::styled(rule.repeat(2), theme.faint()),
        Span::styled(format!(" {title} "), theme.title()),
        Span::styled(rule.repeat(rest), theme.faint()),
    ]);
    put(0, &top, room, buf);
    let bottom = Line::styled(rule.repeat(usize::from(room.width)), theme.faint());
    put(height.saturating_sub(1), &bottom, room, buf);
    Rect { y: room.y + 1.min(height), height: height.saturating_sub(2), ..room }
}

/// Writes a line into a row of the area; outside of it, nothing.
pub(super) fn put(row: u16, line: &Line<'_>, area: Rect, buf: &mut Buffer) {
    if row < area.height {
        line.render(Rect { y: area.y + row, height: 1, ..area }, buf);
    }
}

/// A word in a column of that width.
pub(super) fn column(text: &str, width: usize, style: Style) -> Span<'static> {
    Span::styled(format!("{text:<width$.width$} "), style)
}

/// A text in so many cells; that some of it was cut off is seen.
pub(super) fn cut(text: &str, width: usize, style: Style, theme: &Theme) -> Span<'static> {
    let (kept, is_cut) = part::cut(text, u16::try_from(width).unwrap_or(u16::MAX));
    let sign = if is_cut { theme.glyphs().cut } else { "" };
    Span::styled(format!("{kept}{sign}"), style)
}

/// The first of `count` lines to show, so that `selected` is among the `page` that fit.
pub(super) fn first_shown(selected: usize, count: usize, page: u16) -> usize {
    let page = usize::from(page.max(1));
    selected.saturating_sub(page / 2).min(count.saturating_sub(page))
}
