//! A review on screen: sections of rows, one of which is selected.

use ratatui::style::Modifier;
use ratatui::text::Line;

use super::Page;
use super::sheet::Sheet;
use crate::fleet::Weight;
use crate::review::{Review, Row, Section, date};

/// The lines of a review, and which of them begins the selected row, counted over all sections.
pub fn lines(review: &Review, selected: usize, page: &Page<'_>) -> (Vec<Line<'static>>, usize) {
    let theme = page.theme;
    let mut sheet = Sheet::new(page);
    sheet.text(0, review.summary().as_str(), theme.text().add_modifier(Modifier::BOLD));
    let (mut number, mut at) = (0, 0);
    for section in review.sections() {
        sheet.heading(section.title);
        sheet.text(2, &format!("{}.", section.about), theme.dim());
        if section.rows.is_empty() && !section.nothing.is_empty() {
            sheet.nothing(section.nothing);
        }
        let widths = Widths::of(&section);
        for row in &section.rows {
            if number == selected {
                at = sheet.len();
            }
            put(row, number == selected, widths, page, &mut sheet);
            number += 1;
        }
    }
    (sheet.lines(), at)
}

/// How wide the columns of a section are.
#[derive(Clone, Copy)]
struct Widths {
    what: usize,
    has_dates: bool,
}

impl Widths {
    fn of(section: &Section) -> Self {
        let longest = section.rows.iter().map(|it| it.what.as_str().chars().count()).max();
        let has_dates = section.rows.iter().any(|it| it.when.is_some());
        Self { what: longest.unwrap_or(0).min(WHAT), has_dates }
    }
}

fn put(row: &Row, is_selected: bool, widths: Widths, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let theme = page.theme;
    let mark = if is_selected { theme.glyphs().selected } else { " " };
    let sign = match row.weight {
        // Most rows tell of nothing that is wrong.
        Weight::Fine => " ",
        it => theme.glyphs().weight(it),
    };
    let when = match (widths.has_dates, row.when) {
        (false, _) => String::new(),
        (true, Some(it)) => format!("{} ", date(it)),
        (true, None) => " ".repeat(11),
    };
    let what = row.what.as_str();
    // What is longer goes on where the text stands.
    let is_long = what.chars().count() > widths.what;
    let (what, more) = what.split_once(", ").filter(|_| is_long).unwrap_or((what, ""));
    let head = format!("{mark}{sign} {when}{what:<width$}  ", width = widths.what);
    let places = match row.places(PLACES) {
        places if places.is_empty() => String::new(),
        places => format!("{places}: "),
    };
    let more = if more.is_empty() { String::new() } else { format!("and {more}; ") };
    let text = format!("{more}{places}{}", row.said());
    let style = match row.weight {
        Weight::Fine => theme.text(),
        it => theme.weight(it),
    };
    let rest = if is_selected { theme.title() } else { theme.text() };
    sheet.pair((&head, style), (&text, rest));
}

/// The widest column of words.
const WHAT: usize = 12;
/// The places that are named in a row.
const PLACES: usize = 3;
