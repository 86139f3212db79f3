//! What is asked before something is changed: a plan as labels and values, and the list of
//! targets where there are several.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::pen::Pen;
use super::sheet::Sheet;
use crate::action::{Plan, Tier};
use crate::fleet::Weight;
use crate::text::SafeText;

/// What is said of a plan beside what stands in it.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// What the last dry run said.
    pub dry_run: Option<String>,
    /// What is being changed at the host now.
    pub busy: Option<String>,
    /// Why somebody would do it, and why it is asked for this way; empty unless asked for.
    pub why: Vec<String>,
}

/// The lines about a plan.
pub fn lines(plan: &Plan, beside: &Beside, page: &Page<'_>) -> Vec<Line<'static>> {
    let mut sheet = Sheet::new(page);
    let theme = page.theme;
    let warn = theme.weight(Weight::Wrong);
    if let Some(busy) = &beside.busy {
        sheet.styled_field("Busy", busy, warn);
    }
    sheet.field("What", &safe(&plan.what, page));
    several(&mut sheet, "Effect", &plan.effect, page);
    sheet.field("Cost", &safe(&plan.cost, page)).field("Undo", &safe(&plan.undo, page));
    sheet.maybe("Dry run", beside.dry_run.as_ref());
    sheet.field("Proof", &safe(&plan.proof, page));
    for (number, command) in plan.commands.iter().enumerate() {
        let label = if number == 0 { "Runs" } else { "" };
        sheet.styled_field(label, &safe(&command.brief(), page), theme.title());
    }
    several(&mut sheet, "Files", &plan.files, page);
    several(&mut sheet, "Note", &plan.notes, page);
    several(&mut sheet, "Why", &beside.why, page);
    sheet.lines()
}

fn several(sheet: &mut Sheet<'_>, label: &str, lines: &[String], page: &Page<'_>) {
    for (number, line) in lines.iter().enumerate() {
        sheet.field(if number == 0 { label } else { "" }, &safe(line, page));
    }
}

/// Names that were read from a host or pasted into a form stand in plans.
fn safe(text: &str, page: &Page<'_>) -> String {
    let text = SafeText::capped(text, LONGEST);
    text.as_str().replace('…', page.theme.glyphs().cut)
}

/// More than any command line has.
const LONGEST: usize = 64 * 1024;

/// Why something is asked for as it is.
pub const fn tier_words(tier: Tier) -> &'static str {
    match tier {
        Tier::Safe => "it is safe, so nothing is asked",
        Tier::Change => "it is one change that can be undone, so one key is asked for",
        Tier::Risky => "it cannot simply be taken back, so the name is asked for",
        Tier::Many => "it is done in many places, so their number is asked for",
    }
}

/// A line of the list of targets.
#[derive(Debug, Clone)]
pub struct TargetRow {
    /// `host/lineage`.
    pub name: String,
    /// What is changed there, or why nothing can be.
    pub text: String,
    /// Whether it is chosen; `None` if it cannot be.
    pub is_in: Option<bool>,
    /// Whether the filter hides it.
    pub is_hidden: bool,
}

/// Draws the targets that fit, from `first` on.
pub fn draw_targets(
    rows: &[TargetRow],
    first: usize,
    selected: usize,
    page: &Page<'_>,
    area: Rect,
    buf: &mut Buffer,
) {
    let (theme, glyphs) = (page.theme, page.theme.glyphs());
    let longest = rows.iter().map(|it| page.shown(&it.name).width()).max().unwrap_or(0);
    let name = u16::try_from(longest).unwrap_or(u16::MAX).min(area.width / 2);
    for (y, (position, row)) in (0..area.height).zip(rows.iter().enumerate().skip(first)) {
        let is_selected = position == selected;
        if is_selected {
            buf.set_style(Rect { y: area.y + y, height: 1, ..area }, theme.selected());
        }
        let (sign, style) = match row.is_in {
            Some(true) => ("[x]", theme.text()),
            Some(false) => ("[ ]", theme.dim()),
            None => ("[-]", theme.weight(Weight::Unknown)),
        };
        let mut pen = Pen::new(buf, area, y, page);
        pen.column(if is_selected { glyphs.selected } else { " " }, 1, theme.key());
        pen.put(sign, style).skip(1).column(&page.shown(&row.name), name, style).skip(1);
        if row.is_hidden {
            pen.put("hidden by the filter", theme.weight(Weight::Due)).skip(1);
        }
        pen.put(
            &page.shown(&safe(&row.text, page)),
            if row.is_in.is_none() { style } else { theme.dim() },
        );
    }
}
