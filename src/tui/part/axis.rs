//! One life on the axis of time, to half a cell: what has passed, what is left, when renewal is
//! due, where it ends.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Page;
use super::pen::{self, Pen};
use super::window::Window;
use crate::fleet::{DAY, HOUR, Moment};
use crate::tui::rows::Life;
use crate::tui::theme::Glyphs;

/// What is drawn on one line of the axis.
pub(super) struct AxisView<'a> {
    /// The life.
    pub(super) life: &'a Life,
    /// The stretch of time on screen.
    pub(super) window: Window,
    /// The present.
    pub(super) now: Moment,
    /// The cursor on the axis.
    pub(super) cursor: Option<Moment>,
    /// The style of what is left and of the marks.
    pub(super) left: Style,
    /// The style of what has passed.
    pub(super) lived: Style,
}

/// Draws a life into one line.
pub(super) fn draw(view: &AxisView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let glyphs = page.theme.glyphs();
    let width = area.width;
    let halves = Halves::new(view, width);
    draw_empty(view.window, view.now, view.cursor, page, area, buf);
    let column_of = |it: Moment| view.window.column_of(it, width);
    let mut put = |column: Option<u16>, glyph, style| {
        if let Some(column) = column {
            pen::dot(buf, area.x + column, area.y, glyph, style);
        }
    };
    for column in 0..width {
        let left = halves.at(2 * i64::from(column));
        let right = halves.at(2 * i64::from(column) + 1);
        if let Some((glyph, is_left)) = joined(glyphs, left, right) {
            put(Some(column), glyph, if is_left { view.left } else { view.lived });
        }
    }
    let Life { from, due, chain_until, until } = *view.life;
    let is_within = |it: &Moment| *it < until && from.is_none_or(|from| *it > from);
    put(due.filter(is_within).and_then(column_of), glyphs.due, view.left);
    let now_column = column_of(view.now);
    let is_on = now_column.is_some_and(|it| {
        let half = 2 * i64::from(it);
        halves.at(half).is_some() || halves.at(half + 1).is_some()
    });
    put(now_column.filter(|_| is_on), glyphs.now_on, page.theme.now());
    put(chain_until.filter(|it| *it < until).and_then(column_of), glyphs.chain_end, view.left);
    put(column_of(until), glyphs.end, view.left);
    if halves.starts_before() {
        put(Some(0), glyphs.before, view.lived);
    }
    if halves.ends_after(width) && width > 0 {
        put(Some(width - 1), glyphs.after, view.left);
    }
}

/// Draws the present and the cursor into a line on which nothing else is.
pub(super) fn draw_empty(
    window: Window,
    now: Moment,
    cursor: Option<Moment>,
    page: &Page<'_>,
    area: Rect,
    buf: &mut Buffer,
) {
    let glyphs = page.theme.glyphs();
    if let Some(column) = cursor.and_then(|it| window.column_of(it, area.width)) {
        pen::dot(buf, area.x + column, area.y, glyphs.cursor_line, page.theme.dim());
    }
    if let Some(column) = window.column_of(now, area.width) {
        pen::dot(buf, area.x + column, area.y, glyphs.now, page.theme.now());
    }
}

/// Draws the labels of the axis, and the cursor above them.
pub(super) fn draw_labels(
    window: Window,
    now: Moment,
    cursor: Option<Moment>,
    page: &Page<'_>,
    area: Rect,
    buf: &mut Buffer,
) {
    for (column, offset) in window.ticks(now, area.width) {
        let (text, style) = match offset {
            0 => ("now".to_owned(), page.theme.title()),
            _ => (label(offset), page.theme.dim()),
        };
        // A label that would be cut off says something else than it means.
        if usize::from(area.width.saturating_sub(column)) >= text.len() {
            Pen::new(buf, area, 0, page).skip(column).put(&text, style);
        }
    }
    if let Some(column) = cursor.and_then(|it| window.column_of(it, area.width)) {
        pen::dot(buf, area.x + column, area.y, page.theme.glyphs().cursor, page.theme.title());
    }
}

/// `+12h`, `-14d`.
fn label(seconds: i64) -> String {
    if seconds % DAY == 0 {
        format!("{:+}d", seconds / DAY)
    } else {
        format!("{:+}h", seconds / HOUR)
    }
}

/// What is in one half of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stroke {
    Lived,
    Left,
    Since,
}

/// A life in halves of cells.
struct Halves {
    from: i64,
    now: i64,
    chain: i64,
    until: i64,
}

impl Halves {
    fn new(view: &AxisView<'_>, width: u16) -> Self {
        let half_of = |it: Moment| view.window.half_of(it, width);
        let now = half_of(view.now);
        let until = half_of(view.life.until);
        Self {
            // What has no beginning is drawn from now on.
            from: view.life.from.map_or_else(|| now.min(until), half_of),
            now,
            chain: view.life.chain_until.map_or(until, half_of),
            until,
        }
    }

    fn at(&self, half: i64) -> Option<Stroke> {
        if half >= self.until {
            return (half < self.now).then_some(Stroke::Since);
        }
        if half < self.from {
            return None;
        }
        Some(if half >= self.now && half < self.chain { Stroke::Left } else { Stroke::Lived })
    }

    fn starts_before(&self) -> bool {
        self.from < 0 || self.until < 0
    }

    fn ends_after(&self, width: u16) -> bool {
        self.until >= 2 * i64::from(width)
    }
}

/// The glyph for both halves of a cell, and whether it counts as what is left.
fn joined(
    glyphs: &Glyphs,
    left: Option<Stroke>,
    right: Option<Stroke>,
) -> Option<(&'static str, bool)> {
    let strokes = |it: Stroke| match it {
        Stroke::Lived => (&glyphs.lived, false),
        Stroke::Left => (&glyphs.left, true),
        Stroke::Since => (&glyphs.since, true),
    };
    match (left, right) {
        (None, None) => None,
        (Some(Stroke::Lived), Some(Stroke::Left)) => Some((glyphs.passing, true)),
        (Some(one), None) => {
            let ([half, _, _], is_left) = strokes(one);
            Some((half, is_left))
        }
        (None, Some(one)) => {
            let ([_, half, _], is_left) = strokes(one);
            Some((half, is_left))
        }
        (Some(_), Some(one)) => {
            let ([_, _, both], is_left) = strokes(one);
            Some((both, is_left))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample::NOW;
    use crate::tui::theme::{Depth, Theme};

    /// Draws a life given in days from now into forty cells of one day each, now at the tenth.
    fn drawn(
        from: Option<i64>,
        due: Option<i64>,
        chain: Option<i64>,
        until: i64,
        ascii: bool,
    ) -> String {
        let theme = Theme::named("mono", Depth::None, ascii).unwrap();
        let at = |it: i64| NOW.plus(it.saturating_mul(DAY));
        let life = Life {
            from: from.map(at),
            due: due.map(at),
            chain_until: chain.map(at),
            until: at(until),
        };
        let window = Window::new(NOW, 30 * DAY).now_at_quarter(NOW);
        let area = Rect::new(0, 0, 30, 1);
        let mut buf = Buffer::empty(area);
        let style = theme.text();
        let view =
            AxisView { life: &life, window, now: NOW, cursor: None, left: style, lived: style };
        draw(&view, &Page::new(&theme), area, &mut buf);
        buf.content
            .iter()
            .map(ratatui::buffer::Cell::symbol)
            .collect::<String>()
            .trim_end()
            .to_owned()
    }

    #[track_caller]
    fn check(days: (i64, i64, i64), expect: &str) {
        let (from, due, until) = days;
        assert_eq!(drawn(Some(from), Some(due), None, until, false), expect);
    }

    #[test]
    fn a_life_is_drawn_from_its_beginning_to_its_end() {
        check((-60, -2, 8), "‹────┿─╋━━━━━━━┫");
        check((-4, 4, 8), "   ╶───╋━━━┿━━━┫");
        check((-90, 30, 60), "‹──────╋━━━━━━━━━━━━━━━━━━━━━›");
    }

    #[test]
    fn what_is_over_goes_on_as_time_since() {
        check((-60, -20, -4), "‹──┫╍╍╍╋");
        check((-90, -60, -30), "‹╍╍╍╍╍╍╋");
    }

    #[test]
    fn what_has_not_begun_is_drawn_in_the_future() {
        check((3, 8, 12), "       ┊  ╺━━━━┿━━━┫");
        check((100, 130, 160), "       ┊                     ›");
    }

    #[test]
    fn nonsense_is_drawn_without_harm() {
        check((10, 5, 2), "       ┊ ┫");
        check((i64::MIN, i64::MIN, i64::MAX), "‹──────╋━━━━━━━━━━━━━━━━━━━━━›");
        check((i64::MAX, 0, i64::MIN), "‹╍╍╍╍╍╍╋");
    }

    #[test]
    fn other_ends_are_marked() {
        assert_eq!(drawn(None, None, None, 6, false), "       ╋━━━━━┫");
        assert_eq!(drawn(Some(-60), None, Some(4), 8, false), "‹──────╋━━━╫───┫");
        assert_eq!(drawn(Some(-60), Some(-2), Some(4), 8, true), "<----+-|===%---]");
    }

    #[test]
    fn labels_name_hours_and_days() {
        assert_eq!(label(-14 * DAY), "-14d");
        assert_eq!(label(36 * HOUR), "+36h");
    }
}
