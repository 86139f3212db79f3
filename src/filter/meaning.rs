//! What a word stands for in a fleet: what it names, or what it keeps as a filter. A name is no
//! filter: `www.example.net` is whatever bears it, not whatever has those letters in it.

use super::{Candidate, Filter};
use crate::fleet::{Certificate, Fleet, Host, Moment, Place, Verdict};

/// A place at its host, or a host of which no such place is known.
pub type Found<'a> = (&'a Host, Option<&'a Place>);

/// What is wrong with each, in the order of the fleet.
#[derive(Debug, Clone, Copy)]
pub struct Verdicts<'a> {
    /// Of every place.
    pub places: &'a [Verdict],
    /// Of every host.
    pub hosts: &'a [Verdict],
}

impl Filter {
    /// All that is kept of a fleet: places, and hosts of which no place is known.
    pub fn kept<'a>(
        &self,
        fleet: &'a Fleet,
        verdicts: Verdicts<'_>,
        now: Moment,
    ) -> Vec<Found<'a>> {
        let mut of_places = verdicts.places.iter().copied();
        let mut found = Vec::new();
        for (host, of_host) in fleet.hosts().zip(verdicts.hosts.iter().copied()) {
            let keeps = |place, verdict| self.keeps(&Candidate { host, place, verdict, now });
            for (place, verdict) in host.places.iter().zip(of_places.by_ref()) {
                if keeps(Some(place), verdict) {
                    found.push((host, Some(place)));
                }
            }
            if host.places.is_empty() && keeps(None, of_host) {
                found.push((host, None));
            }
        }
        found
    }
}

/// What a word names: one place as `HOST/LINEAGE`; else every place that bears the name, as its
/// own, in a certificate of any layer, or by being asked for it; else a host, with all that is on
/// it. Nothing, if it can only be a filter.
pub fn named<'a>(word: &str, fleet: &'a Fleet) -> Vec<Found<'a>> {
    if let Some(found) = exact(word, fleet) {
        return vec![found];
    }
    let bearing = fleet.places().filter(|it| bears(it.1, word));
    let found: Vec<Found<'a>> = bearing.map(|(host, place)| (host, Some(place))).collect();
    if !found.is_empty() {
        return found;
    }
    let Some(host) = fleet.hosts().find(|it| it.name.as_str() == word) else { return Vec::new() };
    if host.places.is_empty() {
        return vec![(host, None)];
    }
    host.places.iter().map(|it| (host, Some(it))).collect()
}

/// Every certificate of a place, layer by layer.
pub fn leaves(place: &Place) -> impl Iterator<Item = &Certificate> {
    let layers = &place.layers;
    let all = layers.wire.iter().chain(&layers.loaded).chain(&layers.disk).chain(&layers.issued);
    all.map(|it| &*it.chain.leaf)
}

fn exact<'a>(word: &str, fleet: &'a Fleet) -> Option<Found<'a>> {
    let (host, place) = word.split_once('/')?;
    let host = fleet.hosts().find(|it| it.name.as_str() == host)?;
    let place = host.places.iter().find(|it| it.name == place)?;
    Some((host, Some(place)))
}

fn bears(place: &Place, name: &str) -> bool {
    let is_asked = || place.probes.iter().any(|it| it.name.as_str().eq_ignore_ascii_case(name));
    place.name == name || leaves(place).any(|it| it.covers(name)) || is_asked()
}
