//! Who practised what, when, and what it was worth: a file of its own in the state folder, one
//! result per line, which is only ever added to.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Error, Store};
use crate::fleet::Moment;
use crate::text::SafeText;

/// A drill that somebody was at. Serialized, it is as in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Shape")]
pub struct Practised {
    /// When it ended.
    pub at: Moment,
    /// Who was at it.
    pub who: SafeText,
    /// Its name.
    pub drill: SafeText,
    /// What chance picked it by, where nobody asked for it by its name.
    pub seed: Option<u64>,
    /// Whether it was solved.
    pub is_solved: bool,
    /// From 0 to 100.
    pub points: i64,
    /// Seconds until the cause was looked at, if it was.
    pub to_cause: Option<i64>,
    /// Seconds until the proof, if there was one.
    pub to_proof: Option<i64>,
    /// How many orders there were, and how many were needed.
    pub orders: (usize, usize),
    /// How many hints were asked for.
    pub hints: usize,
    /// What was done and was wrong.
    pub wrong: Vec<SafeText>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line<T> {
    v: u32,
    #[serde(flatten)]
    result: T,
}

/// A result as it is written. Keys are added, never renamed, within a version.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Shape {
    at: String,
    who: String,
    drill: String,
    seed: Option<u64>,
    solved: bool,
    points: i64,
    seconds_to_cause: Option<i64>,
    seconds_to_proof: Option<i64>,
    orders: usize,
    least_orders: usize,
    hints: usize,
    wrong_moves: Vec<String>,
}

impl Store {
    /// Where results are.
    pub fn practised_path(&self) -> PathBuf {
        self.state.join(FOLDER).join(FILE)
    }

    /// Adds a result; others may do so at the same time.
    pub fn keep_practised(&self, it: &Practised) -> Result<(), Error> {
        let path = self.practised_path();
        let write = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(self.state.join(FOLDER))?;
            let mut file =
                OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
            lock(&file)?;
            let mut line = serde_json::to_vec(&Line { v: VERSION, result: it })?;
            line.push(b'\n');
            // What a crash has torn stays a line of its own.
            if !ends_whole(&mut file)? {
                line.insert(0, b'\n');
            }
            file.write_all(&line)?;
            file.sync_all()
        };
        write().map_err(|source| Error::Write { path: path.clone(), source })
    }

    /// Every result, the oldest first, and how many lines are none.
    pub fn practised(&self) -> Result<(Vec<Practised>, usize), Error> {
        let path = self.practised_path();
        let file = match File::open(&path) {
            Err(it) if it.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
            Err(source) => return Err(Error::Read { path, source }),
            Ok(file) => file,
        };
        let (mut results, mut odd) = (Vec::new(), 0);
        for line in BufReader::new(file.take(MAX_BYTES)).split(b'\n') {
            let line = line.map_err(|source| Error::Read { path: path.clone(), source })?;
            let read = serde_json::from_slice::<Line<Shape>>(&line).ok();
            match read.filter(|it| it.v == VERSION).and_then(|it| it.result.practised()) {
                Some(it) => results.push(it),
                None if line.is_empty() => {}
                None => odd += 1,
            }
        }
        Ok((results, odd))
    }
}

impl From<Practised> for Shape {
    fn from(it: Practised) -> Self {
        Self {
            at: it.at.to_string(),
            who: it.who.to_string(),
            drill: it.drill.to_string(),
            seed: it.seed,
            solved: it.is_solved,
            points: it.points,
            seconds_to_cause: it.to_cause,
            seconds_to_proof: it.to_proof,
            orders: it.orders.0,
            least_orders: it.orders.1,
            hints: it.hints,
            wrong_moves: it.wrong.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Shape {
    fn practised(self) -> Option<Practised> {
        Some(Practised {
            at: Moment::parse(&self.at)?,
            who: SafeText::new(&self.who),
            drill: SafeText::new(&self.drill),
            seed: self.seed,
            is_solved: self.solved,
            points: self.points,
            to_cause: self.seconds_to_cause,
            to_proof: self.seconds_to_proof,
            orders: (self.orders, self.least_orders),
            hints: self.hints,
            wrong: self.wrong_moves.iter().map(|it| SafeText::new(it)).collect(),
        })
    }
}

/// Waits until nobody else writes, and not for ever.
fn lock(file: &File) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = file.try_lock() {
        match error {
            TryLockError::WouldBlock if Instant::now() > deadline => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "somebody else holds it"));
            }
            TryLockError::WouldBlock => std::thread::sleep(PAUSE),
            TryLockError::Error(it) if it.kind() == io::ErrorKind::Interrupted => {}
            TryLockError::Error(it) => return Err(it),
        }
    }
    Ok(())
}

/// Whether a file ends with a whole line.
fn ends_whole(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

const FOLDER: &str = "practice";
const FILE: &str = "results.jsonl";
const VERSION: u32 = 1;
/// More than a team practises in its life.
const MAX_BYTES: u64 = 64 << 20;
/// How long another writer is waited for, who needs a moment.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn result(points: i64) -> Practised {
        Practised {
            at: Moment::from_unix(1_795_403_564),
            who: SafeText::new("ada@bastion"),
            drill: SafeText::new("not-reloaded"),
            seed: Some(7),
            is_solved: true,
            points,
            to_cause: Some(60),
            to_proof: None,
            orders: (1, 0),
            hints: 2,
            wrong: vec![SafeText::new("force-renew web-01/www: no order was needed")],
        }
    }

    #[test]
    fn results_of_many_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        assert_eq!(store.practised().unwrap(), (Vec::new(), 0));
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    (0..10).for_each(|it| store.keep_practised(&result(writer * 10 + it)).unwrap());
                });
            }
        });
        let (mut results, odd) = store.practised().unwrap();
        results.sort_by_key(|it| it.points);
        assert_eq!((results, odd), ((0..40).map(result).collect(), 0));
        let mode = store.practised_path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_is_torn_hides_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        store.keep_practised(&result(1)).unwrap();
        let mut file = OpenOptions::new().append(true).open(store.practised_path()).unwrap();
        file.write_all(b"{\"v\":1,\"at\":\"2026").unwrap();
        store.keep_practised(&result(2)).unwrap();
        assert_eq!(store.practised().unwrap(), (vec![result(1), result(2)], 1));
    }
}
