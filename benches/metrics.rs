//! How long a scrape takes after a scan: 2,000 hosts with 10,000 certificates.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark stops at what is wrong")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use certdeck::budget::authority::LETS_ENCRYPT;
use certdeck::budget::{Account, Bucket, Ca, Event, History, NameSet, What};
use certdeck::clock::Clock;
use certdeck::diagnose::diagnose;
use certdeck::export::Listener;
use certdeck::filter::Filter;
use certdeck::fleet::{
    Certificate, Chain, Fingerprint, Fleet, Host, HostName, KeyKind, Moment, Outcome, Place, Seen,
    Sighting, Trust, Visit,
};
use certdeck::report::prometheus::{Beside, Exposition, Scanned};
use certdeck::report::{Page, Report};
use certdeck::text::SafeText;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

const NOW: Moment = Moment::from_unix(1_795_403_564);

fn certificate(name: &str) -> Arc<Certificate> {
    Arc::new(Certificate {
        sha256: Fingerprint::of(name.as_bytes()),
        spki_sha256: Fingerprint::of(b"key"),
        serial: SafeText::new("04aabbccddeeff00112233445566778899aa"),
        subject: SafeText::new(&format!("CN={name}")),
        issuer: SafeText::new("CN=R10,O=Let's Encrypt,C=US"),
        names: ["", "www.", "api."].map(|it| SafeText::new(&format!("{it}{name}"))).into(),
        not_before: NOW.plus(-1_000_000),
        not_after: NOW.plus(1_000_000),
        key: KeyKind::Ecdsa(256),
        is_ca: false,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: None,
    })
}

fn fleet() -> Fleet {
    let names: Vec<_> = (0..2000).map(|it| HostName::new(&format!("host-{it}"))).collect();
    let group = ["production".to_owned()];
    let mut fleet = Fleet::new(names.iter().map(|it| Host::new(it.clone(), "10.0.0.1", &group)));
    for host in names {
        let place = |number| {
            let name = format!("name-{number}.{host}.example.net");
            let chain = Chain {
                leaf: certificate(&name),
                rest: Vec::new(),
                fault: None,
                trust: Trust::default(),
            };
            let mut place = Place::new("certbot", SafeText::new(&name));
            place.layers.disk = Some(Sighting {
                chain: Arc::new(chain),
                location: SafeText::new(&format!("/etc/letsencrypt/live/{name}/fullchain.pem")),
                at: NOW,
            });
            place.layers.issued = place.layers.disk.clone();
            place
        };
        let seen = Seen { places: (0..5).map(place).collect(), ..Seen::default() };
        fleet.apply(Visit { host, at: NOW, outcome: Outcome::Seen(Box::new(seen)), probes: None });
    }
    fleet
}

/// What a CA still allows after a week in which every eighth certificate was renewed: thousands of
/// limits of which something is used.
fn budget(fleet: &Fleet) -> Vec<Bucket> {
    let ca = Ca::of_directory(LETS_ENCRYPT.directory);
    let account = Account::Client(SafeText::new("f00dfeedf00d"));
    let event = |(at, (_, place)): (i64, (&Host, &Place))| {
        let names = NameSet::new(place.leaf().unwrap().names.iter().map(SafeText::as_str));
        let at = NOW.plus(-at * 480);
        Event::noted(at, ca.clone(), What::Issued(None), names, account.clone())
    };
    let events = (0..).zip(fleet.places().step_by(8)).map(event).collect();
    History::new(&Fleet::default(), &[], events, NOW).buckets(NOW)
}

fn metrics(criterion: &mut Criterion) {
    let fleet = fleet();
    let diagnosis = diagnose(&fleet, NOW);
    let filter = Filter::default();
    let page = Page::default();
    let report = Report { fleet: &fleet, diagnosis: &diagnosis, now: NOW, filter: &filter, page };
    let beside = Beside { buckets: budget(&fleet), ..Beside::default() };
    let made = Arc::new(Exposition::of(&Scanned::new(&report, &beside)));
    let size = made.bytes(NOW).len();

    let id = format!("write 10,000 certificates ({size} bytes)");
    criterion.bench_function(&id, |it| it.iter(|| made.bytes(NOW).len()));

    // The same as Prometheus asks for it, with all that lies between.
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(Listener::bind(([127, 0, 0, 1], 0).into())).unwrap();
    let address = listener.address();
    let (_tell, page) = watch::channel(Some(made));
    let mut work = JoinSet::new();
    work.spawn_on(listener.serve(page, Clock::fixed(NOW)), runtime.handle());
    let mut answer = Vec::with_capacity(2 * size);
    criterion.bench_function("scrape 10,000 certificates over HTTP", |it| {
        it.iter(|| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
            answer.clear();
            stream.read_to_end(&mut answer).unwrap();
            assert!(answer.len() > size);
        });
    });
}

criterion_group!(benches, metrics);
criterion_main!(benches);
