//! What a run is about: the places that a name stands for.

use crate::action::Find;
use crate::diagnose::{Diagnosis, Finding};
use crate::filter::{self, Filter, Found, Verdicts};
use crate::fleet::{Host, HostName, Place, PlaceName};

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
    /// What a name stands for: what it names, hosts that should serve it among that; anything else
    /// is a filter.
    pub(super) fn of(about: &str, find: Find<'_>, diagnosis: &Diagnosis) -> Self {
        let mut found = named(about, find);
        if found.is_empty()
            && let Ok(filter) = Filter::parse(about)
        {
            let verdicts = Verdicts { places: &diagnosis.places, hosts: &diagnosis.hosts };
            found = spots(filter.kept(find.fleet, verdicts, find.now));
        }
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

/// Everything that bears the name, and hosts that should serve it and have no such place.
fn named(name: &str, find: Find<'_>) -> Vec<Spot> {
    let mut spots = spots(filter::named(name, find.fleet));
    for host in find.fleet.hosts() {
        let told = find.inventory.host(host.name.as_str());
        let is_told =
            told.is_some_and(|it| it.endpoints.iter().any(|it| it.name.eq_ignore_ascii_case(name)));
        if is_told && spots.iter().all(|it| it.host != host.name) {
            spots.push(Spot { host: host.name.clone(), place: None });
        }
    }
    spots.sort_by(|one, other| one.host.cmp(&other.host));
    spots
}

fn spots(found: Vec<Found<'_>>) -> Vec<Spot> {
    let spot = |(host, place): Found<'_>| Spot {
        host: host.name.clone(),
        place: place.map(|it| it.name.clone()),
    };
    found.into_iter().map(spot).collect()
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
        check("web-01", &["web-01/shop"]);
        check("web", &["web-01/shop", "web-02/shop"]);
        check("nobody.example.org", &[]);
        check("state:", &[]);
    }

    #[test]
    fn a_host_that_should_serve_it_is_part_of_it() {
        check("mail.example.net", &["mail-01"]);
    }
}
