//! The audit log as a list of records, and one of them with its siblings.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;

use super::Page;
use super::pen::Pen;
use super::sheet::{Sheet, when};
use crate::fleet::{Moment, Weight, human};
use crate::perform::Ending;
use crate::text::SafeText;
use crate::tui::book::{Book, Record};
use crate::tui::jobs::ending_weight;

/// What the list shows.
#[derive(Debug, Clone, Copy)]
pub struct AuditView<'a> {
    /// The log.
    pub book: &'a Book,
    /// The numbers of the records that are shown.
    pub found: &'a [u64],
    /// The position of the first line on screen.
    pub first: usize,
    /// The position of the selected line.
    pub selected: Option<usize>,
    /// The present.
    pub now: Moment,
}

/// Draws whether the log is as it was written, a heading, and the records that fit.
pub fn draw(view: &AuditView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let area = area.intersection(buf.area);
    draw_verdict(view.book, page, area, buf);
    let columns = columns(area.width);
    let mut pen = Pen::new(buf, area, 1, page);
    pen.skip(4).column("#", NUMBER, theme.title()).skip(1);
    pen.column("WHEN", columns.time, theme.title()).skip(1);
    pen.column("RECORD", KIND, theme.title()).skip(1).column("ACTION", ACTION, theme.title());
    pen.skip(1).column("WHERE", columns.place, theme.title()).skip(1).put("WHAT", theme.title());
    if view.found.is_empty() {
        let none = match view.book.problem() {
            Some(why) => why.as_str(),
            None if view.book.records().is_empty() => "nothing is in the log yet",
            None => "no record has these words in it",
        };
        Pen::new(buf, area, 2, page).skip(4).put(none, theme.dim());
    }
    let shown = view.found.iter().enumerate().skip(view.first);
    for (y, (position, seq)) in (HEAD..area.height).zip(shown) {
        let is_selected = view.selected == Some(position);
        if is_selected {
            buf.set_style(Rect { y: area.y + y, height: 1, ..area }, theme.selected());
        }
        let Some(record) = view.book.record(*seq) else { continue };
        let (weight, ending) = ending(record);
        let style = weight.map_or_else(|| theme.text(), |it| theme.weight(it));
        let sign = weight.map_or(" ", |it| theme.glyphs().weight(it));
        let time = if columns.time > AGE {
            record.at.to_string().replacen('T', " ", 1)
        } else {
            format!("{} ago", human(view.now.since(record.at).max(0)))
        };
        let said = |key: &str| view.book.said(record, key).map(SafeText::new).unwrap_or_default();
        let mut pen = Pen::new(buf, area, y, page);
        pen.column(if is_selected { theme.glyphs().selected } else { " " }, 1, theme.key()).skip(1);
        pen.column(sign, 1, style).skip(1);
        pen.column(&record.seq.to_string(), NUMBER, theme.dim()).skip(1);
        pen.column(&time, columns.time, theme.dim()).skip(1);
        pen.column(SafeText::new(&record.kind).as_str(), KIND, style).skip(1);
        pen.column(said("action").as_str(), ACTION, theme.text()).skip(1);
        // The host of a session is the machine of whoever sits there.
        let is_session = record.kind == "session";
        let host = if is_session { SafeText::default() } else { said("host") };
        let place = whereabouts(host.as_str(), said("lineage").as_str());
        pen.column(&page.shown(&place), columns.place, theme.text()).skip(1);
        pen.put(&page.shown(&what(record, ending)), style);
    }
}

fn draw_verdict(book: &Book, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let Some((weight, words)) = book.verdict() else {
        Pen::new(buf, area, 0, page).skip(1).put("the audit log is being read", theme.dim());
        return;
    };
    let style = theme.weight(weight);
    let mut pen = Pen::new(buf, area, 0, page);
    pen.skip(1).put(theme.glyphs().weight(weight), style).skip(1).put(words.as_str(), style);
    if book.left_out() > 0 {
        let text = format!("  (the {} newest are shown)", book.records().len());
        pen.put(&text, theme.dim());
    }
}

/// The lines about a record: its action from the beginning to the end, then the record itself.
pub fn record(record: &Record, book: &Book, now: Moment, page: &Page<'_>) -> Vec<Line<'static>> {
    let mut sheet = Sheet::new(page);
    let theme = page.theme;
    let head = format!("#{}  {}", record.seq, SafeText::new(&record.kind));
    sheet.text(0, &head, theme.title().add_modifier(Modifier::BOLD));
    sheet.field("When", &when(record.at, now)).field("Action", &record.op.to_string());
    body(record, &mut sheet);
    let siblings: Vec<_> = book.of_action(record.op).filter(|it| it.seq != record.seq).collect();
    for it in siblings {
        let kind = SafeText::new(&it.kind);
        sheet.heading(&format!("#{}  {kind}, {}", it.seq, when(it.at, now)));
        body(it, &mut sheet);
    }
    let (before, after) = (book.said(record, "before"), book.said(record, "after"));
    if before.is_some() || after.is_some() {
        sheet.heading("The live certificate");
        let is_same = before == after;
        sheet.maybe("Before", before.map(SafeText::new));
        sheet.maybe("After", after.filter(|_| !is_same).map(SafeText::new));
        if is_same {
            sheet.field("After", "the same");
        }
    }
    sheet.heading("The chain");
    if let Some((weight, words)) = book.verdict() {
        sheet.styled_field("Log", words.as_str(), theme.weight(weight));
    }
    sheet.heading("As it stands in the file");
    sheet.text(0, SafeText::capped(&record.line, MAX_LINE).as_str(), theme.dim());
    sheet.lines()
}

/// Everything that a record says, a line for each.
fn body(record: &Record, sheet: &mut Sheet<'_>) {
    for (key, value) in &record.body {
        let name = SafeText::new(key);
        // Its label is longer than most.
        let text = |value: &str| format!("{name}: {}", SafeText::new(value));
        let style = Style::default();
        match value.as_str() {
            Some(value) => sheet.text(2, &text(value), style),
            None => sheet.text(2, &text(&value.to_string()), style),
        };
    }
}

/// How what a record tells has ended, if it tells that.
fn ending(record: &Record) -> (Option<Weight>, Option<&str>) {
    if !record.is_end() {
        return (None, None);
    }
    let ending = record.text("ending").unwrap_or("unknown");
    (Some(ending_weight(Ending::named(ending))), Some(ending))
}

fn what(record: &Record, ending: Option<&str>) -> String {
    let keys = ["summary", "reason", "who", "user"];
    let said = keys.iter().find_map(|key| record.text(key)).unwrap_or_default();
    let said = SafeText::new(said);
    match ending {
        Some(ending) => format!("{}: {said}", SafeText::new(ending)),
        None => said.to_string(),
    }
}

fn whereabouts(host: &str, lineage: &str) -> String {
    if lineage.is_empty() { host.to_owned() } else { format!("{host}/{lineage}") }
}

struct Columns {
    time: u16,
    place: u16,
}

/// The time as it is where there is room, else how long ago.
const fn columns(width: u16) -> Columns {
    let time = if width >= 110 { 20 } else { AGE };
    Columns { time, place: width / 4 }
}

/// Rows above the records.
pub const HEAD: u16 = 2;
const AGE: u16 = 9;
const NUMBER: u16 = 6;
/// `reconcile`, the longest kind.
const KIND: u16 = 9;
/// `enable-timer`, the longest action.
const ACTION: u16 = 12;
/// The longest record that the log takes.
const MAX_LINE: usize = 16 * 1024;
