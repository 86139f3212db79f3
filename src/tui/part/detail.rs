//! Everything about one place or host, in panes of lines that can be scrolled.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;

pub use super::host::lines as host;
pub use super::sheet::{draw, draw_cut, height, settled};

use super::Page;
use super::automation;
use super::layers;
use super::pen::Pen;
use super::sheet::{Sheet, when};
use crate::diagnose::Finding;
use crate::fleet::{
    Certificate, Chain, ChainFault, DryRun, Expiry, Host, Moment, Place, Reach, Verdict, Weight,
    human,
};
use crate::text::SafeText;

/// A pane of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// What it is and how it is.
    #[default]
    Overview,
    /// What each layer shows.
    Layers,
    /// The certificates after the leaf.
    Chain,
    /// The versions that are kept.
    History,
    /// What runs before and after a renewal.
    Hooks,
    /// What the client says of its last failure.
    Log,
    /// Every field as it was read.
    Raw,
}

impl Pane {
    /// Every pane, in the order of their tabs.
    pub const ALL: [Self; 7] = [
        Self::Overview,
        Self::Layers,
        Self::Chain,
        Self::History,
        Self::Hooks,
        Self::Log,
        Self::Raw,
    ];

    /// Its title.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Layers => "Layers",
            Self::Chain => "Chain",
            Self::History => "History",
            Self::Hooks => "Hooks",
            Self::Log => "Log",
            Self::Raw => "Raw",
        }
    }
}

/// What a detail is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The host.
    pub host: &'a Host,
    /// The place; `None` for the host itself.
    pub place: Option<&'a Place>,
    /// The verdict of the place.
    pub verdict: Verdict,
    /// What was found of it.
    pub findings: &'a [&'a Finding],
    /// The other things that expire, as far as renewals hang on them.
    pub expiries: &'a [Expiry],
    /// The last dry run of the place that the audit log tells of.
    pub dry_run: Option<DryRun>,
    /// The present.
    pub now: Moment,
}

/// The lines of a pane of a place.
pub fn place(subject: &Subject<'_>, pane: Pane, page: &Page<'_>) -> Vec<Line<'static>> {
    let mut sheet = Sheet::new(page);
    if let Some(place) = subject.place {
        match pane {
            Pane::Overview => overview(subject, place, page, &mut sheet),
            Pane::Layers => layers::full(place, subject.now, page, &mut sheet),
            Pane::Chain => chain(subject, place, page, &mut sheet),
            Pane::History => history(subject, place, page, &mut sheet),
            Pane::Hooks => hooks(subject, place, page, &mut sheet),
            Pane::Log => log(subject, place, page, &mut sheet),
            Pane::Raw => raw(place, &mut sheet),
        }
    }
    sheet.lines()
}

/// Draws the tabs of a place in the first line of the area.
pub fn draw_tabs(chosen: Pane, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let mut pen = Pen::new(buf, area, 0, page);
    for pane in Pane::ALL {
        let style = if pane == chosen { page.theme.badge() } else { page.theme.dim() };
        pen.put(&format!(" {} ", pane.word()), style);
    }
}

fn overview(subject: &Subject<'_>, place: &Place, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let Subject { host, verdict, now, .. } = *subject;
    let weight = verdict.weight();
    let sign = page.theme.glyphs().weight(weight);
    let head = format!("{sign} {verdict}  {} on {}", place.name, host.name);
    sheet.text(0, &head, page.theme.weight(weight).add_modifier(Modifier::BOLD));
    // The cause is read before anything else, and before anything is done.
    subject.findings.iter().for_each(|it| found(it, page, sheet));
    if place.nearest().is_some() {
        sheet.heading("Layers");
        layers::brief(place, now, page, sheet);
    }
    sheet.heading("Certificate");
    match place.nearest() {
        Some(seen) => life(&seen.chain, place, now, sheet),
        None => {
            sheet.nothing("none was read");
        }
    }
    for it in &place.problems {
        sheet.styled_field("Problem", it.text.as_str(), page.theme.weight(Weight::Wrong));
    }
    sheet.heading("Where");
    sheet.field("Host", host.name.as_str()).field("Source", place.source);
    let layers = &place.layers;
    sheet.maybe("File", layers.disk.as_ref().or(layers.issued.as_ref()).map(|it| &it.location));
    sheet.maybe("Key file", place.key.as_ref().map(|it| &it.path));
    sheet.maybe("Key", place.key_matches().map(matching));
    stores(host, place, now, sheet);
    reading(host, now, page, sheet);
    sheet.heading("Renewal");
    automation::of_place(subject, place, page, sheet);
    if subject.findings.iter().any(|it| !it.evidence.is_empty()) {
        sheet.heading("Evidence");
    }
    for it in subject.findings {
        evidence(it.verdict.word(), it, page, sheet);
    }
}

/// What the stores hold that it is delivered to.
fn stores(host: &Host, place: &Place, now: Moment, sheet: &mut Sheet<'_>) {
    for it in &place.stored {
        let disk = place.layers.disk.as_ref();
        let holds = disk.and_then(|disk| it.holds(&disk.chain));
        let lags = disk.and_then(|disk| it.lags(&host.name, &place.name, &disk.chain));
        let what = match (holds, lags) {
            (Some(true), _) => "holds what is on the disk",
            (Some(false), Some(false)) => "holds that of another host, which ends no sooner",
            (Some(false), _) => "does not hold what is on the disk",
            (None, _) => "not known what it holds",
        };
        let asked = when(it.at, now);
        sheet.field("Store", &format!("{}, {}: {what}; asked {asked}", it.store, it.path));
    }
}

/// What is said first of any certificate.
fn life(chain: &Chain, place: &Place, now: Moment, sheet: &mut Sheet<'_>) {
    let leaf: &Certificate = &chain.leaf;
    let names: Vec<&str> = leaf.names.iter().map(SafeText::as_str).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join("  ") };
    sheet.field("Names", &names);
    sheet.field("Issuer", leaf.authority());
    sheet.field("Ends", &when(leaf.not_after, now));
    sheet.maybe("Chain ends", chain.trust.until.map(|it| when(it, now)));
    sheet.field("Began", &when(leaf.not_before, now));
    sheet.field("Lives", &human(leaf.lifetime()));
    sheet.field("Due", &when(place.renewal_opens(leaf), now));
    if let Some(window) = place.window_of(leaf) {
        let until = human(window.end.since(window.start));
        sheet.field("Window", &format!("the CA wants it to be renewed then, within {until}"));
        sheet.maybe("CA says", window.explanation.as_ref());
    }
    sheet.field("Kind", &leaf.key.to_string());
    sheet.field("Serial", leaf.serial.as_str());
    sheet.field("SHA-256", &leaf.sha256.to_string());
}

const fn matching(it: bool) -> &'static str {
    if it { "matches the certificate" } else { "does not match the certificate" }
}

pub(super) fn reading(host: &Host, now: Moment, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    match &host.reach {
        Reach::Down(why) => {
            let style = page.theme.weight(Weight::Unknown);
            sheet.styled_field("Reach", why.text.as_str(), style);
            sheet.maybe("Try", why.hint.as_ref());
            sheet.maybe("Tried", host.tried_at.map(|it| when(it, now)));
        }
        Reach::Never => {
            sheet.field("Reach", "not read yet");
        }
        Reach::Up => {}
    }
    sheet.maybe("Read", host.seen_at.map(|it| when(it, now)));
}

/// What was found, with causes and remedies.
pub(super) fn findings(subject: &Subject<'_>, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    if subject.findings.is_empty() {
        return;
    }
    sheet.heading("Findings");
    for it in subject.findings {
        found(it, page, sheet);
        evidence("", it, page, sheet);
    }
}

/// What was found, why it is so, and what would mend it.
fn found(it: &Finding, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let style = page.theme.weight(it.verdict.weight());
    sheet.styled_field(it.severity.word(), it.summary.as_str(), style);
    sheet.field("", it.cause.as_str());
    sheet.maybe("known", it.ack.as_ref().map(ToString::to_string));
    if !it.remedies.is_empty() {
        let arrow = format!(" {} ", page.theme.glyphs().arrow);
        let names: Vec<_> = it.remedies.iter().map(|it| it.action).collect();
        sheet.field("would mend", &names.join(&arrow));
    }
}

/// By what that is known.
fn evidence(label: &str, it: &Finding, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    for (number, line) in it.evidence.iter().enumerate() {
        let label = if number == 0 { label } else { "" };
        sheet.styled_field(label, line.as_str(), page.theme.dim());
    }
}

fn chain(subject: &Subject<'_>, place: &Place, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let Some(seen) = place.nearest() else {
        sheet.nothing("no chain was read");
        return;
    };
    let Chain { leaf, rest, fault, trust } = &*seen.chain;
    sheet.field("As seen at", seen.location.as_str());
    match fault {
        Some(it) => {
            sheet.styled_field("Whole", fault_words(*it), page.theme.weight(Weight::Wrong));
        }
        None => {
            sheet.field("Whole", "yes");
        }
    }
    let unknown = "to no root that is known here, as with an authority of one's own";
    sheet.field(
        "Leads",
        &trust.anchor.as_ref().map_or_else(|| unknown.to_owned(), |it| format!("to {it}")),
    );
    sheet.field("Leaf ends", &when(leaf.not_after, subject.now));
    sheet.maybe("Chain ends", trust.until.map(|it| when(it, subject.now)));
    let all = std::iter::once(leaf).chain(rest);
    for (number, it) in all.enumerate() {
        sheet.heading(&format!("{number}  {}", it.subject));
        sheet.field("Issuer", it.issuer.as_str());
        let is_over = it.not_after < subject.now;
        let weight = if is_over { Weight::Expired } else { Weight::Fine };
        let style = if is_over { page.theme.weight(weight) } else { page.theme.text() };
        sheet.styled_field("Ends", &when(it.not_after, subject.now), style);
        sheet.field("Kind", &it.key.to_string()).field("SHA-256", &it.sha256.to_string());
    }
}

pub(super) const fn fault_words(fault: ChainFault) -> &'static str {
    match fault {
        ChainFault::NoIntermediate => "the intermediate is missing",
        ChainFault::WrongIntermediate => "an intermediate did not sign the certificate before it",
        ChainFault::WrongOrder => "the certificates are not in the order of their signatures",
    }
}

fn history(subject: &Subject<'_>, place: &Place, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let in_use = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
    if place.versions.is_empty() {
        sheet.nothing("no versions are kept");
    }
    for version in place.versions.iter().rev() {
        let Some(it) = &version.certificate else {
            sheet.heading(&format!("Version {}", version.number));
            sheet.text(0, "could not be read", page.theme.weight(Weight::Unknown));
            continue;
        };
        let used = if in_use == Some(it.sha256) { ", in use" } else { "" };
        sheet.heading(&format!("Version {}{used}", version.number));
        sheet.field("Began", &when(it.not_before, subject.now));
        sheet.field("Ends", &when(it.not_after, subject.now));
        sheet.field("Issuer", it.authority()).field("SHA-256", &it.sha256.to_string());
    }
}

fn hooks(subject: &Subject<'_>, place: &Place, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let own = place.renewal.iter().flat_map(|it| &it.hooks);
    for it in own {
        sheet.field(&it.stage.to_string(), it.command.as_str());
    }
    let shared = subject.host.automation.iter().filter(|it| it.source == place.source);
    for it in shared.flat_map(|it| &it.hooks) {
        let plain = page.theme.text();
        let style = if it.is_executable { plain } else { page.theme.weight(Weight::Due) };
        let text = format!("{} (mode {:04o})", it.path, it.mode);
        sheet.styled_field(&it.stage.to_string(), &text, style);
        if !it.is_executable {
            sheet.styled_field("", "will not run: it is not executable", style);
        }
    }
    if sheet.is_empty() {
        sheet.nothing("no hooks");
    }
}

fn log(subject: &Subject<'_>, place: &Place, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    let failure = place.last_failure();
    let Some(it) = failure else {
        sheet.nothing("no failure is on record since it was last renewed");
        return;
    };
    sheet.heading("Last failure");
    sheet.maybe("When", it.at.map(|it| when(it, subject.now)));
    sheet.text(0, it.text.as_str(), page.theme.weight(Weight::Wrong));
}

fn raw(place: &Place, sheet: &mut Sheet<'_>) {
    let Some(seen) = place.nearest() else {
        sheet.nothing("no certificate was read");
        return;
    };
    for it in std::iter::once(&seen.chain.leaf).chain(&seen.chain.rest) {
        sheet.heading(if it.is_ca { "CA certificate" } else { "Certificate" });
        sheet.field("subject", it.subject.as_str()).field("issuer", it.issuer.as_str());
        sheet.field("serial", it.serial.as_str());
        sheet.field("not before", &it.not_before.to_string());
        sheet.field("not after", &it.not_after.to_string());
        sheet.field("key", &it.key.to_string());
        for name in &it.names {
            sheet.field("name", name.as_str());
        }
        sheet.field("sha256", &it.sha256.to_string());
        sheet.field("spki sha256", &it.spki_sha256.to_string());
    }
}
