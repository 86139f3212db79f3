//! Logs that somebody has changed, judged by two verifiers that share no code.

use std::fs;
use std::path::{Path, PathBuf};

use certdeck::audit::verify::{self, State};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{log, second_opinion, segments, tear};

/// Short, because every byte is flipped.
fn body(host: &str) -> Map<String, Value> {
    json!({ "host": host }).as_object().unwrap().clone()
}

/// A log as a list of files.
type Files = Vec<(&'static str, Vec<u8>)>;

/// Three segments: the first two torn, the third with an open intent.
fn original() -> Files {
    let state = TempDir::new().unwrap();
    let mut first = log(state.path());
    let session = first.begin_session(&body("console")).unwrap();
    let permit = first.intent(&body("web-01")).unwrap();
    tear(state.path());
    let mut second = log(state.path());
    second.outcome(permit, &json!({"ending": "ok"}).as_object().unwrap().clone()).unwrap();
    tear(state.path());
    let mut third = log(state.path());
    third.end_session(session).unwrap();
    third.intent(&body("web-02")).unwrap();
    read(state.path())
}

fn read(state: &Path) -> Files {
    let file = |name| (name, fs::read(state.join("audit").join(name)).unwrap());
    ["head", "000001.jsonl", "000002.jsonl", "000003.jsonl"].map(file).into()
}

/// What may become of a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// Nothing of the log itself is changed.
    Sound,
    /// It must not pass for sound.
    Noticed,
    /// Only that both say the same.
    Same,
}

struct Mutants {
    folder: TempDir,
    made: Vec<(PathBuf, String, Expect)>,
}

impl Mutants {
    fn add(&mut self, name: String, expect: Expect, files: &Files) {
        let state = self.folder.path().join(self.made.len().to_string());
        fs::create_dir_all(state.join("audit")).unwrap();
        for (name, bytes) in files {
            fs::write(state.join("audit").join(name), bytes).unwrap();
        }
        self.made.push((state, name, expect));
    }

    /// The log with one file changed.
    fn change(
        &mut self,
        files: &Files,
        at: usize,
        how: &str,
        expect: Expect,
        change: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut files = files.clone();
        change(&mut files[at].1);
        self.add(format!("{} {how}", files[at].0), expect, &files);
    }
}

/// Thousands of small files need no disk, if there is another place.
fn in_memory() -> TempDir {
    TempDir::new_in("/dev/shm").unwrap_or_else(|_| TempDir::new().unwrap())
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|it| *it == b'\n').map(<[u8]>::to_vec).collect()
}

#[test]
fn both_verifiers_notice_every_change() {
    let good = original();
    let mut mutants = Mutants { folder: in_memory(), made: Vec::new() };
    mutants.add("unchanged".to_owned(), Expect::Sound, &good);
    // Bytes, of the segments and of the head.
    for (at, (_, bytes)) in good.iter().enumerate() {
        let expect = if at == 0 { Expect::Sound } else { Expect::Noticed };
        for place in 0..bytes.len() {
            let bit = 1 << (place % 7);
            mutants.change(&good, at, &format!("byte {place}"), expect, |it| it[place] ^= bit);
        }
    }
    // Every length. The head knows if whole records are missing at the end.
    for (at, (_, bytes)) in good.iter().enumerate() {
        let expect = if at == 0 { Expect::Sound } else { Expect::Noticed };
        for length in 0..bytes.len() {
            mutants
                .change(&good, at, &format!("cut to {length}"), expect, |it| it.truncate(length));
        }
    }
    // Lines. Those of the head's file are slots.
    for (at, (_, bytes)) in good.iter().enumerate().skip(1) {
        let lines = lines(bytes);
        for line in 0..lines.len() {
            let mut change = |how: &str, with: Vec<Vec<u8>>| {
                let how = format!("line {line} {how}");
                mutants.change(&good, at, &how, Expect::Noticed, |it| *it = with.concat());
            };
            let mut with = lines.clone();
            with.remove(line);
            change("deleted", with);
            if lines[line].ends_with(b"\n") {
                let mut with = lines.clone();
                with.insert(line, lines[line].clone());
                change("doubled", with);
            }
            for other in 0..line {
                let mut with = lines.clone();
                with.swap(line, other);
                change(&format!("swapped with {other}"), with);
            }
        }
    }
    structure(&good, &mut mutants);

    let folders: Vec<PathBuf> = mutants.made.iter().map(|it| it.0.clone()).collect();
    let second = second_opinion(&folders);
    for (at, (state, name, expect)) in mutants.made.iter().enumerate() {
        let verified = verify::verify(state);
        let sound = verified.state.is_sound();
        let as_expected = match expect {
            Expect::Sound => sound,
            Expect::Noticed => !sound,
            Expect::Same => true,
        };
        assert!(as_expected, "{name}: {verified:?}");
        let Some(second) = second.as_ref().map(|it| &it[at]) else { continue };
        assert_eq!(second["code"], verified.state.code(), "{name}: {verified:?} {second}");
        match &verified.fault {
            Some((path, line, _)) if !sound && verified.state != State::Truncated => {
                let file = path.file_name().unwrap().to_str().unwrap();
                assert_eq!(
                    (&second["file"], &second["line"]),
                    (&json!(file), &json!(line)),
                    "{name}"
                );
            }
            _ => assert_eq!(
                (&second["records"], &second["open"]),
                (&json!(verified.records), &json!(verified.open)),
                "{name}"
            ),
        }
    }
    let count = |wanted| mutants.made.iter().filter(|it| it.2 == wanted).count();
    eprintln!(
        "audit: {} mutants that must be noticed, {} that change nothing, {} others; 0 undetected, {}",
        count(Expect::Noticed),
        count(Expect::Sound),
        count(Expect::Same),
        if second.is_some() { "two verifiers agree on all" } else { "one verifier" },
    );
}

/// Files that are lost, exchanged, or have something at their end.
fn structure(good: &Files, mutants: &mut Mutants) {
    for (at, (name, bytes)) in good.iter().enumerate() {
        let mut files = good.clone();
        files.remove(at);
        // Without its head a log is as long as it is; without its last file the head knows.
        let expect = if at == 0 { Expect::Sound } else { Expect::Noticed };
        mutants.add(format!("without {name}"), expect, &files);
        for other in 1..at {
            let mut files = good.clone();
            files[at].1.clone_from(&good[other].1);
            files[other].1.clone_from(bytes);
            mutants.add(format!("{name} for {}", good[other].0), Expect::Noticed, &files);
        }
    }
    // Whoever cuts the log and loses the head is found by witnesses only.
    let cut = vec![good[1].clone(), good[2].clone()];
    mutants.add("without head and last file".to_owned(), Expect::Same, &cut);
    mutants.add("nothing".to_owned(), Expect::Sound, &Vec::new());
    mutants.add("only a head".to_owned(), Expect::Noticed, &vec![good[0].clone()]);
    let mut empty = good.clone();
    empty.push(("000004.jsonl", Vec::new()));
    mutants.add("a new segment without a record".to_owned(), Expect::Sound, &empty);
    empty.push(("000005.jsonl", good[1].1.clone()));
    mutants.add("a segment of another log".to_owned(), Expect::Noticed, &empty);
    for (tail, how) in [
        (&b"{\"v\":1,\"se"[..], "torn"),
        (&[0; 700], "with zeros"),
        (b"{\"v\":1,\0\0\0\0", "torn, with zeros"),
        (b"\x80\xff", "with garbage"),
    ] {
        mutants.change(good, 3, how, Expect::Sound, |it| it.extend(tail));
        mutants.change(good, 1, how, Expect::Noticed, |it| it.extend(tail));
        mutants.change(good, 3, &format!("{how} and ended"), Expect::Noticed, |it| {
            it.extend(tail);
            it.push(b'\n');
        });
    }
    for (line, how) in [
        (&b"{\"v\":2,\"seq\":9}\n"[..], "a newer version"),
        (b"\n", "an empty line"),
        (b"{}\n", "another object"),
        (&[b'x'; 17_000], "a long torn line"),
        (&[&[b'x'; 17_000][..], b"\n"].concat(), "a long line"),
    ] {
        mutants.change(good, 3, how, Expect::Same, |it| it.extend(line));
    }
    // Heads of another log, and of a log that goes on.
    let other = original();
    let mut files = good.clone();
    files[0].1.clone_from(&other[0].1);
    mutants.add("the head of another log".to_owned(), Expect::Noticed, &files);
    files.clone_from(good);
    files[0].1.fill(b' ');
    mutants.add("a blank head".to_owned(), Expect::Sound, &files);
}

#[test]
fn a_full_segment_is_followed_by_another() {
    let state = TempDir::new().unwrap();
    let mut writer = log(state.path());
    let mut reader = log(state.path());
    let mut long = body("web-01");
    // Long lists are cut last, so that a record is nearly as long as it may be.
    long.insert("names".to_owned(), json!(vec!["x".repeat(120); 125]));
    let open = writer.intent(&long).unwrap().op();
    while segments(state.path()).len() < 2 {
        writer.change(&long).unwrap();
    }
    let sizes = segments(state.path()).iter().map(|it| it.metadata().unwrap().len()).max();
    assert!(sizes < Some(9 << 20), "{sizes:?}");
    // Somebody who was not there when it was exchanged, and somebody new.
    reader.reconcile(open, &body("web-01")).unwrap();
    log(state.path()).change(&body("web-02")).unwrap();
    let verified = verify::verify(state.path());
    assert_eq!((verified.state, verified.segments), (State::Good, 2), "{verified:?}");
    if let Some(second) = second_opinion(&[state.path().to_owned()]) {
        assert_eq!(
            (&second[0]["code"], &second[0]["records"]),
            (&json!(0), &json!(verified.records))
        );
    }
    let text = fs::read_to_string(&segments(state.path())[1]).unwrap();
    assert!(text.lines().next().unwrap().contains("\"reason\":\"full\""), "{text}");
}
