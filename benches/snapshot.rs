//! How long the first picture waits for the snapshot: 2,000 hosts with 10,000 certificates.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark stops at what is wrong")]

use std::sync::Arc;

use certdeck::fleet::{
    Certificate, Chain, Fingerprint, Fleet, Host, HostName, KeyKind, Moment, Outcome, Place, Seen,
    Sighting, Trust, Version, Visit,
};
use certdeck::store::Store;
use certdeck::text::SafeText;
use criterion::{Criterion, criterion_group, criterion_main};

const NOW: Moment = Moment::from_unix(1_795_403_564);

fn names() -> impl Iterator<Item = HostName> {
    (0..2000).map(|it| HostName::new(&format!("host-{it}")))
}

fn empty() -> Fleet {
    Fleet::new(names().map(|it| Host::new(it, "10.0.0.1", &["production".to_owned()])))
}

fn certificate(name: &str, is_ca: bool) -> Arc<Certificate> {
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
        is_ca,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: is_ca.then(|| Arc::from([1, 2, 3].as_slice())),
    })
}

fn fleet() -> Fleet {
    let mut fleet = empty();
    let above = certificate("R10", true);
    for host in names() {
        let place = |number| {
            let name = format!("name-{number}.{host}.example.net");
            let leaf = certificate(&name, false);
            let chain = Chain {
                leaf: leaf.clone(),
                rest: vec![above.clone()],
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
            place.versions = vec![Version { number: 1, certificate: Some(leaf) }];
            place
        };
        let seen = Seen { places: (0..5).map(place).collect(), ..Seen::default() };
        fleet.apply(Visit { host, at: NOW, outcome: Outcome::Seen(Box::new(seen)), probes: None });
    }
    fleet
}

fn snapshot(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(folder.path());
    store.save(&fleet()).unwrap();
    let size = store.path().metadata().unwrap().len();
    let known = empty();
    let id = format!("recall 10,000 certificates ({size} bytes)");
    criterion.bench_function(&id, |it| {
        it.iter_batched_ref(
            || known.clone(),
            |fleet| store.recall(fleet).unwrap(),
            criterion::BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, snapshot);
criterion_main!(benches);
