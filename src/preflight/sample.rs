//! A case for tests: www.example.net on web-01, ordered by us, proven by files.

use std::net::IpAddr;
use std::sync::Arc;

use super::host::Sight;
use super::{Ca, Case, Client, Evidence, Kind, Name, Outcome, Proof, Proven};
use crate::action::{self, Cost, Webroot};
use crate::budget::{self, Account, History, NameSet, Wanted};
use crate::fleet::{
    Automation, Certificate, Fingerprint, Fleet, Host, HostName, KeyKind, Moment, Place, Renewal,
    Schedule, Scheduler, Server, Version,
};
use crate::inventory;
use crate::resolve::{Caa, End, Look, Seal};
use crate::text::SafeText;

pub(super) const NOW: Moment = Moment::from_unix(1_795_403_564);

pub(super) fn host_name(name: &str) -> HostName {
    HostName::new(name)
}

pub(super) fn case() -> Case {
    let text = "[[host]]\nname = 'web-01'\n[[host]]\nname = 'web-02'\n\
                [[issuer]]\nname = 'lab'\ndirectory = 'https://ca.test/dir'\n";
    let (inventory, complaints) = inventory::read(text);
    assert!(complaints.is_empty(), "{complaints:?}");
    let mut host = Host::new(host_name("web-01"), "web-01", &[]);
    host.clock_offset = Some(0);
    let mut place = Place::new("certdeck", SafeText::new("www"));
    place.renewal = Some(Renewal { is_enabled: true, ..Renewal::default() });
    let spots = vec![Webroot { host: host.name.clone(), folder: "/srv/www".into() }];
    let by = Proven::Files { spots, unknown: vec![], port: 80 };
    let address = |it: &str| it.parse::<IpAddr>().unwrap();
    Case {
        told: inventory.hosts[0].clone(),
        lineage: "www".into(),
        place: Some(Arc::new(place)),
        client: Client::Us,
        ca: Ca {
            directory: "https://ca.test/dir".into(),
            issuer: inventory.issuers.first().cloned(),
            is_staging: false,
        },
        cost: cost(&host, "https://ca.test/dir"),
        proofs: vec![Proof { name: "www.example.net".into(), by }],
        addresses: vec![
            (host.name.clone(), vec![address("192.0.2.1"), address("2001:db8::1")]),
            (host_name("web-02"), vec![address("192.0.2.2")]),
        ],
        host: Arc::new(host),
        read_only: None,
        now: NOW,
    }
}

/// What was looked at where only the host was, and it has nothing to tell.
pub(super) fn read() -> Evidence {
    Evidence { host: Ok(Sight::default()), ..Evidence::default() }
}

/// The same, proven in the DNS.
pub(super) fn by_records() -> Case {
    let mut case = case();
    case.proofs[0].by = Proven::Records("lab".into());
    case
}

pub(super) fn host_of(case: &mut Case) -> &mut Host {
    Arc::make_mut(&mut case.host)
}

pub(super) fn renewal_of(case: &mut Case) -> &mut Renewal {
    Arc::make_mut(case.place.as_mut().unwrap()).renewal.as_mut().unwrap()
}

/// What is known of certbot on the host: nothing, at first.
pub(super) fn automation_of(case: &mut Case) -> &mut Automation {
    let host = host_of(case);
    if host.automation.is_empty() {
        host.automation.push(Automation {
            source: "certbot",
            version: None,
            is_installed: true,
            program: None,
            schedule: Schedule { scheduler: Scheduler::Systemd, triggers: vec![] },
            hooks: vec![],
            lock: None,
            last_run: None,
            unproven: Vec::new(),
        });
    }
    &mut host.automation[0]
}

/// Adds a version that was issued by Let's Encrypt an hour ago.
/// What an order for the name costs there, by what lies on the host.
fn cost(host: &Host, directory: &str) -> Cost {
    let history = History::new(&Fleet::new([host.clone()]), &[], Vec::new(), NOW);
    let ca = budget::Ca::of_directory(directory);
    let names = NameSet::new(["www.example.net"]);
    action::cost(&history, &Wanted::new(ca, names, Account::Own), NOW)
}

/// Another CA, and what was issued by it so far counts.
pub(super) fn order_from(case: &mut Case, directory: &str) {
    directory.clone_into(&mut case.ca.directory);
    case.cost = cost(&case.host, directory);
}

pub(super) fn issue(case: &mut Case) {
    let mut place = Place::new("certbot", SafeText::new("www"));
    let issuer = "CN=YE1,O=Let's Encrypt,C=US";
    let number = case.host.places.len();
    let certificate = Certificate {
        sha256: Fingerprint::of(format!("leaf {number}").as_bytes()),
        spki_sha256: Fingerprint::of(format!("key {number}").as_bytes()),
        serial: SafeText::default(),
        subject: SafeText::default(),
        issuer: SafeText::new(issuer),
        names: vec![SafeText::new("www.example.net")],
        not_before: NOW.plus(-7200),
        not_after: NOW.plus(90 * 86_400),
        key: KeyKind::Ed25519,
        is_ca: false,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: None,
    };
    place.versions.push(Version { number: 1, certificate: Some(Arc::new(certificate)) });
    host_of(case).places.push(place);
}

pub(super) fn server() -> Server {
    Server {
        kind: "nginx",
        conf: SafeText::new("/etc/nginx/nginx.conf"),
        program: None,
        args: vec![],
        pid: None,
        unit: None,
        read_by: None,
        sites: vec![],
        problems: vec![],
    }
}

pub(super) fn look(addresses: &[&str], end: End) -> Look {
    let addresses = addresses.iter().map(|it| it.parse().unwrap()).collect();
    Look { aliases: vec![], addresses, end, seal: Seal::None }
}

pub(super) fn name(addresses: &[&str]) -> Name {
    let look = look(addresses, End::Found);
    Name { name: "www.example.net".into(), look, caa: Ok(Caa::default()) }
}

/// Stops with an assertion unless a check says just that.
#[track_caller]
pub(super) fn judged(kind: &Kind, case: &Case, evidence: &Evidence, outcome: Outcome, text: &str) {
    let verdict = kind.judge(case, evidence);
    assert_eq!((verdict.outcome, verdict.text.as_str()), (outcome, text), "{verdict:#?}");
}
