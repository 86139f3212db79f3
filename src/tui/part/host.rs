//! Everything about one host: how it was reached, what renews its certificates, what is there.

use ratatui::style::Modifier;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::detail::{self, Subject};
use super::sheet::{Sheet, when};
use crate::fleet::{Certificate, Weight, human};

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
    sheet.heading("Renewal");
    if host.automation.is_empty() {
        sheet.nothing("nothing that renews certificates was found");
    }
    for it in &host.automation {
        detail::schedule(it, now, page, &mut sheet);
        for hook in &it.hooks {
            let plain = page.theme.text();
            let style = if hook.is_executable { plain } else { page.theme.weight(Weight::Due) };
            let note = if hook.is_executable { "" } else { ", not executable: will not run" };
            let text = format!("{} {} (mode {:04o}{note})", hook.stage, hook.path, hook.mode);
            sheet.styled_field("Hook", &text, style);
        }
    }
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

fn clock(offset: i64, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let size = human(offset.saturating_abs());
    let (text, style) = match offset {
        -2..=2 => ("agrees with ours".to_owned(), page.theme.text()),
        ..-2 => (format!("{size} behind ours"), page.theme.weight(Weight::Due)),
        _ => (format!("{size} ahead of ours"), page.theme.weight(Weight::Due)),
    };
    sheet.styled_field("Clock", &text, style);
}
