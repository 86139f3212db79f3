//! A record of the name leads to another box, which serves something else or nothing.

use super::balancer::{is_in_front, speaks_for_itself};
use super::sight::{Odd, Whose, ip_of, is_placeholder, is_valid, told_sighting};
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, NotServed, Place, Probe, Reach, Severity, Vantage, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "elsewhere",
    about: "an address of the name leads to another box",
    advice: "Do not renew: the certificate is right where it is served. Ask whose address that is: usually a record that was left behind when a host moved, most often an AAAA, which clients with IPv6 prefer. Remove the record, or let the right host listen there. Until then the CA may look there too, and renewals by HTTP fail.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let (place, disk) = subject.sound(now)?;
    if subject.odds.iter().any(Odd::is_own) {
        return None;
    }
    let (probe, found) = something_else(subject, place, now).or_else(|| nothing(subject, place))?;
    let own: Vec<_> = subject.host.addresses.iter().map(ToString::to_string).collect();
    let found = if own.is_empty() {
        found
    } else {
        found.evidence(format!("{} has {}", subject.host.name, own.join(", ")))
    };
    let text =
        format!("{} belongs to none of the hosts that should serve the name.", record(probe));
    Some(found.evidence(format!("right is {}", told_sighting(disk))).cause(&text).shared(text))
}

/// An address at which something is served that no client of the name would take, or that this
/// host has replaced.
fn something_else<'a>(
    subject: &Subject<'a>,
    place: &Place,
    now: Moment,
) -> Option<(&'a Probe, Finding)> {
    let odd = subject.odds.iter().find(|it| {
        !it.probe.is_added
            && !speaks_for_itself(it)
            && (!is_in_front(place, it) || is_useless(it, now))
            && is_other(place, it, now)
    })?;
    let is_over = odd.chain.leaf.not_after < now;
    let verdict = if is_over { Verdict::Expired } else { Verdict::Drift };
    let summary =
        format!("{} leads to another box, which serves something else", record(odd.probe));
    let found = Finding::new(subject, verdict, Severity::Critical, summary)
        .evidence(format!("served by {}", odd.told()));
    let found = match odd.whose {
        Whose::Fleet(host) => found.evidence(format!("that is an address of {}", host.name)),
        _ => found,
    };
    Some((odd.probe, found))
}

/// An address at which nothing is served.
fn nothing<'a>(subject: &Subject<'a>, place: &'a Place) -> Option<(&'a Probe, Finding)> {
    let probe = silent(subject, place)?;
    let unserved = probe.served.as_ref().err()?;
    let summary = format!("{} leads to where nothing serves it", record(probe));
    let found =
        Finding::new(subject, Verdict::Drift, Severity::Critical, summary).evidence(format!(
            "{} {}, asked for {} at {}: {unserved}",
            probe.address,
            probe.vantage.words(),
            probe.name,
            probe.at
        ));
    Some((probe, found))
}

/// The record that leads there, in the words of the DNS.
pub(super) fn record(probe: &Probe) -> String {
    match ip_of(probe) {
        Some(ip) if ip.is_ipv6() => format!("the AAAA {ip} of {}", probe.name),
        Some(ip) => format!("the A {ip} of {}", probe.name),
        None => probe.address.to_string(),
    }
}

/// Whether it is something that should not be served for the name: what is merely another good
/// certificate may well be that of a CDN.
fn is_other(place: &Place, odd: &Odd<'_>, now: Moment) -> bool {
    let is_old = place
        .versions
        .iter()
        .any(|it| it.certificate.as_ref().is_some_and(|it| it.sha256 == odd.chain.leaf.sha256));
    is_old || is_useless(odd, now)
}

/// Whether no client of the name would take it.
fn is_useless(odd: &Odd<'_>, now: Moment) -> bool {
    let leaf = &odd.chain.leaf;
    !leaf.covers(odd.probe.name.as_str()) || !is_valid(leaf, now) || is_placeholder(leaf)
}

/// A told public address that is nobody's and shows nothing, where another address of the name
/// serves it.
fn silent<'a>(subject: &Subject<'a>, place: &'a Place) -> Option<&'a Probe> {
    let public = || place.probes.iter().filter(|it| it.vantage == Vantage::Public && it.is_told);
    let is_dead = |it: &&Probe| {
        let why = it.served.as_ref().err().map(|it| it.why);
        let is_told =
            matches!(why, Some(NotServed::Refused | NotServed::Silent | NotServed::NotTls));
        let is_served = public().any(|that| that.name == it.name && that.served.is_ok());
        is_told && !it.is_added && is_served
    };
    public().filter(is_dead).find(|it| !is_of_fleet(subject, it))
}

/// Whether a host of the fleet has the address.
fn is_of_fleet(subject: &Subject<'_>, probe: &Probe) -> bool {
    let Some(ip) = ip_of(probe) else { return true };
    let host = subject.host;
    // Where no address of the family is known, translation may hide which is whose.
    let is_translated =
        !host.addresses.iter().any(|it| it.is_ipv4() == ip.is_ipv4() && is_global(*it));
    host.addresses.contains(&ip)
        || subject.around.at(ip).iter().any(|it| it.reach == Reach::Up)
        || (ip.is_ipv4() && is_translated)
}

/// Whether an address is one that others could reach from anywhere (RFC 1918, RFC 4193).
fn is_global(it: std::net::IpAddr) -> bool {
    match it {
        std::net::IpAddr::V4(it) => !it.is_private() && !it.is_loopback() && !it.is_link_local(),
        std::net::IpAddr::V6(it) => {
            !it.is_unique_local() && !it.is_loopback() && !it.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Host, NotServed, Probe};

    const NAMES: &[&str] = &["www.example.net"];

    /// A host that is right, whose name has one more address.
    fn with(more: Probe) -> Host {
        let (old, new) = (signed(leaf("old", NAMES, 90, 25)), signed(leaf("new", NAMES, 90, 89)));
        let mut host = host("web-01", vec![renewed("www", &old, new.clone())]);
        host.addresses = vec!["192.0.2.1".parse().unwrap()];
        nginx(&mut host, NAMES, &live("www"), &new);
        serve(&mut host, probe(NAMES[0], "127.0.0.1:443", new.clone()));
        serve(&mut host, probe(NAMES[0], "192.0.2.1:443", new));
        serve(&mut host, more);
        host
    }

    #[test]
    fn a_record_that_leads_to_another_box_is_found() {
        let expected = "elsewhere critical drift web-01/www:";
        let other = signed(leaf("other", &["other.example.org"], 90, 80));
        check([with(probe(NAMES[0], "[2001:db8::7]:443", other))], expected);
        let old = signed(leaf("old", NAMES, 90, 25));
        check([with(probe(NAMES[0], "[2001:db8::7]:443", old))], expected);
        check([with(unserved(NAMES[0], "[2001:db8::7]:443", NotServed::Refused))], expected);
        let expired = signed(leaf("expired", NAMES, 90, -5));
        let told = told(&found([with(probe(NAMES[0], "[2001:db8::7]:443", expired))]));
        assert_eq!(told, "elsewhere critical expired web-01/www:");
    }

    #[test]
    fn what_cannot_be_told_from_here_says_nothing() {
        check([with(unserved(NAMES[0], "[2001:db8::7]:443", NotServed::NoRoute))], "");
        let good = signed(leaf("good", &["*.example.net"], 90, 80));
        check([with(probe(NAMES[0], "198.51.100.7:443", good))], "");
    }

    #[test]
    fn a_host_of_the_fleet_speaks_for_itself() {
        let mut other = host("web-02", vec![place("www", signed(leaf("own", NAMES, 90, 70)))]);
        other.addresses = vec!["198.51.100.7".parse().unwrap()];
        let own = signed(leaf("own", NAMES, 90, 70));
        serve(&mut other, probe(NAMES[0], "127.0.0.1:443", own.clone()));
        check([with(probe(NAMES[0], "198.51.100.7:443", own)), other], "");
    }
}
