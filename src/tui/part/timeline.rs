//! The timeline: one line per thing that expires, on a common axis of time. Narrow windows get a
//! table instead. Only what is on screen is looked at.

use std::borrow::Cow;
use std::fmt;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use super::axis;
use super::histogram;
use super::pen::{self, Pen};
use super::window::Window;
use crate::fleet::{DAY, HOUR, Moment, Weight, human};
use crate::tui::rows::{INSET, Row, RowId, Rows};

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
pub fn layout(rows: &Rows, area: Rect) -> Layout {
    let has_axis = area.width >= AXIS_FROM;
    let has_herds = has_axis && area.height >= HERDS_FROM;
    let top = 1 + u16::from(has_herds);
    let line = |at: u16| Rect { y: area.y.saturating_add(at), height: 1.min(area.height), ..area };
    let list = Rect {
        y: area.y.saturating_add(top.min(area.height)),
        height: area.height.saturating_sub(top),
        ..area
    };
    let verdict = if !has_axis || area.width >= VERDICT_FROM { VERDICT } else { 0 };
    let widest_host = rows.host_width().max(HEADING);
    let widest_name = rows.title_width().max(HEADING);
    let (host, name) = match area.width {
        ..AXIS_FROM => {
            let fixed = SIGNS + 1 + 1 + LEFT + 1 + VERDICT;
            let host = widest_host.min(area.width / 4);
            (host, area.width.saturating_sub(fixed + host))
        }
        AXIS_FROM..JOINED_BELOW => {
            let host = widest_host.min(14);
            (host, widest_name.min((area.width / 3).saturating_sub(host)))
        }
        _ => (widest_host.min(area.width / 6), widest_name.min(area.width / 5)),
    };
    let before = SIGNS + host + 1 + name + 1;
    let after = 2 + LEFT + if verdict > 0 { 1 + verdict } else { 0 };
    let axis = has_axis.then(|| Rect {
        x: list.x.saturating_add(before),
        width: list.width.saturating_sub(before + after),
        ..list
    });
    Layout { head: line(0), herds: has_herds.then(|| line(1)), list, host, name, axis, verdict }
}

/// Draws headings, axis, herds and the rows that fit.
pub fn draw(view: &TimelineView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return;
    }
    let layout = layout(view.rows, area);
    draw_head(view, &layout, page, buf);
    if let (Some(herds), Some(axis)) = (layout.herds, layout.axis) {
        draw_herds(view, herds, axis, page, buf);
    }
    let shown = view.rows.iter().enumerate().skip(view.first);
    for (y, (position, row)) in (0..layout.list.height).zip(shown) {
        let line = Rect { y: layout.list.y + y, height: 1, ..layout.list };
        let is_selected = view.selected == Some(position);
        if is_selected {
            buf.set_style(line, page.theme.selected());
        }
        draw_row(view, row, is_selected, &layout, line, page, buf);
    }
    if view.rows.is_empty() {
        let text = if view.rows.total() == 0 { "no hosts" } else { "nothing matches the filter" };
        Pen::new(buf, layout.list, 1, page).skip(SIGNS).put(text, page.theme.dim());
    }
}

/// Draws what the cursor points at: `2026-12-02 14:00Z (+9d 10h) 3 expire before this`.
pub fn draw_read_out(
    cursor: Moment,
    rows: &Rows,
    now: Moment,
    page: &Page<'_>,
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = page.theme;
    let mut pen = Pen::new(buf, area, 0, page);
    pen.skip(1).put(&minute(cursor), theme.title());
    pen.put(&format!(" ({}) ", distance(cursor.since(now))), theme.text());
    pen.put(&herd_before(cursor, rows, now), theme.dim());
}

/// From this width on there is an axis, below it a table.
const AXIS_FROM: u16 = 70;
/// Below this width hosts and names share a column.
const JOINED_BELOW: u16 = 100;
/// From this width on the verdict stands beside the sign and the time left.
const VERDICT_FROM: u16 = 110;
/// From this height on herds are drawn.
const HERDS_FROM: u16 = 16;
/// The selection, the mark, the weight and a gap.
const SIGNS: u16 = 4;
/// `unknown`, the longest text of the column, with room.
const LEFT: u16 = 7;
/// `unreachable`, the longest verdict.
const VERDICT: u16 = 11;
/// The longest heading of the columns that shrink.
const HEADING: u16 = 4;

fn draw_head(view: &TimelineView<'_>, layout: &Layout, page: &Page<'_>, buf: &mut Buffer) {
    let theme = page.theme;
    let mut pen = Pen::new(buf, layout.head, 0, page);
    pen.skip(SIGNS).column("HOST", layout.host, theme.title()).skip(1);
    pen.column("CERT", layout.name, theme.title()).skip(1);
    if let Some(axis) = layout.axis {
        pen.skip(axis.width).skip(2);
    }
    pen.column("LEFT", LEFT, theme.title()).skip(1);
    pen.column("STATE", layout.verdict, theme.title());
    if let Some(axis) = layout.axis {
        let labels = Rect { y: layout.head.y, height: 1, ..axis };
        axis::draw_labels(view.window, view.now, view.cursor, page, labels, buf);
    }
}

fn draw_herds(view: &TimelineView<'_>, line: Rect, axis: Rect, page: &Page<'_>, buf: &mut Buffer) {
    let most = histogram::most(view.rows, view.window, axis.width);
    if most > 1 {
        let before = Rect { width: axis.x.saturating_sub(line.x + 1), ..line };
        let text = format!("expiries, up to {most}");
        let dim = page.theme.dim();
        Pen::new(buf, before, 0, page).skip(SIGNS).put(&text, dim);
    }
    let cells = Rect { x: axis.x, width: axis.width, ..line };
    histogram::draw(view.rows, view.window, page, cells, buf);
}

fn draw_row(
    view: &TimelineView<'_>,
    row: &Row,
    is_selected: bool,
    layout: &Layout,
    line: Rect,
    page: &Page<'_>,
    buf: &mut Buffer,
) {
    let theme = page.theme;
    let glyphs = theme.glyphs();
    let weight = theme.weight(row.weight());
    let is_group = matches!(row.id, RowId::Group(_));
    let mut pen = Pen::new(buf, line, 0, page);
    pen.column(if is_selected { glyphs.selected } else { " " }, 1, weight);
    let is_marked = !is_group && (view.marked)(&row.id);
    pen.column(if is_marked { glyphs.marked } else { " " }, 1, theme.title());
    pen.column(glyphs.weight(row.weight()), 1, weight).skip(1);
    if is_group {
        let fold = if row.is_folded { glyphs.folded } else { glyphs.open };
        let text = format!("{fold} {} ({})", page.shown(row.title.as_str()), row.members);
        pen.column(&text, layout.host + 1 + layout.name, theme.title());
    } else {
        let inset = INSET * u16::from(row.depth);
        let host = row.id.host().map_or(Cow::Borrowed(glyphs.none), |it| page.shown(it.as_str()));
        pen.skip(inset).column(&host, layout.host.saturating_sub(inset), theme.text()).skip(1);
        let title = page.shown(row.title.as_str());
        let title = if title.is_empty() { Cow::Borrowed(glyphs.none) } else { title };
        pen.column(&title, layout.name, theme.text());
    }
    pen.skip(1);
    if let Some(axis) = layout.axis {
        pen.skip(axis.width).skip(2);
    }
    if row.members > 0 && !row.is_folded {
        if let Some(axis) = layout.axis {
            axis::draw_empty(view.window, view.now, view.cursor, page, on(line, axis), buf);
        }
        return;
    }
    let left = match row.left(view.now) {
        Some(seconds) => Cow::Owned(left(seconds)),
        None if row.weight() == Weight::Unknown => Cow::Borrowed("unknown"),
        None => Cow::Borrowed(glyphs.none),
    };
    pen.column(&left, LEFT, weight).skip(1);
    pen.column(row.verdict.word(), layout.verdict, weight);
    if let Some(axis) = layout.axis {
        draw_life(view, row, page, on(line, axis), buf);
    }
}

/// The cells of a line that lie on the axis.
const fn on(line: Rect, axis: Rect) -> Rect {
    Rect { x: axis.x, width: axis.width, y: line.y, height: 1 }
}

fn draw_life(view: &TimelineView<'_>, row: &Row, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let weight = theme.weight(row.weight());
    let age = row.seen_at.map(|at| view.now.since(at));
    if let Some(life) = &row.life {
        axis::draw(
            &axis::AxisView {
                life,
                window: view.window,
                now: view.now,
                cursor: view.cursor,
                left: if row.is_stale { theme.dim() } else { weight },
                lived: if row.weight() == Weight::Expired { weight } else { theme.faint() },
            },
            page,
            area,
            buf,
        );
        if let Some(age) = age.filter(|it| row.is_stale || *it > DAY) {
            pen::right(buf, area, 0, page, &format!(" data {} old", human(age)), theme.dim());
        }
        return;
    }
    let silence = theme.glyphs().silence;
    let note = row.note.as_ref().map_or("", |it| it.as_str());
    let age = match age {
        _ if !row.is_stale => String::new(),
        Some(age) => format!(", data {} old", human(age)),
        None => ", never read".to_owned(),
    };
    let mut pen = Pen::new(buf, area, 0, page);
    pen.put(silence, theme.dim()).skip(1);
    // A note may be cut off, the age of the data never.
    let room = pen.room().saturating_sub(u16::try_from(age.len()).unwrap_or(u16::MAX));
    pen.put_within(&page.shown(note), room, weight).put(&age, weight);
}

/// The time left in seven cells at most.
pub(super) fn left(seconds: i64) -> String {
    match seconds {
        LONG.. => ">100y".to_owned(),
        ..=OVER => "<-100y".to_owned(),
        _ => human(seconds),
    }
}

/// Longer than this, days say nothing: RFC 5280, section 4.1.2.5, writes "never" as year 9999.
const LONG: i64 = 36_525 * DAY;
const OVER: i64 = -LONG;

/// A moment to the minute: `2026-12-02 14:00Z`.
fn minute(moment: Moment) -> String {
    let full = super::header::clock(moment);
    match full.get(..16) {
        Some(it) if full.ends_with('Z') => format!("{it}Z"),
        _ => full,
    }
}

/// How far away, in two units: `+9d 10h`, `-3h 20m`.
fn distance(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let size = seconds.saturating_abs();
    if size >= DAY {
        format!("{sign}{}d {}h", size / DAY, size % DAY / HOUR)
    } else {
        format!("{sign}{}h {}m", size / HOUR, size % HOUR / 60)
    }
}

fn herd_before(cursor: Moment, rows: &Rows, now: Moment) -> String {
    let before = rows.ending_before(cursor);
    if cursor < now {
        return format!("{before} expired before this");
    }
    let count = before.saturating_sub(rows.ending_before(now));
    format!("{count} expire{} before this", if count == 1 { "s" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_distances_are_read_at_a_glance() {
        let moment = Moment::parse("2026-12-02T14:00:09Z").unwrap();
        assert_eq!(minute(moment), "2026-12-02 14:00Z");
        assert_eq!(minute(Moment::from_unix(i64::MAX)), format!("@{}", i64::MAX));
        assert_eq!(distance(9 * DAY + 10 * HOUR + 59), "+9d 10h");
        assert_eq!(distance(-3 * HOUR - 1200), "-3h 20m");
        assert_eq!(distance(i64::MIN).chars().next(), Some('-'));
    }

    #[test]
    fn the_time_left_fits_its_column() {
        for (seconds, expect) in
            [(i64::MAX, ">100y"), (i64::MIN, "<-100y"), (7900 * DAY, "7900d"), (-17_280, "-0.2d")]
        {
            assert_eq!(left(seconds), expect);
            assert!(left(seconds).len() <= usize::from(LEFT));
        }
    }
}
