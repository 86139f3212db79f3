//! A table for people: worst first, as wide as the terminal, and what is wrong below.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{Kind, Page, Report, Shown, ShownHost};
use crate::diagnose::Finding;
use crate::fleet::{Moment, Place, Reach, Severity, Verdict, Weight, human};

pub(super) const KIND: Kind = Kind { name: "text", about: "a table, for people", write };

fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (shown, page) = (report.shown(), report.page);
    write_table(&rows(&shown, report.now), page, out)?;
    write_findings(&shown, page, out)?;
    writeln!(out, "{}", wrapped(&summary(&shown), page))
}

/// One line of the table.
struct Row<'a> {
    verdict: Verdict,
    host: &'a str,
    certificate: &'a str,
    left: Option<i64>,
    not_after: Option<Moment>,
    issuer: &'a str,
}

fn rows<'a>(shown: &Shown<'a>, now: Moment) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'_>> = shown.hosts.iter().flat_map(|it| rows_of(it, now)).collect();
    rows.sort_by_key(|it| {
        let left = it.left.unwrap_or(i64::MIN);
        (Reverse(it.verdict.weight()), left, it.host, it.certificate)
    });
    rows
}

fn rows_of<'a>(shown: &ShownHost<'a>, now: Moment) -> Vec<Row<'a>> {
    let host = shown.host.name.as_str();
    if shown.places.is_empty() {
        let nothing = if shown.host.reach == Reach::Up { "no certificate found" } else { "-" };
        return vec![Row {
            verdict: shown.verdict,
            host,
            certificate: nothing,
            left: None,
            not_after: None,
            issuer: "",
        }];
    }
    let row = |(place, verdict): &(&'a Place, Verdict)| {
        let leaf = place.leaf();
        Row {
            verdict: *verdict,
            host,
            certificate: place.name.as_str(),
            left: leaf.map(|it| it.left(now)),
            not_after: leaf.map(|it| it.not_after),
            issuer: leaf.map_or("", |it| it.authority()),
        }
    };
    shown.places.iter().map(row).collect()
}

fn write_table(rows: &[Row<'_>], page: Page, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "nothing matches\n");
    }
    let mut widths = TITLES.map(str::width);
    for row in rows {
        for (width, text) in widths.iter_mut().zip([row.host, row.certificate, row.issuer]) {
            *width = text.width().max(*width);
        }
    }
    fit(&mut widths, page.columns.map(|it| it.saturating_sub(FIXED)));
    let [host, certificate, issuer] = widths;
    let line = |verdict: &str, texts: [&str; 3], left: &str, day: &str| {
        let [name, place, authority] = texts;
        let line = format!(
            "{verdict}  {}  {}  {left:>6}  {day:<10}  {}",
            cell(name, host, page),
            cell(place, certificate, page),
            cell(authority, issuer, page)
        );
        line.trim_end().to_owned()
    };
    writeln!(out, "{}", line("VERDICT      ", TITLES, "LEFT", "NOT AFTER"))?;
    for row in rows {
        let left = row.left.map_or_else(|| "-".to_owned(), human);
        let day = row.not_after.map_or_else(|| "-".to_owned(), |it| it.to_string());
        let day = day.split('T').next().unwrap_or_default();
        let verdict = marked(row.verdict, page);
        writeln!(out, "{}", line(&verdict, [row.host, row.certificate, row.issuer], &left, day))?;
    }
    writeln!(out)
}

/// Takes from the issuer first, then from the wider of host and certificate, until the line
/// fits, but leaves each enough to be told apart.
fn fit(widths: &mut [usize; 3], room: Option<usize>) {
    let Some(room) = room else { return };
    let [host, certificate, issuer] = widths;
    while *host + *certificate + *issuer > room {
        let widest =
            if *issuer > LEAST { &mut *issuer } else { (&mut *host).max(&mut *certificate) };
        if *widest <= LEAST {
            return;
        }
        *widest -= 1;
    }
}

/// Breaks between words where a line would be wider than the page; what follows is indented.
fn wrapped(text: &str, page: Page) -> String {
    let Some(columns) = page.columns else { return text.to_owned() };
    let mut out = String::new();
    let mut used = 0;
    for (position, word) in text.split(' ').enumerate() {
        if used > INDENT.len() && used + 1 + word.width() > columns {
            out.push('\n');
            out.push_str(INDENT);
            used = INDENT.len();
        } else if position > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += word.width();
    }
    out
}

const INDENT: &str = "  ";
/// The titles of the columns that give way.
const TITLES: [&str; 3] = ["HOST", "CERTIFICATE", "ISSUER"];
/// Everything but the three columns that give way: verdict, left, day, and what is between.
const FIXED: usize = 13 + 6 + 10 + 5 * 2;
/// The least that a column is cut to.
const LEAST: usize = 8;

/// The text in exactly that many cells. Of a path the end is kept, of anything else the start.
fn cell(text: &str, width: usize, page: Page) -> String {
    let cut = if page.is_ascii { '~' } else { '…' };
    let keep = |chars: &mut dyn Iterator<Item = char>| {
        let mut room = width.saturating_sub(1);
        let fits = |c: &char| {
            let rest = room.checked_sub(c.width().unwrap_or(0));
            room = rest.unwrap_or(0);
            rest.is_some()
        };
        chars.take_while(fits).collect::<String>()
    };
    let mut out = if text.width() <= width {
        text.to_owned()
    } else if text.starts_with('/') {
        let tail = keep(&mut text.chars().rev());
        std::iter::once(cut).chain(tail.chars().rev()).collect()
    } else {
        let mut head = keep(&mut text.chars());
        head.push(cut);
        head
    };
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(out.width())));
    out
}

/// The verdict with its sign, 13 cells wide.
fn marked(verdict: Verdict, page: Page) -> String {
    let text = format!("{} {:11}", sign(verdict.weight(), page), verdict.word());
    colored(verdict.weight(), &text, page)
}

fn sign(weight: Weight, page: Page) -> char {
    let (unicode, ascii) = match weight {
        Weight::Fine => ('●', '='),
        Weight::Due => ('▲', '~'),
        Weight::Unknown => ('?', '?'),
        Weight::Wrong => ('◆', '!'),
        Weight::Expired => ('✖', 'X'),
    };
    if page.is_ascii { ascii } else { unicode }
}

/// The colours of the terminal's owner, so that they fit light and dark ones.
fn colored(weight: Weight, text: &str, page: Page) -> String {
    let code = match weight {
        _ if !page.is_colored => return text.to_owned(),
        Weight::Fine => "36",
        Weight::Due => "33",
        Weight::Unknown => "35",
        Weight::Wrong => "1;33",
        Weight::Expired => "1;31",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

fn write_findings(shown: &Shown<'_>, page: Page, out: &mut dyn Write) -> io::Result<()> {
    let urgent: Vec<&&Finding> =
        shown.findings.iter().filter(|it| it.severity > Severity::Info).collect();
    for finding in &urgent {
        let Finding { host, place, summary, cause, .. } = finding;
        let weight = finding.verdict.weight();
        let place = place.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
        // Coloured afterwards: codes have no width.
        let line = wrapped(&format!("{} {host}{place}: {summary}", sign(weight, page)), page);
        let mark = line.chars().next().map_or(0, char::len_utf8);
        let (mark, line) = line.split_at(mark);
        writeln!(out, "{}{line}", colored(weight, mark, page))?;
        if !cause.is_empty() {
            writeln!(out, "{}", wrapped(&format!("  {cause}"), page))?;
        }
        let hint = shown.hosts.iter().find(|it| it.host.name == *host).and_then(|it| {
            match &it.host.reach {
                Reach::Down(down) if finding.verdict == Verdict::Unreachable => down.hint.as_ref(),
                _ => None,
            }
        });
        if let Some(hint) = hint {
            writeln!(out, "{}", wrapped(&format!("  hint: {hint}"), page))?;
        }
    }
    if urgent.is_empty() { Ok(()) } else { writeln!(out) }
}

fn summary(shown: &Shown<'_>) -> String {
    let mut counts: BTreeMap<Reverse<Verdict>, usize> = BTreeMap::new();
    let mut certificates = 0;
    for it in &shown.hosts {
        if it.places.is_empty() {
            *counts.entry(Reverse(it.verdict)).or_default() += 1;
        }
        for (_, verdict) in &it.places {
            certificates += 1;
            *counts.entry(Reverse(*verdict)).or_default() += 1;
        }
    }
    let hosts = shown.hosts.len();
    let counts: Vec<String> =
        counts.iter().map(|(verdict, count)| format!("{count} {}", verdict.0)).collect();
    let plural = |count| if count == 1 { "" } else { "s" };
    format!(
        "{hosts} host{}, {certificates} certificate{}: {}",
        plural(hosts),
        plural(certificates),
        if counts.is_empty() { "nothing to tell".to_owned() } else { counts.join(", ") }
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_worst_stands_first() {
        insta::assert_snapshot!(sample::write(&KIND, Page::default()), @r"
        VERDICT        HOST        CERTIFICATE           LEFT  NOT AFTER   ISSUER
        ✖ expired      edge-ams-1  legacy.example.org   -0.2d  2026-11-22  R10
        ? unreachable  edge-syd-2  -                        -  -
        ? unknown      spare       -                        -  -
        ● ok           edge-ams-1  shop.example.net     30.0d  2026-12-23  R10

        ✖ edge-ams-1 legacy.example.org: expired 5 h ago
          renewal has failed since 24 October
        ? edge-syd-2: no answer within 10s
          renewal has failed since 24 October
          hint: is the host up?

        3 hosts, 2 certificates: 1 expired, 1 unreachable, 1 unknown, 1 ok
        ");
    }

    #[test]
    fn ascii_in_few_columns() {
        let page = Page { columns: Some(60), is_ascii: true, is_colored: false };
        let text = sample::write(&KIND, page);
        assert!(text.is_ascii(), "{text}");
        let table = text.lines().take_while(|it| !it.is_empty());
        assert!(table.into_iter().all(|it| it.len() <= 63), "{text}");
    }

    #[test]
    fn wide_characters_keep_the_columns() {
        let page = Page::default();
        assert_eq!(cell("証明書", 4, page).width(), 4);
        assert_eq!(cell("証明書", 8, page).width(), 8);
    }

    #[test]
    fn lines_break_between_words() {
        let page = Page { columns: Some(20), ..Page::default() };
        let text = "  hint: try `ssh edge true` from here";
        assert_eq!(wrapped(text, page), "  hint: try `ssh\n  edge true` from\n  here");
        assert_eq!(wrapped(text, Page::default()), text);
        assert_eq!(wrapped("one-word-that-does-not-fit", page), "one-word-that-does-not-fit");
    }

    #[test]
    fn what_is_cut_keeps_what_tells_it_apart() {
        let page = Page::default();
        assert_eq!(cell("legacy.example.org", 8, page), "legacy.…");
        assert_eq!(cell("/etc/ssl/private/vpn.pem", 8, page), "…vpn.pem");
    }
}
