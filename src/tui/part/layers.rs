//! The four layers of a certificate side by side, with what differs marked, and every address.

use std::borrow::Cow;

use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use super::Page;
use super::sheet::{Sheet, when};
use crate::fleet::{
    Chain, ChainFault, Fingerprint, Moment, Place, Probe, Sighting, Vantage, Weight, human,
};

/// One layer: its title, what it shows, and how many other answers it gives.
struct Column<'a> {
    title: &'static str,
    seen: Option<&'a Sighting>,
}

/// A line of the table: what is compared, and what is shown of it.
struct Row {
    label: &'static str,
    /// Whether it is told in a few lines, too.
    is_brief: bool,
    value: fn(&Sighting, Moment) -> String,
}

/// From the newest that was issued to what clients get. Of several addresses, one that shows
/// something else than the disk comes first.
fn columns(place: &Place) -> [Column<'_>; 4] {
    let layers = &place.layers;
    let disk = layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
    let other = layers.wire.iter().find(|it| Some(it.chain.leaf.sha256) != disk);
    let wire = other.filter(|_| !all_agree(place, Vantage::Public)).or_else(|| layers.wire.first());
    [
        Column { title: "Issued", seen: layers.issued.as_ref() },
        Column { title: "On disk", seen: layers.disk.as_ref() },
        Column { title: "Loaded", seen: layers.loaded.as_ref() },
        Column { title: "On wire", seen: wire },
    ]
}

/// Whether every address shows what is on disk, to some clients at least: a server with keys of
/// two kinds shows either.
fn all_agree(place: &Place, vantage: Vantage) -> bool {
    let Some(disk) = &place.layers.disk else { return true };
    let probes: Vec<Probe> =
        place.probes.iter().filter(|it| it.vantage == vantage).cloned().collect();
    Probe::other(&probes, disk.chain.leaf.sha256).is_none()
}

static ROWS: &[Row] = &[
    Row { label: "Serial", is_brief: true, value: |it, _| it.chain.leaf.serial.to_string() },
    Row { label: "SHA-256", is_brief: false, value: |it, _| it.chain.leaf.sha256.to_string() },
    Row { label: "Issuer", is_brief: false, value: |it, _| it.chain.leaf.authority().to_owned() },
    Row { label: "Names", is_brief: false, value: |it, _| names(&it.chain) },
    Row { label: "Key", is_brief: false, value: |it, _| it.chain.leaf.key.to_string() },
    Row { label: "Began", is_brief: false, value: |it, _| it.chain.leaf.not_before.to_string() },
    Row { label: "Ends", is_brief: true, value: |it, _| it.chain.leaf.not_after.to_string() },
    Row { label: "Left", is_brief: true, value: |it, now| human(it.chain.leaf.left(now)) },
    Row { label: "Chain", is_brief: true, value: |it, _| chain(&it.chain).to_owned() },
    Row { label: "Until", is_brief: false, value: |it, _| chain_end(&it.chain) },
    Row { label: "Root", is_brief: false, value: |it, _| root(&it.chain) },
    Row { label: "Seen", is_brief: false, value: |it, now| human(now.since(it.at)) + " ago" },
];

/// Rows of which layers differ by nature.
const NOT_COMPARED: &[&str] = &["Left", "Seen"];

/// The names in order, so that the same in another order are the same.
fn names(chain: &Chain) -> String {
    let mut names: Vec<&str> = chain.leaf.names.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    format!("{} {}", names.len(), names.join(" "))
}

const fn chain(chain: &Chain) -> &'static str {
    match chain.fault {
        None => "complete",
        Some(ChainFault::NoIntermediate) => "none",
        Some(ChainFault::WrongIntermediate) => "wrong",
        Some(ChainFault::WrongOrder) => "disordered",
    }
}

/// When the first certificate above the leaf ends: on the way to the root, or of those that are
/// sent where no root is known.
fn chain_end(chain: &Chain) -> String {
    let sent = || chain.rest.iter().map(|it| it.not_after).min();
    chain.trust.until.or_else(sent).map_or_else(|| "-".to_owned(), |it| it.to_string())
}

fn root(chain: &Chain) -> String {
    chain.trust.anchor.as_ref().map_or_else(|| "not known".to_owned(), ToString::to_string)
}

/// The layers side by side in as few lines as possible.
pub(super) fn brief(place: &Place, now: Moment, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    table(place, now, page, sheet, |it| it.is_brief);
}

/// Everything about the layers.
pub(super) fn full(place: &Place, now: Moment, page: &Page<'_>, sheet: &mut Sheet<'_>) {
    table(place, now, page, sheet, |_| true);
    let sign = page.theme.glyphs().weight(Weight::Wrong);
    let dim = page.theme.dim();
    sheet.text(0, &format!("{sign} differs from the layer at its left; - was not seen"), dim);
    for (vantage, title) in [
        (Vantage::Public, "On the wire, address by address, as seen from here"),
        (Vantage::Loopback, "On the host, as its processes serve it"),
    ] {
        addresses(place, vantage, title, now, page, sheet);
    }
    let columns = columns(place);
    for column in &columns {
        let Some(seen) = column.seen else { continue };
        let leaf = &seen.chain.leaf;
        sheet.heading(column.title);
        sheet.field("Where", seen.location.as_str());
        sheet.field("Leaf ends", &when(leaf.not_after, now));
        let until = seen.chain.trust.until;
        sheet.maybe("Chain ends", until.map(|it| when(it, now)));
        sheet.field("SHA-256", &leaf.sha256.to_string());
        sheet.field("Seen", &when(seen.at, now));
    }
}

fn table(
    place: &Place,
    now: Moment,
    page: &Page<'_>,
    sheet: &mut Sheet<'_>,
    is_wanted: fn(&Row) -> bool,
) {
    let theme = page.theme;
    let columns = columns(place);
    let titles = columns.iter().map(|it| (format!("  {}", it.title), theme.title()));
    sheet.cells("", (LABEL, CELL), titles);
    for row in ROWS.iter().filter(|it| is_wanted(it)) {
        let mut before: Option<String> = None;
        let cells = columns.iter().map(|it| {
            let Some(seen) = it.seen else { return ("  -".to_owned(), theme.dim()) };
            let value = (row.value)(seen, now);
            let differs = before.as_ref().is_some_and(|it| *it != value)
                && !NOT_COMPARED.contains(&row.label);
            let text = short(row.label, &value, page).into_owned();
            before = Some(value);
            if differs {
                let sign = theme.glyphs().weight(Weight::Wrong);
                (format!("{sign} {text}"), theme.weight(Weight::Wrong))
            } else {
                (format!("  {text}"), style(row.label, seen, now, page))
            }
        });
        let cells: Vec<_> = cells.collect();
        sheet.cells(row.label, (LABEL, CELL), cells);
    }
}

/// Ends that have passed and chains that are not whole stand out.
fn style(label: &str, seen: &Sighting, now: Moment, page: &Page<'_>) -> Style {
    let is_over = match label {
        "Ends" | "Left" => seen.chain.leaf.not_after < now,
        "Chain" => seen.chain.fault.is_some(),
        "Until" => seen.chain.expired_intermediate(now).is_some(),
        _ => false,
    };
    if is_over { page.theme.weight(Weight::Expired) } else { page.theme.text() }
}

/// What tells a value from others in the cells that there are.
fn short<'t>(label: &str, value: &'t str, page: &Page<'_>) -> Cow<'t, str> {
    let room = usize::from(CELL) - 3;
    match label {
        "Began" | "Ends" | "Until" => Cow::Borrowed(value.split('T').next().unwrap_or_default()),
        "Names" => Cow::Borrowed(value.split(' ').next().unwrap_or_default()),
        "SHA-256" => Cow::Borrowed(value.get(..room).unwrap_or(value)),
        _ => page.tail(value, room),
    }
}

/// The cells of a label and of a layer: the table fits into the smallest window.
const LABEL: u16 = 7;
const CELL: u16 = 13;

fn addresses(
    place: &Place,
    vantage: Vantage,
    title: &str,
    now: Moment,
    page: &Page<'_>,
    sheet: &mut Sheet<'_>,
) {
    let probes: Vec<&Probe> = place.probes.iter().filter(|it| it.vantage == vantage).collect();
    sheet.heading(title);
    if probes.is_empty() {
        sheet.nothing("not looked at");
        return;
    }
    let disk = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
    let widest = probes.iter().map(|it| it.address.as_str().width()).max().unwrap_or(0);
    for it in &probes {
        let (weight, text) = answer(it, &probes, disk, now, page);
        let style = match weight {
            Weight::Fine => page.theme.text(),
            weight => page.theme.weight(weight),
        };
        let gap = " ".repeat(widest.saturating_sub(it.address.as_str().width()));
        let head = format!("{} {}{gap}  ", page.theme.glyphs().weight(weight), it.address);
        let asked = if is_first_name(it, place) { String::new() } else { format!("{}: ", it.name) };
        let added = if it.is_added { "; added by the inventory" } else { "" };
        sheet.pair((&head, style), (&format!("{asked}{text}{added}"), style));
    }
}

fn is_first_name(probe: &Probe, place: &Place) -> bool {
    let leaf = place.layers.disk.as_ref().map(|it| &it.chain.leaf);
    leaf.and_then(|it| it.names.first()).is_some_and(|it| *it == probe.name)
}

/// What came from an address, and how that is.
fn answer(
    probe: &Probe,
    all: &[&Probe],
    disk: Option<Fingerprint>,
    now: Moment,
    page: &Page<'_>,
) -> (Weight, String) {
    let chain = match &probe.served {
        Err(why) => return (Weight::Unknown, why.to_string()),
        Ok(chain) => chain,
    };
    let leaf = &chain.leaf;
    let is_disk = |it: &Probe| it.leaf() == disk;
    let at_this = |it: &&&Probe| (&it.address, &it.name) == (&probe.address, &probe.name);
    let (weight, what) = if disk.is_none() || is_disk(probe) {
        (Weight::Fine, "as on disk".to_owned())
    } else if all.iter().filter(at_this).any(|it| is_disk(it)) {
        (Weight::Fine, format!("its {} twin", leaf.key))
    } else {
        let serial = page.tail(leaf.serial.as_str(), 10).into_owned();
        (Weight::Wrong, format!("another certificate, {serial} by {}", leaf.authority()))
    };
    let what = if disk.is_none() { "served".to_owned() } else { what };
    let left = leaf.left(now);
    let over = if left < 0 { "expired" } else { "ends" };
    let weight = if left < 0 { Weight::Expired } else { weight };
    let age = human(now.since(probe.at));
    let mut text = format!("{what}; {over} {}", when(leaf.not_after, now));
    if let Some(fault) = chain.fault {
        text.push_str("; ");
        text.push_str(super::detail::fault_words(fault));
    }
    if let Some(until) = chain.trust.until.filter(|it| *it < leaf.not_after) {
        text.push_str("; its chain ends ");
        text.push_str(&when(until, now));
    }
    (weight, format!("{text}; seen {age} ago"))
}
