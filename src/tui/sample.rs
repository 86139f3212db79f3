//! Made fleets at a fixed moment, for tests, pictures and benches. Verdicts are written down
//! here, so that a picture shows what it should, whatever the rules are.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use super::book::{Book, Reading, Record};
use crate::audit::verify::{State, Verified};
use crate::diagnose::{Diagnosis, Finding, Remedy};
use crate::fleet::{
    Automation, Certificate, Chain, DAY, DryRun, Expiry, Failure, Fingerprint, Fleet, HOUR, Hook,
    HookStage, Host, HostName, KeyKind, KeySight, Listen, Load, Moment, NotServed, Outcome, Place,
    Probe, Renewal, Schedule, Scheduler, Seen, Server, Severity, Sighting, Site, Trigger, Trust,
    Unreached, Unserved, Vantage, Verdict, Version, Visit, Why,
};
use crate::inventory::{self, Inventory};
use crate::text::SafeText;

/// The moment at which every sample is looked at: 2026-11-23T03:12:44Z.
pub const NOW: Moment = Moment::from_unix(1_795_403_564);

/// Eighteen hosts with something of everything.
pub fn prod_eu() -> (Fleet, Diagnosis) {
    let mut fleet = Fleet::new(HOSTS.iter().map(|(name, group)| {
        Host::new(HostName::new(name), &format!("{name}.example.net"), &[(*group).to_owned()])
    }));
    fleet.expiries = vec![
        Expiry {
            name: safe("cloudflare API token"),
            kind: None,
            on: NOW.plus(70 * DAY),
            authenticators: vec![safe("dns-cloudflare")],
        },
        Expiry {
            name: safe("example.org domain"),
            kind: None,
            on: NOW.plus(21 * DAY),
            authenticators: Vec::new(),
        },
    ];
    for (host, _) in HOSTS {
        let places = PLACES.iter().filter(|it| it.0 == *host).map(made).collect();
        fleet.apply(visit(host, places, 41));
    }
    for (host, age) in [("edge-syd-1", 26 * HOUR), ("edge-syd-2", 26 * HOUR)] {
        let why = "ssh: connection timed out (12s)";
        let unreached =
            Unreached { why: Why::TimedOut, text: safe(why), hint: Some(safe(ASK_FOR_ROUTE)) };
        let at = NOW.plus(-age);
        if let Some(known) = fleet.host(&HostName::new(host)) {
            let known = Host { seen_at: Some(at), ..known.clone() };
            fleet.recall(known);
        }
        let at = NOW.plus(-29);
        let outcome = Outcome::Unreached(unreached);
        fleet.apply(Visit { host: HostName::new(host), at, outcome, probes: None });
    }
    let diagnosis = diagnosis(&fleet);
    (fleet, diagnosis)
}

/// So many hosts with so many certificates each, of all ages.
pub fn of_size(hosts: usize, places: usize) -> (Fleet, Diagnosis) {
    let names: Vec<String> = (0..hosts).map(|it| format!("host-{it:04}.example.net")).collect();
    let groups = ["edge".to_owned()];
    let mut fleet = Fleet::new(names.iter().map(|it| Host::new(HostName::new(it), it, &groups)));
    let mut number: i64 = 0;
    for host in &names {
        let made = (0..places).map(|it| {
            number += 1;
            let life = match number % 4 {
                0 => 160 * HOUR,
                1 => 45 * DAY,
                2 => 90 * DAY,
                _ => 398 * DAY,
            };
            // A step that shares no factor with the lives spreads the ages evenly.
            let lived = (number * 7919 * 61) % (life + DAY);
            let name = format!("site-{it}.{host}");
            place(&name, &[&name], "Let's Encrypt R11", life, life - lived)
        });
        let made = made.collect();
        fleet.apply(visit(host, made, 60));
    }
    let diagnosis = diagnosis(&fleet);
    (fleet, diagnosis)
}

/// The inventory that names the hosts of [`prod_eu`]. Those of one group may not be changed, and
/// in another names are to be typed.
pub fn inventory() -> Inventory {
    let mut text = String::from(
        "[[group]]\nname = 'edge'\n[[group]]\nname = 'mail'\nprotect = 'typed'\n\
         [[group]]\nname = 'internal'\nprotect = 'read-only'\nowner = 'the database team'\n\
         [[issuer]]\nname = 'letsencrypt'\n\
         directory = 'https://acme-v02.api.letsencrypt.org/directory'\n",
    );
    text.extend(HOSTS.iter().map(|(name, group)| {
        let host = format!("name = '{name}'\naddress = '{name}.example.net'\ngroups = ['{group}']");
        format!("[[host]]\n{host}\n[[host.source]]\nkind = 'certbot'\n")
    }));
    let (inventory, _) = inventory::read(&text);
    inventory
}

/// An audit log of one morning, in which one action has no outcome.
pub fn book() -> Book {
    let ops = [1, 2, 3, 4].map(Uuid::from_u128);
    let who = "alice@laptop";
    let intent = |action: &str, host: &str, lineage: &str| {
        json!({ "action": action, "host": host, "lineage": lineage, "who": who,
            "argv": [["certbot", "renew", "--cert-name", lineage]] })
    };
    let dry = intent("dry-run", "edge-fra-2", "api.example.net");
    let ended = json!({ "ending": "ok", "summary": "the simulated renewal succeeded", "exit": 0 });
    let forced = intent("force-renew", "mail-hel-1", "smtp.example.com");
    let failed = json!({ "ending": "failed", "exit": 0, "before": "04ae3d0a", "after": "9f00c1d2",
        "summary": "the new certificate is in place, but the deploy hook reload-postfix failed" });
    let lines = [
        (600, ops[0], "genesis", json!({ "origin": "laptop" })),
        (590, ops[0], "session", json!({ "event": "start", "who": who, "version": "0.1.0" })),
        (540, ops[1], "intent", dry),
        (500, ops[1], "outcome", ended),
        (300, ops[2], "intent", forced),
        (260, ops[2], "outcome", failed),
        (120, ops[3], "intent", intent("renew", "edge-nyc-1", "us.example.com")),
    ];
    let records = (1..).zip(lines).map(|(seq, (ago, op, kind, body))| Record {
        seq,
        at: NOW.plus(-ago),
        op,
        kind: kind.to_owned(),
        line: format!("{{\"v\":1,\"seq\":{seq},\"op\":\"{op}\",\"kind\":\"{kind}\"}}"),
        body: body.as_object().cloned().unwrap_or_default(),
    });
    let verified =
        Verified { state: State::OpenIntents, records: 7, segments: 1, open: 1, fault: None };
    let mut reading = Reading::default();
    records.for_each(|it| reading.add(it));
    reading.book(verified, None)
}

const HOSTS: &[(&str, &str)] = &[
    ("db-fra-9", "internal"),
    ("edge-ams-1", "edge"),
    ("edge-ams-2", "edge"),
    ("edge-ams-3", "edge"),
    ("edge-fra-1", "edge"),
    ("edge-fra-2", "edge"),
    ("edge-nyc-1", "edge"),
    ("edge-nyc-2", "edge"),
    ("edge-sin-1", "edge"),
    ("edge-sin-2", "edge"),
    ("edge-syd-1", "edge"),
    ("edge-syd-2", "edge"),
    ("git-fra-1", "internal"),
    ("mail-fra-1", "mail"),
    ("mail-hel-1", "mail"),
    ("mon-hel-1", "internal"),
    ("new-waw-1", "edge"),
    ("vpn-nyc-1", "internal"),
];

/// Host, name, who signed, life and what is left in hours.
type Made = (&'static str, &'static str, &'static str, i64, i64);

const PLACES: &[Made] = &[
    ("edge-ams-1", "legacy.example.org", R11, Q, -6),
    ("edge-fra-2", "api.example.net", R11, 160, 39),
    ("edge-fra-2", "*.cdn.example.net", R11, Q, 237),
    ("mail-hel-1", "smtp.example.com", R11, Q, 670),
    ("db-fra-9", "pg.internal.example", R11, Q, 697),
    ("edge-sin-1", "shop.example.sg", E7, 45 * 24, 828),
    ("vpn-nyc-1", "vpn.example.com", E7, 160, 152),
    ("edge-ams-3", "www.example.com", R11, Q, 1409),
    ("git-fra-1", "git.example.com", R11, Q, 1921),
    ("edge-ams-1", "www.example.org", R11, Q, 1300),
    ("edge-ams-1", "static.example.org", R11, Q, 1302),
    ("edge-ams-2", "www.example.org", R11, Q, 1301),
    ("edge-ams-2", "static.example.org", R11, Q, 1302),
    ("edge-ams-2", "img.example.org", R11, Q, 1303),
    ("edge-ams-3", "www.example.org", R11, Q, 1303),
    ("edge-ams-3", "*.apps.example.com", E7, Q, 1777),
    ("edge-fra-1", "api.example.net", R11, 160, 121),
    ("edge-fra-1", "*.cdn.example.net", R11, Q, 1840),
    ("edge-fra-1", "login.example.net", DIGI, 398 * 24, 6600),
    ("edge-fra-2", "login.example.net", DIGI, 398 * 24, 6600),
    ("edge-nyc-1", "api.example.net", R11, 160, 118),
    ("edge-nyc-1", "us.example.com", R11, Q, 1500),
    ("edge-nyc-1", "pay.example.com", DIGI, 198 * 24, 2800),
    ("edge-nyc-2", "api.example.net", R11, 160, 119),
    ("edge-nyc-2", "us.example.com", R11, Q, 1510),
    ("edge-nyc-2", "pay.example.com", DIGI, 198 * 24, 2800),
    ("edge-sin-1", "api.example.net", R11, 160, 104),
    ("edge-sin-2", "shop.example.sg", E7, 45 * 24, 829),
    ("edge-sin-2", "api.example.net", R11, 160, 101),
    ("edge-syd-1", "api.example.net", R11, 160, 88),
    ("edge-syd-1", "shop.example.au", E7, 45 * 24, 600),
    ("mail-fra-1", "imap.example.com", R11, Q, 1100),
    ("mail-fra-1", "smtp.example.com", R11, Q, 1101),
    ("mail-fra-1", "mta-sts.example.com", R11, Q, 1650),
    ("mail-hel-1", "imap.example.com", R11, Q, 1099),
    ("mon-hel-1", "/etc/grafana/tls/grafana.pem", "Example Internal CA", 3650 * 24, 60_000),
    ("mon-hel-1", "status.example.com", R11, Q, 1210),
    ("db-fra-9", "/etc/postgresql/server.crt", "Example Internal CA", 69_000_000, 68_900_000),
    ("git-fra-1", "registry.example.com", R11, Q, 1922),
    ("git-fra-1", "pages.example.com", E7, 45 * 24, 690),
    ("vpn-nyc-1", "idp.example.com", DIGI, 398 * 24, 4100),
];

/// The life of most certificates, in hours.
const Q: i64 = 90 * 24;
const R11: &str = "Let's Encrypt R11";
const E7: &str = "Let's Encrypt E7";
const DIGI: &str = "DigiCert Global G2 TLS RSA SHA256 2020 CA1";
const ASK_FOR_ROUTE: &str = "is the VPN up? try: ssh edge-syd-2.example.net";

/// What is wrong there: host, name, verdict, severity, what is seen, the cause.
const WRONG: &[(&str, &str, Verdict, Severity, &str, &str)] = &[
    (
        "edge-ams-1",
        "legacy.example.org",
        Verdict::Expired,
        Severity::Critical,
        "expired 5h ago",
        "no renewal was tried since 2026-08-25: certbot.timer is disabled",
    ),
    (
        "edge-fra-2",
        "api.example.net",
        Verdict::Overdue,
        Severity::Critical,
        "39h left, renewal was due 41h ago",
        "the last renewal failed: the challenge file could not be fetched over port 80",
    ),
    (
        "edge-fra-2",
        "*.cdn.example.net",
        Verdict::Overdue,
        Severity::Critical,
        "9.8d left, renewal was due 20.1d ago",
        "the last renewal failed: the DNS update was refused (NOTAUTH)",
    ),
    (
        "mail-hel-1",
        "smtp.example.com",
        Verdict::Due,
        Severity::Info,
        "27.9d left, renewal began 2.1d ago",
        "inside the renewal window",
    ),
    (
        "db-fra-9",
        "pg.internal.example",
        Verdict::Due,
        Severity::Info,
        "29.0d left, renewal began 23h ago",
        "inside the renewal window",
    ),
    (
        "git-fra-1",
        "git.example.com",
        Verdict::Unloaded,
        Severity::Critical,
        "renewed, but the process still serves the certificate before it",
        "the certificate was renewed, and nothing loaded it",
    ),
    (
        "git-fra-1",
        "registry.example.com",
        Verdict::Unloaded,
        Severity::Critical,
        "renewed, but the process still serves the certificate before it",
        "the certificate was renewed, and nothing loaded it",
    ),
    (
        "git-fra-1",
        "pages.example.com",
        Verdict::Automation,
        Severity::Warning,
        "a hook will not run: 10-reload.sh is not executable",
        "certbot skips hooks without an execute bit, and says nothing",
    ),
    (
        "edge-nyc-1",
        "pay.example.com",
        Verdict::Automation,
        Severity::Warning,
        "nothing renews it: the authenticator is manual",
        "somebody has to be at the keyboard for every renewal",
    ),
    (
        "edge-nyc-2",
        "pay.example.com",
        Verdict::Automation,
        Severity::Warning,
        "nothing renews it: the authenticator is manual",
        "somebody has to be at the keyboard for every renewal",
    ),
];

fn diagnosis(fleet: &Fleet) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    for (host, place) in fleet.places() {
        let found = WRONG.iter().find(|it| it.0 == host.name.as_str() && place.name == it.1);
        let verdict = found.map_or_else(|| by_time(place), |it| it.2);
        diagnosis.places.push(verdict);
        diagnosis.findings.extend(found.map(|(_, _, verdict, severity, summary, cause)| {
            let (name, place_name) = (host.name.clone(), Some(place.name.clone()));
            let remedy = |action| Remedy::new(action, &name, place_name.as_ref());
            Finding {
                evidence: evidence(host, place),
                cause: safe(cause),
                shared: safe(cause),
                remedies: ["dry-run", "renew"].map(remedy).into(),
                ..Finding::bare(
                    host.name.clone(),
                    place_name.clone(),
                    *verdict,
                    *severity,
                    safe(summary),
                )
            }
        }));
    }
    let mut verdicts = diagnosis.places.iter().copied();
    diagnosis.hosts = fleet
        .hosts()
        .map(|it| verdicts.by_ref().take(it.places.len()).max().unwrap_or(Verdict::Unknown))
        .collect();
    diagnosis.findings.sort_by_key(|it| std::cmp::Reverse((it.severity, it.verdict)));
    diagnosis
}

fn evidence(host: &Host, place: &Place) -> Vec<SafeText> {
    let Some(seen) = place.nearest() else { return Vec::new() };
    let leaf = &seen.chain.leaf;
    vec![
        safe(&format!("{}: not after {}", seen.location, leaf.not_after)),
        safe(&format!("{}: read {}", host.name, seen.at)),
    ]
}

fn by_time(place: &Place) -> Verdict {
    let Some(leaf) = place.leaf() else { return Verdict::Unknown };
    match NOW {
        it if it > leaf.not_after => Verdict::Expired,
        it if it > leaf.renewal_closes() => Verdict::Overdue,
        it if it > leaf.renewal_opens() => Verdict::Due,
        _ => Verdict::Ok,
    }
}

fn visit(host: &str, places: Vec<Place>, ago: i64) -> Visit {
    let trigger = Trigger {
        name: safe("certbot.timer"),
        is_armed: host != "edge-ams-1",
        state: safe(if host == "edge-ams-1" { "disabled" } else { "active" }),
        last: Some(NOW.plus(-4 * HOUR)),
        next: Some(NOW.plus(8 * HOUR)),
        result: Some(safe("success")),
        exit: Some(0),
        calendar: Some(safe("*-*-* 00,12:00:00")),
        jitter: Some(12 * HOUR),
        only: Vec::new(),
    };
    let hook = Hook {
        stage: HookStage::Deploy,
        path: safe("/etc/letsencrypt/renewal-hooks/deploy/10-reload.sh"),
        mode: if host == "git-fra-1" { 0o644 } else { 0o755 },
        is_executable: host != "git-fra-1",
    };
    let automation = Automation {
        source: "certbot",
        version: Some(safe("2.1.0")),
        is_installed: true,
        program: None,
        schedule: Schedule { scheduler: Scheduler::Systemd, triggers: vec![trigger] },
        hooks: vec![hook],
        lock: None,
        last_run: Some(NOW.plus(-4 * HOUR)),
        unproven: Vec::new(),
    };
    let probes = places.iter().flat_map(|it| probes(host, it, ago)).collect();
    let listen = |port| Listen { address: Ipv4Addr::UNSPECIFIED.into(), port };
    let seen = Seen {
        clock_offset: Some(0),
        servers: server(&places, listen(443)).into_iter().collect(),
        listeners: vec![listen(22), listen(443), listen(8443)],
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
        places,
        automation: vec![automation],
        ..Seen::default()
    };
    let outcome = Outcome::Seen(Box::new(seen));
    Visit { host: HostName::new(host), at: NOW.plus(-ago), outcome, probes: Some(probes) }
}

/// A server that loads what the client renews.
fn server(places: &[Place], listen: Listen) -> Option<Server> {
    let site = |it: &Place| {
        let disk = it.layers.disk.as_ref().filter(|_| it.source == "certbot")?;
        Some(Site {
            names: disk.chain.leaf.names.clone(),
            listens: vec![listen],
            proxied: Vec::new(),
            loads: vec![Load {
                certificate: disk.location.clone(),
                key: it.key.as_ref().map(|it| it.path.clone()),
                told_at: safe(&format!("/etc/nginx/sites-enabled/{}:7", it.name)),
                chain: None,
            }],
        })
    };
    let sites: Vec<Site> = places.iter().filter_map(site).collect();
    let server = Server {
        kind: "nginx",
        conf: safe("/etc/nginx/nginx.conf"),
        program: Some(safe("/usr/sbin/nginx")),
        args: Vec::new(),
        pid: Some(812),
        unit: Some(safe("nginx.service")),
        sites,
        problems: Vec::new(),
        read_by: None,
    };
    (!server.sites.is_empty()).then_some(server)
}

fn made((_, name, issuer, life, left): &Made) -> Place {
    let names: Vec<&str> = match *name {
        "api.example.net" => vec!["api.example.net", "api-v2.example.net"],
        "/etc/grafana/tls/grafana.pem" => vec!["grafana.internal.example"],
        "/etc/postgresql/server.crt" => vec!["db-fra-9.internal.example"],
        it => vec![it],
    };
    place(name, &names, issuer, life * HOUR, left * HOUR + HOUR / 2)
}

fn place(name: &str, names: &[&str], issuer: &str, life: i64, left: i64) -> Place {
    let is_file = name.starts_with('/');
    let until = NOW.plus(left);
    let leaf = Arc::new(certificate(names, &format!("CN={issuer}"), until.plus(-life), until));
    // One intermediate ends before what it has signed.
    let ends_first = name == "idp.example.com";
    let chain_end = if ends_first { NOW.plus(33 * DAY) } else { until.plus(500 * DAY) };
    let intermediate = Certificate {
        is_ca: true,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: None,
        key: KeyKind::Rsa(2048),
        ..certificate(&[], "CN=ISRG Root X1", NOW.plus(-600 * DAY), chain_end)
    };
    let intermediate = Certificate { subject: leaf.issuer.clone(), ..intermediate };
    let chain = Chain {
        leaf: Arc::clone(&leaf),
        rest: vec![Arc::new(intermediate)],
        fault: None,
        trust: trust(issuer, chain_end),
    };
    let file = if is_file {
        name.to_owned()
    } else {
        format!("/etc/letsencrypt/live/{name}/fullchain.pem")
    };
    let sighting = Sighting { chain: Arc::new(chain), location: safe(&file), at: NOW.plus(-41) };
    let mut place = Place::new(if is_file { "pem" } else { "certbot" }, safe(name));
    place.key = Some(KeySight {
        path: safe(&file.replace("fullchain", "privkey")),
        stamp: None,
        spki: Some(leaf.spki_sha256),
    });
    place.layers.issued = Some(sighting.clone());
    place.layers.disk = Some(sighting);
    if !is_file {
        // Those that are still served have been renewed in time.
        let step = if UNLOADED.contains(&name) { 60 * DAY } else { life };
        let ended = until.plus(-step);
        let before = certificate(names, &format!("CN={issuer}"), ended.plus(-life), ended);
        place.versions = vec![
            Version { number: 1, certificate: Some(Arc::new(before)) },
            Version { number: 2, certificate: Some(leaf) },
        ];
        place.renewal = Some(renewal(name, left, life));
    }
    place
}

fn trust(issuer: &str, until: Moment) -> Trust {
    let anchor = match issuer {
        "Example Internal CA" => return Trust::default(),
        DIGI => "CN=DigiCert Global Root G2",
        _ => "CN=ISRG Root X1",
    };
    Trust { anchor: Some(safe(anchor)), until: Some(until) }
}

/// What is served of a place: on the host's loopback and at two addresses.
fn probes(host: &str, place: &Place, ago: i64) -> Vec<Probe> {
    let Some(disk) = &place.layers.disk else { return Vec::new() };
    let Some(name) = disk.chain.leaf.names.first().filter(|it| !it.as_str().starts_with('*'))
    else {
        return Vec::new();
    };
    let served = if UNLOADED.contains(&name.as_str()) {
        let old = place.versions.first().and_then(|it| it.certificate.clone());
        let chain =
            Chain { leaf: old.unwrap_or_else(|| disk.chain.leaf.clone()), ..(*disk.chain).clone() };
        Arc::new(chain)
    } else {
        Arc::clone(&disk.chain)
    };
    // Fleets of a size are about rows.
    let Some(number) = HOSTS.iter().position(|it| it.0 == host) else { return Vec::new() };
    let probe = |vantage, address: String, served| Probe {
        name: name.clone(),
        vantage,
        address: safe(&address),
        is_told: true,
        is_added: false,
        at: NOW.plus(-ago),
        served,
    };
    let refused = Unserved { why: NotServed::NoRoute, text: safe("no route from here (IPv6)") };
    vec![
        probe(Vantage::Loopback, "127.0.0.1:443".to_owned(), Ok(Arc::clone(&served))),
        probe(Vantage::Public, format!("198.51.100.{number}:443"), Ok(served)),
        probe(Vantage::Public, format!("[2001:db8::{number}]:443"), Err(refused)),
    ]
}

/// Renewed, and not loaded by the process that serves them.
const UNLOADED: &[&str] = &["git.example.com", "registry.example.com"];

fn renewal(name: &str, left: i64, life: i64) -> Renewal {
    let failed = name == "api.example.net" && left < life / 4;
    let authenticator = match name {
        "pay.example.com" => "manual",
        it if it.starts_with('*') => "dns-cloudflare",
        _ => "webroot",
    };
    Renewal {
        authenticator: Some(safe(authenticator)),
        webroot: (authenticator == "webroot").then(|| safe("/var/www/html")),
        last_dry_run: Some(DryRun { at: NOW.plus(-9 * DAY), is_ok: !failed }),
        server: Some(safe("https://acme-v02.api.letsencrypt.org/directory")),
        account: Some(safe("4e5d1c0b")),
        key_type: Some(safe("ecdsa")),
        client_version: Some(safe("2.1.0")),
        is_enabled: true,
        is_unattended: name != "pay.example.com",
        last_failure: failed.then(|| Failure {
            at: Some(NOW.plus(-4 * HOUR)),
            text: safe("Failed to renew certificate api.example.net: Some challenges have failed."),
        }),
        ..Renewal::default()
    }
}

fn certificate(names: &[&str], issuer: &str, from: Moment, until: Moment) -> Certificate {
    let first = names.first().copied().unwrap_or("none");
    let seed = format!("{first} {issuer} {from}");
    let sha256 = Fingerprint::of(seed.as_bytes());
    let mut serial = format!("04{sha256}");
    serial.truncate(36);
    Certificate {
        sha256,
        spki_sha256: Fingerprint::of(first.as_bytes()),
        serial: safe(&serial),
        subject: safe(&format!("CN={first}")),
        issuer: safe(issuer),
        names: names.iter().map(|it| safe(it)).collect(),
        not_before: from,
        not_after: until,
        key: KeyKind::Ecdsa(256),
        is_ca: false,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: None,
    }
}

fn safe(text: &str) -> SafeText {
    SafeText::new(text)
}
