//! The audit log from outside: what becomes of it when it is changed, when writers are killed,
//! when the disk fails or is full, and when the power goes.

mod command;
mod faults;
mod limits;
mod mutants;
mod power;
mod secrets;
mod storm;
mod writer;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use certdeck::audit::{Log, read, verify};
use certdeck::clock::Clock;
use serde_json::{Map, Value, json};

/// The log below this folder, open.
pub(crate) fn log(state: &Path) -> Log {
    Log::open(state, Clock::default()).unwrap()
}

/// A body about this host.
pub(crate) fn body(host: &str) -> Map<String, Value> {
    json!({"action": "renew", "host": host, "lineage": "www.example.net", "who": "ops@laptop"})
        .as_object()
        .unwrap()
        .clone()
}

/// Tears the newest segment, as a crash does.
pub(crate) fn tear(state: &Path) {
    let newest = segments(state).pop().unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(newest).unwrap();
    file.write_all(b"{\"v\":1,\"seq\":").unwrap();
}

/// The segments, oldest first.
pub(crate) fn segments(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join("audit")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|it| it.unwrap().path()).collect();
    paths.retain(|it| it.extension().is_some_and(|it| it == "jsonl"));
    paths.sort();
    paths
}

/// Every acknowledged record is there and the log is sound; then the next record goes in.
#[track_caller]
pub(crate) fn recover(state: &Path, acknowledged: &[u64], what: &str) {
    let verified = verify::verify(state);
    assert!(verified.state.is_sound(), "{what}: {verified:?}");
    for seq in acknowledged {
        assert!(*seq <= verified.records, "{what}: record {seq} is lost: {verified:?}");
    }
    let next = log(state).change(&body("after")).unwrap_or_else(|it| panic!("{what}: {it}"));
    let verified = verify::verify(state);
    let is_mended = matches!(verified.state, verify::State::Good | verify::State::OpenIntents);
    assert!(is_mended && verified.records == next.seq(), "{what}: {verified:?}");
    assert_eq!(read::records(state).unwrap().len() as u64, next.seq(), "{what}");
}

/// What the verifier in Python says of each folder; `None`, said on stderr, without Python.
pub(crate) fn second_opinion(folders: &[PathBuf]) -> Option<Vec<Value>> {
    if !is_there("python3") {
        return None;
    }
    let list: String = folders.iter().map(|it| format!("{}/audit\n", it.display())).collect();
    let mut python = Command::new("python3")
        .args(["-I", "tests/verify_audit.py", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(list.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let opinions: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(opinions.len(), folders.len());
    Some(opinions)
}

/// Whether a program is there; if it must be, its absence is a failure.
pub(crate) fn is_there(program: &str) -> bool {
    let is_there = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|it| it.success());
    if !is_there {
        assert!(std::env::var("CERTDECK_LAB").as_deref() != Ok("require"), "{program} is missing");
        eprintln!("skipped: {program} is missing");
    }
    is_there
}
