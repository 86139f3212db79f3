//! A small fleet with something of everything, for the tests of the formats.

use std::sync::Arc;

use super::{Page, Report};
use crate::diagnose::{Diagnosis, Finding, Remedy};
use crate::filter::Filter;
use crate::fleet::{
    Certificate, Chain, DAY, Fingerprint, Fleet, Host, HostName, KeyKind, Moment, Outcome, Place,
    Problem, ProblemKind, Seen, Severity, Sighting, Trust, Unreached, Verdict, Version, Visit, Why,
};
use crate::text::SafeText;

/// When everything in the sample is looked at.
pub(super) const NOW: Moment = Moment::from_unix(1_795_403_564);

/// Writes the sample in one format.
pub(super) fn write(kind: &super::Kind, page: Page) -> String {
    let fleet = fleet();
    let diagnosis = diagnosis();
    let filter = Filter::default();
    let report = Report { fleet: &fleet, diagnosis: &diagnosis, now: NOW, filter: &filter, page };
    let mut out = Vec::new();
    (kind.write)(&report, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Three hosts: one with a good and an expired certificate, one down, one never visited.
pub(super) fn fleet() -> Fleet {
    let group = ["production".to_owned()];
    let mut fleet = Fleet::new([
        Host::new(HostName::new("edge-ams-1"), "edge-ams-1.example.net", &group),
        Host::new(HostName::new("edge-syd-2"), "10.0.0.2", &group),
        Host::new(HostName::new("spare"), "10.0.0.3", &[]),
    ]);
    let bad = Problem {
        kind: ProblemKind::BrokenLink,
        text: SafeText::new("live/old/cert.pem leads nowhere"),
        path: Some(SafeText::new("/etc/letsencrypt/live/old/cert.pem")),
    };
    let seen = Seen {
        clock_offset: Some(2),
        places: vec![
            place("shop.example.net", -60 * DAY, 30 * DAY),
            place("legacy.example.org", -91 * DAY, -18_000),
        ],
        problems: vec![bad],
        ..Seen::default()
    };
    let down = Unreached {
        why: Why::TimedOut,
        text: SafeText::new("edge-syd-2: no answer within 10s"),
        hint: Some(SafeText::new("is the host up?")),
    };
    let visit = |host, outcome| Visit {
        host: HostName::new(host),
        at: NOW.plus(-5),
        outcome,
        probes: None,
    };
    fleet.apply(visit("edge-ams-1", Outcome::Seen(Box::new(seen))));
    fleet.apply(visit("edge-syd-2", Outcome::Unreached(down)));
    fleet
}

/// A place whose certificate begins and ends so many seconds from now.
pub(super) fn place(name: &str, begins: i64, ends: i64) -> Place {
    let leaf = Arc::new(Certificate {
        sha256: Fingerprint::of(name.as_bytes()),
        spki_sha256: Fingerprint::of(b"key"),
        serial: SafeText::new("04aa"),
        subject: SafeText::new(&format!("CN={name}")),
        issuer: SafeText::new("CN=R10,O=Let's Encrypt,C=US"),
        names: vec![SafeText::new(name), SafeText::new(&format!("www.{name}"))],
        not_before: NOW.plus(begins),
        not_after: NOW.plus(ends),
        key: KeyKind::Ecdsa(256),
        is_ca: false,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: None,
    });
    let chain = Arc::new(Chain {
        leaf: leaf.clone(),
        rest: Vec::new(),
        fault: None,
        trust: Trust::default(),
    });
    let sighting = |folder: &str| Sighting {
        chain: chain.clone(),
        location: SafeText::new(&format!("/etc/letsencrypt/{folder}/{name}/fullchain.pem")),
        at: NOW.plus(-5),
    };
    let mut place = Place::new("certbot", SafeText::new(name));
    place.layers.issued = Some(sighting("archive"));
    place.layers.disk = Some(sighting("live"));
    place.versions = vec![Version { number: 3, certificate: Some(leaf) }];
    place
}

/// What is wrong with the fleet above.
pub(super) fn diagnosis() -> Diagnosis {
    let finding = |host, place: Option<&str>, verdict, severity, summary: &str| {
        let (host, place) = (HostName::new(host), place.map(SafeText::new));
        Finding {
            evidence: vec![SafeText::new("not_after 2026-11-22T22:12:44Z")],
            cause: SafeText::new("renewal has failed since 24 October"),
            shared: SafeText::new("renewal has failed since 24 October"),
            remedies: vec![Remedy::new("renew", &host, place.as_ref())],
            ..Finding::bare(host, place, verdict, severity, SafeText::new(summary))
        }
    };
    Diagnosis {
        findings: vec![
            finding(
                "edge-ams-1",
                Some("legacy.example.org"),
                Verdict::Expired,
                Severity::Critical,
                "expired 5 h ago",
            ),
            finding(
                "edge-syd-2",
                None,
                Verdict::Unreachable,
                Severity::Warning,
                "no answer within 10s",
            ),
        ],
        places: vec![Verdict::Expired, Verdict::Ok],
        hosts: vec![Verdict::Expired, Verdict::Unreachable, Verdict::Unknown],
    }
}
