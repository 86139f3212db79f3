//! The host is right, and something in front of it still has the old certificate.

use super::sight::{Odd, Whose, is_of_lineage, is_placeholder, is_version, told_sighting};
use super::unloaded::is_older;
use super::{Finding, Kind, Subject};
use crate::fleet::{Certificate, Host, Moment, Place, Reach, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "balancer",
    about: "what stands in front of the host still has an old certificate",
    advice: "Do not renew and do not touch the host: its certificate is right. Upload the certificate with the fingerprint that is told to the balancer or CDN, with its chain, and look at that address again. Then automate it: what is uploaded by hand is forgotten with every renewal.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let (place, disk) = subject.sound(now)?;
    if subject.odds.iter().any(Odd::is_own) {
        return None;
    }
    let stale: Vec<_> = subject
        .odds
        .iter()
        .filter(|it| is_in_front(place, it) && is_stale(subject, place, &it.chain.leaf, now))
        .filter(|it| !speaks_for_itself(it))
        .collect();
    let odd = *stale.first()?;
    let served = &odd.chain.leaf;
    let (verdict, severity) = if served.not_after < now {
        (Verdict::Expired, Severity::Critical)
    } else if now >= served.renewal_closes() {
        (Verdict::Drift, Severity::Critical)
    } else {
        (Verdict::Drift, Severity::Warning)
    };
    let address = &odd.probe.address;
    let who = match odd.whose {
        Whose::Fleet(host) => format!("{} ({address})", host.name),
        _ => address.to_string(),
    };
    let summary = format!("{who} still serves an old certificate; the host itself is right");
    let mut found = Finding::new(subject, verdict, severity, summary);
    for it in stale.iter().take(SHOWN) {
        found = found.evidence(format!("served by {}", it.told()));
    }
    found = found
        .evidence(format!("on the host {}", told_sighting(disk)))
        .evidence(format!("to be uploaded: sha256 {}", disk.chain.leaf.sha256))
        .cause("The load balancer or CDN was not given the new certificate.")
        .shared(format!("{address} has an old certificate: sha256 {}", served.sha256.short()));
    let Whose::Fleet(host) = odd.whose else { return Some(found) };
    Some(at_balancer(subject, found, host, place))
}

/// So many lines of evidence are enough.
const SHOWN: usize = 4;

/// Whether a handshake was done with something before the host: an address that the inventory
/// adds, or the only ones that the name has.
pub(super) fn is_in_front(place: &Place, odd: &Odd<'_>) -> bool {
    odd.probe.is_added || !is_served_beside(place, odd)
}

/// Whether another address of the same name shows what lies on disk.
pub(super) fn is_served_beside(place: &Place, odd: &Odd<'_>) -> bool {
    let disk = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
    place.probes.iter().any(|it| {
        it.vantage == odd.probe.vantage
            && it.name == odd.probe.name
            && !it.is_added
            && it.leaf() == disk
    })
}

/// Whether what is served was once that of the lineage. What a CDN has of its own is not.
fn is_stale(subject: &Subject<'_>, place: &Place, served: &Certificate, now: Moment) -> bool {
    let Some(disk) = &place.layers.disk else { return false };
    if !is_older(served, &disk.chain.leaf) {
        return false;
    }
    let mut siblings = subject.around.siblings(subject.host, &disk.chain.leaf);
    is_version(place, served)
        || siblings.any(|it| is_version(it.0.place, served))
        || (is_of_lineage(place, served)
            && (now >= served.renewal_closes() || is_placeholder(served)))
}

/// Whether it is served by a host of the fleet of which a rule tells the same.
pub(super) fn speaks_for_itself(odd: &Odd<'_>) -> bool {
    let Whose::Fleet(host) = odd.whose else { return false };
    let name = odd.probe.name.as_str();
    host.reach == Reach::Up
        && host
            .places
            .iter()
            .any(|it| it.layers.disk.as_ref().is_some_and(|it| it.chain.leaf.covers(name)))
}

/// What can be done at a balancer that is a host of the fleet.
fn at_balancer(subject: &Subject<'_>, found: Finding, host: &Host, place: &Place) -> Finding {
    let disk = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
    let is_there = host
        .loaded
        .iter()
        .find(|it| it.chain.as_ref().is_ok_and(|it| Some(it.leaf.sha256) == disk));
    let Some(file) = is_there else {
        return found.evidence(format!(
            "{}: none of the {} files that its servers load holds it",
            host.name,
            host.loaded.len()
        ));
    };
    let loads = |it: &crate::fleet::Server| {
        it.sites.iter().flat_map(|it| &it.loads).any(|it| it.certificate == file.path)
    };
    let found = found.evidence(format!("{}: {} holds the new one", host.name, file.path));
    let Some(server) = host.servers.iter().find(|it| loads(it)) else { return found };
    let why = format!("{} has the new file and has not loaded it", host.name);
    let mut reload = subject.remedy("reload").choose("server", server.kind).why(why);
    (reload.host, reload.place) = (host.name.clone(), None);
    found.remedy(reload)
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Host, Probe};

    const NAMES: &[&str] = &["www.example.net"];

    /// A host that serves what is on its disk, and something that serves `chain` in front.
    fn behind(address: &str, chain: crate::fleet::Chain) -> Host {
        let (old, new) = (signed(leaf("old", NAMES, 90, 25)), signed(leaf("new", NAMES, 90, 89)));
        let mut host = host("web-01", vec![renewed("www", &old, new.clone())]);
        host.addresses = vec!["192.0.2.1".parse().unwrap()];
        nginx(&mut host, NAMES, &live("www"), &new);
        serve(&mut host, probe(NAMES[0], "127.0.0.1:443", new));
        serve(&mut host, Probe { is_added: true, ..probe(NAMES[0], address, chain) });
        host
    }

    fn old() -> crate::fleet::Chain {
        signed(leaf("old", NAMES, 90, 25))
    }

    #[test]
    fn an_old_certificate_in_front_is_told_apart() {
        let found = found([behind("198.51.100.7:443", old())]);
        assert_eq!(told(&found), "balancer warning drift web-01/www:");
        let uploaded = crate::fleet::Fingerprint::of(b"new").to_string();
        assert!(found[0].evidence.iter().any(|it| it.as_str().contains(&uploaded)));
    }

    #[test]
    fn what_a_cdn_has_of_its_own_is_no_fault() {
        let own = signed(leaf("cdn", &["www.example.net", "*.example.net"], 90, 30));
        check([behind("198.51.100.7:443", own)], "");
        let newer = signed(leaf("other", NAMES, 90, 89));
        check([behind("198.51.100.7:443", newer)], "");
    }

    #[test]
    fn a_balancer_of_the_fleet_is_reloaded_there() {
        let mut balancer = host("lb-01", vec![]);
        balancer.addresses = vec!["198.51.100.7".parse().unwrap()];
        let new = signed(leaf("new", NAMES, 90, 89));
        nginx(&mut balancer, NAMES, "/etc/haproxy/www.pem", &new);
        balancer.servers[0].kind = "haproxy";
        let told = told(&found([behind("198.51.100.7:443", old()), balancer.clone()]));
        assert!(
            told.contains("balancer warning drift web-01/www: reload lb-01 --server haproxy"),
            "{told}"
        );
        // Where it has a place for it, the finding is about that one.
        let file = file("/etc/haproxy/www.pem", old());
        balancer.places.push(file);
        balancer.loaded.clear();
        balancer.servers.clear();
        check(
            [behind("198.51.100.7:443", old()), balancer],
            "drift warning drift lb-01//etc/haproxy/www.pem: transplant lb-01//etc/haproxy/www.pem --from web-01/www",
        );
    }
}
