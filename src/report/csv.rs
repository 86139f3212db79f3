//! CSV: one line per place, and one per host of which no place is known. Text that a spreadsheet
//! would take for a formula is quoted with an apostrophe.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use super::{Kind, Report};
use crate::diagnose::Finding;
use crate::fleet::{Host, Moment, Place, Reach, Sighting, Verdict};

pub(super) const KIND: Kind =
    Kind { name: "csv", about: "one line per certificate, for spreadsheets", write };

fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    let shown = report.shown();
    let findings = shown.findings;
    for shown in shown.hosts {
        let mut line = |place, verdict| {
            let mut record = record(shown.host, place, verdict, report.now).to_vec();
            record.push(known(&findings, shown.host, place));
            table.write_record(record.iter().map(AsRef::<str>::as_ref))
        };
        if shown.places.is_empty() {
            line(None, shown.verdict)?;
        }
        for (place, verdict) in shown.places {
            line(Some(place), verdict)?;
        }
    }
    table.flush()
}

/// What somebody has said about findings of the place, or of the whole host.
fn known<'a>(findings: &[&Finding], host: &Host, place: Option<&Place>) -> Cow<'a, str> {
    let is_here = |it: &&&Finding| {
        let at = it.place.as_ref();
        it.host == host.name && at.is_none_or(|at| place.is_some_and(|it| it.name == *at))
    };
    let all = findings.iter().filter(is_here).filter_map(|it| it.ack.as_ref());
    let all: Vec<_> = all.map(|it| format!("{}: {it}", it.id.rule)).collect();
    Cow::Owned(guarded(&all.join("; ")).into_owned())
}

const COLUMNS: [&str; 22] = [
    "host",
    "address",
    "groups",
    "reach",
    "error",
    "seen_at",
    "source",
    "certificate",
    "verdict",
    "left_seconds",
    "not_before",
    "not_after",
    "issuer",
    "names",
    "serial",
    "sha256",
    "location",
    "chain_not_after",
    "disk_sha256",
    "loaded_sha256",
    "wire_sha256",
    "known",
];

fn record<'a>(
    host: &'a Host,
    place: Option<&'a Place>,
    verdict: Verdict,
    now: Moment,
) -> [Cow<'a, str>; COLUMNS.len() - 1] {
    let (reach, error) = match &host.reach {
        Reach::Never => ("never", ""),
        Reach::Up => ("up", ""),
        Reach::Down(it) => ("down", it.text.as_str()),
    };
    let sighting = place.and_then(Place::nearest);
    let leaf = sighting.map(|it| &*it.chain.leaf);
    let layers = place.map(|it| &it.layers);
    let time = |it: Option<Moment>| Cow::Owned(it.map(|it| it.to_string()).unwrap_or_default());
    let names = leaf.iter().flat_map(|it| &it.names).map(AsRef::as_ref).collect::<Vec<_>>();
    [
        guarded(host.name.as_str()),
        guarded(&host.address),
        owned(&host.groups.join(" ")),
        reach.into(),
        guarded(error),
        time(host.seen_at),
        place.map_or("", |it| it.source).into(),
        guarded(place.map_or("", |it| it.name.as_str())),
        verdict.word().into(),
        Cow::Owned(leaf.map(|it| it.left(now).to_string()).unwrap_or_default()),
        time(leaf.map(|it| it.not_before)),
        time(leaf.map(|it| it.not_after)),
        guarded(leaf.map_or("", |it| it.issuer.as_str())),
        owned(&names.join(" ")),
        guarded(leaf.map_or("", |it| it.serial.as_str())),
        Cow::Owned(leaf.map(|it| it.sha256.to_string()).unwrap_or_default()),
        guarded(sighting.map_or("", |it| it.location.as_str())),
        time(sighting.and_then(|it| it.chain.trust.until)),
        shown(layers.and_then(|it| it.disk.as_ref())),
        shown(layers.and_then(|it| it.loaded.as_ref())),
        shown(layers.into_iter().flat_map(|it| &it.wire)),
    ]
}

/// The fingerprints of what a layer shows, each once: several where addresses differ.
fn shown<'a>(layer: impl IntoIterator<Item = &'a Sighting>) -> Cow<'static, str> {
    let all: BTreeSet<_> = layer.into_iter().map(|it| it.chain.leaf.sha256).collect();
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    Cow::Owned(all.join(" "))
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(guarded(text).into_owned())
}

/// Text that no spreadsheet calculates (OWASP, "CSV Injection"): some pass over blanks before a
/// formula, and some take the wide forms of its signs for the signs themselves.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    let begin = text.trim_start();
    if begin.len() < text.len() || begin.starts_with(SIGNS) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// What a formula begins with.
const SIGNS: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

#[cfg(test)]
mod tests {
    use super::super::Page;
    use super::super::sample;
    use super::*;

    #[test]
    fn every_place_has_a_line() {
        insta::assert_snapshot!(sample::write(&KIND, Page::default()), @r#"
        host,address,groups,reach,error,seen_at,source,certificate,verdict,left_seconds,not_before,not_after,issuer,names,serial,sha256,location,chain_not_after,disk_sha256,loaded_sha256,wire_sha256,known
        edge-ams-1,edge-ams-1.example.net,production,up,,2026-11-23T03:12:39Z,certbot,legacy.example.org,expired,-18000,2026-08-24T03:12:44Z,2026-11-22T22:12:44Z,"CN=R10,O=Let's Encrypt,C=US",legacy.example.org www.legacy.example.org,04aa,53d93099650dd468e9c4948606ab8edc839f0e79e76151c6acc2c5e4509b0962,/etc/letsencrypt/live/legacy.example.org/fullchain.pem,,53d93099650dd468e9c4948606ab8edc839f0e79e76151c6acc2c5e4509b0962,,,
        edge-ams-1,edge-ams-1.example.net,production,up,,2026-11-23T03:12:39Z,certbot,shop.example.net,ok,2592000,2026-09-24T03:12:44Z,2026-12-23T03:12:44Z,"CN=R10,O=Let's Encrypt,C=US",shop.example.net www.shop.example.net,04aa,1974bcb7cece4ea948be424e3589e2cf05e02f41092bb81f1815b4d6d4472146,/etc/letsencrypt/live/shop.example.net/fullchain.pem,,1974bcb7cece4ea948be424e3589e2cf05e02f41092bb81f1815b4d6d4472146,,,
        edge-syd-2,10.0.0.2,production,down,edge-syd-2: no answer within 10s,,,,unreachable,,,,,,,,,,,,,
        spare,10.0.0.3,,never,,,,,unknown,,,,,,,,,,,,,
        "#);
    }

    #[test]
    fn formulas_are_quoted() {
        for text in
            ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "＠SUM(A1)"]
        {
            assert_eq!(guarded(text), format!("'{text}"));
        }
        assert_eq!(guarded("edge-1"), "edge-1");
    }
}
