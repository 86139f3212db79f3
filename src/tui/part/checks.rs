//! The checks before an order: a line each, which fills in as they end.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::Page;
use super::pen::Pen;
use super::sheet::Sheet;
use crate::preflight::{ALL, Kind, Outcome};
use crate::tui::checks::{Checks, weight, word};

/// What the list shows.
#[derive(Debug, Clone, Copy)]
pub struct ChecksView<'a> {
    /// The look.
    pub checks: &'a Checks,
    /// The position of the first check on screen.
    pub first: usize,
    /// The position of the selected check.
    pub selected: usize,
}

/// Draws what it is about, a heading, and the checks that fit.
pub fn draw(view: &ChecksView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let area = area.intersection(buf.area);
    let checks = view.checks;
    let mut pen = Pen::new(buf, area, 0, page);
    let style = theme.weight(checks.weight());
    pen.skip(1).put(theme.glyphs().weight(checks.weight()), style).skip(1);
    pen.put(&page.shown(&checks.target), theme.title()).skip(2);
    if let Some(about) = &checks.about {
        pen.put(&page.shown(about.as_str()), theme.dim());
    }
    Pen::new(buf, area, 1, page).skip(3).put(&page.shown(&checks.summary()), theme.text());
    let mut pen = Pen::new(buf, area, 2, page);
    pen.skip(4).column("STATE", STATE, theme.title()).skip(1);
    pen.column("CHECK", CHECK, theme.title()).skip(1).put("WHAT WAS SEEN", theme.title());
    let shown = ALL.iter().enumerate().skip(view.first);
    for (y, (position, kind)) in (HEAD..area.height).zip(shown) {
        let is_selected = position == view.selected;
        if is_selected {
            buf.set_style(Rect { y: area.y + y, height: 1, ..area }, theme.selected());
        }
        let mut pen = Pen::new(buf, area, y, page);
        pen.column(if is_selected { theme.glyphs().selected } else { " " }, 1, theme.key()).skip(1);
        let verdict = checks.verdict(kind);
        let (sign, state, style) = look_of(verdict.map(|it| it.outcome), checks, page);
        pen.column(sign, 1, style).skip(1).column(state, STATE, style).skip(1);
        pen.column(kind.name, CHECK, theme.text()).skip(1);
        match verdict {
            Some(it) => pen.put(&page.shown(it.text.as_str()), theme.text()),
            None => pen.put(kind.about, theme.dim()),
        };
    }
}

/// Everything about one check.
pub fn detail(checks: &Checks, kind: &'static Kind, page: &Page<'_>) -> Vec<Line<'static>> {
    let theme = page.theme;
    let mut sheet = Sheet::new(page);
    let verdict = checks.verdict(kind);
    let (sign, state, style) = look_of(verdict.map(|it| it.outcome), checks, page);
    sheet.text(0, &format!("{sign} {state}  {} of {}", kind.name, checks.target), style);
    sheet.text(2, kind.about, theme.dim());
    let Some(verdict) = verdict else { return sheet.lines() };
    sheet.heading("What was seen");
    if !verdict.evidence.contains(&verdict.text) {
        sheet.text(0, verdict.text.as_str(), theme.text());
    }
    for line in &verdict.evidence {
        sheet.text(0, line.as_str(), theme.text());
    }
    if !verdict.fix.is_empty() {
        sheet.heading("What to do");
        for line in &verdict.fix {
            sheet.text(0, line.as_str(), theme.text());
        }
    }
    sheet.lines()
}

/// Sign, word and style of a check.
fn look_of(
    outcome: Option<Outcome>,
    checks: &Checks,
    page: &Page<'_>,
) -> (&'static str, &'static str, Style) {
    let (theme, glyphs) = (page.theme, page.theme.glyphs());
    match outcome {
        Some(Outcome::NotNeeded) => (glyphs.none, word(Outcome::NotNeeded), theme.dim()),
        Some(it) => (glyphs.weight(weight(it)), word(it), theme.weight(weight(it))),
        None if checks.is_over => (glyphs.none, "not seen", theme.dim()),
        None => (glyphs.dot, "looking", theme.dim()),
    }
}

/// Lines above the checks.
pub const HEAD: u16 = 3;
/// `not needed`, the longest state.
const STATE: u16 = 10;
/// `authenticator`, the longest name.
const CHECK: u16 = 13;
