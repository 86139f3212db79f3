//! The list of findings: one line per cause, with the places it is true of.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::pen::Pen;
use super::timeline::without_folders;
use crate::diagnose::{Cause, Finding};
use crate::fleet::Verdict;

/// What the list shows.
#[derive(Debug, Clone, Copy)]
pub struct FindingsView<'a> {
    /// Every line.
    pub causes: &'a [Cause],
    /// What they were gathered from.
    pub findings: &'a [Finding],
    /// The position of the first line on screen.
    pub first: usize,
    /// The position of the selected line.
    pub selected: Option<usize>,
}

/// Draws a heading and the lines that fit.
pub fn draw(view: &FindingsView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let area = area.intersection(buf.area);
    // Where it is matters more than the word for its urgency, which sign and state tell as well.
    let urgency = if area.width < 100 { 0 } else { URGENCY };
    let place = if area.width < 70 { area.width / 4 } else { area.width / 3 };
    let before = 4 + urgency + u16::from(urgency > 0) + VERDICT + 1 + COUNT + 1;
    let cause = area.width.saturating_sub(before + 1 + place);
    let mut pen = Pen::new(buf, area, 0, page);
    pen.skip(4).column("URGENCY", urgency, theme.title()).skip(u16::from(urgency > 0));
    pen.column("STATE", VERDICT, theme.title()).skip(1);
    pen.column("COUNT", COUNT, theme.title()).skip(1);
    pen.column("CAUSE", cause, theme.title()).skip(1).column("WHERE", place, theme.title());
    if view.causes.is_empty() {
        Pen::new(buf, area, 1, page).skip(4).put("nothing was found", theme.dim());
    }
    let shown = view.causes.iter().enumerate().skip(view.first);
    for (y, (position, it)) in (1..area.height).zip(shown) {
        let is_selected = view.selected == Some(position);
        if is_selected {
            let line = Rect { y: area.y + y, height: 1, ..area };
            buf.set_style(line, theme.selected());
        }
        let glyphs = theme.glyphs();
        let style = theme.weight(it.verdict.weight());
        let mut pen = Pen::new(buf, area, y, page);
        pen.column(if is_selected { glyphs.selected } else { " " }, 1, style).skip(1);
        pen.column(glyphs.weight(it.verdict.weight()), 1, style).skip(1);
        pen.column(it.severity.word(), urgency, style).skip(u16::from(urgency > 0));
        pen.column(it.verdict.word(), VERDICT, style).skip(1);
        pen.column(&format!("{:>5}", it.findings.len()), COUNT, theme.text()).skip(1);
        pen.column(
            &page.shown(&without_folders(&brief(it, view.findings), glyphs.cut)),
            cause,
            theme.text(),
        )
        .skip(1);
        pen.column(&whereabouts(it, view.findings, place, page), place, theme.dim());
    }
}

/// `critical`, the longest word.
const URGENCY: u16 = 8;
/// `unreachable`, the longest verdict.
const VERDICT: u16 = 11;
const COUNT: u16 = 5;

/// A line may be cut off, so what is particular stands first: what was found, before what it means
/// in general. That something has ended or is overdue stands in the state already.
fn brief(cause: &Cause, findings: &[Finding]) -> String {
    let mut found = cause.findings.iter().filter_map(|it| findings.get(*it)).map(|it| &it.summary);
    let general = cause.cause.as_str();
    let Some(first) = found.next() else { return general.to_owned() };
    let known = cause.acks(findings).iter().map(|it| it.1).sum::<usize>();
    let known = match (known, cause.findings.len()) {
        (0, _) => String::new(),
        (known, all) if known == all => "[known] ".to_owned(),
        (known, all) => format!("[{known} of {all} known] "),
    };
    let is_told = matches!(cause.verdict, Verdict::Expired | Verdict::Overdue);
    match general {
        "" => format!("{known}{first}"),
        _ if is_told || found.any(|it| it != first) => format!("{known}{general}"),
        _ => format!("{known}{first}. {general}"),
    }
}

/// The first place in so many cells, and how many others.
fn whereabouts(cause: &Cause, findings: &[Finding], room: u16, page: &Page<'_>) -> String {
    let Some(it) = cause.findings.first().and_then(|it| findings.get(*it)) else {
        return String::new();
    };
    let others = match cause.findings.len() {
        ..=1 => String::new(),
        many => format!(" +{}", many - 1),
    };
    let host = page.shown(it.host.as_str());
    let Some(place) = &it.place else { return format!("{host}{others}") };
    let place = page.shown(place.as_str());
    let used = host.width() + 1 + others.width();
    let room = usize::from(room).saturating_sub(used);
    let place = if place.starts_with('/') { page.tail(&place, room) } else { place };
    format!("{host} {place}{others}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::gather;
    use crate::text::SafeText;
    use crate::tui::sample;
    use crate::tui::theme::{Depth, Theme};

    #[test]
    fn findings_with_one_cause_are_one_line() {
        let (_, diagnosis) = sample::prod_eu();
        let causes = gather(&diagnosis.findings);
        let counts: Vec<_> = causes.iter().map(|it| it.findings.len()).collect();
        assert_eq!(counts, [1, 1, 1, 2, 2, 1, 2]);
        let theme = Theme::named("mono", Depth::None, false).unwrap();
        let page = Page::new(&theme);
        let where_to = whereabouts(&causes[4], &diagnosis.findings, 40, &page);
        assert_eq!(where_to, "edge-nyc-1 pay.example.com +1");
    }

    #[test]
    fn what_is_particular_stands_first() {
        let (_, mut diagnosis) = sample::prod_eu();
        let findings = &mut diagnosis.findings;
        let of = |findings: &[Finding], at: usize| brief(&gather(findings)[at], findings);
        assert_eq!(
            of(findings, 1),
            "the last renewal failed: the DNS update was refused (NOTAUTH)"
        );
        let key = &mut findings[0];
        key.verdict = Verdict::Key;
        key.summary = SafeText::new("the private key belongs to another certificate");
        key.cause = SafeText::new("A service that restarts now fails to load the pair.");
        assert_eq!(
            of(findings, 0),
            "the private key belongs to another certificate. \
             A service that restarts now fails to load the pair."
        );
    }

    #[test]
    fn of_a_path_the_end_is_shown() {
        let (_, mut diagnosis) = sample::prod_eu();
        diagnosis.findings[0].place = Some(SafeText::new("/etc/haproxy/certs/vpn.example.com.pem"));
        let theme = Theme::named("mono", Depth::None, false).unwrap();
        let cause = &gather(&diagnosis.findings)[0];
        let shown = whereabouts(cause, &diagnosis.findings, 34, &Page::new(&theme));
        assert_eq!(shown, "edge-ams-1 …ts/vpn.example.com.pem");
    }
}
