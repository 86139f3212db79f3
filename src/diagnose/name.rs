//! A name that clients ask for is not covered by what is served for it.

use std::net::IpAddr;

use super::sight::{is_sound, loading, told_leaf, told_probe};
use super::wrong_lineage::repoint;
use super::{Finding, Kind, Subject};
use crate::fleet::{Host, Moment, Place, Severity, Verdict};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "name",
    about: "a name that is served is not covered by the certificate",
    advice: "A renewal keeps the old set of names, so it cannot help. See first whether another lineage on the host covers the name; else order one certificate for the union of the names. That is a new set with a limit of its own at the CA, and every name of it must resolve to where it can be verified.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let (host, place) = (subject.host, subject.place?);
    let disk = place.layers.disk.as_ref()?;
    let leaf = &disk.chain.leaf;
    let asked = place.probes.iter().filter(|it| it.is_told && !leaf.covers(it.name.as_str()));
    let asked = asked.filter_map(|it| Some((it, it.served.as_ref().ok()?)));
    let asked: Vec<_> = asked.filter(|(it, chain)| !chain.leaf.covers(it.name.as_str())).collect();
    let mut missing: Vec<&SafeText> = asked.iter().map(|it| &it.0.name).collect();
    missing.extend(not_loaded(host, place));
    missing.sort_unstable();
    missing.dedup();
    let first = missing.first()?;
    let severity = if asked.is_empty() { Severity::Warning } else { Severity::Critical };

    let loader = loading(host, place).next();
    let who = loader.map_or("this host", |it| it.0.kind);
    let more = match missing.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let summary = format!("{who} serves {first}{more}, which the certificate does not cover");
    let mut found = Finding::new(subject, Verdict::Name, severity, summary);
    for (probe, chain) in asked.iter().take(SHOWN) {
        found = found.evidence(told_probe(probe, &chain.leaf));
    }
    found = found.evidence(format!("{}: {}", disk.location, told_leaf(leaf)));
    let covered: Vec<_> = leaf.names.iter().take(SHOWN).map(SafeText::as_str).collect();
    found = found.evidence(format!("it covers {}", covered.join(", ")));
    if let Some((server, _, load)) = loader {
        let names = join(&missing);
        found = found.evidence(format!(
            "{}: {} loads {} for {names}",
            load.told_at, server.kind, load.certificate
        ));
    }
    found = found.cause("The server was given a name that the certificate was never issued for.");

    let other = covering(subject, &missing, now);
    if let Some((to, (server, ..))) = other.zip(loader) {
        return Some(repoint(subject, to, server).into_iter().fold(found, Finding::remedy));
    }
    let union: Vec<_> = leaf.names.iter().chain(missing.iter().copied()).collect();
    let why = "one certificate for all of the names; a new set, with a limit of its own";
    Some(found.remedy(subject.remedy("issue").choose("names", join_with(&union, ",")).why(why)))
}

/// Another place of the host that is good and covers all of these names.
pub(super) fn covering<'a>(
    subject: &Subject<'a>,
    names: &[&SafeText],
    now: Moment,
) -> Option<&'a Place> {
    let own = subject.place.map(|it| (&it.name, it.source));
    let others = subject.host.places.iter().filter(|it| Some((&it.name, it.source)) != own);
    let is_good = |it: &&Place| {
        let Some(disk) = &it.layers.disk else { return false };
        is_sound(&disk.chain, now)
            && it.key_matches() != Some(false)
            && !names.is_empty()
            && names.iter().all(|name| disk.chain.leaf.covers(name.as_str()))
    };
    others.filter(is_good).max_by_key(|it| it.leaf().map(|it| it.not_after))
}

/// So many lines of evidence are enough.
const SHOWN: usize = 4;

/// The names of sites that load the place and that nothing which these load covers.
fn not_loaded<'a>(host: &'a Host, place: &'a Place) -> impl Iterator<Item = &'a SafeText> {
    let is_covered = |loads: &[crate::fleet::Load], name: &str| {
        let files =
            host.loaded.iter().filter(|it| loads.iter().any(|load| load.certificate == it.path));
        let leaves = files.filter_map(|it| Some(&it.chain.as_ref().ok()?.leaf));
        // What could not be read may well cover it.
        let is_whole = loads.iter().all(|load| {
            host.loaded.iter().any(|it| it.path == load.certificate && it.chain.is_ok())
        });
        !is_whole
            || leaves
                .chain(place.layers.disk.as_ref().map(|it| &it.chain.leaf))
                .any(|it| it.covers(name))
    };
    loading(host, place).flat_map(move |(_, site, _)| {
        site.names
            .iter()
            .filter(move |it| is_name(it.as_str()) && !is_covered(&site.loads, it.as_str()))
    })
}

/// Whether clients elsewhere can ask for a name: no pattern, no address, nothing of this net alone.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-');
    let is_local =
        [".local", ".localdomain", ".internal", ".lan"].iter().any(|it| name.ends_with(it));
    let has_parts = name.contains('.') && !name.starts_with('.') && !name.ends_with('.');
    has_parts && name.chars().all(is_plain) && !is_local && name.parse::<IpAddr>().is_err()
}

fn join(names: &[&SafeText]) -> String {
    let shown = names.get(..SHOWN).unwrap_or(names);
    join_with(shown, ", ")
}

fn join_with(names: &[&SafeText], between: &str) -> String {
    names.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::Host;

    const NAMES: &[&str] = &["www.example.net"];

    fn asked_for(name: &str) -> Host {
        let chain = signed(leaf("www", NAMES, 90, 80));
        let mut host = host("web-01", vec![place("www", chain.clone())]);
        nginx(&mut host, &["www.example.net", name], &live("www"), &chain);
        serve(&mut host, probe(name, "127.0.0.1:443", chain));
        host
    }

    #[test]
    fn a_name_that_is_not_covered_is_issued_with_the_others() {
        check(
            [asked_for("shop.example.net")],
            "name critical name web-01/www: issue web-01/www --names www.example.net,shop.example.net",
        );
        check([asked_for("www.example.net")], "");
        let mut untold = asked_for("shop.example.net");
        untold.probes.clear();
        untold.places[0].probes.clear();
        check(
            [untold],
            "name warning name web-01/www: issue web-01/www --names www.example.net,shop.example.net",
        );
    }

    #[test]
    fn another_lineage_that_covers_it_needs_no_order() {
        let mut host = asked_for("shop.example.net");
        let shop = signed(leaf("shop", &["*.example.net"], 90, 80));
        host.places.push(place("shop", shop));
        check([host], "name critical name web-01/www: repoint web-01/www --to shop --server nginx");
    }

    #[test]
    fn names_that_nobody_asks_for_are_left_alone() {
        for name in ["localhost", "_", "~^www\\d+", "*.example.net", "web-01.local", "192.0.2.1"] {
            assert!(!super::is_name(name), "{name}");
        }
        let chain = signed(leaf("www", NAMES, 90, 80));
        let mut host = host("web-01", vec![place("www", chain.clone())]);
        nginx(&mut host, &["www.example.net", "_", "web-01.local"], &live("www"), &chain);
        check([host], "");
    }
}
