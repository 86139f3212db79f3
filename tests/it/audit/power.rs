//! The power goes. From the system calls of a real writer, every state of the disk is made that
//! a crash could leave, as far as POSIX promises nothing: what was not synced may be there, in
//! part, or not at all, and so may names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use certdeck::audit::{read, verify};
use tempfile::TempDir;

use super::faults::{Strace, can_watch};
use super::writer::Writer;
use super::{body, log, recover, tear};

/// What a writer did, as far as the disk is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Op {
    Acknowledge(u64),
    /// A name is made in a folder.
    Create(PathBuf),
    /// Bytes are written at this place, or at the end.
    Write(PathBuf, Option<usize>, Vec<u8>),
    Sync(PathBuf),
}

/// A file or folder.
#[derive(Debug, Clone, Default)]
struct Node {
    durable: Vec<u8>,
    pending: Vec<(Option<usize>, Vec<u8>)>,
    is_named: bool,
    is_folder: bool,
}

type Disk = BTreeMap<PathBuf, Node>;

fn apply(disk: &mut Disk, op: &Op, root: &Path) {
    match op {
        Op::Acknowledge(_) => {}
        Op::Create(path) => {
            disk.entry(path.clone()).or_default();
        }
        Op::Write(path, at, bytes) => {
            disk.entry(path.clone()).or_default().pending.push((*at, bytes.clone()));
        }
        Op::Sync(path) => {
            let is_folder = path == root || disk.get(path).is_some_and(|it| it.is_folder);
            if is_folder {
                for (name, node) in disk.iter_mut() {
                    node.is_named |= name.parent() == Some(path);
                }
            } else if let Some(node) = disk.get_mut(path) {
                let pending = std::mem::take(&mut node.pending);
                pending.iter().for_each(|it| put(&mut node.durable, it));
            }
        }
    }
}

fn put(file: &mut Vec<u8>, (at, bytes): &(Option<usize>, Vec<u8>)) {
    let at = at.unwrap_or(file.len());
    file.resize(file.len().max(at + bytes.len()), 0);
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Every content that a file may have after a crash. Appended bytes reach the disk from the
/// front, or as zeros where only the new length did.
fn contents(node: &Node) -> Vec<Vec<u8>> {
    let mut all = vec![node.durable.clone()];
    for subset in 1_usize..1 << node.pending.len().min(4) {
        let mut file = node.durable.clone();
        let chosen = node.pending.iter().enumerate().filter(|it| subset & 1 << it.0 != 0);
        let mut chosen: Vec<_> = chosen.map(|it| it.1.clone()).collect();
        let (at, last) = chosen.pop().unwrap();
        // A later append without an earlier one lies where it was written.
        chosen.iter().for_each(|it| put(&mut file, it));
        for cut in (0..last.len()).step_by(37).chain([last.len() - 1, last.len()]) {
            let mut torn = file.clone();
            put(&mut torn, &(at, last[..cut].to_vec()));
            all.push(torn);
        }
        if at.is_none() {
            put(&mut file, &(None, vec![0; last.len()]));
            all.push(file);
        }
    }
    all
}

/// Every state of the disk that a crash may leave now: each file in each of its contents while
/// the others are as they were promised, or all there; each name there or not.
fn crashes(disk: &Disk) -> Vec<BTreeMap<PathBuf, Vec<u8>>> {
    let mut states = Vec::new();
    for is_rest_there in [false, true] {
        for are_names_there in [false, true] {
            let is_there = |path: &Path| {
                path.ancestors()
                    .all(|it| disk.get(it).is_none_or(|it| it.is_named || are_names_there))
            };
            let whole = |node: &Node| {
                let mut file = node.durable.clone();
                if is_rest_there {
                    node.pending.iter().for_each(|it| put(&mut file, it));
                }
                file
            };
            let files = disk.iter().filter(|it| !it.1.is_folder && is_there(it.0));
            let base: BTreeMap<_, _> =
                files.map(|(path, node)| (path.clone(), whole(node))).collect();
            for path in base.keys() {
                for content in contents(&disk[path]) {
                    let mut state = base.clone();
                    state.insert(path.clone(), content);
                    states.push(state);
                }
            }
            states.push(base);
        }
    }
    states.sort();
    states.dedup();
    states
}

/// What a scene does to the folder before the writer comes.
type Prepare = fn(&Path);

/// What a writer of four records did below the folder.
fn record(prepare: Prepare) -> (TempDir, Disk, Vec<Op>) {
    let state = TempDir::new().unwrap();
    prepare(state.path());
    let before = disk(state.path());
    let trace = TempDir::new().unwrap();
    let trace = trace.path().join("trace");
    let mut writer = Writer::start(state.path(), 4);
    let arguments = ["-o", trace.to_str().unwrap(), "-xx", "-s", "1000000"];
    let strace = Strace::attach(writer.thread, &arguments).unwrap();
    writer.go();
    let (acknowledged, refused) = writer.finish();
    strace.wait();
    assert_eq!((acknowledged.len(), refused.len()), (4, 0), "{refused:?}");
    let ops = parse(&fs::read_to_string(trace).unwrap(), state.path());
    let seen = ops.iter().filter(|it| matches!(it, Op::Acknowledge(_))).count();
    assert_eq!(seen, 4);
    (state, before, ops)
}

/// The files below a folder, all of them on the disk for good.
fn disk(root: &Path) -> Disk {
    let mut disk = Disk::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let is_folder = path.is_dir();
        let durable = if is_folder { Vec::new() } else { fs::read(&path).unwrap() };
        if is_folder {
            disk.extend(self::disk(&path));
        }
        disk.insert(path, Node { durable, is_named: true, is_folder, ..Node::default() });
    }
    disk
}

/// Reads what `strace -xx` has written.
fn parse(trace: &str, root: &Path) -> Vec<Op> {
    let mut ops = Vec::new();
    let mut open: BTreeMap<String, PathBuf> = BTreeMap::new();
    for line in trace.lines() {
        let Some((call, rest)) = line.split_once('(') else { continue };
        let result = rest.rsplit_once(" = ").map_or("", |it| it.1);
        let texts: Vec<Vec<u8>> = rest.split('"').skip(1).step_by(2).map(unhex).collect();
        let first = rest.split(',').next().unwrap_or_default().trim_end_matches(')').to_owned();
        let first = first.split(')').next().unwrap().to_owned();
        let path = || PathBuf::from(String::from_utf8(texts[0].clone()).unwrap());
        match call {
            "mkdir" if result == "0" => ops.push(Op::Create(path())),
            "openat" if !result.starts_with('-') => {
                let path = path();
                if rest.contains("O_CREAT") && path.starts_with(root) {
                    ops.push(Op::Create(path.clone()));
                }
                open.insert(result.to_owned(), path);
            }
            "write" | "pwrite64" => {
                let Some(path) = open.get(&first).filter(|it| it.starts_with(root)) else {
                    continue;
                };
                let at = rest.rsplit_once(") = ").unwrap().0.rsplit_once(", ").unwrap().1;
                let at = (call == "pwrite64").then(|| at.parse().unwrap());
                ops.push(Op::Write(path.clone(), at, texts[0].clone()));
            }
            "fsync" | "fdatasync" => {
                ops.extend(open.get(&first).cloned().map(Op::Sync));
            }
            "statx" | "lstat" | "newfstatat" => {
                let seq = texts.first().and_then(|it| it.strip_prefix(b"/acknowledged/"));
                ops.extend(
                    seq.map(|it| Op::Acknowledge(str::from_utf8(it).unwrap().parse().unwrap())),
                );
            }
            _ => {}
        }
    }
    ops
}

fn unhex(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|it| u8::from_str_radix(it, 16).unwrap()).collect()
}

/// Goes through every crash of every moment. The first promise that one breaks, if any, and how
/// many there were.
fn survive(root: &Path, before: &Disk, ops: &[Op], is_thorough: bool) -> (Option<String>, usize) {
    let mut disk = before.clone();
    let mut acknowledged = Vec::new();
    let (mut count, mut known) = (0, std::collections::BTreeSet::new());
    for (at, op) in ops.iter().enumerate() {
        apply(&mut disk, op, root);
        if let Op::Create(path) = op {
            let node = disk.get_mut(path).unwrap();
            node.is_folder = path.file_name().is_some_and(|it| it == "audit");
        }
        if let Op::Acknowledge(seq) = op {
            acknowledged.push(*seq);
        }
        for state in crashes(&disk) {
            if !known.insert((state.clone(), acknowledged.len())) {
                continue;
            }
            count += 1;
            let crashed = TempDir::new().unwrap();
            for (path, content) in &state {
                let path = crashed.path().join(path.strip_prefix(root).unwrap());
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            let verified = verify::verify(crashed.path());
            let last = acknowledged.last().copied().unwrap_or_default();
            if !verified.state.is_sound() || verified.records < last {
                return (
                    Some(format!("after call {at}, {op:?}, with {last}: {verified:?}")),
                    count,
                );
            }
            // Going on from there costs a real append, so not from each.
            if is_thorough && count % 16 == 0 {
                recover(crashed.path(), &acknowledged, &format!("after call {at}"));
            }
        }
    }
    (None, count)
}

#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    if !super::is_there("strace") || !can_watch() {
        return;
    }
    let scenes: [(&str, Prepare); 2] = [
        ("a new log", |_| {}),
        ("a torn log", |state| {
            log(state).change(&body("first")).unwrap();
            tear(state);
        }),
    ];
    let (mut cuts, mut omitted) = (0, 0);
    for (scene, prepare) in scenes {
        let (state, before, ops) = record(prepare);
        assert!(read::records(state.path()).is_ok());
        let (broken, count) = survive(state.path(), &before, &ops, true);
        assert_eq!(broken, None, "{scene}");
        cuts += count;
        // Each sync has a reason: without it, some power cut breaks a promise.
        for (at, op) in ops.iter().enumerate() {
            let Op::Sync(path) = op else { continue };
            let is_ours = path.starts_with(state.path());
            // The folder above is synced again because nobody knows who made the one in it.
            let is_known = path == state.path() && before.contains_key(&state.path().join("audit"));
            if !is_ours || is_known {
                continue;
            }
            let mut without = ops.clone();
            without.remove(at);
            let (broken, _) = survive(state.path(), &before, &without, false);
            assert!(broken.is_some(), "{scene}: nobody misses the sync of {}", path.display());
            omitted += 1;
        }
    }
    eprintln!(
        "audit: {cuts} power cuts, 0 acknowledged records lost; each of {omitted} syncs, left out, is missed"
    );
}
