//! The table of hosts.

use std::cmp::Reverse;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use super::pen::Pen;
use super::timeline::left;
use crate::diagnose::Diagnosis;
use crate::filter::{Candidate, Filter};
use crate::fleet::{Fleet, Host, HostName, Moment, Place, Reach, Verdict, Weight, human};
use crate::text::SafeText;

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRow {
    /// The host.
    pub name: HostName,
    /// The worst that is to be said of it.
    pub verdict: Verdict,
    /// How many places it has.
    pub places: usize,
    /// Its groups.
    pub groups: SafeText,
    /// What its last visit came to, or what renews its certificates.
    pub state: SafeText,
    /// When it was last read.
    pub seen_at: Option<Moment>,
    /// The first end of its certificates.
    pub ends: Option<Moment>,
}

/// What the table shows.
#[derive(Debug, Clone, Copy)]
pub struct HostsView<'a> {
    /// Every line.
    pub rows: &'a [HostRow],
    /// The position of the first line on screen.
    pub first: usize,
    /// The position of the selected line.
    pub selected: Option<usize>,
    /// The present.
    pub now: Moment,
}

/// Takes from the fleet the hosts of which the filter keeps something: worst first, then by name.
pub fn rows(fleet: &Fleet, diagnosis: &Diagnosis, filter: &Filter, now: Moment) -> Vec<HostRow> {
    let mut verdicts = diagnosis.places.iter().copied();
    let mut rows: Vec<HostRow> = Vec::new();
    let mut of_hosts = diagnosis.hosts.iter().copied();
    for host in fleet.hosts() {
        let found: Vec<Verdict> = verdicts.by_ref().take(host.places.len()).collect();
        let least = match host.reach {
            Reach::Down(_) => Verdict::Unreachable,
            Reach::Never => Verdict::Unknown,
            Reach::Up => Verdict::Ok,
        };
        let verdict = of_hosts.next().unwrap_or(Verdict::Unknown).max(least);
        let keeps = |place: Option<&Place>, verdict: Verdict| {
            filter.keeps(&Candidate { host, place, verdict, now })
        };
        let is_kept = host.places.iter().zip(&found).any(|(it, verdict)| keeps(Some(it), *verdict))
            || (host.places.is_empty() && keeps(None, verdict));
        if is_kept {
            rows.push(HostRow {
                name: host.name.clone(),
                verdict,
                places: host.places.len(),
                groups: SafeText::new(&host.groups.join(", ")),
                state: state(host),
                seen_at: host.seen_at,
                ends: host.places.iter().filter_map(|it| Some(it.leaf()?.not_after)).min(),
            });
        }
    }
    rows.sort_by_key(|it| Reverse(it.verdict.weight()));
    rows
}

/// Draws a heading and the lines that fit.
pub fn draw(view: &HostsView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let area = area.intersection(buf.area);
    let columns = columns(area.width);
    let mut pen = Pen::new(buf, area, 0, page);
    pen.skip(4).column("HOST", columns.host, theme.title()).skip(1);
    pen.column("CERTS", CERTS, theme.title()).skip(1);
    pen.column("FIRST END", ENDS, theme.title()).skip(1);
    pen.column("READ", READ, theme.title()).skip(1);
    pen.column("GROUPS", columns.groups, theme.title()).skip(u16::from(columns.groups > 0));
    pen.put("STATE", theme.title());
    let shown = view.rows.iter().enumerate().skip(view.first);
    for (y, (position, row)) in (1..area.height).zip(shown) {
        let is_selected = view.selected == Some(position);
        if is_selected {
            let line = Rect { y: area.y + y, height: 1, ..area };
            buf.set_style(line, theme.selected());
        }
        let mut pen = Pen::new(buf, area, y, page);
        draw_row(row, is_selected, &columns, view.now, page, &mut pen);
    }
}

struct Columns {
    host: u16,
    groups: u16,
}

/// Groups are shown where there is room for them.
const fn columns(width: u16) -> Columns {
    let groups = if width >= 100 { width / 8 } else { 0 };
    let host = if width < 70 { width / 4 } else { width / 5 };
    Columns { host, groups }
}

const CERTS: u16 = 5;
const ENDS: u16 = 9;
const READ: u16 = 8;

fn draw_row(
    row: &HostRow,
    is_selected: bool,
    columns: &Columns,
    now: Moment,
    page: &Page<'_>,
    pen: &mut Pen<'_>,
) {
    let theme = page.theme;
    let glyphs = theme.glyphs();
    let weight = row.verdict.weight();
    let style = theme.weight(weight);
    let ends = row.ends.map_or_else(|| glyphs.none.to_owned(), |it| left(it.since(now)));
    let read = row.seen_at.map(|it| format!("{} ago", human(now.since(it).max(0))));
    pen.column(if is_selected { glyphs.selected } else { " " }, 1, style).skip(1);
    pen.column(glyphs.weight(weight), 1, style).skip(1);
    pen.column(&page.shown(row.name.as_str()), columns.host, theme.text()).skip(1);
    pen.column(&format!("{:>5}", row.places), CERTS, theme.text()).skip(1);
    pen.column(&ends, ENDS, style).skip(1);
    pen.column(read.as_deref().unwrap_or("never"), READ, theme.dim()).skip(1);
    pen.column(&page.shown(row.groups.as_str()), columns.groups, theme.dim());
    pen.skip(u16::from(columns.groups > 0));
    pen.column(row.verdict.word(), VERDICT, style).skip(1);
    let plain = if weight == Weight::Fine { theme.dim() } else { theme.text() };
    pen.put(&page.shown(row.state.as_str()), plain);
}

/// `unreachable`, the longest verdict.
const VERDICT: u16 = 11;

/// How the last visit went, or else what renews certificates there.
fn state(host: &Host) -> SafeText {
    match &host.reach {
        Reach::Down(why) => return why.text.clone(),
        Reach::Never => return SafeText::new("not read yet"),
        Reach::Up => {}
    }
    if let Some(problem) = host.problems.first() {
        return problem.text.clone();
    }
    let clients = host.automation.iter().map(|it| {
        let version = it.version.as_ref().map_or("", |it| it.as_str());
        let trigger = it.schedule.triggers.first();
        let started = trigger.map_or_else(
            || "started by nothing".to_owned(),
            |it| format!("{} {}", it.name, it.state),
        );
        format!("{} {version}, {started}", it.source)
    });
    let text = clients.collect::<Vec<_>>().join("; ");
    SafeText::new(if text.is_empty() { "nothing renews certificates here" } else { &text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample::{self, NOW};

    #[test]
    fn hosts_have_the_worst_of_their_places() {
        let (fleet, diagnosis) = sample::prod_eu();
        let rows = rows(&fleet, &diagnosis, &Filter::default(), NOW);
        assert_eq!(rows.len(), 18);
        let of = |name: &str| rows.iter().find(|it| it.name.as_str() == name).unwrap();
        assert_eq!(rows[0].verdict, Verdict::Expired);
        assert_eq!(of("edge-fra-2").verdict, Verdict::Overdue);
        assert_eq!(of("edge-syd-1").verdict, Verdict::Unreachable);
        assert_eq!(of("new-waw-1").verdict, Verdict::Unknown);
        assert_eq!(of("edge-fra-1").state, "certbot 2.1.0, certbot.timer active");
        assert!(rows.iter().map(|it| Reverse(it.verdict.weight())).is_sorted());
    }
}
