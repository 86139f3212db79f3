//! For people: what is wrong, by cause and the worst first, then a table of everything, as wide as
//! the terminal.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::{Kind, Page, Report, Shown, ShownHost};
use crate::diagnose::{Cause, Finding, at, command, gather};
use crate::fleet::{Moment, Place, Reach, Severity, Verdict, Weight, human};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind { name: "text", about: "a table, for people", write };

fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (shown, page) = (report.shown(), report.page);
    let urgent: Vec<&Finding> =
        shown.findings.iter().copied().filter(|it| it.severity > Severity::Info).collect();
    let causes = gather(&urgent);
    for cause in &causes {
        write_cause(cause, &urgent, &shown, page, out)?;
    }
    if let Some(calm) = calm(&shown).filter(|_| causes.is_empty()) {
        let head = colored(Weight::Fine, &format!("{} ok", sign(Weight::Fine, page)), page);
        writeln!(out, "{head}  {calm}\n")?;
    }
    let rows = rows(&shown, report.now);
    write_table(&rows, page, out)?;
    writeln!(out, "{}", wrapped(&summary(&shown), page))?;
    // The table has pushed it off the screen.
    match causes.first().filter(|_| rows.len() > SCREEN) {
        Some(cause) => writeln!(out, "the worst: {}", head(cause, &urgent, page)),
        None => Ok(()),
    }
}

/// From how many rows on the worst is said again below the table.
const SCREEN: usize = 16;

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
            let most = if text.starts_with('/') { PATH } else { usize::MAX };
            *width = text.width().min(most).max(*width);
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
            out.truncate(out.trim_end_matches(' ').len());
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
/// The most that a path makes a column wide: its end tells enough, and findings have all of it.
const PATH: usize = 40;
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

/// What is wrong, where, by what that is known, and what to do first.
fn write_cause(
    cause: &Cause,
    findings: &[&Finding],
    shown: &Shown<'_>,
    page: Page,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}", head(cause, findings, page))?;
    if !cause.cause.is_empty() {
        writeln!(out, "{}", hanging("cause", cause.cause.as_str(), page))?;
    }
    write_places(cause, findings, page, out)?;
    for (number, line) in cause.known(findings).iter().enumerate() {
        writeln!(out, "{}", hanging(if number == 0 { "known" } else { "" }, line.as_str(), page))?;
    }
    let Some(first) = cause.among(findings).next() else { return Ok(()) };
    let down = shown.hosts.iter().find(|it| it.host.name == first.host).map(|it| &it.host.reach);
    let hint = match down {
        Some(Reach::Down(down)) if cause.verdict == Verdict::Unreachable => down.hint.as_ref(),
        _ => None,
    };
    let evidence = first.evidence.iter().filter(|it| Some(*it) != hint);
    for (number, line) in evidence.take(EVIDENCE).enumerate() {
        writeln!(out, "{}", hanging(if number == 0 { "seen" } else { "" }, line.as_str(), page))?;
    }
    if let Some(hint) = hint {
        writeln!(out, "{}", hanging("hint", hint.as_str(), page))?;
    }
    write_repairs(cause, findings, page, out)?;
    let ask: Vec<&str> =
        [&first.owner, &first.runbook].into_iter().flatten().map(SafeText::as_str).collect();
    if !ask.is_empty() {
        writeln!(out, "{}", hanging("ask", &ask.join(", "), page))?;
    }
    writeln!(out)
}

/// What to do first as a command, why that, and what else there is.
fn write_repairs(
    cause: &Cause,
    findings: &[&Finding],
    page: Page,
    out: &mut dyn Write,
) -> io::Result<()> {
    let remedies = cause.remedies(findings);
    let Some((repairs, others)) = remedies.split_first() else { return Ok(()) };
    let Some(first) = repairs.first() else { return Ok(()) };
    let mut done = repairs.as_slice();
    if command(done).width() > LONGEST {
        done = std::slice::from_ref(first);
    }
    // In one piece, however wide, so that it can be copied.
    writeln!(out, "{INDENT}{:<LABEL$}{}", "repair", adapted(&command(done), page))?;
    let more = match repairs.len() - done.len() {
        0 => String::new(),
        more => format!("; the same at {more} more"),
    };
    writeln!(out, "{}", hanging("", &format!("{}{more}", first.why), page))?;
    let mut others: Vec<&str> = others.iter().flatten().map(|it| it.action).collect();
    others.dedup();
    if others.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", hanging("else", &others.join(", "), page))
}

/// The line that says it all: the verdict, what was found, where or in how many places.
fn head(cause: &Cause, findings: &[&Finding], page: Page) -> String {
    let weight = cause.verdict.weight();
    let mark = format!("{} {}", sign(weight, page), cause.verdict);
    let headline = cause.headline(findings);
    let text = match cause.places(findings).as_slice() {
        [(host, place)] => format!("{mark}  {}: {headline}", at(host, *place)),
        _ => format!("{mark}  {headline}: {}", cause.extent(findings)),
    };
    let line = wrapped(&text, page);
    // Coloured afterwards: codes have no width.
    let (mark, line) = line.split_at_checked(mark.len()).unwrap_or(("", &line));
    format!("{}{line}", colored(weight, mark, page))
}

/// Several places in a few lines: by name, or one by one with what was found there where that
/// differs. A single one stands in the head already.
fn write_places(
    cause: &Cause,
    findings: &[&Finding],
    page: Page,
    out: &mut dyn Write,
) -> io::Result<()> {
    let is_one = cause.places(findings).len() < 2;
    let Some(first) = cause.among(findings).next().filter(|_| !is_one) else { return Ok(()) };
    if cause.among(findings).any(|it| it.summary != first.summary) {
        for (number, it) in cause.among(findings).take(ONE_BY_ONE).enumerate() {
            let label = if number == 0 { "where" } else { "" };
            let text = format!("{}: {}", at(&it.host, it.place.as_ref()), it.summary);
            writeln!(out, "{}", hanging(label, &text, page))?;
        }
        let more = cause.findings.len().saturating_sub(ONE_BY_ONE);
        return match more {
            0 => Ok(()),
            more => writeln!(out, "{}", hanging("", &format!("and {more} more"), page)),
        };
    }
    writeln!(out, "{}", hanging("where", &cause.whereabouts(findings, BY_NAME), page))
}

/// A label and a text that stays right of it.
fn hanging(label: &str, text: &str, page: Page) -> String {
    let room = page.columns.map(|it| it.saturating_sub(INDENT.len() + LABEL).max(LEAST));
    let lines = wrapped(&adapted(text, page), Page { columns: room, ..page });
    let mut out = String::new();
    for (number, line) in lines.lines().enumerate() {
        let label = if number == 0 { label } else { "" };
        // What `wrapped` sets in already stands right of the label here.
        let line = if number == 0 { line } else { line.trim_start() };
        let gap = if number == 0 { "" } else { "\n" };
        let _ = write!(out, "{gap}{INDENT}{label:<LABEL$}{line}");
    }
    out
}

/// The text in the characters that the page takes.
fn adapted(text: &str, page: Page) -> Cow<'_, str> {
    if page.is_ascii && text.contains('…') {
        return Cow::Owned(text.replace('…', "~"));
    }
    Cow::Borrowed(text)
}

/// The lines of evidence that are shown; the console and JSON have all.
const EVIDENCE: usize = 2;
/// The places that are shown with what was found there.
const ONE_BY_ONE: usize = 4;
/// The places that are named.
const BY_NAME: usize = 8;
/// The cells of a label: `repair`, and what is between.
const LABEL: usize = 8;
/// The longest command that names every place.
const LONGEST: usize = 400;

/// The line that stands where nothing is wrong; `None` if too little is known to say so.
fn calm(shown: &Shown<'_>) -> Option<String> {
    let verdicts = || {
        shown.hosts.iter().flat_map(|it| {
            let alone = it.places.is_empty().then_some(it.verdict);
            alone.into_iter().chain(it.places.iter().map(|it| it.1))
        })
    };
    let is_calm = |it: Verdict| it.weight() <= Weight::Due;
    if shown.hosts.is_empty() || !verdicts().all(is_calm) {
        return None;
    }
    let due = verdicts().filter(|it| it.weight() == Weight::Due).count();
    Some(match due {
        0 => "nothing is wrong, and nothing is due".to_owned(),
        due => format!("nothing is wrong; {due} due"),
    })
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
    use crate::diagnose::{Diagnosis, Remedy};
    use crate::filter::Filter;
    use crate::fleet::{DAY, Fleet, Host, HostName, Outcome, Seen, Visit};

    #[test]
    fn the_worst_stands_first() {
        insta::assert_snapshot!(sample::write(&KIND, Page::default()), @r"
        ✖ expired  edge-ams-1/legacy.example.org: expired 5 h ago
          cause   renewal has failed since 24 October
          seen    not_after 2026-11-22T22:12:44Z
          repair  certdeck run renew edge-ams-1/legacy.example.org
                  one order, if it is due

        ? unreachable  edge-syd-2: no answer within 10s
          cause   renewal has failed since 24 October
          seen    not_after 2026-11-22T22:12:44Z
          hint    is the host up?
          repair  certdeck run renew edge-syd-2
                  one order, if it is due

        VERDICT        HOST        CERTIFICATE           LEFT  NOT AFTER   ISSUER
        ✖ expired      edge-ams-1  legacy.example.org   -0.2d  2026-11-22  R10
        ? unreachable  edge-syd-2  -                        -  -
        ? unknown      spare       -                        -  -
        ● ok           edge-ams-1  shop.example.net     30.0d  2026-12-23  R10

        3 hosts, 2 certificates: 1 expired, 1 unreachable, 1 unknown, 1 ok
        ");
    }

    /// The report about fifty hosts with one place each, the first `wrong` of which have one cause.
    fn fifty(wrong: usize, differ: bool) -> String {
        let name = |it: usize| format!("edge-{it:02}");
        let host = |it| Host::new(HostName::new(&name(it)), "", &[]);
        let mut fleet = Fleet::new((1..=50).map(host));
        let mut diagnosis = Diagnosis::default();
        for it in 1..=50 {
            let (host, place) = (HostName::new(&name(it)), SafeText::new("www.example.net"));
            let places = vec![sample::place("www.example.net", -60 * DAY, 30 * DAY)];
            let outcome = Outcome::Seen(Box::new(Seen { places, ..Seen::default() }));
            fleet.apply(Visit { host: host.clone(), at: sample::NOW, outcome, probes: None });
            let verdict = if it <= wrong { Verdict::Chain } else { Verdict::Ok };
            diagnosis.places.push(verdict);
            diagnosis.hosts.push(verdict);
            if it > wrong {
                continue;
            }
            let end = if differ { format!(" at edge-{it:02}") } else { String::new() };
            let remedy = |action| Remedy::new(action, &host, Some(&place));
            diagnosis.findings.push(Finding {
                rule: "chain",
                evidence: ["198.51.100.7:443: read 4 s ago", "followed by CN=Example E5", "…"]
                    .map(SafeText::new)
                    .into(),
                cause: SafeText::new("Clients end the handshake: the intermediate is too old."),
                shared: SafeText::new("CN=Example E5"),
                remedies: vec![remedy("replace-chain"), remedy("renew")],
                owner: Some(SafeText::new("edge team")),
                runbook: Some(SafeText::new("https://wiki.example.net/tls")),
                ..Finding::bare(
                    host.clone(),
                    Some(place.clone()),
                    Verdict::Chain,
                    Severity::Critical,
                    SafeText::new(&format!("the intermediate CN=Example E5 expired{end}")),
                )
            });
        }
        let (filter, now) = (Filter::default(), sample::NOW);
        let page = Page { columns: Some(80), ..Page::default() };
        let report = Report { fleet: &fleet, diagnosis: &diagnosis, now, filter: &filter, page };
        let mut out = Vec::new();
        write(&report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn first_lines(text: &str, count: usize) -> String {
        text.lines().take(count).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn one_fault_among_fifty_hosts_is_on_the_first_screen() {
        insta::assert_snapshot!(first_lines(&fifty(7, false), 15), @r"
        ◆ chain  the intermediate CN=Example E5 expired: 7 places
          cause   Clients end the handshake: the intermediate is too old.
          where   www.example.net at edge-01, edge-02, edge-03, edge-04, edge-05,
                  edge-06, edge-07
          seen    198.51.100.7:443: read 4 s ago
                  followed by CN=Example E5
          repair  certdeck run replace-chain edge-01/www.example.net edge-02/www.example.net edge-03/www.example.net edge-04/www.example.net edge-05/www.example.net edge-06/www.example.net edge-07/www.example.net
                  no order; the leaf and its key stay
          else    renew
          ask     edge team, https://wiki.example.net/tls

        VERDICT        HOST     CERTIFICATE        LEFT  NOT AFTER   ISSUER
        ◆ chain        edge-01  www.example.net   30.0d  2026-12-23  R10
        ◆ chain        edge-02  www.example.net   30.0d  2026-12-23  R10
        ◆ chain        edge-03  www.example.net   30.0d  2026-12-23  R10
        ");
        insta::assert_snapshot!(first_lines(&fifty(7, true), 9), @r"
        ◆ chain  an intermediate is missing, wrong or expired: CN=Example E5: 7 places
          cause   Clients end the handshake: the intermediate is too old.
          where   edge-01/www.example.net: the intermediate CN=Example E5 expired at
                  edge-01
                  edge-02/www.example.net: the intermediate CN=Example E5 expired at
                  edge-02
                  edge-03/www.example.net: the intermediate CN=Example E5 expired at
                  edge-03
                  edge-04/www.example.net: the intermediate CN=Example E5 expired at
        ");
        let text = fifty(1, false);
        let last = text.lines().last().unwrap();
        assert_eq!(
            last,
            "the worst: ◆ chain  edge-01/www.example.net: the intermediate CN=Example E5 expired"
        );
    }

    #[test]
    fn a_healthy_fleet_says_so_first() {
        let text = fifty(0, false);
        assert_eq!(first_lines(&text, 2), "● ok  nothing is wrong, and nothing is due\n");
        assert!(text.ends_with("50 hosts, 50 certificates: 50 ok\n"), "{text}");
    }

    #[test]
    fn the_unknown_is_not_called_fine() {
        let fleet = sample::fleet();
        let mut diagnosis = sample::diagnosis();
        diagnosis.findings.clear();
        diagnosis.places = vec![Verdict::Ok, Verdict::Ok];
        let (filter, page) = (Filter::default(), Page::default());
        let now = sample::NOW;
        let report = Report { fleet: &fleet, diagnosis: &diagnosis, now, filter: &filter, page };
        assert_eq!(calm(&report.shown()), None);
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
