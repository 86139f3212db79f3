//! One cause: in a few lines above the timeline, and in full with evidence and remedies.

use std::fmt::Write as _;

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::Page;
use super::sheet::Sheet;
use crate::action;
use crate::diagnose::{Cause, Finding, Remedy, at, rank};
use crate::fleet::{Verdict, human};
use crate::text::SafeText;
use crate::tui::keys::{Command, Keymap};

/// What is said of the whole fleet in a few lines.
#[derive(Debug, Clone, Copy)]
pub enum Strip<'a> {
    /// Nothing is wrong, and so many certificates are due; the age as in [`CauseView`].
    Calm(usize, Option<i64>),
    /// So many hosts of so many were not read yet, and of the others nothing is wrong.
    Unread(usize, usize),
    /// Every host was read, and not enough was seen to tell how so many rows are.
    Untold(usize),
    /// Something is wrong.
    Wrong(CauseView<'a>),
}

/// A cause and what belongs to it.
#[derive(Debug, Clone, Copy)]
pub struct CauseView<'a> {
    /// The cause.
    pub cause: &'a Cause,
    /// What it was gathered from.
    pub findings: &'a [Finding],
    /// How many other causes there are.
    pub others: usize,
    /// How old the knowledge is in seconds, if that is worth a word.
    pub age: Option<i64>,
    /// The keys in force.
    pub keys: &'a Keymap,
}

/// The lines of the strip: verdict, cause and what would mend it first come before the places, which
/// are cut off first.
pub fn strip(strip: &Strip<'_>, page: &Page<'_>) -> Vec<Line<'static>> {
    let theme = page.theme;
    let sign = |weight| theme.glyphs().weight(weight);
    let one = |verdict: Verdict, text: &str| {
        let head = format!(" {} {verdict}  ", sign(verdict.weight()));
        let style = theme.weight(verdict.weight()).add_modifier(Modifier::BOLD);
        vec![Line::from(vec![
            Span::styled(head, style),
            Span::styled(page.shown(text).into_owned(), theme.text()),
        ])]
    };
    match strip {
        Strip::Calm(due, age) => {
            let due = match due {
                0 => ", and nothing is due".to_owned(),
                due => format!("; {due} due"),
            };
            let age = age.map(|it| format!(", as of {} ago", human(it))).unwrap_or_default();
            one(Verdict::Ok, &format!("nothing is wrong{due}{age}"))
        }
        Strip::Unread(left, all) => {
            let were = if *left == 1 { "was" } else { "were" };
            one(Verdict::Unknown, &format!("{left} of {all} hosts {were} not read yet"))
        }
        Strip::Untold(rows) => {
            let rows = if *rows == 1 { "1 row is".to_owned() } else { format!("{rows} rows are") };
            one(Verdict::Unknown, &format!("not enough was seen to tell how {rows}"))
        }
        Strip::Wrong(view) => {
            let mut lines = one(view.cause.verdict, &headline(view));
            let mut add = |label: &str, text: &str| {
                lines.push(Line::from(vec![
                    Span::styled(format!("   {label:<8}"), theme.dim()),
                    Span::styled(page.shown(text).into_owned(), theme.text()),
                ]));
            };
            if !view.cause.cause.is_empty() {
                add("cause", view.cause.cause.as_str());
            }
            for line in view.cause.known(view.findings) {
                add("known", line.as_str());
            }
            if let Some(remedy) = view.cause.remedies(view.findings).first() {
                let open = view.keys.key(Command::Open).unwrap_or_default();
                let findings = view.keys.key(Command::Screen3).unwrap_or_default();
                let why = remedy.first().map_or("", |it| it.why.as_str());
                add("first", &format!("{}: {why} ({findings} {open} {open})", told(remedy)));
            }
            if view.cause.places(view.findings).len() > 1 {
                add("where", &view.cause.whereabouts(view.findings, NAMED));
            }
            lines
        }
    }
}

fn headline(view: &CauseView<'_>) -> String {
    let places = view.cause.places(view.findings);
    let text = view.cause.headline(view.findings);
    let mut text = match places.as_slice() {
        [(host, place)] => format!("{}: {text}", at(host, *place)),
        _ => format!("{text}: {}", view.cause.extent(view.findings)),
    };
    if let Some(age) = view.age {
        let _ = write!(text, ", seen {} ago", human(age));
    }
    match view.others {
        0 => {}
        1 => text.push_str("; 1 other cause"),
        others => {
            let _ = write!(text, "; {others} other causes");
        }
    }
    text
}

/// The places that are named; the page about the cause has all.
const NAMED: usize = 8;

/// An action, where, and what is chosen about it.
fn told(remedies: &[&Remedy]) -> String {
    let Some(first) = remedies.first() else { return String::new() };
    let mut text = format!("{} {}", first.action, first.target());
    if let more @ 1.. = remedies.len() - 1 {
        let _ = write!(text, " and {more} more");
    }
    for (name, value) in &first.chosen {
        let _ = write!(text, ", {name} {}", SafeText::new(value));
    }
    text
}

/// The lines about one cause: what was found, by what it is known, what would mend it, whom to ask,
/// and every place. `chosen` is the remedy whose plan Enter shows; the number is that of its line.
pub fn detail(view: &CauseView<'_>, chosen: usize, page: &Page<'_>) -> (Vec<Line<'static>>, usize) {
    let (cause, theme) = (view.cause, page.theme);
    let mut sheet = Sheet::new(page);
    let weight = cause.verdict.weight();
    let bold = theme.weight(weight).add_modifier(Modifier::BOLD);
    let sign = theme.glyphs().weight(weight);
    let head = format!("{sign} {}  ", cause.verdict);
    sheet.pair((&head, bold), (&headline(view), theme.text().add_modifier(Modifier::BOLD)));
    sheet.text(2, cause.cause.as_str(), theme.text());
    for line in cause.known(view.findings) {
        sheet.text(2, &format!("known: {line}"), theme.title());
    }
    let Some(first) = cause.among(view.findings).next() else { return (sheet.lines(), 0) };
    let places = cause.places(view.findings).len();
    if !first.evidence.is_empty() {
        let title = if places > 1 {
            format!("Seen at {}", at(&first.host, first.place.as_ref()))
        } else {
            "Seen".to_owned()
        };
        sheet.heading(&title);
    }
    for line in &first.evidence {
        sheet.text(2, line.as_str(), theme.text());
    }
    let line = remedies(view, chosen, page, &mut sheet);
    asked(first, &mut sheet);
    if places > 1 {
        sheet.heading("And at");
        for it in cause.among(view.findings).skip(1) {
            sheet.text(0, &at(&it.host, it.place.as_ref()), theme.title());
            sheet.text(2, it.summary.as_str(), theme.weight(it.verdict.weight()));
            for line in &it.evidence {
                sheet.text(4, line.as_str(), theme.dim());
            }
        }
    }
    (sheet.lines(), line)
}

/// Writes every remedy, and tells the line of the chosen one.
fn remedies(view: &CauseView<'_>, chosen: usize, page: &Page<'_>, sheet: &mut Sheet<'_>) -> usize {
    let theme = page.theme;
    let mut at = 0;
    let all = view.cause.remedies(view.findings);
    if all.is_empty() {
        sheet.heading("Nothing that can be done from here would mend it");
        return at;
    }
    sheet.heading("What would mend it, the cheapest and safest first");
    for (number, group) in all.iter().enumerate() {
        let Some(first) = group.first() else { continue };
        let is_chosen = number == chosen;
        let mark = if is_chosen { theme.glyphs().selected } else { " " };
        // What this program cannot do is told all the same.
        let key = view.keys.key_of_action(first.action).unwrap_or_else(|| "-".to_owned());
        let style = if is_chosen { theme.title() } else { theme.text() };
        if is_chosen {
            at = sheet.len();
        }
        let head = format!("{mark}{} {key:<4} ", number + 1);
        sheet.pair((&head, theme.key()), (&told(group), style));
        let price = rank(first.action).map_or("", |it| it.price);
        if first.why.as_str() != price && !first.why.is_empty() {
            sheet.text(INSET, first.why.as_str(), theme.text());
        }
        sheet.text(INSET, price, theme.dim());
        if is_chosen {
            let open = view.keys.key(Command::Open).unwrap_or_default();
            let text = match action::named(first.action) {
                Some(it) => format!("{open}: {}; the plan is shown first", it.about),
                None => "not an action of this version".to_owned(),
            };
            sheet.text(INSET, &text, theme.dim());
        }
    }
    at
}

/// Where what is said of a remedy begins: after mark, number and key.
const INSET: u16 = 7;

/// Who owns it, where the runbook is, and what to know before anything is done.
fn asked(finding: &Finding, sheet: &mut Sheet<'_>) {
    if finding.owner.is_none() && finding.runbook.is_none() && finding.advice.is_empty() {
        return;
    }
    sheet.heading("Before you act");
    sheet.maybe("Owner", finding.owner.as_ref());
    sheet.maybe("Runbook", finding.runbook.as_ref());
    if !finding.advice.is_empty() {
        sheet.field("Advice", finding.advice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::gather;
    use crate::fleet::{HostName, PlaceName, Severity};
    use crate::tui::theme::{Depth, Theme};

    /// Findings of one cause at so many hosts.
    fn findings(count: usize) -> Vec<Finding> {
        let finding = |number| {
            let (host, place) = (HostName::new(&format!("web-{number}")), PlaceName::new("www"));
            let remedy = |action| Remedy::new(action, &host, Some(&place));
            Finding {
                rule: "chain",
                cause: SafeText::new("Clients end the handshake."),
                shared: SafeText::new("E5"),
                evidence: vec![SafeText::new("198.51.100.7:443: E5")],
                remedies: vec![remedy("rollback"), remedy("renew")],
                owner: Some(SafeText::new("edge team")),
                advice: "Look at the chain first.",
                ..Finding::bare(
                    host.clone(),
                    Some(place.clone()),
                    Verdict::Chain,
                    Severity::Critical,
                    SafeText::new("E5 has expired"),
                )
            }
        };
        (1..=count).map(finding).collect()
    }

    fn text(lines: &[Line<'_>]) -> String {
        lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn with(count: usize, then: impl FnOnce(&CauseView<'_>, &Page<'_>)) {
        let findings = findings(count);
        let causes = gather(&findings);
        let (theme, keys) = (Theme::named("mono", Depth::None, true).unwrap(), Keymap::default());
        let view = CauseView {
            cause: &causes[0],
            findings: &findings,
            others: 2,
            age: Some(7200),
            keys: &keys,
        };
        then(&view, &Page::new(&theme));
    }

    #[test]
    fn the_strip_says_it_all() {
        with(1, |view, page| {
            insta::assert_snapshot!(text(&strip(&Strip::Wrong(*view), page)), @r"
            ! chain  web-1/www: E5 has expired, seen 2h ago; 2 other causes
              cause   Clients end the handshake.
              first   rollback web-1/www: no order; links lead to a version that is kept (f enter enter)
            ");
        });
        with(9, |view, page| {
            insta::assert_snapshot!(text(&strip(&Strip::Wrong(*view), page)), @r"
            ! chain  E5 has expired: 9 places, seen 2h ago; 2 other causes
              cause   Clients end the handshake.
              first   rollback web-1/www and 8 more: no order; links lead to a version that is kept (f enter enter)
              where   www at web-1, web-2, web-3, web-4, web-5, web-6, web-7, web-8 and 1 more
            ");
        });
    }

    #[test]
    fn the_unknown_and_the_calm_have_their_words() {
        let theme = Theme::named("mono", Depth::None, true).unwrap();
        let said = |it| text(&strip(&it, &Page::new(&theme)));
        assert_eq!(said(Strip::Calm(0, None)), " = ok  nothing is wrong, and nothing is due");
        assert_eq!(
            said(Strip::Calm(3, Some(7200))),
            " = ok  nothing is wrong; 3 due, as of 2h ago"
        );
        assert_eq!(said(Strip::Unread(3, 4)), " ? unknown  3 of 4 hosts were not read yet");
        assert_eq!(said(Strip::Unread(1, 4)), " ? unknown  1 of 4 hosts was not read yet");
        let untold = said(Strip::Untold(2));
        assert_eq!(untold, " ? unknown  not enough was seen to tell how 2 rows are");
    }

    #[test]
    fn remedies_have_keys_prices_and_reasons() {
        with(2, |view, page| {
            let (lines, at) = detail(view, 1, page);
            insta::assert_snapshot!(text(&lines), @r"
            ! chain  E5 has expired: 2 places, seen 2h ago; 2 other causes
              Clients end the handshake.

            Seen at web-1/www
              198.51.100.7:443: E5

            What would mend it, the cheapest and safest first
             1 a b  rollback web-1/www and 1 more
                   no order; links lead to a version that is kept
            >2 a r  renew web-1/www and 1 more
                   one order, if it is due
                   enter: renew what is due, as the timer would; the plan is shown first

            Before you act
            Owner       edge team
            Advice      Look at the chain first.

            And at
            web-2/www
              E5 has expired
                198.51.100.7:443: E5
            ");
            assert!(lines[at].to_string().contains("renew"));
        });
    }
}
