//! A fleet with nothing wrong, of which nothing may be said; and one of which much may be said.

use std::sync::Arc;

use super::sample::*;
use super::{Around, Subject, diagnose, judge, worst};
use crate::fleet::{
    Certificate, Chain, ChainFault, ConfHook, DAY, Hook, HookStage, Host, KeyKind, Load, NotServed,
    Place, Probe, Reach, Renewal, Trust, Unreached, Verdict, Why,
};
use crate::text::SafeText;

/// A host that renews for itself and serves it with nginx, at an age between new and due.
fn web(number: i64) -> Host {
    let name = format!("www{number}.example.net");
    let also = format!("{number}.example.net");
    let names = [name.as_str(), also.as_str()];
    let life = match number % 5 {
        0 => 6,
        1 => 45,
        2 => 90,
        3 => 199,
        _ => 398,
    };
    let oldest = if life < 10 { life / 2 } else { life * 2 / 3 };
    let age = number * 7 % oldest;
    let mut chains = vec![signed(leaf(&name, &names, life, life - age))];
    if number % 3 == 0 {
        let rsa = KeyKind::Rsa(2048);
        let tag = format!("{name} rsa");
        chains.push(signed(Certificate { key: rsa, ..leaf(&tag, &names, life, life - age) }));
    }
    let lineage = |index: usize| if index == 0 { name.clone() } else { format!("{name}-rsa") };
    let old = signed(leaf(&format!("{name} old"), &names, life, -age));
    let places = chains.iter().enumerate();
    let places = places.map(|(index, it)| renewed(&lineage(index), &old, it.clone())).collect();
    let mut host = host(&format!("web-{number:02}"), places);
    host.addresses = vec![format!("192.0.2.{number}").parse().unwrap()];
    host.clock_offset = Some(number % 3 - 1);
    host.automation[0].version = Some(SafeText::new("4.1.1"));
    host.automation[0].hooks.push(Hook {
        stage: HookStage::Deploy,
        path: SafeText::new("/etc/letsencrypt/renewal-hooks/deploy/nginx"),
        mode: 0o755,
        is_executable: true,
    });
    nginx(&mut host, &names, &live(&name), &chains[0]);
    if chains.len() > 1 {
        let site = &mut host.servers[0].sites[0];
        let certificate = SafeText::new(&live(&lineage(1)));
        site.loads.push(Load { certificate, ..site.loads[0].clone() });
    }
    for asked in names {
        let public = format!("192.0.2.{number}:443");
        for address in ["127.0.0.1:443", "[::1]:443", &public] {
            for chain in &chains {
                share(&mut host, &probe(asked, address, chain.clone()));
            }
        }
        // From here no IPv6 leads anywhere.
        share(&mut host, &unserved(asked, "[2001:db8::1]:443", NotServed::NoRoute));
    }
    host
}

/// Gives a probe to the host and to all of its places.
fn share(host: &mut Host, probe: &Probe) {
    host.places.iter_mut().for_each(|it| give(it, probe));
    host.probes.push(probe.clone());
}

/// A node that is given one of several files that all have, behind a balancer that has it too.
fn edge(number: i64) -> Host {
    let chain = signed(leaf("edge", &["*.edge.example.net", "edge.example.net"], 90, 65));
    let mut place = Place::new("pem", SafeText::new("/etc/haproxy/edge.pem"));
    place.layers.disk = Some(sighting("/etc/haproxy/edge.pem", chain.clone()));
    let mut host = host(&format!("edge-{number:02}"), vec![place]);
    host.addresses = vec![format!("198.51.100.{number}").parse().unwrap()];
    host.automation.clear();
    nginx(&mut host, &["*.edge.example.net"], "/etc/haproxy/edge.pem", &chain);
    host.servers[0].kind = "haproxy";
    for node in 0..5 {
        let address = format!("198.51.100.{node}:443");
        share(&mut host, &probe("a.edge.example.net", &address, chain.clone()));
    }
    share(&mut host, &probe("a.edge.example.net", "127.0.0.1:443", chain.clone()));
    let balancer = probe("a.edge.example.net", "203.0.113.9:443", chain);
    share(&mut host, &Probe { is_added: true, ..balancer });
    // A CDN has a certificate of its own.
    let own = signed(leaf("cdn", &["a.edge.example.net", "*.cdn.example.org"], 90, 25));
    let cdn = probe("a.edge.example.net", "203.0.113.10:443", own);
    share(&mut host, &Probe { is_added: true, ..cdn });
    host
}

/// A host of a company with an authority of its own, whose root signs the leaf itself.
fn inside(number: i64) -> Host {
    let name = format!("db{number}.corp.example");
    let mut own = leaf(&name, &[&name], 365, 250);
    own.issuer = SafeText::new("CN=Example Corp CA");
    let trust = Trust { anchor: Some(own.issuer.clone()), until: Some(own.not_after) };
    let chain =
        Chain { leaf: Arc::new(own), rest: vec![], fault: Some(ChainFault::NoIntermediate), trust };
    let mut place = place(&name, chain.clone());
    place.source = "acme-sh";
    place.renewal = Some(Renewal {
        authenticator: Some(SafeText::new("dns-nsupdate")),
        is_enabled: true,
        is_unattended: true,
        hooks: vec![ConfHook { stage: HookStage::Deploy, command: SafeText::new("reload") }],
        planned: Some(NOW.plus(100 * DAY)),
        ..Renewal::default()
    });
    let mut host = host(&format!("db-{number:02}"), vec![place]);
    host.automation[0].source = "acme-sh";
    // Behind translation no host knows the address that clients use.
    host.addresses = vec![format!("10.0.0.{number}").parse().unwrap()];
    let public = format!("203.0.113.{}:5432", 100 + number);
    for address in ["127.0.0.1:5432", &public] {
        share(&mut host, &probe(&name, address, chain.clone()));
    }
    host
}

#[test]
fn of_a_healthy_fleet_nothing_is_said() {
    let hosts: Vec<_> =
        (0..35).map(web).chain((0..5).map(edge)).chain((0..10).map(inside)).collect();
    assert_eq!(hosts.len(), 50);
    check(hosts, "");
}

#[test]
fn what_was_not_read_is_never_ok() {
    let why = Unreached { why: Why::TimedOut, text: SafeText::new("no answer"), hint: None };
    let down = |mut host: Host| {
        host.reach = Reach::Down(why.clone());
        host
    };
    let hosts = (0..10).map(|it| down(web(it)));
    let diagnosis = diagnose(&fleet(hosts), NOW);
    let all = || diagnosis.places.iter().chain(&diagnosis.hosts);
    assert!(all().all(|it| *it == Verdict::Unreachable), "{:?}", diagnosis.places);
    // Nor is a place of which nothing could be read, whatever is served.
    let mut blind = web(1);
    blind.places[0].layers = crate::fleet::Layers::default();
    let around = Around::default();
    let found = judge(&Subject::new(&around, &blind, blind.places.first()), NOW);
    assert!(worst(&found) >= Verdict::Unknown, "{}", told(&found));
}

/// What is said first about one fault in a healthy fleet is about that fault, whatever the others
/// do; and it is said of its host alone.
#[test]
fn one_fault_is_found_among_fifty() {
    let mut hosts: Vec<_> = (0..35).map(web).chain((0..5).map(edge)).collect();
    let names = ["www7.example.net", "7.example.net"];
    let old = signed(leaf("www7.example.net old", &names, 90, 20));
    let host = &mut hosts[7];
    for it in host.probes.iter_mut().chain(host.places.iter_mut().flat_map(|it| &mut it.probes)) {
        if it.served.is_ok() {
            it.served = Ok(Arc::new(old.clone()));
        }
    }
    check(
        hosts,
        "unloaded warning unloaded web-07/www7.example.net: reload web-07/www7.example.net --server nginx; hook web-07/www7.example.net",
    );
}

/// A thousand hosts with twenty places each are put in order once, and judged one by one.
#[test]
fn a_large_fleet_is_judged_in_one_pass() {
    let hosts = (0..1000).map(|number| {
        let places = (0..20).map(|it| {
            let name = format!("{it}.{number}.example.net");
            place(&name, signed(leaf(&name, &[&name], 90, 80)))
        });
        host(&format!("web-{number:04}"), places.collect())
    });
    let diagnosis = diagnose(&fleet(hosts), NOW);
    assert_eq!(diagnosis.places.len(), 20_000);
    assert!(diagnosis.findings.is_empty());
}
