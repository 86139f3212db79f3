//! What a run is about: the places that a name stands for.

use crate::action::Find;
use crate::diagnose::{Diagnosis, Finding};
use crate::filter::{Candidate, Filter};
use crate::fleet::{Certificate, Host, HostName, Place, PlaceName, Verdict};

/// The places that a run is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Case {
    /// Each once, by host.
    pub spots: Vec<Spot>,
}

/// A place at its host, or a host of which no such place is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The host.
    pub host: HostName,
    /// The place.
    pub place: Option<PlaceName>,
}

impl Case {
    /// What a name stands for: `host/lineage` is that place; a domain name, every place that covers
    /// or serves it; a lineage, that of every host; anything else is a filter.
    pub(super) fn of(about: &str, find: Find<'_>, diagnosis: &Diagnosis) -> Self {
        let found = exact(about, find);
        let found = if found.is_empty() { named(about, find) } else { found };
        let found = if found.is_empty() { kept(about, find, diagnosis) } else { found };
        Self { spots: found }
    }

    /// Whether nobody knows what it is about.
    pub fn is_empty(&self) -> bool {
        self.spots.is_empty()
    }

    /// The hosts, each once.
    pub fn hosts(&self) -> Vec<HostName> {
        let mut hosts: Vec<_> = self.spots.iter().map(|it| it.host.clone()).collect();
        hosts.dedup();
        hosts
    }

    /// Whether a finding is about one of its places, or about a host of one.
    pub(super) fn holds(&self, finding: &Finding) -> bool {
        self.spots.iter().any(|it| {
            it.host == finding.host && (finding.place.is_none() || finding.place == it.place)
        })
    }

    /// Whether it is about that place.
    pub(super) fn has(&self, host: &Host, place: &Place) -> bool {
        self.spots.iter().any(|it| it.host == host.name && it.place.as_ref() == Some(&place.name))
    }

    /// Its places with their hosts, as they are known now.
    pub(super) fn places<'a>(&self, find: Find<'a>) -> impl Iterator<Item = (&'a Host, &'a Place)> {
        find.fleet.places().filter(|(host, place)| self.has(host, place))
    }
}

/// The place that is named by its host.
fn exact(about: &str, find: Find<'_>) -> Vec<Spot> {
    let named = about.split_once('/').and_then(|(host, place)| {
        let host = find.fleet.host(&HostName::new(host))?;
        let place = host.places.iter().find(|it| it.name == place)?;
        Some(spot(host, Some(place)))
    });
    named.into_iter().collect()
}

/// Everything that bears the name, covers it or is asked for it; hosts that should serve it and
/// have no such place.
fn named(name: &str, find: Find<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for host in find.fleet.hosts() {
        let before = spots.len();
        spots
            .extend(host.places.iter().filter(|it| bears(it, name)).map(|it| spot(host, Some(it))));
        let told = find.inventory.host(host.name.as_str());
        let is_told =
            told.is_some_and(|it| it.endpoints.iter().any(|it| it.name.eq_ignore_ascii_case(name)));
        if is_told && spots.len() == before {
            spots.push(spot(host, None));
        }
    }
    spots
}

fn bears(place: &Place, name: &str) -> bool {
    let is_asked = || place.probes.iter().any(|it| it.name.as_str().eq_ignore_ascii_case(name));
    place.name == name || leaves(place).any(|it| it.covers(name)) || is_asked()
}

/// Every certificate of a place, layer by layer.
pub(super) fn leaves(place: &Place) -> impl Iterator<Item = &Certificate> {
    let layers = &place.layers;
    let all = layers.wire.iter().chain(&layers.loaded).chain(&layers.disk).chain(&layers.issued);
    all.map(|it| &*it.chain.leaf)
}

/// What a filter keeps.
fn kept(text: &str, find: Find<'_>, diagnosis: &Diagnosis) -> Vec<Spot> {
    let Ok(filter) = Filter::parse(text) else { return Vec::new() };
    let mut verdicts = diagnosis.places.iter().copied();
    let mut spots = Vec::new();
    for (host, of_host) in find.fleet.hosts().zip(diagnosis.hosts.iter().copied()) {
        let keeps = |place, verdict: Verdict| {
            filter.keeps(&Candidate { host, place, verdict, now: find.now })
        };
        for (place, verdict) in host.places.iter().zip(verdicts.by_ref()) {
            if keeps(Some(place), verdict) {
                spots.push(spot(host, Some(place)));
            }
        }
        if host.places.is_empty() && keeps(None, of_host) {
            spots.push(spot(host, None));
        }
    }
    spots
}

fn spot(host: &Host, place: Option<&Place>) -> Spot {
    Spot { host: host.name.clone(), place: place.map(|it| it.name.clone()) }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, fleet};
    use super::*;
    use crate::diagnose;

    #[track_caller]
    fn check(about: &str, expected: &[&str]) {
        let (inventory, fleet) = fleet();
        let history = &crate::budget::History::default();
        let find = Find { inventory: &inventory, fleet: &fleet, history, now: NOW };
        let case = Case::of(about, find, &diagnose::diagnose(&fleet, NOW));
        let told = |it: &Spot| match &it.place {
            Some(place) => format!("{}/{place}", it.host),
            None => it.host.to_string(),
        };
        assert_eq!(case.spots.iter().map(told).collect::<Vec<_>>(), expected, "{about}");
    }

    #[test]
    fn a_name_stands_for_every_place_that_covers_it() {
        check("shop.example.net", &["web-01/shop", "web-02/shop"]);
        check("SHOP.example.net", &["web-01/shop", "web-02/shop"]);
        check("web-02/shop", &["web-02/shop"]);
        check("shop", &["web-01/shop", "web-02/shop"]);
        check("host:web-01", &["web-01/shop"]);
        check("nobody.example.org", &[]);
        check("state:", &[]);
    }

    #[test]
    fn a_host_that_should_serve_it_is_part_of_it() {
        check("mail.example.net", &["mail-01"]);
    }
}
