//! What the rest of the fleet has to do with a place: siblings, addresses, authorities, groups.
//! Put in order once per diagnosis, and borrowed.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::fleet::{
    Certificate, Chain, Expiry, Fingerprint, Fleet, Group, Host, HostName, Moment, Place, Reach,
};
use crate::text::SafeText;

/// The fleet, put in order so that a rule can ask about the others.
#[derive(Debug, Clone, Default)]
pub struct Around<'a> {
    groups: &'a [Group],
    expiries: &'a [Expiry],
    unattended_at: Option<Moment>,
    hosts: HashMap<&'a HostName, &'a Host>,
    /// Places by the exact set of names on their disk.
    names: HashMap<Vec<&'a str>, Vec<Spot<'a>>>,
    /// Hosts that show a certificate on their own loopback.
    shown: HashMap<Fingerprint, Vec<&'a Host>>,
    addresses: HashMap<IpAddr, Vec<&'a Host>>,
    machines: HashMap<&'a str, Vec<&'a Host>>,
    authorities: HashMap<&'a str, Vec<Authority<'a>>>,
}

/// A place with its host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) host: &'a Host,
    pub(super) place: &'a Place,
}

/// A certificate of an authority, and where it is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Authority<'a> {
    pub(super) certificate: &'a Certificate,
    /// The place on whose disk it follows a leaf that it signed; `None` if it was only served.
    pub(super) kept: Option<Spot<'a>>,
}

impl<'a> Around<'a> {
    /// Puts a fleet in order.
    pub fn of(fleet: &'a Fleet) -> Self {
        let mut it = Self {
            groups: &fleet.groups,
            expiries: &fleet.expiries,
            unattended_at: fleet.unattended_at,
            ..Self::default()
        };
        // Of what others tell, too little is known to compare it with.
        for host in fleet.hosts().filter(|it| it.told.is_none()) {
            it.hosts.insert(&host.name, host);
            for address in host.addresses.iter().filter(|it| is_telling(**it)) {
                it.addresses.entry(*address).or_default().push(host);
            }
            if let Some(machine) = &host.machine {
                it.machines.entry(machine.as_str()).or_default().push(host);
            }
            for place in &host.places {
                it.add_place(Spot { host, place });
            }
            for probe in &host.probes {
                let Ok(chain) = &probe.served else { continue };
                it.add_authorities(chain, None);
                if probe.vantage == crate::fleet::Vantage::Loopback {
                    let hosts = it.shown.entry(chain.leaf.sha256).or_default();
                    // A host's probes follow each other.
                    if hosts.last().is_none_or(|it| it.name != host.name) {
                        hosts.push(host);
                    }
                }
            }
        }
        it
    }

    fn add_place(&mut self, spot: Spot<'a>) {
        let Some(disk) = &spot.place.layers.disk else { return };
        self.add_authorities(&disk.chain, Some(spot));
        if !disk.chain.leaf.names.is_empty() {
            self.names.entry(name_set(&disk.chain.leaf)).or_default().push(spot);
        }
    }

    fn add_authorities(&mut self, chain: &'a Chain, kept: Option<Spot<'a>>) {
        // Only the first of a sound chain is known to have signed leaves of that issuer.
        let is_sound = chain.fault.is_none();
        for (index, it) in chain.rest.iter().enumerate() {
            if !it.is_ca || it.der.is_none() {
                continue;
            }
            let kept = kept.filter(|_| is_sound && index == 0);
            let known = self.authorities.entry(it.subject.as_str()).or_default();
            if let Some(old) = known.iter_mut().find(|old| old.certificate.sha256 == it.sha256) {
                old.kept = old.kept.or(kept);
            } else if known.len() < MAX_NAMESAKES {
                known.push(Authority { certificate: it, kept });
            }
        }
    }

    /// The groups that a host is in, in the order in which it names them.
    pub(super) fn groups_of(
        &self,
        host: &'a Host,
    ) -> impl Iterator<Item = &'a Group> + use<'_, 'a> {
        let groups = self.groups;
        host.groups.iter().filter_map(move |name| groups.iter().find(|it| it.name == *name))
    }

    /// The other things that expire.
    pub(super) const fn expiries(&self) -> &'a [Expiry] {
        self.expiries
    }

    /// When this machine last renewed with nobody there, if it ever did.
    pub(super) const fn unattended_at(&self) -> Option<Moment> {
        self.unattended_at
    }

    /// The host of that name.
    pub(super) fn host(&self, name: &HostName) -> Option<&'a Host> {
        self.hosts.get(name).copied()
    }

    /// Places with exactly the names of this leaf, itself among them where it is one.
    pub(super) fn namesakes(&self, leaf: &'a Certificate) -> &[Spot<'a>] {
        self.names.get(name_set(leaf).as_slice()).map_or(&[], Vec::as_slice)
    }

    /// Places for the same names on other hosts, with keys of the same kind.
    pub(super) fn siblings(
        &self,
        host: &'a Host,
        leaf: &'a Certificate,
    ) -> impl Iterator<Item = (Spot<'a>, &'a Chain)> {
        let others = self.namesakes(leaf).iter().copied();
        others.filter(move |it| it.host.name != host.name).filter_map(move |spot| {
            let chain = &*spot.place.layers.disk.as_ref()?.chain;
            let is_alike =
                std::mem::discriminant(&chain.leaf.key) == std::mem::discriminant(&leaf.key);
            is_alike.then_some((spot, chain))
        })
    }

    /// The hosts that have an address; nobody has those that every host has.
    pub(super) fn at(&self, address: IpAddr) -> &[&'a Host] {
        self.addresses.get(&address).map_or(&[], Vec::as_slice)
    }

    /// The hosts that show this certificate on their own loopback.
    pub(super) fn shown(&self, leaf: Fingerprint) -> &[&'a Host] {
        self.shown.get(&leaf).map_or(&[], Vec::as_slice)
    }

    /// The other hosts of the inventory that are the same running system.
    pub(super) fn same_machine(&self, host: &'a Host) -> impl Iterator<Item = &'a Host> {
        let machine = host.machine.as_ref().map(SafeText::as_str);
        let all = machine.and_then(|it| self.machines.get(it)).into_iter().flatten();
        all.copied().filter(move |it| it.name != host.name)
    }

    /// Certificates of authorities that may have signed this leaf and are valid, the best first:
    /// those that stand behind such a leaf on some disk, then those that last longest.
    pub(super) fn authorities(&self, leaf: &Certificate, now: Moment) -> Vec<Authority<'a>> {
        let known = self.authorities.get(leaf.issuer.as_str()).into_iter().flatten().copied();
        let is_good =
            |it: &Authority<'_>| it.certificate.not_after > now && it.certificate.not_before <= now;
        let mut found: Vec<_> = known.filter(is_good).collect();
        found.sort_by_key(|it| {
            let is_kept = it.kept.is_some_and(|it| it.host.reach == Reach::Up);
            std::cmp::Reverse((is_kept, it.certificate.not_after))
        });
        found
    }
}

/// So many certificates of authorities with one subject are kept apart: cross-signed ones are
/// few, and a server may send anything.
const MAX_NAMESAKES: usize = 16;

/// The names of a leaf as a set.
fn name_set(leaf: &Certificate) -> Vec<&str> {
    let mut names: Vec<_> = leaf.names.iter().map(SafeText::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether two leaves are for exactly the same names.
pub(super) fn has_same_names(a: &Certificate, b: &Certificate) -> bool {
    !a.names.is_empty() && name_set(a) == name_set(b)
}

/// Whether an address tells hosts apart.
fn is_telling(address: IpAddr) -> bool {
    let is_link_local = match address {
        IpAddr::V4(it) => it.is_link_local(),
        IpAddr::V6(it) => it.is_unicast_link_local(),
    };
    !address.is_loopback() && !address.is_unspecified() && !is_link_local
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::sample::{self, NOW, leaf, signed};
    use super::*;

    #[test]
    fn siblings_have_the_same_names_and_kind_of_key() {
        let names = ["www.example.net", "example.net"];
        let turned = ["example.net", "www.example.net"];
        let fleet = sample::fleet([
            sample::host("web-01", vec![sample::place("a", signed(leaf("a", &names, 90, 80)))]),
            sample::host("web-02", vec![sample::place("b", signed(leaf("b", &turned, 90, 70)))]),
            sample::host(
                "web-03",
                vec![sample::place("c", signed(leaf("c", &names[..1], 90, 70)))],
            ),
            sample::host(
                "web-04",
                vec![sample::place("d", {
                    let rsa = crate::fleet::KeyKind::Rsa(2048);
                    signed(Certificate { key: rsa, ..leaf("d", &names, 90, 70) })
                })],
            ),
        ]);
        let around = Around::of(&fleet);
        let (host, place) = fleet.places().next().unwrap();
        let found: Vec<_> = around
            .siblings(host, place.leaf().unwrap())
            .map(|it| it.0.host.name.to_string())
            .collect();
        assert_eq!(found, ["web-02"]);
    }

    #[test]
    fn authorities_that_stand_behind_a_leaf_come_first() {
        let mut served = signed(leaf("x", &["x.example.net"], 90, 80));
        served.rest = vec![Arc::new(sample::authority("another", 900))];
        served.fault = Some(crate::fleet::ChainFault::WrongIntermediate);
        let mut first = sample::host("web-01", vec![]);
        first.probes.push(sample::probe("x.example.net", "127.0.0.1:443", served));
        let place = sample::place("b", signed(leaf("b", &["b.example.net"], 90, 80)));
        let fleet = sample::fleet([first, sample::host("web-02", vec![place])]);
        let around = Around::of(&fleet);
        let found = around.authorities(&leaf("y", &["y.example.net"], 90, 80), NOW);
        let kept: Vec<_> = found.iter().map(|it| it.kept.map(|it| it.host.name.as_str())).collect();
        assert_eq!(kept, [Some("web-02"), None]);
    }

    #[test]
    fn addresses_that_every_host_has_are_nobodys() {
        let mut host = sample::host("web-01", vec![]);
        let own: IpAddr = "192.0.2.1".parse().unwrap();
        let all: IpAddr = "127.0.0.1".parse().unwrap();
        host.addresses = vec![own, all];
        let fleet = sample::fleet([host]);
        let around = Around::of(&fleet);
        assert_eq!((around.at(own).len(), around.at(all).len()), (1, 0));
    }
}
