//! The first line: which fleet, whether things can be changed, how it is, what time it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::pen::{self, Pen};
use crate::fleet::{Moment, Weight, human};

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
    /// How many things have a weight, see [`crate::tui::rows::Rows::count`].
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
    /// For so many seconds.
    Armed(i64),
    /// Not now.
    ReadOnly,
}

/// Draws the header into the first line of the area.
pub fn draw(view: &HeaderView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let time = clock(view.now);
    let room = area.width.saturating_sub(cells(&time) + 1);
    let parts = fitting(view, page, room);
    let mut pen = Pen::new(buf, Rect { width: room, ..area }, 0, page);
    for (index, part) in parts.iter().enumerate() {
        pen.skip(if index == 0 { part.gap.min(1) } else { part.gap });
        for (text, style) in &part.spans {
            pen.put(text, *style);
        }
    }
    pen::right(buf, area, 0, page, &time, page.theme.text());
}

/// A piece of the header that is shown as a whole or not at all.
struct Part {
    /// What is left out first has the lowest.
    worth: u8,
    /// Empty cells before it.
    gap: u16,
    spans: Vec<(String, Style)>,
}

impl Part {
    fn new(worth: u8, gap: u16, text: impl Into<String>, style: Style) -> Self {
        Self { worth, gap, spans: vec![(text.into(), style)] }
    }

    fn width(&self) -> u16 {
        self.gap + self.spans.iter().map(|(text, _)| cells(text)).sum::<u16>()
    }
}

/// The parts that fit, with words beside the signs if those fit too.
fn fitting(view: &HeaderView<'_>, page: &Page<'_>, room: u16) -> Vec<Part> {
    let fits = |parts: &[Part]| parts.iter().map(Part::width).sum::<u16>() <= room;
    let wordy = parts(view, page, true);
    if fits(&wordy) {
        return wordy;
    }
    let mut parts = parts(view, page, false);
    while !fits(&parts) {
        let Some(least) = parts.iter().map(|it| it.worth).min() else { break };
        parts.retain(|it| it.worth > least);
    }
    parts
}

fn parts(view: &HeaderView<'_>, page: &Page<'_>, has_words: bool) -> Vec<Part> {
    let theme = page.theme;
    let (mode, style) = match view.mode {
        Mode::Armed(left) => {
            let left = left.max(0);
            (format!(" ARMED {:02}:{:02} left ", left / 60, left % 60), theme.alarm())
        }
        Mode::ReadOnly => ("READ-ONLY".to_owned(), theme.calm()),
    };
    let plural =
        |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let mut parts = vec![
        Part::new(4, 0, " certdeck ", theme.badge()),
        Part::new(5, 1, page.shown(view.fleet), theme.text()),
        Part::new(9, 2, mode, style),
        Part::new(2, 3, plural(view.hosts, "host"), theme.text()),
        Part::new(3, 2, plural(view.places, "cert"), theme.text()),
        Part { worth: 8, gap: 3, spans: counts(view, page, has_words) },
    ];
    if let Some((kept, of)) = view.filtered {
        parts.push(Part::new(6, 3, format!("{kept} of {of}"), theme.title()));
    }
    if let Some((done, of)) = view.progress {
        parts.push(Part::new(7, 3, format!("scan {done}/{of}"), theme.calm()));
    } else if let Some(at) = view.scanned_at {
        let age = view.now.since(at).max(0);
        parts.push(Part::new(1, 3, format!("read {} ago", human(age)), theme.dim()));
    }
    parts.retain(|it| it.width() > it.gap);
    parts
}

/// Signs with numbers, the worst first. What is fine is only counted where there are words.
fn counts(view: &HeaderView<'_>, page: &Page<'_>, has_words: bool) -> Vec<(String, Style)> {
    let mut spans = Vec::new();
    let mut sorted = view.counts;
    sorted.sort_by_key(|it| std::cmp::Reverse(it.0));
    let is_calm = sorted.iter().all(|(weight, count)| *weight == Weight::Fine || *count == 0);
    for (weight, count) in sorted {
        if count == 0 || (weight == Weight::Fine && !has_words && !is_calm) {
            continue;
        }
        let gap = if spans.is_empty() { "" } else { "  " };
        let word = if has_words { format!(" {}", weight_word(weight)) } else { String::new() };
        let sign = page.theme.glyphs().weight(weight);
        spans.push((format!("{gap}{sign} {count}{word}"), page.theme.weight(weight)));
    }
    spans
}

/// The word for a weight.
pub(super) const fn weight_word(weight: Weight) -> &'static str {
    match weight {
        Weight::Fine => "ok",
        Weight::Due => "due",
        Weight::Unknown => "unknown",
        Weight::Wrong => "wrong",
        Weight::Expired => "expired",
    }
}

/// A moment as people read it: `2026-11-23 03:12:44Z`.
pub(super) fn clock(moment: Moment) -> String {
    moment.to_string().replacen('T', " ", 1)
}

fn cells(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}
