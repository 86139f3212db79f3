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
    let snapshot = Snapshot::take(dir);
    let mut walk = Walk::default();
    let walked = walk.all(dir, &snapshot);
    let judged = match walked {
        Err((name, Stop::Fault(fault))) => Some(match fault.why {
            Why::Changed(what) => (State::Tampered, name, fault.line, what.to_owned()),
            Why::Version => {
                let what = "written by a newer certdeck".to_owned();
                (State::UnknownVersion, name, fault.line, what)
            }
        }),
        Err((name, Stop::Io(error))) => {
            Some((State::Tampered, name, 0, format!("cannot be read: {error}")))
        }
        Ok(()) => walk.judge(dir, &snapshot),
    };
    let log = walk.log;
    let calm = if log.open() > 0 { State::OpenIntents } else { State::Good };
    Verified {
        state: judged.as_ref().map_or(calm, |it| it.0),
        records: log.records,
        segments: snapshot.files.len(),
        open: usize::try_from(log.open()).unwrap_or(usize::MAX),
        fault: judged.map(|(_, name, line, what)| (dir.join(name), line, what)),
    }
}

/// What is known of the log so far.
#[derive(Default)]
struct Walk {
    log: Chain,
    /// Records of which the head knows another.
    others: Vec<Last>,
}

impl Walk {
    /// Goes through all segments; ends at the first fault. They are read side by side and joined
    /// in their order.
    fn all(&mut self, dir: &Path, snapshot: &Snapshot) -> Result<(), (String, Stop)> {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let mut numbers = 1..;
        for some in snapshot.files.chunks(threads) {
            let checked = check_side_by_side(dir, some, &snapshot.head);
            for (((name, _), (checker, read)), number) in some.iter().zip(checked).zip(&mut numbers)
            {
                if *name != segment::name(number) {
                    let missing = Fault::changed(0, "the file is missing");
                    return Err((segment::name(number), Stop::Fault(missing)));
                }
                self.log.enter(number);
                let joined = self.log.absorb(&checker).map_err(Stop::Fault);
                joined.and(read).map_err(|it| (name.clone(), it))?;
                self.others.extend(checker.others);
            }
        }
        Ok(())
    }

    /// What else may be wrong with a log of which each record is good.
    fn judge(&self, dir: &Path, snapshot: &Snapshot) -> Option<(State, String, usize, String)> {
        let Self { log, others } = self;
        let had = snapshot.head.iter().map(|it| it.seq).max().unwrap_or_default();
        if let Some(other) = others.first() {
            let what = format!("it knows another record {}", other.seq);
            Some((State::Tampered, head::NAME.to_owned(), 1, what))
        } else if had > log.last.seq {
            let what = format!("record {} is the last here, {had} was", log.last.seq);
            Some((State::Truncated, segment::name(log.segment.max(1)), log.lines, what))
        } else if let Some(path) = blob::find_changed(dir) {
            let what = "not what its name says".to_owned();
            Some((State::Tampered, path.display().to_string(), 0, what))
        } else {
            let what = "torn by a crash".to_owned();
            let name = segment::name(log.segment);
            log.is_torn().then_some((State::Torn, name, log.lines + 1, what))
        }
    }
}

fn check_side_by_side(
    dir: &Path,
    files: &[(String, u64)],
    head: &[Last],
) -> Vec<(Checker, Result<(), Stop>)> {
    let check = |(name, length): &(String, u64)| check(&dir.join(name), *length, head);
    if let [one] = files {
        return vec![check(one)];
    }
    thread::scope(|scope| {
        let threads: Vec<_> = files.iter().map(|it| scope.spawn(|| check(it))).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined.map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
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
