//! What is served of a place beside what lies on its disk, address by address.

use std::net::{IpAddr, SocketAddr};

use super::Subject;
use super::around::{Around, has_same_names};
use crate::fleet::{
    Certificate, Chain, Host, Load, Loaded, Moment, Place, Probe, Server, Sighting, Site, Vantage,
};
use crate::text::SafeText;

/// One handshake that showed another certificate than lies on the disk of the place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Odd<'a> {
    pub(super) probe: &'a Probe,
    pub(super) chain: &'a Chain,
    pub(super) whose: Whose<'a>,
    /// The server that answers there, if it is one of the host's that is known.
    pub(super) serving: Option<Serving<'a>>,
}

/// Whose address something is served at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Whose<'a> {
    /// The host's own.
    Own,
    /// Another host's of the fleet.
    Fleet(&'a Host),
    /// That of something that the fleet does not know.
    Foreign,
}

/// The part of a server's configuration that answers for a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Serving<'a> {
    pub(super) server: &'a Server,
    /// The file that it loads for the name.
    pub(super) load: Option<&'a Load>,
    /// That file as it is on disk.
    pub(super) file: Option<&'a Chain>,
    /// When that file was last changed, by the host's clock.
    pub(super) changed: Option<Moment>,
}

impl Odd<'_> {
    /// Whether it is served by the host itself.
    pub(super) const fn is_own(&self) -> bool {
        matches!(self.whose, Whose::Own)
    }

    /// Whether the server is configured to load a file with another certificate than that on
    /// the disk of the place, so that a reload would change nothing.
    pub(super) fn is_of_another_file(&self, place: &Place) -> bool {
        let Some(serving) = self.serving else { return false };
        let Some(load) = serving.load else { return false };
        let disk = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
        !place.has_file(load.certificate.as_str()) && serving.file.map(|it| it.leaf.sha256) != disk
    }

    /// Whether the server loads the files of the place, or a copy of what is in them.
    pub(super) fn is_of_its_file(&self, place: &Place) -> bool {
        self.serving.is_some_and(|it| it.load.is_some()) && !self.is_of_another_file(place)
    }

    /// What was served there, for evidence.
    pub(super) fn told(&self) -> String {
        told_probe(self.probe, &self.chain.leaf)
    }
}

/// A handshake and the leaf that it showed, for evidence.
pub(super) fn told_probe(probe: &Probe, leaf: &Certificate) -> String {
    format!(
        "{} {}, asked for {} at {}: {}",
        probe.address,
        probe.vantage.words(),
        probe.name,
        probe.at,
        told_leaf(leaf)
    )
}

/// What lies somewhere, for evidence.
pub(super) fn told_sighting(it: &Sighting) -> String {
    format!("{}: {}", it.location, told_leaf(&it.chain.leaf))
}

/// By what a leaf is told from others.
pub(super) fn told_leaf(leaf: &Certificate) -> String {
    let (serial, sha256) = (&leaf.serial, leaf.sha256.short());
    format!("serial {serial}, sha256 {sha256}, not_after {}", leaf.not_after)
}

/// Every handshake of the place that shows something else than its disk, where the disk's is not
/// shown beside it: a server with keys of two kinds shows each to some clients.
pub(super) fn odds<'a>(around: &Around<'a>, host: &'a Host, place: &'a Place) -> Vec<Odd<'a>> {
    let Some(disk) = &place.layers.disk else { return Vec::new() };
    let disk = disk.chain.leaf.sha256;
    let shows_disk = |it: &Probe| {
        let is_here = |that: &&Probe| {
            (that.vantage, &that.address, &that.name) == (it.vantage, &it.address, &it.name)
        };
        place.probes.iter().filter(is_here).any(|it| it.leaf() == Some(disk))
    };
    let mut odds = Vec::new();
    for probe in &place.probes {
        let Ok(chain) = &probe.served else { continue };
        if shows_disk(probe) {
            continue;
        }
        let whose = whose(around, host, probe);
        let serving = matches!(whose, Whose::Own).then(|| serving(host, place, probe)).flatten();
        if !is_of_another_place(host, place, chain, serving) {
            odds.push(Odd { probe, chain, whose, serving });
        }
    }
    odds
}

/// Whether what is served is just right for another place of the host: the same name with a key
/// of another kind, or a name that both cover.
fn is_of_another_place(
    host: &Host,
    place: &Place,
    chain: &Chain,
    serving: Option<Serving<'_>>,
) -> bool {
    host.places.iter().filter(|it| it.name != place.name || it.source != place.source).any(|it| {
        let is_there =
            it.layers.disk.as_ref().is_some_and(|it| it.chain.leaf.sha256 == chain.leaf.sha256);
        let is_loaded = serving.and_then(|it| it.load).is_none_or(|load| {
            it.has_file(load.certificate.as_str()) || !place.has_file(load.certificate.as_str())
        });
        is_there && is_loaded
    })
}

/// Whose address a handshake was done with.
fn whose<'a>(around: &Around<'a>, host: &'a Host, probe: &Probe) -> Whose<'a> {
    if probe.vantage == Vantage::Loopback {
        return Whose::Own;
    }
    let (ip, port) = (ip_of(probe), probe.port());
    let has_port = |it: &Host| {
        let sites = it.servers.iter().flat_map(|it| &it.sites).flat_map(|it| &it.listens);
        let locals = it.probes.iter().filter(|it| it.vantage == Vantage::Loopback);
        sites.map(|it| Some(it.port)).chain(locals.map(Probe::port)).any(|it| it == port)
    };
    let others = ip.map_or(&[][..], |it| around.at(it)).iter().copied();
    let others: Vec<_> = others.filter(|it| it.name != host.name).collect();
    let listening = others.iter().copied().find(|it| has_port(it));
    let has_address = ip.is_some_and(|it| host.addresses.contains(&it));
    if has_address && (has_port(host) || listening.is_none()) {
        return Whose::Own;
    }
    if let Some(other) = listening.or_else(|| others.first().copied()) {
        return Whose::Fleet(other);
    }
    // Behind address translation no host knows its address; what it shows tells it.
    let shown = probe.leaf().map_or(&[][..], |it| around.shown(it));
    if shown.iter().any(|it| it.name == host.name) {
        return Whose::Own;
    }
    shown.first().map_or(Whose::Foreign, |it| Whose::Fleet(it))
}

/// Whether a handshake was done with the host itself.
pub(super) fn is_own<'a>(around: &Around<'a>, host: &'a Host, probe: &Probe) -> bool {
    matches!(whose(around, host, probe), Whose::Own)
}

/// The address of a handshake.
pub(super) fn ip_of(probe: &Probe) -> Option<IpAddr> {
    probe.address.as_str().parse::<SocketAddr>().ok().map(|it| it.ip())
}

/// The server of the host that answers a handshake, and what it loads for it: the file of the
/// place, if it is among several.
pub(super) fn serving<'a>(host: &'a Host, place: &Place, probe: &Probe) -> Option<Serving<'a>> {
    let port = probe.port()?;
    let sites =
        host.servers.iter().flat_map(|server| server.sites.iter().map(move |it| (server, it)));
    let here = sites.filter(|it| it.1.listens.iter().any(|it| it.port == port));
    // Of sites that fit alike the first counts, and `max_by_key` takes the last.
    let (server, site) = here.rev().max_by_key(|it| fit(it.1, probe.name.as_str()))?;
    let file = |load: &Load| host.loaded.iter().find(|it| it.path == load.certificate);
    let leaf = |load: &Load| Some(file(load)?.chain.as_ref().ok()?.leaf.clone());
    let served = probe.served.as_ref().ok().map(|it| it.leaf.key);
    let load = (site.loads.iter().find(|it| place.has_file(it.certificate.as_str())))
        .or_else(|| site.loads.iter().find(|it| leaf(it).map(|it| it.key) == served))
        .or_else(|| site.loads.first());
    let file: Option<&Loaded> = load.and_then(file);
    Some(Serving {
        server,
        load,
        file: file.and_then(|it| Some(&**it.chain.as_ref().ok()?)),
        changed: file.and_then(|it| it.changed),
    })
}

/// How well a site fits a name: exactly, by a wildcard, by taking whatever comes, or as the one
/// that answers where none fits.
fn fit(site: &Site, name: &str) -> u8 {
    let names = || site.names.iter().map(SafeText::as_str);
    let parents = |it: &str| {
        let parent = it.strip_prefix("*.").or_else(|| it.strip_prefix('.'))?;
        Some(name == parent || name.strip_suffix(parent)?.ends_with('.'))
    };
    if names().any(|it| it.eq_ignore_ascii_case(name)) {
        3
    } else if names().any(|it| parents(it) == Some(true)) {
        2
    } else {
        u8::from(site.names.is_empty())
    }
}

/// Whether a server of the host loads the files of a place.
pub(super) fn is_loaded(host: &Host, place: &Place) -> bool {
    loading(host, place).next().is_some()
}

/// The servers and sites of the host that load the files of a place.
pub(super) fn loading<'a>(
    host: &'a Host,
    place: &'a Place,
) -> impl Iterator<Item = (&'a Server, &'a Site, &'a Load)> {
    let sites =
        host.servers.iter().flat_map(|server| server.sites.iter().map(move |it| (server, it)));
    let loads =
        sites.flat_map(|(server, site)| site.loads.iter().map(move |it| (server, site, it)));
    loads.filter(|it| place.has_file(it.2.certificate.as_str()))
}

/// Whether a leaf is of the lineage: a version of it, or one for exactly its names.
pub(super) fn is_of_lineage(place: &Place, leaf: &Certificate) -> bool {
    is_version(place, leaf)
        || place.layers.disk.as_ref().is_some_and(|it| has_same_names(&it.chain.leaf, leaf))
}

/// Whether a leaf is one of the versions that are kept.
pub(super) fn is_version(place: &Place, leaf: &Certificate) -> bool {
    let kept = place.versions.iter().filter_map(|it| it.certificate.as_deref());
    let layers = [&place.layers.disk, &place.layers.issued];
    let known = layers.into_iter().flatten().map(|it| &*it.chain.leaf);
    kept.chain(known).any(|it| it.sha256 == leaf.sha256)
}

/// Whether a chain could be served now: valid, no test, whole.
pub(super) fn is_sound(chain: &Chain, now: Moment) -> bool {
    is_valid(&chain.leaf, now) && !is_placeholder(&chain.leaf) && chain.fault.is_none()
}

/// Whether a leaf is valid at that moment.
pub(super) fn is_valid(leaf: &Certificate, now: Moment) -> bool {
    leaf.not_before <= now && now <= leaf.not_after
}

/// Whether no client trusts it, whatever the date.
pub(super) fn is_placeholder(leaf: &Certificate) -> bool {
    leaf.is_of_staging() || leaf.is_self_issued()
}

impl<'a> Subject<'a> {
    /// What lies on disk, or what is nearest to clients where the disk was not read.
    pub(super) fn base(&self) -> Option<&'a Sighting> {
        let place = self.place?;
        place.layers.disk.as_ref().or_else(|| place.nearest())
    }

    /// The place with what is on its disk, if a server could load that now.
    pub(super) fn sound(&self, now: Moment) -> Option<(&'a Place, &'a Sighting)> {
        let place = self.place?;
        let disk = place.layers.disk.as_ref()?;
        let is_pair = place.key_matches() != Some(false);
        (is_pair && is_sound(&disk.chain, now)).then_some((place, disk))
    }
}
