//! What was asked of CAs from this machine and how it ended, for as long as their limits look
//! back: so that nobody runs into a limit, and nothing that failed is just tried again.
//!
//! A line of JSON for each event, appended under a lock. Losing it loses no safety at the CA, only
//! the foresight.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{Error, Office};
use crate::budget::{self, Account, Ca, NameSet, Origin};
use crate::fleet::{DAY, Moment};
use crate::text::SafeText;

/// The events of a machine.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
}

/// Something that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// An order was placed.
    Ordered,
    /// A certificate was issued.
    Issued,
    /// Nothing came of an order for these names, because some of them could not be verified.
    Unproven,
    /// The CA could not verify these names.
    Failed,
    /// Control of the names was proven at the staging twin.
    Rehearsed,
    /// The CA asked to be left alone until then.
    Held(i64),
}

/// An event as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Event {
    /// Unix time.
    at: i64,
    /// The URL of the directory.
    ca: String,
    what: What,
    #[serde(default)]
    names: Vec<String>,
}

impl Ledger {
    /// The ledger of this machine; nothing is touched yet.
    pub fn of(office: &Office) -> Self {
        Self { folder: office.state.join("ledger") }
    }

    /// Writes an event down.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn note(
        &self,
        directory: &str,
        names: &NameSet,
        what: What,
        now: Moment,
    ) -> Result<(), Error> {
        let names = names.iter().map(str::to_owned).collect();
        let event = Event { at: now.unix(), ca: directory.to_owned(), what, names };
        let write = || -> io::Result<()> {
            let _held = self.lock()?;
            let mut line = serde_json::to_vec(&event)?;
            line.push(b'\n');
            let mut file =
                OpenOptions::new().create(true).append(true).mode(0o600).open(self.file())?;
            file.write_all(&line)?;
            file.sync_data()?;
            if file.metadata()?.len() > PRUNED_FROM { self.prune(now) } else { Ok(()) }
        };
        write().map_err(|it| self.cannot("written", &it))
    }

    /// Everything that was noted and may still count, oldest first. What it comes to is for
    /// [`budget::History`] to say.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn events(&self, now: Moment) -> Result<Vec<budget::Event>, Error> {
        let told = |it: Event| {
            let what = match it.what {
                What::Ordered => budget::What::Ordered,
                What::Issued => budget::What::Issued(None),
                What::Unproven => budget::What::Unproven,
                What::Failed => budget::What::Failed,
                What::Rehearsed => budget::What::Rehearsed,
                What::Held(until) => budget::What::Refused {
                    limit: "limit",
                    about: None,
                    until: Some(Moment::from_unix(until)),
                },
            };
            let (at, ca) = (Moment::from_unix(it.at), Ca::of_directory(&it.ca));
            let event = budget::Event::noted(at, ca, what, NameSet::new(it.names), Account::Own);
            event.seen(Origin::Ledger)
        };
        Ok(self.read(now)?.into_iter().map(told).collect())
    }

    /// The events that still count, oldest first. A line that makes no sense is as if it were not
    /// there.
    fn read(&self, now: Moment) -> Result<Vec<Event>, Error> {
        let file = match File::open(self.file()) {
            Err(it) if it.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.map_err(|it| self.cannot("read", &it))?,
        };
        let mut events = Vec::new();
        for line in BufReader::new(file.take(MAX_BYTES)).split(b'\n') {
            let line = line.map_err(|it| self.cannot("read", &it))?;
            if let Ok(event) = serde_json::from_slice::<Event>(&line)
                && now.unix().saturating_sub(event.at) < OLDEST
            {
                events.push(event);
            }
        }
        Ok(events)
    }

    /// Leaves out what does not count any more. The lock is held.
    fn prune(&self, now: Moment) -> io::Result<()> {
        let events = self.read(now).map_err(io::Error::other)?;
        let mut draft = NamedTempFile::new_in(&self.folder)?;
        for event in events {
            serde_json::to_writer(&mut draft, &event)?;
            draft.write_all(b"\n")?;
        }
        draft.as_file().sync_all()?;
        draft.persist(self.file()).map(drop).map_err(|it| it.error)
    }

    fn lock(&self) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join("LOCK");
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        lock.lock()?;
        Ok(lock)
    }

    fn file(&self) -> PathBuf {
        self.folder.join("events.jsonl")
    }

    fn cannot(&self, what: &str, error: &io::Error) -> Error {
        let why = SafeText::new(&format!("cannot be {what}: {error}"));
        Error::File { path: self.file(), why }
    }
}

/// No limit looks back further, in seconds.
const OLDEST: i64 = 8 * DAY;

/// Some thousand events.
const PRUNED_FROM: u64 = 1024 * 1024;
const MAX_BYTES: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const NOW: Moment = Moment::from_unix(1_795_403_564);
    const CA: &str = "https://ca.test/dir";

    #[test]
    fn what_was_noted_is_told_and_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(&Office::new(state.path(), Clock::fixed(NOW)));
        let events = |now| ledger.events(now).unwrap();
        assert_eq!(events(NOW), []);
        let names = NameSet::new(["b.test", "A.test"]);
        let until = NOW.plus(60);
        let held = budget::What::Refused { limit: "limit", about: None, until: Some(until) };
        let all = [
            (What::Ordered, budget::What::Ordered),
            (What::Unproven, budget::What::Unproven),
            (What::Failed, budget::What::Failed),
            (What::Rehearsed, budget::What::Rehearsed),
            (What::Issued, budget::What::Issued(None)),
            (What::Held(until.unix()), held),
        ];
        for (at, (what, _)) in (0..).zip(&all) {
            ledger.note(CA, &names, *what, NOW.plus(at)).unwrap();
        }
        let told: Vec<_> = events(NOW).into_iter().map(|it| (it.at, it.names, it.what)).collect();
        let expect = (0..).zip(all).map(|(at, it)| (NOW.plus(at), names.clone(), it.1));
        assert_eq!(told, expect.collect::<Vec<_>>());
        assert!(events(NOW).iter().all(|it| it.account == Account::Own));
        // What a crash has torn is as if it were not there, and what is old is left out.
        OpenOptions::new().append(true).open(ledger.file()).unwrap().write_all(b"{torn").unwrap();
        assert_eq!((events(NOW).len(), events(NOW.plus(9 * DAY)).len()), (6, 0));
        ledger.lock().unwrap();
        ledger.prune(NOW.plus(9 * DAY)).unwrap();
        assert_eq!(std::fs::metadata(ledger.file()).unwrap().len(), 0);
    }
}
