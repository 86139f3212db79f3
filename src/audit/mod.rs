//! The audit log: what was done, by whom, in a chain that shows every change to it.
//!
//! ```text
//! audit/            0700
//!   LOCK            held while somebody appends; never replaced
//!   head            two slots of 128 bytes with the last record's number and hash
//!   000001.jsonl    0600, one record per line; a full or torn segment is followed by a new one
//!   blobs/          output of commands, each under its own hash
//! ```
//!
//! Nothing secret gets in: every text passes a door that takes out what is known to be secret
//! and what looks like it. Only this room makes a [`Permit`], and nothing that changes the world works without one. It
//! knows nothing of what is done with a permit.

mod blob;
mod chain;
mod error;
pub mod export;
mod extract;
mod fit;
mod fork;
mod head;
mod lock;
mod place;
pub mod read;
mod record;
mod redact;
mod segment;
mod select;
mod session;
mod tail;
pub mod verify;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::clock::Clock;

pub use error::Error;
pub use extract::Extract;
pub use fork::fork;
pub use redact::Secret;
pub use select::Selection;
pub use session::Session;

use record::{Hash, Last};
use redact::Redactor;
use tail::{Draft, Tail};

/// The log, open for appending.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    clock: Clock,
    tail: Tail,
    door: Redactor,
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

impl Log {
    /// Opens the log below the state folder; nothing is written yet.
    pub fn open(state_dir: &Path, clock: Clock) -> Result<Self, Error> {
        let dir = state_dir.join(FOLDER);
        place::make(&dir)?;
        Ok(Self { dir, clock, tail: Tail::default(), door: Redactor::default(), is_broken: false })
    }

    /// From now on this secret does not get into the log, in whatever form.
    pub fn protect(&mut self, secret: &Secret) {
        self.door.learn(secret);
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

    /// Writes down what somebody has answered in a guided run, or that they have left it: every
    /// record of the run has its identity. Nothing is permitted by it.
    pub fn guide(&mut self, run: Uuid, body: &Map<String, Value>) -> Result<(), Error> {
        self.append("guide", run, body).map(drop)
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

    /// Takes up what was permitted before and has no outcome yet, after a record that says so.
    ///
    /// # Errors
    /// [`Error::Closed`] if there is no such intent without an outcome.
    pub fn take_up(&mut self, op: Uuid, body: &Map<String, Value>) -> Result<Permit, Error> {
        if !self.open_intents()?.iter().any(|it| it.op == op) {
            return Err(Error::Closed(op));
        }
        let last = self.append("step", op, body)?;
        Ok(Permit { op, seq: last.seq, hash: last.hash })
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

    /// Every record, oldest first.
    pub fn records(&self) -> Result<Vec<read::Record>, Error> {
        read::records(self.dir.parent().unwrap_or(&self.dir))
    }

    /// The intents that have neither an outcome nor a reconciliation, oldest first.
    pub fn open_intents(&self) -> Result<Vec<read::Record>, Error> {
        read::open(self.dir.parent().unwrap_or(&self.dir))
    }

    /// Keeps output beside the log, at most 1 MiB of it: its SHA-256 in hex, by which records
    /// name it.
    pub fn keep(&mut self, output: &[u8]) -> Result<String, Error> {
        let output = self.door.bytes(output);
        blob::keep(&self.dir, &output).map_err(Error::write(&self.dir))
    }

    /// Appends one record; it is on the disk when this returns.
    fn append(
        &mut self,
        kind: &'static str,
        op: Uuid,
        body: &Map<String, Value>,
    ) -> Result<Last, Error> {
        if self.is_broken {
            return Err(Error::Broken);
        }
        let body = fit::fit(self.door.body(body));
        let _held = lock::take(&self.dir)?;
        self.tail.catch_up(&self.dir)?;
        // What ends something may take the room that was kept for it.
        if matches!(kind, "change" | "intent" | "session") {
            place::check_space(&self.dir, self.tail.open())?;
        }
        let draft = Draft { kind, op, body: &body };
        let written = self.tail.append(&self.dir, &self.clock.stamp(), &draft);
        // A write that failed once may be half there; an fsync that failed once may forget.
        self.is_broken = written.is_err();
        written
    }
}

fn with(key: &str, value: &str, body: &Map<String, Value>) -> Map<String, Value> {
    let mut all = body.clone();
    all.insert(key.to_owned(), json!(value));
    all
}

/// What the first record of a log says.
fn genesis() -> Map<String, Value> {
    [
        ("log", json!(Uuid::new_v4().to_string())),
        ("origin", json!(rustix::system::uname().nodename().to_string_lossy())),
        ("format", json!(record::FORMAT)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// The folder of the log below that of the state.
const FOLDER: &str = "audit";

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests damage the log on purpose")]
mod tests {
    use std::fs::{self, DirBuilder};
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
        let lines = |all: Vec<read::Record>| all.into_iter().map(|it| it.line).collect::<Vec<_>>();
        let whole: Vec<_> = read::open_intents(&records).into_iter().cloned().collect();
        assert_eq!(lines(read::open(state.path()).unwrap()), lines(whole));
        log.reconcile(open, &body("web-02")).unwrap();
        log.end_session(session).unwrap();
        let records = read::records(state.path()).unwrap();
        assert!(read::open_intents(&records).is_empty());
        assert!(read::open(state.path()).unwrap().is_empty());
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
        let verified = verify::verify(state.path());
        assert_eq!((verified.state, verified.records), (verify::State::Good, 101));
    }

    #[test]
    fn every_byte_that_is_flipped_is_noticed() {
        let state = TempDir::new().unwrap();
        log(&state).change(&body("web-01")).unwrap();
        log(&state).change(&body("web-02")).unwrap();
        let path = segment_of(&state, 1);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, bad).unwrap();
            let verified = verify::verify(state.path());
            assert!(!verified.state.is_sound(), "byte {at}: {verified:?}");
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(log(&state).change(&body("web-03")).is_err());
        fs::write(&path, &good).unwrap();
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
        assert_eq!(verify::verify(state.path()).state, verify::State::Good);
        let second = fs::read(segment_of(&state, 2)).unwrap();
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
