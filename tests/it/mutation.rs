//! Ten thousand damaged certificates and chains, the same ones each time, through everything that
//! reads, judges and shows them: nothing panics, no foreign byte comes through, and wherever
//! openssl can read one too, both tell the same.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use certdeck::diagnose::{self, Diagnosis};
use certdeck::filter::Filter;
use certdeck::fleet::{
    Certificate, Chain, Fingerprint, Fleet, Host, HostName, Moment, Outcome, Place, Probe, Roots,
    Seen, Sighting, Vantage, Visit,
};
use certdeck::report::{self, Report};
use certdeck::text::SafeText;
use certdeck::tui::part::Page;
use certdeck::tui::part::detail::{self, Pane, Subject};
use certdeck::tui::part::timeline::{self, TimelineView};
use certdeck::tui::part::window::Window;
use certdeck::tui::rows::{Arrangement, Rows};
use certdeck::tui::theme::{Depth, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::certificate;
use crate::fuzz_seeds::{Numbers, mutate};

/// How many are made.
const COUNT: usize = 10_000;
/// How many places one host has.
const PER_HOST: usize = 100;
/// How many of those that can be read openssl must be able to read too, so that the comparison
/// is worth something.
const LEAST_COMPARED: usize = 3000;
const NOW: Moment = Moment::from_unix(1_795_403_564);

type Ders = Vec<CertificateDer<'static>>;

#[test]
fn damaged_certificates_do_no_harm_and_are_read_as_openssl_reads_them() {
    let (seeds, roots) = seeds();
    let mut numbers = Numbers(7);
    let mut readable = HashMap::new();
    for number in (0..COUNT).step_by(PER_HOST) {
        let mut places = Vec::new();
        for number in number..number + PER_HOST {
            let seed = &seeds[number % seeds.len()];
            let ders = damaged(seed, &mut numbers);
            for der in &ders {
                if let Ok(it) = Certificate::read(der) {
                    readable.insert(it.sha256, (it, der.clone()));
                }
            }
            if let Ok(chain) = Chain::read(&ders, &roots) {
                places.push(place(number, Arc::new(chain)));
            }
        }
        show(places);
    }
    let whole: Vec<_> = readable.values().map(|it| &it.1).collect();
    let told = openssl(&whole);
    let compared = told.iter().filter(|(sha256, it)| {
        let Some((ours, _)) = readable.get(*sha256) else { return false };
        assert_same(ours, it);
        true
    });
    let compared = compared.count();
    assert!(compared > LEAST_COMPARED, "{compared} of {}", readable.len());
}

/// Real and odd certificates, each a chain of one; and chains with a root that is known.
fn seeds() -> (Vec<Ders>, Roots) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/certificate");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    paths.sort();
    let mut seeds: Vec<Ders> = paths
        .iter()
        .filter_map(|it| match it.extension()?.to_str()? {
            "der" => Some(vec![fs::read(it).unwrap().into()]),
            "pem" => Some(CertificateDer::pem_file_iter(it).unwrap().map(Result::unwrap).collect()),
            _ => None,
        })
        .collect();
    let whole = seeds.iter().find(|it| it.len() == 3).unwrap().clone();
    let mut roots = Roots::none();
    assert!(roots.add(&whole[2]));
    let chain = Chain::read(&whole, &roots).unwrap();
    assert_eq!(chain.trust.anchor.unwrap().as_str(), "CN=root");
    // More of what has more than one part.
    seeds.extend([&whole[..], &whole[..2], &whole[..2], &whole[..2]].map(<[_]>::to_vec));
    (seeds, roots)
}

/// A copy with something wrong in one certificate. Mostly bytes are changed where they stand, so
/// that the rest can still be read; sometimes parts are cut, moved or doubled.
fn damaged(seed: &Ders, numbers: &mut Numbers) -> Ders {
    let mut ders = seed.clone();
    let at = numbers.below(ders.len());
    let mut bytes = ders[at].to_vec();
    if numbers.below(5) == 0 {
        bytes = mutate(&bytes, numbers);
    } else {
        for _ in 0..=numbers.below(3) {
            // What is told of a certificate mostly stands in its first part.
            let end = if numbers.below(3) == 0 { bytes.len() } else { bytes.len().min(300) };
            let at = numbers.below(end);
            bytes[at] = match numbers.below(3) {
                0 => bytes[at].wrapping_add(1),
                1 => bytes[at] ^ 1 << numbers.below(8),
                _ => u8::try_from(numbers.below(256)).unwrap(),
            };
        }
    }
    ders[at] = bytes.into();
    if numbers.below(50) == 0 {
        ders.reverse();
    }
    ders
}

/// A place of which every layer shows that chain.
fn place(number: usize, chain: Arc<Chain>) -> Place {
    let name = SafeText::new(&format!("place-{number}"));
    let mut place = Place::new("certbot", name);
    let location = SafeText::new("/etc/letsencrypt/live/x/fullchain.pem");
    let sighting = Sighting { chain, location, at: NOW };
    place.layers.issued = Some(sighting.clone());
    place.layers.disk = Some(sighting);
    place
}

/// Takes them in, and has everything made of them that people and programs see.
fn show(places: Vec<Place>) {
    let name = HostName::new("web-01");
    let probes = places.iter().flat_map(|it| {
        let disk = it.layers.disk.as_ref().unwrap();
        [Vantage::Loopback, Vantage::Public].map(|vantage| Probe {
            name: disk.chain.leaf.names.first().cloned().unwrap_or_default(),
            vantage,
            address: SafeText::new("192.0.2.1:443"),
            is_told: true,
            is_added: false,
            at: NOW,
            served: Ok(disk.chain.clone()),
        })
    });
    let probes = Some(probes.collect());
    let mut fleet = Fleet::new([Host::new(name.clone(), "web-01", &[])]);
    let outcome = Outcome::Seen(Box::new(Seen { places, ..Seen::default() }));
    fleet.apply(Visit { host: name, at: NOW, outcome, probes });
    let diagnosis = diagnose::diagnose(&fleet, NOW);
    let filter = Filter::default();
    for kind in report::ALL {
        let page = report::Page::default();
        let (fleet, diagnosis) = (&fleet, &diagnosis);
        let report = Report { fleet, diagnosis, now: NOW, filter: &filter, page };
        let mut out = Vec::new();
        (kind.write)(&report, &mut out).unwrap();
        check_text(&String::from_utf8(out).unwrap());
    }
    draw(&fleet, &diagnosis, &filter);
}

fn draw(fleet: &Fleet, diagnosis: &Diagnosis, filter: &Filter) {
    let theme = Theme::named("dark", Depth::True, false).unwrap();
    let page = Page { theme: &theme, mask: None };
    let area = Rect::new(0, 0, 120, 40);
    let mut buf = Buffer::empty(area);
    let rows = Rows::build(fleet, diagnosis, filter, &Arrangement::default(), NOW);
    let view = TimelineView {
        rows: &rows,
        first: 0,
        selected: Some(1),
        marked: &|_| false,
        window: Window::around(NOW),
        cursor: None,
        now: NOW,
    };
    timeline::draw(&view, &page, area, &mut buf);
    check_drawn(&buf);
    for (number, ((host, place), verdict)) in fleet.places().zip(&diagnosis.places).enumerate() {
        let findings: Vec<_> =
            diagnosis.findings.iter().filter(|it| it.place.as_ref() == Some(&place.name)).collect();
        let subject = Subject {
            host,
            place: Some(place),
            verdict: *verdict,
            findings: &findings,
            dry_run: None,
            expiries: &[],
            now: NOW,
        };
        // Each pane in turn: all of them of each would take minutes.
        let pane = Pane::ALL[number % Pane::ALL.len()];
        let mut buf = Buffer::empty(area);
        detail::draw(&detail::place(&subject, pane, &page), 0, &page, area, &mut buf);
        check_drawn(&buf);
    }
}

#[track_caller]
fn check_drawn(buf: &Buffer) {
    for cell in &buf.content {
        assert!(cell.symbol().chars().all(|it| !it.is_control()), "{:?}", cell.symbol());
    }
}

#[track_caller]
fn check_text(text: &str) {
    let is_foul = |it: char| it.is_control() && it != '\n' && it != '\r';
    assert!(!text.contains(is_foul), "{text:?}");
}

/// What openssl says of a certificate.
#[derive(Debug)]
struct Told {
    /// `None` where openssl says that it is no time.
    not_before: Option<Moment>,
    not_after: Option<Moment>,
    serial: String,
    /// `None` where openssl cannot read the extension, and prints its bytes.
    names: Option<Vec<String>>,
}

/// What openssl says of those of these that it can read, by fingerprint.
fn openssl(ders: &[&CertificateDer<'static>]) -> HashMap<Fingerprint, Told> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.pem");
    let mut told = HashMap::new();
    for some in ders.chunks(500) {
        fs::write(&path, some.iter().map(|it| pem(it)).collect::<String>()).unwrap();
        let mut openssl = Command::new("openssl");
        let output = openssl.args(["storeutl", "-certs", "-text"]).arg(&path).output().unwrap();
        // It tells of each what it says, and then what it read.
        let text = String::from_utf8_lossy(&output.stdout);
        let mut rest = &*text;
        while let Some((text, after)) = rest.split_once(BEGIN) {
            let (base64, after) = after.split_once(END).unwrap();
            rest = after;
            let whole = format!("{BEGIN}{base64}{END}\n");
            let der = CertificateDer::from_pem_slice(whole.as_bytes()).unwrap();
            told.insert(Fingerprint::of(&der), read(text));
        }
    }
    told
}

/// The kinds of names of RFC 5280, section 4.2.1.6, as openssl calls them.
const KINDS: [&str; 9] = [
    "DNS:",
    "DirName:",
    "EdiPartyName:",
    "IP Address:",
    "Registered ID:",
    "URI:",
    "X400Name:",
    "email:",
    "othername:",
];

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD.encode(der);
    let lines = base64.as_bytes().chunks(64).map(|it| str::from_utf8(it).unwrap());
    format!("{BEGIN}\n{}\n{END}\n", lines.collect::<Vec<_>>().join("\n"))
}

fn read(text: &str) -> Told {
    let after = |key: &str| text.lines().find_map(|it| it.trim_start().strip_prefix(key));
    let time = |key| {
        let text = after(key).unwrap();
        let time = jiff::fmt::strtime::parse("%b %e %H:%M:%S %Y GMT", text).ok()?;
        let time = jiff::tz::Offset::UTC.to_timestamp(time.to_datetime().ok()?).ok()?;
        Some(Moment::from_unix(time.as_second()))
    };
    let mut lines = text.lines().skip_while(|it| !it.contains("Subject Alternative Name:"));
    let line = lines.nth(1).unwrap_or_default().trim();
    let is_unread = !line.is_empty() && !KINDS.iter().any(|it| line.starts_with(it));
    Told {
        not_before: time("Not Before: "),
        not_after: time("Not After : "),
        serial: serial(text),
        names: (!is_unread).then(|| certificate::names(text)),
    }
}

/// The serial as `-serial` prints it: short ones stand in decimal with hex in brackets, long ones
/// as bytes on a line of their own.
fn serial(text: &str) -> String {
    let mut lines = text.lines().skip_while(|it| !it.contains("Serial Number:"));
    let line = lines.next().unwrap();
    let (sign, digits) = if let Some((before, hex)) = line.split_once("0x") {
        (if before.contains('-') { "-" } else { "" }, hex.trim_end_matches(')').to_owned())
    } else {
        let next = lines.next().unwrap().trim();
        let hex = next.trim_start_matches("(Negative)").trim();
        (if next.starts_with('(') { "-" } else { "" }, hex.replace(':', ""))
    };
    format!("{sign}{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" })
}

#[track_caller]
fn assert_same(ours: &Certificate, told: &Told) {
    if let Some(it) = told.not_before {
        assert_eq!(ours.not_before, it, "{ours:?}");
    }
    if let Some(it) = told.not_after {
        assert_eq!(ours.not_after, it, "{ours:?}");
    }
    assert_eq!(ours.serial.as_str(), told.serial, "{ours:?}");
    let Some(names) = &told.names else { return };
    // openssl prints the bytes of names as they are: what separates them may be part of them.
    let is_plain = |it: &str| it.chars().all(|it| it.is_ascii_graphic() && !",\\".contains(it));
    let own: Vec<_> = ours.names.iter().map(SafeText::as_str).collect();
    if own.iter().all(|it| is_plain(it)) && names.iter().all(|it| is_plain(it)) {
        assert_eq!(own, *names, "{ours:?}");
    }
}
