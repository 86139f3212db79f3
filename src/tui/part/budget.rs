//! The list of limits, and everything about one of them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Page;
use super::pen::Pen;
use super::sheet::Sheet;
use crate::budget::{Bucket, Event, Gap, exact};
use crate::fleet::{Moment, Weight};
use crate::text::SafeText;

/// What the list shows.
#[derive(Debug, Clone, Copy)]
pub struct BudgetView<'a> {
    /// Every limit of which something is used, the scarcest first.
    pub buckets: &'a [Bucket],
    /// The position of the first line on screen.
    pub first: usize,
    /// The position of the selected line.
    pub selected: Option<usize>,
    /// Whether any host was ever read.
    pub is_seen: bool,
    /// The present.
    pub now: Moment,
}

/// Draws a heading and the lines that fit.
pub fn draw(view: &BudgetView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let area = area.intersection(buf.area);
    let sure = if area.width < 70 { 0 } else { SURE };
    let ca = if area.width < 100 { 0 } else { area.width / 5 };
    let mut pen = Pen::new(buf, area, 0, page);
    pen.skip(4).column("LIMIT", LIMIT, theme.title()).skip(1);
    pen.column("LEFT", LEFT, theme.title()).skip(1);
    pen.column("NEXT BACK", NEXT, theme.title()).skip(1);
    pen.column("SURE", sure, theme.title()).skip(u16::from(sure > 0));
    pen.column("CA", ca, theme.title()).skip(u16::from(ca > 0)).put("OF", theme.title());
    if view.buckets.is_empty() {
        let none = if view.is_seen {
            "nothing is known to be used of any limit: all of it is left"
        } else {
            "no host was read yet, so nothing is known of what is used"
        };
        Pen::new(buf, area, 1, page).skip(4).put(none, theme.dim());
    }
    let shown = view.buckets.iter().enumerate().skip(view.first);
    for (y, (position, bucket)) in (1..area.height).zip(shown) {
        let is_selected = view.selected == Some(position);
        if is_selected {
            buf.set_style(Rect { y: area.y + y, height: 1, ..area }, theme.selected());
        }
        let weight = weight(bucket, view.now);
        let style = theme.weight(weight);
        let mut pen = Pen::new(buf, area, y, page);
        pen.column(if is_selected { theme.glyphs().selected } else { " " }, 1, theme.key()).skip(1);
        pen.column(theme.glyphs().weight(weight), 1, style).skip(1);
        pen.column(bucket.kind.name, LIMIT, theme.text()).skip(1);
        pen.column(&left(bucket, view.now), LEFT, style).skip(1);
        pen.column(&next(bucket, view.now), NEXT, theme.text()).skip(1);
        pen.column(bucket.certainty.word(), sure, theme.dim()).skip(u16::from(sure > 0));
        let name = SafeText::new(&bucket.ca.to_string());
        pen.column(&page.shown(name.as_str()), ca, theme.dim()).skip(u16::from(ca > 0));
        let scope = SafeText::new(&bucket.scope.to_string());
        pen.put(&page.shown(scope.as_str()), theme.text());
    }
}

/// Everything about a limit, or that there is none.
pub fn lines(
    bucket: Option<&Bucket>,
    gaps: &[Gap],
    now: Moment,
    page: &Page<'_>,
) -> Vec<Line<'static>> {
    let mut sheet = Sheet::new(page);
    let Some(bucket) = bucket else {
        sheet.nothing("all of it is left again");
        return sheet.lines();
    };
    let theme = page.theme;
    let safe = |text: String| SafeText::new(&text).to_string();
    let told = |at: Moment| format!("{at}, in {}", exact(at.since(now)));
    sheet.heading(&format!("{} ({})", bucket.kind.title, bucket.kind.name));
    sheet.field("Of", &safe(bucket.scope.to_string()));
    sheet.field("Counts", bucket.kind.about);
    let (ca, known) = (safe(bucket.ca.to_string()), bucket.ca.authority());
    let source = match (known, bucket.limit) {
        _ if bucket.kind.is_own => format!("{ca}, a rule of certdeck for its own orders"),
        (Some(it), _) => format!("{ca}, limits of {} ({})", it.as_of, it.source),
        (None, Some(_)) => format!("{ca}, as the inventory tells"),
        (None, None) => format!("{ca}, of which no limit is known"),
    };
    sheet.field("CA", &source);
    let style = theme.weight(weight(bucket, now));
    let used = match bucket.limit {
        _ if bucket.is_closed => "closed by the CA until somebody visits its page".to_owned(),
        Some(limit) => {
            let (used, left) = (bucket.used(now), bucket.left(now).unwrap_or_default());
            format!("{used} of {} in {}; {left} left", limit.burst, limit.window())
        }
        None if bucket.refused_until.is_some() => "the CA refuses for now".to_owned(),
        None => format!("{} within 7 days, of how many is not known", bucket.used(now)),
    };
    sheet.styled_field("Used", &used, style);
    let next = bucket.gauge.and_then(|it| it.next_at(now)).max(bucket.refused_until);
    sheet.maybe("Next back", next.map(told));
    sheet.maybe("All back", bucket.gauge.and_then(|it| it.full_at(now)).map(told));
    sheet.field("Sure", &format!("{}: {}", bucket.certainty.word(), bucket.certainty.about()));
    if bucket.is_empty(now) {
        sheet.field("Meanwhile", bucket.kind.instead);
    }
    sheet.heading("Counted");
    for event in bucket.counted.iter().rev() {
        sheet.text(0, &event_line(event), theme.text());
    }
    if bucket.counted.is_empty() {
        sheet.nothing("nothing that still counts");
    }
    if !gaps.is_empty() {
        sheet.heading("Not counted");
        for gap in gaps {
            sheet.text(0, &format!("{} {}", gap.host, gap.why), theme.dim());
        }
    }
    sheet.lines()
}

fn event_line(event: &Event) -> String {
    let what = event.words();
    let from: Vec<_> = event.from.iter().map(ToString::to_string).collect();
    let line = format!("{} {what}: {} ({})", event.at, from.join(", "), event.timing.about());
    SafeText::new(&line).to_string()
}

/// How bad it is: used up, nearly so, not known, fine.
fn weight(bucket: &Bucket, now: Moment) -> Weight {
    match (bucket.left(now), bucket.limit) {
        _ if bucket.is_empty(now) => Weight::Expired,
        (Some(left), Some(limit)) if left * 5 <= limit.burst => Weight::Due,
        (Some(_), Some(_)) => Weight::Fine,
        _ => Weight::Unknown,
    }
}

fn left(bucket: &Bucket, now: Moment) -> String {
    match (bucket.left(now), bucket.limit) {
        _ if bucket.is_closed => "closed".to_owned(),
        (Some(left), Some(limit)) => format!("{left} of {}", limit.burst),
        (Some(_), None) => "refused".to_owned(),
        (None, _) => format!("? ({} used)", bucket.used(now)),
    }
}

fn next(bucket: &Bucket, now: Moment) -> String {
    let next = bucket.gauge.and_then(|it| it.next_at(now)).max(bucket.refused_until);
    next.map_or_else(String::new, |it| format!("in {}", exact(it.since(now))))
}

/// `registered-domain`, the longest name.
const LIMIT: u16 = 17;
/// `1152 of 1152`.
const LEFT: u16 = 12;
/// `in 33h 36m`.
const NEXT: u16 = 10;
/// `at-least`.
const SURE: u16 = 8;
