//! Whether the log is as it was written.

use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::thread;

use super::chain::Chain;
use super::read::Record;
use super::record::{Last, Why};
use super::segment::{self, Checker, Fault, Stop};
use super::{FOLDER, blob, head, lock, tail};

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How the log is.
    pub state: State,
    /// How many records are good.
    pub records: u64,
    /// How many files they are in.
    pub segments: usize,
    /// How many intents have no outcome.
    pub open: usize,
    /// Where the first fault is: file, line from 1, and what. Line 0 is the file as a whole.
    pub fault: Option<(PathBuf, usize, String)>,
}

/// How a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it was written.
    Good,
    /// The last record was torn by a crash; all before it are good.
    Torn,
    /// Somebody has changed it.
    Tampered,
    /// It is shorter than it was.
    Truncated,
    /// A newer version of this program has written it.
    UnknownVersion,
    /// As it was written, and some actions have no outcome.
    OpenIntents,
}

/// A record as somebody else has kept it: a host in the folder of a job or in its syslog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Who.
    pub name: String,
    /// The number of the record.
    pub seq: u64,
    /// Its hash, in hex.
    pub hash: String,
}

/// How a log is, compared with what a witness has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Testimony {
    /// They say the same.
    Agrees,
    /// The log has another record of that number.
    Differs,
    /// The log has no record of that number.
    Missing,
}

impl State {
    /// The exit code of `audit verify`.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Torn => 2,
            Self::Tampered => 3,
            Self::Truncated => 4,
            Self::UnknownVersion => 5,
            Self::OpenIntents => 6,
        }
    }

    /// The state in a few words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Torn => "torn",
            Self::Tampered => "tampered",
            Self::Truncated => "truncated",
            Self::UnknownVersion => "unknown version",
            Self::OpenIntents => "good, open intents",
        }
    }

    /// Whether every record is as it was written.
    pub const fn is_sound(self) -> bool {
        matches!(self, Self::Good | Self::Torn | Self::OpenIntents)
    }
}

/// Verifies the log below the state folder. Writes nothing, and works on a copy.
pub fn verify(state_dir: &Path) -> Verified {
    verify_folder(&state_dir.join(FOLDER))
}

/// Compares the log with what witnesses have kept, in their order.
pub fn compare(records: &[Record], witnesses: &[Witness]) -> Vec<Testimony> {
    let testimony = |witness: &Witness| {
        let same = |it: &&Record| it.seq == witness.seq;
        match records.iter().find(same).and_then(Record::hash) {
            Some(hash) if hash == witness.hash => Testimony::Agrees,
            Some(_) => Testimony::Differs,
            None => Testimony::Missing,
        }
    };
    witnesses.iter().map(testimony).collect()
}

pub(super) fn verify_folder(dir: &Path) -> Verified {
    let Snapshot { files, head } = Snapshot::take(dir);
    let mut log = Chain::default();
    let mut others = Vec::new();
    let mut found = None;
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    // Segments are read side by side and joined in their order.
    'files: for (files, base) in files.chunks(threads).zip((0..).step_by(threads)) {
        let checked = thread::scope(|scope| {
            let threads: Vec<_> = files
                .iter()
                .map(|it| scope.spawn(|| check(&dir.join(&it.0), it.1, &head)))
                .collect();
            threads.into_iter().filter_map(|it| it.join().ok()).collect::<Vec<_>>()
        });
        for ((name, _), ((checker, stop), at)) in
            files.iter().zip(checked.into_iter().zip(base + 1..))
        {
            let number = segment::number(name).unwrap_or_default();
            if number != at {
                let missing = segment::name(at);
                found = Some((missing, Stop::Fault(Fault::changed(0, "the file is missing"))));
                break 'files;
            }
            log.enter(number);
            let joined = log.absorb(&checker).map_err(Stop::Fault);
            if let Err(stop) = joined.and(stop) {
                found = Some((name.clone(), stop));
                break 'files;
            }
            others.extend(checker.others);
        }
    }
    let mut verified = Verified {
        state: State::Good,
        records: log.records,
        segments: files.len(),
        open: usize::try_from(log.open()).unwrap_or(usize::MAX),
        fault: None,
    };
    let mut say = |state, name: PathBuf, line, what: &str| {
        verified.state = state;
        verified.fault = Some((name, line, what.to_owned()));
    };
    match found {
        Some((name, Stop::Fault(Fault { line, why: Why::Changed(what) }))) => {
            say(State::Tampered, dir.join(name), line, what);
        }
        Some((name, Stop::Fault(Fault { line, why: Why::Version }))) => {
            say(State::UnknownVersion, dir.join(name), line, "written by a newer certdeck");
        }
        Some((name, Stop::Io(error))) => {
            say(State::Tampered, dir.join(name), 0, &format!("cannot be read: {error}"));
        }
        None => {
            let had = head.iter().map(|it| it.seq).max().unwrap_or_default();
            if let Some(other) = others.first() {
                let what = format!("it knows another record {}", other.seq);
                say(State::Tampered, dir.join(head::NAME), 1, &what);
            } else if had > log.last.seq {
                let what = format!("record {} is the last here, {had} was", log.last.seq);
                let name = files.last().map(|it| it.0.clone()).unwrap_or_default();
                say(State::Truncated, dir.join(name), log.lines, &what);
            } else if let Some(path) = blob::find_changed(dir) {
                say(State::Tampered, path, 0, "not what its name says");
            } else if log.is_torn() {
                let name = segment::name(log.segment);
                say(State::Torn, dir.join(name), log.lines + 1, "torn by a crash");
            } else if log.open() > 0 {
                verified.state = State::OpenIntents;
            }
        }
    }
    verified
}

/// What there is to verify, as of one moment.
struct Snapshot {
    files: Vec<(String, u64)>,
    head: Vec<Last>,
}

impl Snapshot {
    /// Others write while we read, so what they append from here on is not looked at.
    fn take(dir: &Path) -> Self {
        let _held = lock::look(dir);
        let sized = |number| {
            let name = segment::name(number);
            let length = fs::metadata(dir.join(&name)).map_or(0, |it| it.len());
            (name, length)
        };
        let numbers = tail::numbers(dir).unwrap_or_default();
        Self { files: numbers.into_iter().map(sized).collect(), head: head::read(dir) }
    }
}

fn check(path: &Path, length: u64, head: &[Last]) -> (Checker, Result<(), Stop>) {
    let mut checker = Checker { known: head.to_vec(), ..Checker::default() };
    let read = File::open(path).map_err(Stop::Io).and_then(|file| {
        checker.read(BufReader::with_capacity(BUFFER, file.take(length)), &mut |_, _| {})
    });
    (checker, read)
}

const BUFFER: usize = 256 * 1024;

/// More would only wait for the disk.
const MOST_THREADS: usize = 8;
