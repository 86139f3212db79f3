//! When this machine last renewed with nobody there: its timer is nowhere else to be seen.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{Error, Store};
use crate::fleet::Moment;

/// An unattended run of this machine that came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unattended {
    /// When it ended.
    pub at: Moment,
    /// How many renewals were begun.
    pub begun: usize,
    /// How many of them ended well.
    pub done: usize,
}

/// The same as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Shape {
    /// RFC 3339.
    at: String,
    begun: usize,
    done: usize,
}

impl Store {
    /// Keeps how an unattended run ended, for whoever looks whether the timer does its work.
    pub fn keep_unattended(&self, run: &Unattended) -> Result<(), Error> {
        let path = self.state.join(FILE);
        let shape = Shape { at: run.at.to_string(), begun: run.begun, done: run.done };
        let write = || -> io::Result<()> {
            let mut draft = NamedTempFile::new_in(&self.state)?;
            serde_json::to_writer(&mut draft, &shape)?;
            draft.write_all(b"\n")?;
            draft.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| Error::Write { path: path.clone(), source })
    }

    /// The last unattended run of this machine, if there was one.
    pub fn unattended(&self) -> Option<Unattended> {
        let file = File::open(self.state.join(FILE)).ok()?;
        let Shape { at, begun, done } = serde_json::from_reader(file.take(MAX_BYTES)).ok()?;
        Some(Unattended { at: Moment::parse(&at)?, begun, done })
    }
}

const FILE: &str = "unattended.json";
const MAX_BYTES: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Fleet;

    #[test]
    fn the_last_run_is_known_to_whoever_comes_next() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        assert_eq!(store.unattended(), None);
        let run = Unattended { at: Moment::from_unix(1_795_403_564), begun: 3, done: 2 };
        store.keep_unattended(&run).unwrap();
        assert_eq!(store.unattended(), Some(run));
        let mut fleet = Fleet::default();
        store.recall(&mut fleet).unwrap();
        assert_eq!(fleet.unattended_at, Some(run.at));
        File::create(folder.path().join(FILE)).unwrap().write_all(b"{\"at\": \"soon\"").unwrap();
        assert_eq!(store.unattended(), None);
    }
}
