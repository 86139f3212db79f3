//! Fleets for the tests of rules, built from few words.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::{Finding, diagnose};
use crate::fleet::{
    Automation, Certificate, Chain, DAY, Fingerprint, Fleet, Host, HostName, KeyKind, KeySight,
    Listen, Load, Loaded, Moment, NotServed, Place, Probe, Reach, Renewal, Schedule, Scheduler,
    Server, Sighting, Site, Trigger, Trust, Unserved, Vantage, Version,
};
use crate::text::SafeText;

pub(crate) const NOW: Moment = Moment::from_unix(1_795_403_564);

const ISSUER: &str = "CN=E7,O=Let's Encrypt,C=US";

/// A leaf that lives for `life` days, of which `left` are left.
pub(crate) fn leaf(tag: &str, names: &[&str], life: i64, left: i64) -> Certificate {
    Certificate {
        sha256: Fingerprint::of(tag.as_bytes()),
        spki_sha256: Fingerprint::of(format!("key of {tag}").as_bytes()),
        serial: SafeText::new(&format!("04b2{}", tag.len())),
        subject: SafeText::new(&format!("CN={}", names.first().copied().unwrap_or_default())),
        issuer: SafeText::new(ISSUER),
        names: names.iter().map(|it| SafeText::new(it)).collect(),
        not_before: NOW.plus((left - life) * DAY),
        not_after: NOW.plus(left * DAY),
        key: KeyKind::Ecdsa(256),
        is_ca: false,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: None,
    }
}

/// The authority behind such leaves, with so many days left.
pub(crate) fn authority(tag: &str, left: i64) -> Certificate {
    Certificate {
        subject: SafeText::new(ISSUER),
        issuer: SafeText::new("CN=ISRG Root X2,O=Internet Security Research Group,C=US"),
        is_ca: true,
        der: Some(Arc::from(tag.as_bytes())),
        ..leaf(tag, &[], 1000, left)
    }
}

/// The leaf with its intermediate behind it.
pub(crate) fn signed(leaf: Certificate) -> Chain {
    let anchor = Some(SafeText::new("CN=ISRG Root X2"));
    let until = Some(leaf.not_after);
    Chain {
        leaf: Arc::new(leaf),
        rest: vec![Arc::new(authority("intermediate", 500))],
        fault: None,
        trust: Trust { anchor, until },
    }
}

pub(crate) fn sighting(location: &str, chain: Chain) -> Sighting {
    Sighting { chain: Arc::new(chain), location: SafeText::new(location), at: NOW }
}

/// Where certbot keeps the live certificate of a lineage.
pub(crate) fn live(name: &str) -> String {
    format!("/etc/letsencrypt/live/{name}/fullchain.pem")
}

/// A lineage of certbot that would renew by itself.
pub(crate) fn place(name: &str, chain: Chain) -> Place {
    let mut place = Place::new("certbot", SafeText::new(name));
    place.versions = vec![Version { number: 1, certificate: Some(chain.leaf.clone()) }];
    place.layers.disk = Some(sighting(&live(name), chain));
    place.layers.issued = place.layers.disk.clone();
    place.renewal = Some(Renewal {
        authenticator: Some(SafeText::new("webroot")),
        is_enabled: true,
        is_unattended: true,
        ..Renewal::default()
    });
    place
}

/// A plain file that certificate and key lie in.
pub(crate) fn file(path: &str, chain: Chain) -> Place {
    let mut place = Place::new("pem", SafeText::new(path));
    let spki = Some(chain.leaf.spki_sha256);
    place.key = Some(KeySight { path: SafeText::new(path), stamp: None, spki });
    place.layers.disk = Some(sighting(path, chain));
    place
}

/// A lineage with an older version behind the live one.
pub(crate) fn renewed(name: &str, old: &Chain, new: Chain) -> Place {
    let mut place = place(name, new);
    if let Some(live) = place.versions.first_mut() {
        live.number = 2;
    }
    place.versions.insert(0, Version { number: 1, certificate: Some(old.leaf.clone()) });
    place
}

/// A host that was read, with a timer that works.
pub(crate) fn host(name: &str, places: Vec<Place>) -> Host {
    let mut host = Host::new(HostName::new(name), name, &[]);
    host.reach = Reach::Up;
    (host.tried_at, host.seen_at) = (Some(NOW), Some(NOW));
    host.clock_offset = Some(0);
    host.places = places;
    host.automation = vec![automation()];
    host
}

pub(crate) fn automation() -> Automation {
    let trigger = Trigger {
        name: SafeText::new("certbot.timer"),
        is_armed: true,
        state: SafeText::new("active"),
        ..Trigger::default()
    };
    Automation {
        source: "certbot",
        version: None,
        is_installed: true,
        program: None,
        schedule: Schedule { scheduler: Scheduler::Systemd, triggers: vec![trigger] },
        hooks: Vec::new(),
        lock: None,
        last_run: None,
        unproven: Vec::new(),
    }
}

/// An nginx with one site that loads one file, which holds `chain`.
pub(crate) fn nginx(host: &mut Host, names: &[&str], path: &str, chain: &Chain) {
    let site = Site {
        names: names.iter().map(|it| SafeText::new(it)).collect(),
        listens: vec![Listen { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 443 }],
        proxied: Vec::new(),
        loads: vec![Load {
            certificate: SafeText::new(path),
            key: None,
            chain: None,
            told_at: SafeText::new("/etc/nginx/sites-enabled/www:12"),
        }],
    };
    host.loaded.push(Loaded {
        path: SafeText::new(path),
        chain: Ok(Arc::new(chain.clone())),
        changed: Some(NOW.plus(-DAY)),
    });
    match host.servers.first_mut() {
        Some(server) => server.sites.push(site),
        None => host.servers.push(Server {
            kind: "nginx",
            conf: SafeText::new("/etc/nginx/nginx.conf"),
            program: None,
            args: Vec::new(),
            pid: Some(7),
            unit: Some(SafeText::new("nginx.service")),
            read_by: None,
            sites: vec![site],
            problems: Vec::new(),
        }),
    }
}

/// A handshake that the inventory asks for: on the host's loopback if that is the address.
pub(crate) fn probe(name: &str, address: &str, chain: Chain) -> Probe {
    let is_local = address.starts_with("127.") || address.starts_with("[::1]");
    Probe {
        name: SafeText::new(name),
        vantage: if is_local { Vantage::Loopback } else { Vantage::Public },
        address: SafeText::new(address),
        is_told: true,
        is_added: false,
        at: NOW,
        served: Ok(Arc::new(chain)),
    }
}

/// One that showed nothing.
pub(crate) fn unserved(name: &str, address: &str, why: NotServed) -> Probe {
    let blank = probe(name, address, signed(leaf("none", &[], 90, 80)));
    Probe { served: Err(Unserved { why, text: SafeText::new("no answer") }), ..blank }
}

/// Gives the host a probe, and the first of its places too, layers included.
pub(crate) fn serve(host: &mut Host, probe: Probe) {
    if let Some(place) = host.places.first_mut() {
        give(place, &probe);
    }
    host.probes.push(probe);
}

/// Gives a place a probe.
pub(crate) fn give(place: &mut Place, probe: &Probe) {
    if let Ok(chain) = &probe.served {
        let seen = Sighting { chain: chain.clone(), location: probe.address.clone(), at: probe.at };
        match probe.vantage {
            Vantage::Loopback => place.layers.loaded = Some(seen),
            Vantage::Public => place.layers.wire.push(seen),
        }
    }
    place.probes.push(probe.clone());
}

pub(crate) fn fleet(hosts: impl IntoIterator<Item = Host>) -> Fleet {
    Fleet::new(hosts)
}

/// What is found in a fleet of these hosts.
pub(crate) fn found(hosts: impl IntoIterator<Item = Host>) -> Vec<Finding> {
    diagnose(&fleet(hosts), NOW).findings
}

/// The findings as lines: rule, severity, verdict, host and place, remedies as commands.
pub(crate) fn told(findings: &[Finding]) -> String {
    let line = |it: &Finding| {
        let remedies: Vec<_> = it.remedies.iter().map(command).collect();
        let place = it.place.as_ref().map(|it| format!("/{it}")).unwrap_or_default();
        let remedies = remedies.join("; ");
        format!("{} {} {} {}{place}: {remedies}", it.rule, it.severity, it.verdict, it.host)
    };
    findings.iter().map(|it| line(it).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn command(it: &super::Remedy) -> String {
    let place = it.place.as_ref().map(|it| format!("/{it}")).unwrap_or_default();
    let chosen = it.chosen.iter().map(|(name, value)| format!("--{name} {value}"));
    let target = format!("{} {}{place}", it.action, it.host);
    std::iter::once(target).chain(chosen).collect::<Vec<_>>().join(" ")
}

/// Checks what is found in a fleet, as [`told`] tells it.
#[track_caller]
pub(crate) fn check(hosts: impl IntoIterator<Item = Host>, expected: &str) {
    let findings = found(hosts);
    let shown: Vec<_> = findings
        .iter()
        .map(|it| format!("{}\n  {}\n  {:?}", it.summary, it.cause, it.evidence))
        .collect();
    let expected: Vec<_> = expected.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    assert_eq!(told(&findings), expected.join("\n"), "{}", shown.join("\n"));
}
