//! Everything about one host: how it was reached, what renews its certificates, what is there.

use std::collections::BTreeSet;

use ratatui::style::Modifier;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::automation;
use super::detail::{self, Subject};
use super::sheet::{Sheet, when};
use crate::fleet::{Certificate, Host, Probe, Site, Vantage, Weight, human};

/// The lines about a host.
pub fn lines(subject: &Subject<'_>, page: &Page<'_>) -> Vec<Line<'static>> {
    let Subject { host, verdict, now, .. } = *subject;
    let mut sheet = Sheet::new(page);
    let weight = verdict.weight();
    let head = format!("{} {verdict}  {}", page.theme.glyphs().weight(weight), host.name);
    sheet.text(0, &head, page.theme.weight(weight).add_modifier(Modifier::BOLD));
    sheet.heading("Host");
    sheet.field("Address", &host.address);
    sheet.maybe("Groups", (!host.groups.is_empty()).then(|| host.groups.join(", ")));
    detail::reading(host, now, page, &mut sheet);
    if let Some(offset) = host.clock_offset {
        clock(offset, page, &mut sheet);
    }
    sheet.heading("Would renew by itself");
    automation::of_host(subject, host, page, &mut sheet);
    if host.places.is_empty() {
        sheet.nothing("no certificate is known");
    }
    sheet.heading("Renewal");
    if host.automation.is_empty() {
        sheet.nothing("nothing that renews certificates was found");
    }
    for it in &host.automation {
        automation::client(it, now, page, &mut sheet);
    }
    servers(host, page, &mut sheet);
    sheet.heading("Certificates");
    if host.places.is_empty() {
        sheet.nothing("none is known");
    }
    let widest = host.places.iter().map(|it| page.shown(it.name.as_str()).width()).max();
    let widest = widest.unwrap_or(0).min(40);
    for place in &host.places {
        let name = page.shown(place.name.as_str());
        let gap = " ".repeat(widest.saturating_sub(name.width()));
        let ends = place.leaf().map(|it: &Certificate| when(it.not_after, now));
        let ends = ends.unwrap_or_else(|| "no certificate was read".to_owned());
        sheet.text(0, &format!("{name}{gap}  {ends}"), page.theme.text());
    }
    for it in &host.problems {
        sheet.styled_field("Problem", it.text.as_str(), page.theme.weight(Weight::Wrong));
    }
    detail::findings(subject, page, &mut sheet);
    sheet.lines()
}

/// The programs that serve TLS, what they load, and what listens beside them.
fn servers(host: &Host, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    sheet.heading("Servers");
    if host.servers.is_empty() {
        sheet.nothing("none whose configuration could be read");
    }
    for it in &host.servers {
        let unit = it.unit.as_ref().map(|it| format!(", {it}")).unwrap_or_default();
        let pid = it.pid.map(|it| format!(", process {it}")).unwrap_or_default();
        sheet.field(it.kind, &format!("{}{unit}{pid}", it.conf));
        for problem in &it.problems {
            sheet.styled_field("", problem.text.as_str(), page.theme.weight(Weight::Due));
        }
        for site in it.sites.iter().take(SITES) {
            self::site(site, page, sheet);
        }
        if let more @ 1.. = it.sites.len().saturating_sub(SITES) {
            sheet.styled_field("", &format!("and {more} more sites"), page.theme.dim());
        }
    }
    if host.listeners.is_empty() {
        return;
    }
    let told: BTreeSet<u16> = host
        .servers
        .iter()
        .flat_map(|it| &it.sites)
        .flat_map(|it| &it.listens)
        .map(|it| it.port)
        .collect();
    let probed: BTreeSet<u16> = host
        .probes
        .iter()
        .filter(|it| it.vantage == Vantage::Loopback && it.served.is_ok())
        .filter_map(Probe::port)
        .collect();
    let ports: BTreeSet<u16> = host.listeners.iter().map(|it| it.port).collect();
    let (known, others): (Vec<u16>, Vec<u16>) =
        ports.into_iter().partition(|it| told.contains(it) || probed.contains(it));
    sheet.field("TLS on", &listed(&known));
    sheet.styled_field("Others", &listed(&others), page.theme.dim());
}

/// One thing that a server serves: for which names, where, and from which files.
fn site(site: &Site, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let names: Vec<&str> = site.names.iter().take(NAMES).map(AsRef::as_ref).collect();
    let more = site.names.len().saturating_sub(NAMES);
    let more = if more > 0 { format!(" +{more}") } else { String::new() };
    let names = if names.is_empty() { "any name".to_owned() } else { names.join(" ") };
    let ports: BTreeSet<u16> = site.listens.iter().map(|it| it.port).collect();
    let ports: Vec<u16> = ports.into_iter().collect();
    sheet.field("", &format!("{names}{more} on {}", listed(&ports)));
    for it in &site.loads {
        let text = format!("loads {} ({})", it.certificate, it.told_at);
        sheet.styled_field("", &text, page.theme.dim());
    }
}

fn listed(ports: &[u16]) -> String {
    if ports.is_empty() {
        return "none".to_owned();
    }
    ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// How many sites of a server, and names of a site, are shown.
const SITES: usize = 50;
const NAMES: usize = 6;

fn clock(offset: i64, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let size = human(offset.saturating_abs());
    let (text, style) = match offset {
        -2..=2 => ("agrees with ours".to_owned(), page.theme.text()),
        ..-2 => (format!("{size} behind ours"), page.theme.weight(Weight::Due)),
        _ => (format!("{size} ahead of ours"), page.theme.weight(Weight::Due)),
    };
    sheet.styled_field("Clock", &text, style);
}
