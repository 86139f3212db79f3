//! Reviews with something of everything, for the tests of the formats.

use std::collections::HashMap;
use std::sync::Arc;

use super::Kind;
use crate::diagnose::{Ack, AckKind, diagnose};
use crate::fleet::{
    Automation, Certificate, Chain, DAY, Expiry, ExpiryKind, Fingerprint, Fleet, Group, Host,
    HostName, KeyKind, Moment, Place, Reach, Renewal, Schedule, Scheduler, Sighting, Trigger,
    Trust,
};
use crate::review::{Asked, Mark, Review, Since};
use crate::text::SafeText;

const NOW: Moment = Moment::from_unix(1_795_403_564);

pub(super) fn write(kind: &Kind, review: &Review) -> String {
    let mut out = Vec::new();
    (kind.write)(review, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A place with so many days left of so many.
fn place(name: &str, tag: &str, life: i64, left: i64) -> Place {
    let leaf = Arc::new(Certificate {
        sha256: Fingerprint::of(tag.as_bytes()),
        spki_sha256: Fingerprint::of(b"key"),
        serial: SafeText::new("04b2"),
        subject: SafeText::new(&format!("CN={name}")),
        issuer: SafeText::new("CN=YE1,O=Let's Encrypt,C=US"),
        names: vec![SafeText::new(name)],
        not_before: NOW.plus((left - life) * DAY),
        not_after: NOW.plus(left * DAY),
        key: KeyKind::Ecdsa(256),
        is_ca: false,
        is_for_clients: false,
        renewal_id: None,
        logged_at: None,
        der: None,
    });
    let trust = Trust { anchor: Some(SafeText::new("CN=ISRG Root X2")), until: None };
    let chain = Chain { leaf, rest: Vec::new(), fault: None, trust };
    let location = SafeText::new("/etc/letsencrypt/live/fullchain.pem");
    let mut place = Place::new("certbot", SafeText::new(name));
    place.layers.disk = Some(Sighting { chain: Arc::new(chain), location, at: NOW });
    let server = SafeText::new("https://acme-v02.api.letsencrypt.org/directory");
    let renewal = Renewal { is_enabled: true, is_unattended: true, ..Renewal::default() };
    place.renewal = Some(Renewal { server: Some(server), ..renewal });
    place
}

fn host(name: &str, calendar: &str, places: Vec<Place>) -> Host {
    let trigger = Trigger {
        name: SafeText::new("certbot.timer"),
        is_armed: true,
        state: SafeText::new("active"),
        calendar: Some(SafeText::new(calendar)),
        jitter: Some(0),
        ..Trigger::default()
    };
    let mut host = Host::new(HostName::new(name), name, &["edge".to_owned()]);
    (host.reach, host.tried_at, host.seen_at) = (Reach::Up, Some(NOW), Some(NOW));
    host.clock_offset = Some(0);
    host.places = places;
    let triggers = vec![trigger];
    host.automation = vec![Automation {
        source: "certbot",
        version: Some(SafeText::new("5.6.0")),
        is_installed: true,
        program: None,
        schedule: Schedule { scheduler: Scheduler::Systemd, triggers },
        hooks: Vec::new(),
        lock: None,
        last_run: Some(NOW),
        unproven: Vec::new(),
    }];
    host
}

fn fleet(name: &str) -> Fleet {
    let mut fleet = Fleet::new([
        host(
            "edge-ams-1",
            "*-*-* 00,12:00:00",
            vec![
                place("legacy.example.org", "legacy", 90, 5),
                place("past.example.org", "past", 90, -2),
                place(name, "shop", 90, 80),
            ],
        ),
        Host {
            groups: Vec::new(),
            ..host("edge-fra-2", "0 3 * * 1", vec![place("api.example.net", "api", 90, 50)])
        },
    ]);
    fleet.groups = vec![Group {
        name: "edge".to_owned(),
        owner: Some(SafeText::new("edge team")),
        runbook: None,
    }];
    fleet.expiries = vec![Expiry {
        name: SafeText::new("EAB key of zerossl"),
        kind: Some(ExpiryKind::EabKey),
        on: NOW.plus(40 * DAY),
        authenticators: Vec::new(),
    }];
    fleet.scanned_at = Some(NOW);
    fleet
}

fn of(fleet: &Fleet, since: Since<'_>) -> Review {
    let mut diagnosis = diagnose(fleet, NOW);
    let overdue = diagnosis.findings.iter().find(|it| it.rule == "overdue");
    let end = (NOW.plus(-DAY), NOW.plus(7 * DAY));
    let said = ("anna@laptop", "the vendor moves it on Monday");
    let acks: Vec<_> =
        overdue.iter().map(|it| Ack::of(it, AckKind::Acknowledged, end, said)).collect();
    diagnosis.acknowledge(&acks, NOW);
    Review::of(&Asked {
        fleet,
        diagnosis: &diagnosis,
        issuers: &[],
        since,
        dry_runs: &HashMap::new(),
        now: NOW,
    })
}

/// A week after one that was signed off: one certificate was renewed, one is new, one gone.
pub(super) fn review() -> Review {
    let mut before = fleet("shop.example.net");
    let mut hosts: Vec<Host> = before.hosts().cloned().collect();
    for host in &mut hosts {
        host.seen_at = Some(NOW.plus(-8 * DAY));
    }
    hosts[0].places = vec![
        place("legacy.example.org", "legacy", 90, 5),
        place("shop.example.net", "old", 90, 20),
    ];
    hosts[1].places.push(place("beta.example.net", "beta", 90, 30));
    before = Fleet::new(hosts);
    let mark = Mark::of(&before, 3, NOW.plus(-7 * DAY), "anna@laptop", "all well");
    of(&fleet("shop.example.net"), Since::Mark(&mark))
}

/// The first one, of a fleet without hosts.
pub(super) fn first() -> Review {
    of(&Fleet::default(), Since::Beginning)
}

/// One in which a host has tried to get something past every format.
pub(super) fn hostile() -> Review {
    let mut fleet = fleet("=<script>alert(1)</script>|`*_[x](javascript:y)\"' onload=\"x");
    fleet.expiries[0].name = SafeText::new("=1+1</title><script>\"x\"</script>");
    fleet.groups.clear();
    let before = Mark::of(&Fleet::default(), 1, NOW.plus(-7 * DAY), "<b>anna</b>", "a|b");
    of(&fleet, Since::Mark(&before))
}
