//! Which handshakes have to do with which place.

use std::mem;

use super::{Fingerprint, Host, Listen, Place, Probe, Sighting, Site, Vantage};

/// Gives every place of the host the probes that have to do with it, and its layers what they
/// show.
pub(super) fn assign(host: &mut Host) {
    let owners: Vec<_> = host.probes.iter().map(|it| owner(host, it)).collect();
    for (at, place) in host.places.iter_mut().enumerate() {
        let own = host.probes.iter().zip(&owners).filter(|it| *it.1 == Some(at));
        place.probes = own.map(|it| it.0.clone()).collect();
        let disk = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
        place.layers.loaded = loaded(&place.probes, disk);
        let public = place.probes.iter().filter(|it| it.vantage == Vantage::Public);
        place.layers.wire = public.filter_map(sighting).collect();
    }
}

/// The place that a handshake has to do with, by its position: the one whose files the site
/// loads that was asked; else the one that was shown; else the one that should be, by its names.
fn owner(host: &Host, probe: &Probe) -> Option<usize> {
    let place = |is_it: &dyn Fn(&Place) -> bool| host.places.iter().position(is_it);
    let sites = host.servers.iter().flat_map(|it| &it.sites);
    let asked: Vec<_> = sites.filter(|it| is_asked(it, probe)).collect();
    // A site with keys of several kinds loads a lineage for each.
    let configured = || {
        let loads = asked.iter().flat_map(|it| &it.loads);
        let own = loads.filter_map(|load| place(&|it| it.has_file(load.certificate.as_str())));
        own.min_by_key(|at| host.places.get(*at).map(|it| distance(it, probe)))
    };
    let shown = || {
        let leaf = probe.leaf()?;
        place(&|it| disk_leaf(it) == Some(leaf)).or_else(|| place(&|it| has_version(it, leaf)))
    };
    let named = || {
        let covers = |it: &Place| {
            let leaf = it.layers.disk.as_ref().map(|it| &it.chain.leaf);
            leaf.is_some_and(|it| it.covers(probe.name.as_str()))
        };
        // A name of its own is nearer than a wildcard.
        let spells = |it: &Place| {
            let leaf = it.layers.disk.as_ref().map(|it| &it.chain.leaf);
            leaf.is_some_and(|leaf| leaf.names.contains(&probe.name))
        };
        place(&|it| it.name == probe.name && covers(it))
            .or_else(|| place(&spells))
            .or_else(|| place(&covers))
    };
    let only = || (probe.is_told && host.places.len() == 1).then_some(0);
    configured().or_else(shown).or_else(named).or_else(only)
}

/// How far from what a place has is what was shown: nothing, an older version, another
/// certificate with a key of the same kind, one of another kind.
fn distance(place: &Place, probe: &Probe) -> u8 {
    let Ok(shown) = &probe.served else { return 0 };
    let Some(disk) = &place.layers.disk else { return 3 };
    let (shown, disk) = (&shown.leaf, &disk.chain.leaf);
    let is_same_kind = mem::discriminant(&shown.key) == mem::discriminant(&disk.key);
    match () {
        () if shown.sha256 == disk.sha256 => 0,
        () if has_version(place, shown.sha256) => 1,
        () if is_same_kind => 2,
        () => 3,
    }
}

/// Whether a handshake asked that site: one of its names, where it listens. What was asked from
/// elsewhere came to some address of the host or of a machine before it, so there only the name
/// counts.
fn is_asked(site: &Site, probe: &Probe) -> bool {
    let name = probe.name.as_str();
    let is_named = site.names.iter().any(|it| match it.as_str().strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|it| it.1.eq_ignore_ascii_case(parent)),
        None => it.as_str().eq_ignore_ascii_case(name),
    });
    let has_port = |it: &Listen| Some(it.port) == probe.port();
    let is_there = probe.vantage == Vantage::Public || site.listens.iter().any(has_port);
    is_named && is_there
}

fn disk_leaf(place: &Place) -> Option<Fingerprint> {
    place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256)
}

fn has_version(place: &Place, leaf: Fingerprint) -> bool {
    let of_version = |it: &super::Version| it.certificate.as_ref().map(|it| it.sha256);
    place.versions.iter().any(|it| of_version(it) == Some(leaf))
}

/// What the process has loaded: where it shows several, what is not on the disk, and of these
/// the one that ends first.
fn loaded(probes: &[Probe], disk: Option<Fingerprint>) -> Option<Sighting> {
    let inside: Vec<_> =
        probes.iter().filter(|it| it.vantage == Vantage::Loopback).cloned().collect();
    let shown = || inside.iter().filter_map(sighting);
    let odd = disk.and_then(|it| Probe::other(&inside, it)).and_then(sighting);
    let rank = |it: &Sighting| (it.chain.leaf.not_after, it.location.clone());
    let at = odd.map(|it| it.location);
    let odd = at.and_then(|at| shown().filter(|it| it.location == at).min_by_key(rank));
    odd.or_else(|| shown().find(|it| Some(it.chain.leaf.sha256) == disk)).or_else(|| shown().next())
}

fn sighting(probe: &Probe) -> Option<Sighting> {
    let chain = probe.served.as_ref().ok()?.clone();
    Some(Sighting { chain, location: probe.address.clone(), at: probe.at })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{
        Certificate, Chain, HostName, KeyKind, Load, Moment, NotServed, Server, Trust, Unserved,
        Version,
    };
    use super::*;
    use crate::text::SafeText;

    fn chain(id: &str, names: &[&str], until: i64) -> Arc<Chain> {
        let leaf = Certificate {
            sha256: Fingerprint::of(id.as_bytes()),
            spki_sha256: Fingerprint::of(b"key"),
            serial: SafeText::new(id),
            subject: SafeText::default(),
            issuer: SafeText::default(),
            names: names.iter().map(|it| SafeText::new(it)).collect(),
            not_before: Moment::default(),
            not_after: Moment::from_unix(until),
            key: KeyKind::Ecdsa(256),
            is_ca: false,
            logged_at: None,
            is_for_clients: false,
            renewal_id: None,
            der: None,
        };
        let leaf = Arc::new(leaf);
        Arc::new(Chain { leaf, rest: Vec::new(), fault: None, trust: Trust::default() })
    }

    fn place(name: &str, id: &str, names: &[&str]) -> Place {
        let mut it = Place::new("certbot", SafeText::new(name));
        let location = SafeText::new(&format!("/etc/letsencrypt/live/{name}/fullchain.pem"));
        let chain = chain(id, names, 100);
        it.layers.disk = Some(Sighting { chain, location, at: Moment::default() });
        it
    }

    fn probe(name: &str, vantage: Vantage, at: &str, shown: Option<Arc<Chain>>) -> Probe {
        Probe {
            name: SafeText::new(name),
            vantage,
            address: SafeText::new(at),
            is_told: true,
            is_added: false,
            at: Moment::default(),
            served: shown
                .ok_or_else(|| Unserved { why: NotServed::Refused, text: SafeText::default() }),
        }
    }

    fn site(names: &[&str], lineage: &str) -> Server {
        let load = Load {
            certificate: SafeText::new(&format!("/etc/letsencrypt/live/{lineage}/fullchain.pem")),
            key: None,
            chain: None,
            told_at: SafeText::default(),
        };
        let listen = Listen { address: [0, 0, 0, 0].into(), port: 443 };
        let names = names.iter().map(|it| SafeText::new(it)).collect();
        Server {
            kind: "nginx",
            conf: SafeText::default(),
            program: None,
            args: Vec::new(),
            pid: None,
            unit: None,
            read_by: None,
            sites: vec![Site {
                names,
                listens: vec![listen],
                proxied: Vec::new(),
                loads: vec![load],
            }],
            problems: Vec::new(),
        }
    }

    /// Whose a handshake for `www.example.net` at the host's port 443 is.
    #[track_caller]
    fn check(places: Vec<Place>, servers: Vec<Server>, it: Probe, expect: Option<&str>) {
        let mut host = Host::new(HostName::new("web-01"), "web-01", &[]);
        host.places = places;
        host.servers = servers;
        host.probes = vec![it];
        assign(&mut host);
        let owner = host.places.iter().find(|it| !it.probes.is_empty());
        assert_eq!(owner.map(|it| it.name.as_str()), expect);
    }

    fn www(id: Option<&str>) -> Probe {
        let shown = id.map(|it| chain(it, &[], 1));
        probe("www.example.net", Vantage::Loopback, "127.0.0.1:443", shown)
    }

    #[test]
    fn the_site_decides_before_the_certificate_and_its_names() {
        let two = || vec![place("a", "a", &["www.example.net"]), place("b", "b", &["b.test"])];
        check(two(), vec![site(&["www.example.net"], "b")], www(Some("a")), Some("b"));
        check(two(), vec![site(&["*.example.net"], "b")], www(Some("a")), Some("b"));
        check(two(), vec![site(&["other.test"], "b")], www(Some("b")), Some("b"));
        check(two(), Vec::new(), www(Some("b")), Some("b"));
        check(two(), Vec::new(), www(Some("x")), Some("a"));
        check(two(), Vec::new(), www(None), Some("a"));
    }

    #[test]
    fn a_kept_version_and_a_wildcard_are_known() {
        let mut old = place("old", "new", &["old.test"]);
        let leaf = Arc::clone(&chain("v1", &[], 1).leaf);
        old.versions = vec![Version { number: 1, certificate: Some(leaf) }];
        check(
            vec![place("x", "x", &["www.example.net"]), old],
            vec![],
            www(Some("v1")),
            Some("old"),
        );
        let wild = || place("wild", "w", &["*.example.net"]);
        let own = || place("own", "o", &["www.example.net"]);
        check(vec![wild(), own()], vec![], www(None), Some("own"));
        check(vec![wild(), place("o", "o", &["o.test"])], vec![], www(None), Some("wild"));
        check(vec![place("o", "o", &["o.test"])], vec![], www(None), Some("o"));
        check(
            vec![place("o", "o", &["o.test"]), place("p", "p", &["p.test"])],
            vec![],
            www(None),
            None,
        );
    }

    #[test]
    fn a_site_with_two_kinds_of_keys_shows_two_places() {
        let of_kind = |id: &str, key| {
            let mut it = place(id, id, &["www.example.net"]);
            it.layers.disk.as_mut().unwrap().chain = with_key(id, key);
            it
        };
        let (rsa, ecdsa) = (KeyKind::Rsa(2048), KeyKind::Ecdsa(256));
        let places = || vec![of_kind("ecdsa", ecdsa), of_kind("rsa", rsa)];
        let mut server = site(&["www.example.net"], "ecdsa");
        let other = site(&["www.example.net"], "rsa").sites.remove(0).loads;
        server.sites[0].loads.extend(other);
        let shows = |id: &str, key| Probe { served: Ok(with_key(id, key)), ..www(None) };
        check(places(), vec![server.clone()], shows("rsa", rsa), Some("rsa"));
        check(places(), vec![server.clone()], shows("old", rsa), Some("rsa"));
        check(places(), vec![server.clone()], shows("old", ecdsa), Some("ecdsa"));
        check(places(), vec![server], www(None), Some("ecdsa"));
    }

    fn with_key(id: &str, key: KeyKind) -> Arc<Chain> {
        let mut chain = Arc::unwrap_or_clone(chain(id, &["www.example.net"], 100));
        Arc::make_mut(&mut chain.leaf).key = key;
        Arc::new(chain)
    }

    #[test]
    fn of_several_processes_the_one_that_differs_is_shown() {
        let mut host = Host::new(HostName::new("web-01"), "web-01", &[]);
        host.places = vec![place("www", "new", &["www.example.net"])];
        let names = &["www.example.net"];
        let show = |vantage, at, id, until| {
            probe("www.example.net", vantage, at, Some(chain(id, names, until)))
        };
        host.probes = vec![
            show(Vantage::Loopback, "127.0.0.1:443", "new", 100),
            // The same server with a key of another kind.
            show(Vantage::Loopback, "127.0.0.1:443", "rsa", 50),
            show(Vantage::Public, "192.0.2.1:443", "new", 100),
        ];
        assign(&mut host);
        let loaded =
            |it: &Host| it.places[0].layers.loaded.as_ref().unwrap().chain.leaf.serial.clone();
        assert_eq!(loaded(&host).as_str(), "new");
        assert_eq!(host.places[0].layers.wire.len(), 1);
        host.probes.push(show(Vantage::Loopback, "[::1]:443", "old", 20));
        assign(&mut host);
        assert_eq!(loaded(&host).as_str(), "old");
    }
}
