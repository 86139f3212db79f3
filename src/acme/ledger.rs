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
use crate::budget::{self, Account, Ca, Limit, NameSet, Origin};
use crate::fleet::{DAY, HOUR, Moment};
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

/// Why nothing is asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Until when.
    pub until: Moment,
    /// Why, in one line.
    pub why: SafeText,
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
        names: &[String],
        what: What,
        now: Moment,
    ) -> Result<(), Error> {
        let event = Event { at: now.unix(), ca: directory.to_owned(), what, names: sorted(names) };
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

    /// Whether an order for these names may be placed now. `orders` is the CA's own limit, where
    /// it is known.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn hold(
        &self,
        directory: &str,
        names: &[String],
        orders: Option<Limit>,
        now: Moment,
    ) -> Result<Option<Hold>, Error> {
        let events = self.read(now)?;
        let here = events.iter().filter(|it| it.ca == directory);
        let held = here.clone().filter_map(|it| match it.what {
            What::Held(until) => Some(Moment::from_unix(until)),
            _ => None,
        });
        if let Some(until) = held.max().filter(|it| *it > now) {
            let why = SafeText::new("the CA has asked to be left alone until then");
            return Ok(Some(Hold { until, why }));
        }
        if let Some(until) = orders.and_then(|it| it.free_at(&ordered(&events, directory), now)) {
            let why = SafeText::new("the orders that the CA allows are used up");
            return Ok(Some(Hold { until, why }));
        }
        let names = sorted(names);
        for name in &names {
            let failed =
                here.clone().filter(|it| it.what == What::Failed && it.names.contains(name));
            let failed: Vec<_> = failed.map(|it| Moment::from_unix(it.at)).collect();
            if let Some(until) = FAILURES.free_at(&failed, now) {
                let why =
                    format!("{name} could not be verified {} times within an hour", failed.len());
                return Ok(Some(Hold { until, why: SafeText::new(&why) }));
            }
        }
        Ok(None)
    }

    /// Everything that counts against limits, as it was noted.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn events(&self, now: Moment) -> Result<Vec<budget::Event>, Error> {
        let told = |it: Event| {
            let what = match it.what {
                What::Ordered => budget::What::Ordered,
                What::Issued => budget::What::Issued(None),
                What::Failed => budget::What::Failed,
                What::Held(until) => budget::What::Refused {
                    limit: "limit",
                    about: None,
                    until: Some(Moment::from_unix(until)),
                },
                // Which of the names it was is noted beside it.
                What::Unproven | What::Rehearsed => return None,
            };
            let (at, ca) = (Moment::from_unix(it.at), Ca::of_directory(&it.ca));
            let event = budget::Event::noted(at, ca, what, NameSet::new(it.names), Account::Own);
            Some(event.seen(Origin::Ledger))
        };
        Ok(self.read(now)?.into_iter().filter_map(told).collect())
    }

    /// How many orders may be placed at a CA now, where its limit is known.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn orders_left(&self, directory: &str, limit: Limit, now: Moment) -> Result<i64, Error> {
        let events = self.read(now)?;
        Ok(limit.burst - limit.used(&ordered(&events, directory), now))
    }

    /// Whether the last order for these names failed to prove them, and nothing has since: then
    /// the staging twin is asked first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn wants_rehearsal(
        &self,
        directory: &str,
        names: &[String],
        now: Moment,
    ) -> Result<bool, Error> {
        let names = sorted(names);
        let events = self.read(now)?;
        let last = events.iter().rfind(|it| {
            it.ca == directory
                && it.names == names
                && !matches!(it.what, What::Ordered | What::Failed | What::Held(_))
        });
        Ok(last.is_some_and(|it| it.what == What::Unproven))
    }

    /// Whether orders for exactly these names have failed so often that nobody who is not asked
    /// for it tries again now: after the second time in a row an hour later, then four, then a
    /// day (letsencrypt.org/docs/integration-guide, "Retrying Failures": once a day at the most).
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn rest(
        &self,
        directory: &str,
        names: &[String],
        now: Moment,
    ) -> Result<Option<Hold>, Error> {
        let names = sorted(names);
        let events = self.read(now)?;
        let mut here = events.iter().rev().filter(|it| it.ca == directory && it.names == names);
        let is_over = |it: &&Event| it.what != What::Issued;
        let failed: Vec<_> = here
            .by_ref()
            .take_while(is_over)
            .filter(|it| it.what == What::Unproven)
            .map(|it| Moment::from_unix(it.at))
            .collect();
        let wait = match failed.len() {
            0 | 1 => return Ok(None),
            2 => HOUR,
            3 => 4 * HOUR,
            _ => DAY,
        };
        let until = failed.first().map(|it| it.plus(wait)).filter(|it| *it > now);
        Ok(until.map(|until| {
            let why = format!("control could not be proven {} times in a row", failed.len());
            Hold { until, why: SafeText::new(&why) }
        }))
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

fn ordered(events: &[Event], directory: &str) -> Vec<Moment> {
    let orders = events.iter().filter(|it| it.ca == directory && it.what == What::Ordered);
    orders.map(|it| Moment::from_unix(it.at)).collect()
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names: Vec<_> = names.iter().map(|it| it.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    names
}

/// Names that could not be verified, by name, wherever they are ordered: a limit of this program
/// for its own orders. Let's Encrypt lets five pass in an hour; the third of the same kind has
/// never been of use to anybody.
const FAILURES: Limit = Limit::new(2, HOUR);
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

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn what_failed_twice_is_left_alone_for_a_while() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(&Office::new(state.path(), Clock::fixed(NOW)));
        let both = names(&["b.test", "A.test"]);
        let hold =
            |now: Moment| ledger.hold(CA, &both, None, now).unwrap().map(|it| it.until.since(now));
        assert_eq!((hold(NOW), ledger.wants_rehearsal(CA, &both, NOW)), (None, Ok(false)));
        ledger.note(CA, &both, What::Unproven, NOW).unwrap();
        ledger.note(CA, &names(&["a.test"]), What::Failed, NOW).unwrap();
        assert_eq!((hold(NOW), ledger.wants_rehearsal(CA, &both, NOW)), (None, Ok(true)));
        ledger.note(CA, &names(&["a.test"]), What::Failed, NOW.plus(60)).unwrap();
        assert_eq!(ledger.hold(CA, &names(&["b.test"]), None, NOW.plus(60)).unwrap(), None);
        assert_eq!(hold(NOW.plus(60)), Some(30 * 60 - 60));
        assert_eq!(hold(NOW.plus(3600)), None);
        // Elsewhere it is another matter.
        assert_eq!(ledger.hold("https://other.test/", &both, None, NOW).unwrap(), None);
        ledger.note(CA, &both, What::Rehearsed, NOW.plus(120)).unwrap();
        assert_eq!(ledger.wants_rehearsal(CA, &both, NOW), Ok(false));
    }

    #[test]
    fn who_fails_again_and_again_is_tried_once_a_day() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(&Office::new(state.path(), Clock::fixed(NOW)));
        let these = names(&["a.test", "b.test"]);
        let rest = |now| ledger.rest(CA, &these, now).unwrap().map(|it| it.until.since(now));
        assert_eq!(rest(NOW), None);
        for (at, expect) in
            [None, Some(HOUR), Some(4 * HOUR), Some(DAY), Some(DAY)].into_iter().enumerate()
        {
            let now = NOW.plus(i64::try_from(at).unwrap() * DAY);
            ledger.note(CA, &these, What::Ordered, now).unwrap();
            ledger.note(CA, &these, What::Unproven, now).unwrap();
            assert_eq!(rest(now), expect);
            // Another set of names is another matter.
            assert_eq!(ledger.rest(CA, &names(&["a.test"]), now).unwrap(), None);
        }
        let now = NOW.plus(4 * DAY);
        assert_eq!((rest(now.plus(DAY - 1)), rest(now.plus(DAY))), (Some(1), None));
        ledger.note(CA, &these, What::Issued, now).unwrap();
        assert_eq!(rest(now), None);
    }

    #[test]
    fn a_ca_that_asked_for_it_is_left_alone() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(&Office::new(state.path(), Clock::fixed(NOW)));
        let until = NOW.plus(3600);
        ledger.note(CA, &[], What::Held(until.unix()), NOW).unwrap();
        ledger.note(CA, &[], What::Held(NOW.plus(60).unix()), NOW).unwrap();
        let hold = |now| ledger.hold(CA, &names(&["a.test"]), None, now).unwrap();
        assert_eq!(hold(NOW).map(|it| it.until), Some(until));
        assert_eq!(hold(until), None);
    }

    #[test]
    fn orders_are_counted_and_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let ledger = Ledger::of(&Office::new(state.path(), Clock::fixed(NOW)));
        let limit = Limit::parse("3/3h").unwrap();
        for at in 0..3 {
            assert_eq!(ledger.orders_left(CA, limit, NOW).unwrap(), 3 - at);
            ledger.note(CA, &names(&["a.test"]), What::Ordered, NOW).unwrap();
        }
        let hold = ledger.hold(CA, &names(&["a.test"]), Some(limit), NOW).unwrap().unwrap();
        assert_eq!(hold.until.since(NOW), 3600);
        OpenOptions::new().append(true).open(ledger.file()).unwrap().write_all(b"{torn").unwrap();
        assert_eq!(ledger.orders_left(CA, limit, NOW.plus(9 * DAY)).unwrap(), 3);
        ledger.lock().unwrap();
        ledger.prune(NOW.plus(9 * DAY)).unwrap();
        assert_eq!(std::fs::metadata(ledger.file()).unwrap().len(), 0);
    }
}
