//! The audit log: what was done, by whom, in a chain that shows every change to it.
//!
//! ```text
//! audit/            0700
//!   LOCK            held while somebody appends; never replaced
//!   head            two slots of 128 bytes with the last record's number and hash
//!   000001.jsonl    0600, one record per line; a torn segment is followed by a new one
//! ```
//!
//! Only this room makes a [`Permit`], and nothing that changes the world works without one. It
//! knows nothing of what is done with a permit.

mod head;
pub mod read;
mod record;
mod segment;
pub mod verify;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::Clock;

use record::{Hash, Last};
use segment::Ending;

/// The log, open for appending.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    clock: Clock,
    /// After a write that failed nobody knows what is on the disk, so nothing more is written.
    is_broken: bool,
}

/// The proof that a record of what is about to be done is on the disk.
#[derive(Debug)]
pub struct Permit {
    op: Uuid,
    seq: u64,
    hash: Hash,
}

impl Permit {
    /// The identity of the action, the same in all of its records.
    pub fn op(&self) -> Uuid {
        self.op
    }

    /// The number of the record.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The hash of the record, in hex: with its number, what a witness keeps.
    pub fn hash(&self) -> String {
        self.hash.to_string()
    }
}

/// Why the log refused a record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Waiting for another writer.
    #[error("somebody else has held the audit log for {} s", LOCK_PATIENCE.as_secs())]
    Busy,
    /// Looking at the disk's free space.
    #[error("too little space is left for the audit log in {}", .0.display())]
    Full(PathBuf),
    /// Looking at the folder.
    #[error("{} is not a safe place for the audit log: {why}", path.display())]
    Place {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// Reading the last records.
    #[error("the audit log was changed: {} line {line}: {what}", path.display())]
    Tampered {
        /// The segment.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// Comparing with the head.
    #[error("the audit log is shorter than it was: record {has} is the last, {had} was")]
    Truncated {
        /// The last record.
        has: u64,
        /// The last record that the head knows of.
        had: u64,
    },
    /// Writing.
    #[error("cannot write the audit log in {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Log {
    /// Opens the log below the state folder; nothing is written yet.
    pub fn open(state_dir: &Path, clock: Clock) -> Result<Self, Error> {
        let dir = state_dir.join("audit");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|source| Error::Write { path: dir.clone(), source })?;
        check_place(&dir)?;
        Ok(Self { dir, clock, is_broken: false })
    }

    /// Writes down that the set of trusted host keys, the inventory or the configuration is
    /// about to change, and gives the permit to change it.
    pub fn change(&mut self, body: &Map<String, Value>) -> Result<Permit, Error> {
        let op = Uuid::now_v7();
        let last = self.append("change", op, body)?;
        Ok(Permit { op, seq: last.seq, hash: last.hash })
    }

    /// Writes down who works from here on, and with what. The identity is for
    /// [`Self::end_session`].
    pub fn begin_session(&mut self, body: &Map<String, Value>) -> Result<Uuid, Error> {
        let op = Uuid::now_v7();
        self.append("session", op, &with("event", "start", body)).map(|_| op)
    }

    /// Writes down that the session is over.
    pub fn end_session(&mut self, session: Uuid) -> Result<(), Error> {
        self.append("session", session, &with("event", "end", &Map::new())).map(drop)
    }

    /// Writes down what is about to be done, and gives the permit to do it. The identity of the
    /// action is made here, with time in it.
    pub fn intent(&mut self, body: &Map<String, Value>) -> Result<Permit, Error> {
        let op = Uuid::now_v7();
        let last = self.append("intent", op, body)?;
        Ok(Permit { op, seq: last.seq, hash: last.hash })
    }

    /// Writes down a step of what was permitted.
    pub fn step(&mut self, permit: &Permit, body: &Map<String, Value>) -> Result<(), Error> {
        self.append("step", permit.op, body).map(drop)
    }

    /// Writes down what became of what was permitted, which ends the permit.
    #[expect(clippy::needless_pass_by_value, reason = "what is over is not permitted any more")]
    pub fn outcome(&mut self, permit: Permit, body: &Map<String, Value>) -> Result<(), Error> {
        self.append("outcome", permit.op, body).map(drop)
    }

    /// Writes down what was found out about an intent that has no outcome.
    pub fn reconcile(&mut self, op: Uuid, body: &Map<String, Value>) -> Result<(), Error> {
        self.append("reconcile", op, body).map(drop)
    }

    /// Keeps output beside the log, at most 1 MiB of it: its SHA-256 in hex, by which records
    /// name it.
    pub fn keep(&mut self, output: &[u8]) -> Result<String, Error> {
        let name = Hash::of(&[output]).to_string();
        let folder = self.dir.join("blobs").join(name.get(..2).unwrap_or_default());
        let path = folder.join(&name);
        let written =
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).and_then(|()| {
                let mut file = OpenOptions::new();
                file.write(true).create(true).truncate(true).mode(0o600);
                let mut file = file.open(&path)?;
                file.write_all(output)?;
                file.sync_all()
            });
        written.map_err(|source| Error::Write { path, source })?;
        Ok(name)
    }

    /// Appends one record; it is on the disk when this returns.
    fn append(&mut self, kind: &str, op: Uuid, body: &Map<String, Value>) -> Result<Last, Error> {
        let dir = self.dir.clone();
        let problem = |source| Error::Write { path: dir.clone(), source };
        if self.is_broken {
            return Err(problem(io::Error::other("an earlier write failed")));
        }
        let _lock = self.lock()?;
        let mut segment = self.last_segment().map_err(&problem)?;
        let bytes = read_segment(segment.as_deref()).map_err(&problem)?;
        let tail = segment::read(&bytes).map_err(|fault| Error::Tampered {
            path: segment.clone().unwrap_or_default(),
            line: fault.line,
            what: fault.what,
        })?;
        let mut last = tail.last;
        let had = head::read(&self.dir).unwrap_or_default();
        if last.seq < had.seq {
            return Err(Error::Truncated { has: last.seq, had: had.seq });
        }
        self.check_space()?;
        let mut lines = Vec::new();
        let mut add = |kind: &str, op: Uuid, body: &Map<String, Value>| {
            let (line, next) = record::write(last, &self.clock.stamp(), op, kind, body);
            lines.extend(line);
            last = next;
        };
        if segment.is_none() {
            add("genesis", Uuid::now_v7(), &genesis());
        }
        if let (Some(path), Ending::Torn { from }) = (&segment, tail.ending) {
            add("segment", Uuid::now_v7(), &torn(path, &bytes, from, tail.last));
            segment = None;
        }
        add(kind, op, body);
        let number = self.next_number().map_err(&problem)?;
        let path = segment.clone().unwrap_or_else(|| self.dir.join(format!("{number:06}.jsonl")));
        let written = write_durably(&path, &lines, segment.is_none(), &self.dir);
        // A write that failed once may be half there; an fsync that failed once may forget.
        self.is_broken = written.is_err();
        written.map_err(|source| Error::Write { path, source })?;
        // The head only helps to notice a log that was cut; the record stands without it.
        head::write(&self.dir, last).ok();
        Ok(last)
    }

    /// A blocked log must not hang the console.
    fn lock(&self) -> Result<File, Error> {
        let path = self.dir.join("LOCK");
        let problem = |source| Error::Write { path: path.clone(), source };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(problem)?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::Error(source)) => return Err(problem(source)),
                Err(fs::TryLockError::WouldBlock) if Instant::now() > deadline => {
                    return Err(Error::Busy);
                }
                Err(fs::TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    fn last_segment(&self) -> io::Result<Option<PathBuf>> {
        let number = self.next_number()? - 1;
        Ok((number > 0).then(|| self.dir.join(format!("{number:06}.jsonl"))))
    }

    fn next_number(&self) -> io::Result<u64> {
        let mut last = 0;
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|it| it.strip_suffix(".jsonl")?.parse().ok());
            last = last.max(number.unwrap_or_default());
        }
        Ok(last + 1)
    }

    /// There must be room for the outcome of what is permitted, too.
    fn check_space(&self) -> Result<(), Error> {
        let Ok(disk) = rustix::fs::statvfs(&self.dir) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let whole = disk.f_blocks.saturating_mul(disk.f_frsize);
        if free < HEADROOM.min(whole / 100) { Err(Error::Full(self.dir.clone())) } else { Ok(()) }
    }
}

fn with(key: &str, value: &str, body: &Map<String, Value>) -> Map<String, Value> {
    let mut all = body.clone();
    all.insert(key.to_owned(), json!(value));
    all
}

fn genesis() -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("log".to_owned(), json!(Uuid::new_v4().to_string()));
    body.insert("origin".to_owned(), json!(rustix::system::uname().nodename().to_string_lossy()));
    body.insert("format".to_owned(), json!(record::FORMAT));
    body
}

/// What the first record of a new segment says of the torn one before it.
fn torn(path: &Path, bytes: &[u8], from: usize, last: Last) -> Map<String, Value> {
    let rest = bytes.get(from..).unwrap_or_default();
    let mut body = Map::new();
    body.insert("after".to_owned(), json!(path.file_name().map(|it| it.to_string_lossy())));
    body.insert("after-seq".to_owned(), json!(last.seq));
    body.insert("after-hash".to_owned(), json!(last.hash.to_string()));
    body.insert("kept-bytes".to_owned(), json!(from));
    body.insert("torn-bytes".to_owned(), json!(rest.len()));
    body.insert("torn-hash".to_owned(), json!(Hash::of(&[rest]).to_string()));
    body.insert("reason".to_owned(), json!("torn"));
    body
}

fn read_segment(path: Option<&Path>) -> io::Result<Vec<u8>> {
    path.map_or_else(|| Ok(Vec::new()), fs::read)
}

fn write_durably(path: &Path, bytes: &[u8], is_new: bool, dir: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create_new(is_new).mode(0o600).open(path)?;
    // One write, so that a crash tears at most the last record.
    let written = file.write(bytes)?;
    if written < bytes.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    if is_new {
        file.sync_all()?;
        File::open(dir)?.sync_all()
    } else {
        file.sync_data()
    }
}

fn check_place(dir: &Path) -> Result<(), Error> {
    let refuse = |why| Error::Place { path: dir.to_owned(), why };
    let meta = fs::symlink_metadata(dir)
        .map_err(|source| Error::Write { path: dir.to_owned(), source })?;
    if !meta.is_dir() {
        return Err(refuse("it is not a folder"));
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(refuse("it belongs to somebody else"));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(refuse("others can write there"));
    }
    #[cfg(target_os = "linux")]
    if rustix::fs::statfs(dir).is_ok_and(|it| NETWORK.contains(&(it.f_type & 0xffff_ffff))) {
        return Err(refuse("locks do not hold on a network file system"));
    }
    Ok(())
}

/// How long another writer is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// How much must be free, or one part in a hundred of the disk if that is less.
const HEADROOM: u64 = 64 * 1024 * 1024;

/// NFS, SMB, CIFS, SMB2 in statfs(2).
#[cfg(target_os = "linux")]
const NETWORK: &[i64] = &[0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42];

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests damage the log on purpose")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    fn body(text: &str) -> Map<String, Value> {
        [("host".to_owned(), json!(text))].into_iter().collect()
    }

    fn log(state: &TempDir) -> Log {
        Log::open(state.path(), Clock::default()).unwrap()
    }

    fn segment_of(state: &TempDir, number: u32) -> PathBuf {
        state.path().join(format!("audit/{number:06}.jsonl"))
    }

    #[test]
    fn a_record_is_on_disk_before_its_permit() {
        let state = TempDir::new().unwrap();
        let permit = log(&state).change(&body("web-01")).unwrap();
        assert_eq!(permit.seq(), 2);
        let text = fs::read(segment_of(&state, 1)).unwrap();
        let text = String::from_utf8(text).unwrap();
        let [genesis, change] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(genesis.starts_with("{\"v\":1,\"seq\":1,\"prev\":\"0000"), "{genesis}");
        let change: Value = serde_json::from_str(change).unwrap();
        assert_eq!(change["op"], json!(permit.op().to_string()));
        assert_eq!((&change["kind"], &change["host"]), (&json!("change"), &json!("web-01")));
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(segment_of(&state, 1)), 0o600);
        assert_eq!(mode(state.path().join("audit")), 0o700);
    }

    #[test]
    fn what_was_begun_and_not_ended_is_open() {
        let state = TempDir::new().unwrap();
        let mut log = log(&state);
        let session = log.begin_session(&body("console")).unwrap();
        let done = log.intent(&body("web-01")).unwrap();
        let open = log.intent(&body("web-02")).unwrap().op();
        log.step(&done, &body("web-01")).unwrap();
        log.outcome(done, &body("web-01")).unwrap();
        let records = read::records(state.path()).unwrap();
        let kinds: Vec<&str> = records.iter().map(|it| it.kind.as_str()).collect();
        assert_eq!(kinds, ["genesis", "session", "intent", "intent", "step", "outcome"]);
        let found: Vec<Uuid> = read::open_intents(&records).iter().map(|it| it.op).collect();
        assert_eq!(found, [open]);
        log.reconcile(open, &body("web-02")).unwrap();
        log.end_session(session).unwrap();
        let records = read::records(state.path()).unwrap();
        assert!(read::open_intents(&records).is_empty());
        assert_eq!(records.last().unwrap().text("event"), Some("end"));
    }

    #[test]
    fn writers_at_once_make_one_chain() {
        let state = TempDir::new().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let mut log = log(&state);
                scope.spawn(move || {
                    for at in 0..25 {
                        log.change(&body(&format!("{writer}-{at}"))).unwrap();
                    }
                });
            }
        });
        let tail = segment::read(&fs::read(segment_of(&state, 1)).unwrap()).unwrap();
        assert_eq!((tail.last.seq, tail.ending), (101, Ending::Whole));
    }

    #[test]
    fn every_byte_that_is_flipped_is_noticed() {
        let state = TempDir::new().unwrap();
        log(&state).change(&body("web-01")).unwrap();
        log(&state).change(&body("web-02")).unwrap();
        let good = fs::read(segment_of(&state, 1)).unwrap();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                // Without its line end the last record looks torn; then the head knows better.
                let noticed = segment::read(&bad).map_or(true, |it| it.last.seq < 3);
                assert!(noticed, "byte {at} bit {bit}");
            }
        }
        fs::write(segment_of(&state, 1), &good[..good.len() - 1]).unwrap();
        assert!(log(&state).change(&body("web-03")).is_err());
        fs::write(segment_of(&state, 1), &good).unwrap();
        assert_eq!(log(&state).change(&body("web-03")).unwrap().seq(), 4);
    }

    #[test]
    fn a_log_that_was_cut_is_noticed() {
        let state = TempDir::new().unwrap();
        log(&state).change(&body("web-01")).unwrap();
        let good = fs::read(segment_of(&state, 1)).unwrap();
        for length in 1..good.len() {
            fs::write(segment_of(&state, 1), &good[..length]).unwrap();
            assert!(log(&state).change(&body("web-02")).is_err(), "{length}");
        }
    }

    #[test]
    fn a_torn_record_is_left_and_declared() {
        let state = TempDir::new().unwrap();
        log(&state).change(&body("web-01")).unwrap();
        let mut torn = fs::read(segment_of(&state, 1)).unwrap();
        torn.extend(b"{\"v\":1,\"seq\":3,\"pr");
        fs::write(segment_of(&state, 1), &torn).unwrap();
        assert_eq!(log(&state).change(&body("web-02")).unwrap().seq(), 4);
        assert_eq!(fs::read(segment_of(&state, 1)).unwrap(), torn);
        let second = fs::read(segment_of(&state, 2)).unwrap();
        assert_eq!(segment::read(&second).unwrap().last.seq, 4);
        let first: Value =
            serde_json::from_slice(second.split(|it| *it == b'\n').next().unwrap()).unwrap();
        assert_eq!((&first["kind"], &first["torn-bytes"]), (&json!("segment"), &json!(18)));
        assert_eq!(log(&state).change(&body("web-03")).unwrap().seq(), 5);
    }

    #[test]
    fn a_place_that_others_can_write_is_refused() {
        let state = TempDir::new().unwrap();
        let dir = state.path().join("audit");
        DirBuilder::new().create(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = Log::open(state.path(), Clock::default()).unwrap_err();
        assert!(refused.to_string().contains("others can write"), "{refused}");
    }
}
