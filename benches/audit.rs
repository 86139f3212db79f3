//! What a record costs, and how long a million of them take to verify.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark stops at what is wrong")]
#![expect(clippy::disallowed_methods, reason = "a million records are not written one by one")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use certdeck::audit::verify::{State, verify};
use certdeck::audit::{Log, Secret, read};
use certdeck::clock::Clock;
use certdeck::fleet::Fingerprint;
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};

const RECORDS: usize = 1_000_000;

fn body() -> Map<String, Value> {
    json!({
        "action": "force-renew", "host": "edge-fra-2", "address": "edge-fra-2.example.net",
        "lineage": "api.example.net", "names": ["api.example.net", "www.example.net"],
        "argv": [["certbot", "renew", "-n", "--no-random-sleep-on-renew", "--cert-name",
                  "api.example.net", "--force-renewal"]],
        "confirmed": "typed api.example.net", "who": "ops@laptop",
        "plan": "53d93099650dd468e9c4948606ab8edc839f0e79e76151c6acc2c5e4509b0962",
    })
    .as_object()
    .unwrap()
    .clone()
}

fn append(criterion: &mut Criterion) {
    let state = tempfile::tempdir().unwrap();
    let mut log = Log::open(state.path(), Clock::default()).unwrap();
    log.protect(&Secret::new("a secret that nobody knows"));
    let body = body();
    criterion.bench_function("append a record", |it| it.iter(|| log.change(&body).unwrap()));
}

fn reopen(criterion: &mut Criterion) {
    let state = tempfile::tempdir().unwrap();
    write(state.path(), RECORDS / 50);
    let body = body();
    criterion.bench_function("open a long log and append", |it| {
        it.iter(|| Log::open(state.path(), Clock::default()).unwrap().change(&body).unwrap());
    });
}

/// What is asked before every change.
fn open_intents(criterion: &mut Criterion) {
    let state = tempfile::tempdir().unwrap();
    write(state.path(), RECORDS / 5);
    criterion.bench_function("what is open of 200000 records", |it| {
        it.iter(|| read::open(state.path()).unwrap().len());
    });
}

fn verify_many(criterion: &mut Criterion) {
    let state = tempfile::tempdir().unwrap();
    let bytes = write(state.path(), RECORDS);
    let mut group = criterion.benchmark_group("a million records");
    group.sample_size(10);
    group.bench_function(format!("verify ({bytes} bytes)"), |it| {
        it.iter(|| {
            let verified = verify(state.path());
            assert_eq!((verified.state, verified.records), (State::Good, RECORDS as u64));
        });
    });
    group.bench_function("read", |it| {
        it.iter(|| {
            let mut count = 0;
            read::scan(state.path(), &mut |_| count += 1).unwrap();
            assert_eq!(count, RECORDS);
        });
    });
}

/// Writes a log as `README.md` describes it, in segments of 8 MiB; says how long it is.
fn write(state: &Path, records: usize) -> usize {
    let dir = state.join("audit");
    fs::create_dir_all(&dir).unwrap();
    let members: String = body().iter().fold(String::new(), |mut text, (key, value)| {
        let _ = write!(text, ",{}:{value}", json!(key));
        text
    });
    let (mut prev, mut file, mut number, mut total) = ("0".repeat(64), String::new(), 1, 0);
    for seq in 1..=records {
        let mut more = members.clone();
        let mut kind = if seq == 1 { "genesis" } else { "change" };
        if file.len() >= 8 << 20 {
            let name = format!("{number:06}.jsonl");
            fs::write(dir.join(&name), &file).unwrap();
            kind = "segment";
            more = format!(
                ",\"after\":\"{name}\",\"after-seq\":{},\"after-hash\":\"{prev}\",\"kept-bytes\":{},\
                 \"torn-bytes\":0,\"torn-hash\":\"{}\",\"reason\":\"full\"",
                seq - 1,
                file.len(),
                Fingerprint::of(b"")
            );
            total += file.len();
            file.clear();
            number += 1;
        }
        let line = format!(
            "{{\"v\":1,\"seq\":{seq},\"prev\":\"{prev}\",\"t\":\"2026-11-23T03:12:44.000000Z\",\
             \"op\":\"0193566e-0000-7000-8000-{seq:012x}\",\"kind\":\"{kind}\"{more}"
        );
        prev = Fingerprint::of(format!("certdeck-audit-v1\n{line}").as_bytes()).to_string();
        let _ = writeln!(file, "{line},\"h\":\"{prev}\"}}");
    }
    fs::write(dir.join(format!("{number:06}.jsonl")), &file).unwrap();
    total + file.len()
}

criterion_group!(benches, append, reopen, open_intents, verify_many);
criterion_main!(benches);
