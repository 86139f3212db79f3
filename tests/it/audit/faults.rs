//! Every system call of an append fails, or is the last one of its process.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use certdeck::audit::verify;
use tempfile::TempDir;

use super::writer::Writer;
use super::{body, log, recover, second_opinion, tear};

/// Watches or disturbs one thread of a process, and nothing before it is told to.
pub(super) struct Strace(Child);

impl Strace {
    /// `None`, said on stderr, where there is no strace or it may not look.
    pub(super) fn attach(thread: u32, arguments: &[&str]) -> Option<Self> {
        let mut strace = Command::new("strace")
            .args(arguments)
            .args(["-p", &thread.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        BufReader::new(strace.stderr.as_mut()?).read_line(&mut line).ok()?;
        line.contains("attached").then_some(Self(strace))
    }

    pub(super) fn wait(mut self) {
        self.0.wait().unwrap();
    }
}

/// Whether system calls can be watched here.
pub(super) fn can_watch() -> bool {
    let state = TempDir::new().unwrap();
    let mut writer = Writer::start(state.path(), 0);
    let strace = Strace::attach(writer.thread, &["-o", "/dev/null"]);
    writer.go();
    writer.finish();
    let can = strace.map(Strace::wait).is_some();
    if !can {
        assert!(std::env::var("CERTDECK_LAB").as_deref() != Ok("require"), "strace cannot attach");
        eprintln!("skipped: strace cannot attach to a process here");
    }
    can
}

/// What a scene does to the folder before the writer comes.
pub(super) type Prepare = fn(&Path);

/// Runs a writer of two records with this strace around its thread.
fn run(state: &Path, arguments: &[&str]) -> (Vec<u64>, Vec<String>) {
    let mut writer = Writer::start(state, 2);
    let strace = Strace::attach(writer.thread, arguments).expect("strace attached before");
    writer.go();
    let ended = writer.finish();
    strace.wait();
    ended
}

/// How often the thread makes each call.
fn calls(prepare: Prepare) -> BTreeMap<String, usize> {
    let state = TempDir::new().unwrap();
    prepare(state.path());
    let trace = state.path().join("trace");
    let (acknowledged, refused) = run(state.path(), &["-o", trace.to_str().unwrap()]);
    assert_eq!((acknowledged.len(), refused.len()), (2, 0), "{refused:?}");
    let mut calls = BTreeMap::new();
    for line in fs::read_to_string(trace).unwrap().lines() {
        if let Some((name, _)) = line.split_once('(') {
            *calls.entry(name.to_owned()).or_default() += 1;
        }
    }
    calls
}

/// The calls that have to do with files. The others are memory and threads.
const FILES: &[&str] = &[
    "mkdir",
    "statx",
    "newfstatat",
    "fstat",
    "lstat",
    "statfs",
    "openat",
    "flock",
    "read",
    "lseek",
    "getdents64",
    "write",
    "fdatasync",
    "fsync",
    "pwrite64",
    "access",
    "faccessat",
    "close",
];

const ERRORS: [&str; 4] = ["EIO", "ENOSPC", "EDQUOT", "EINTR"];

#[test]
fn no_fault_loses_what_was_acknowledged() {
    if !super::is_there("strace") || !can_watch() {
        return;
    }
    let scenes: [(&str, Prepare); 3] = [
        ("a new log", |_| {}),
        ("a log", |state| {
            log(state).change(&body("first")).unwrap();
        }),
        ("a torn log", |state| {
            log(state).change(&body("first")).unwrap();
            tear(state);
        }),
    ];
    let mut jobs = Vec::new();
    for (at, (scene, prepare)) in scenes.into_iter().enumerate() {
        for (name, count) in calls(prepare) {
            if !FILES.contains(&name.as_str()) {
                continue;
            }
            for number in 1..=count {
                let inject = |what: &str| format!("inject={name}:{what}:when={number}");
                jobs.push((scene, prepare, inject("signal=KILL")));
                let is_write = ["write", "fdatasync", "fsync"].contains(&name.as_str());
                for (error, kind) in ERRORS.iter().zip(0..) {
                    // Each error at each call of a write; elsewhere they take turns, in the
                    // scene that makes all calls.
                    if is_write || at == 0 && number % ERRORS.len() == kind {
                        jobs.push((scene, prepare, inject(&format!("error={error}"))));
                    }
                }
            }
        }
    }
    let jobs = std::sync::Mutex::new(jobs.into_iter());
    let done: Vec<(TempDir, Vec<u64>, String)> = std::thread::scope(|scope| {
        let workers = (0..2).map(|_| {
            scope.spawn(|| {
                let mut done = Vec::new();
                loop {
                    let Some((scene, prepare, inject)) = jobs.lock().unwrap().next() else {
                        return done;
                    };
                    let state = TempDir::new().unwrap();
                    prepare(state.path());
                    let (acknowledged, _) = run(state.path(), &["-o", "/dev/null", "-e", &inject]);
                    done.push((state, acknowledged, format!("{scene}: {inject}")));
                }
            })
        });
        let workers: Vec<_> = workers.collect();
        workers.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    let folders: Vec<PathBuf> = done.iter().map(|it| it.0.path().to_owned()).collect();
    let second = second_opinion(&folders);
    let mut lines = 0;
    for (at, (state, acknowledged, what)) in done.iter().enumerate() {
        let verified = verify::verify(state.path());
        if let Some(second) = &second {
            assert_eq!(second[at]["code"], verified.state.code(), "{what}: {verified:?}");
        }
        recover(state.path(), acknowledged, what);
        lines += acknowledged.len();
    }
    eprintln!(
        "audit: {} faults injected, {lines} records acknowledged, 0 lost, 0 logs that cannot be verified",
        done.len()
    );
    assert!(done.len() > 150, "the writer is not disturbed");
}
