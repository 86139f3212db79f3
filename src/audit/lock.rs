//! One writer at a time: flock on a file that is never replaced.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::Error;

/// Takes the lock, which lasts as long as the file is open. A blocked log must not hang the
/// console, so waiting has an end.
pub(super) fn take(dir: &Path) -> Result<File, Error> {
    let path = dir.join(NAME);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::write(&path))?;
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::WouldBlock if Instant::now() > deadline => return Err(Error::Busy),
                TryLockError::WouldBlock => std::thread::sleep(PAUSE),
                TryLockError::Error(it) if it.kind() == std::io::ErrorKind::Interrupted => {}
                TryLockError::Error(cause) => return Err(Error::Write { path, cause }),
            }
        }
        // Whoever began a new log while we waited has moved this one away, lock and all.
        if is_at(&file, &path) {
            return Ok(file);
        }
    }
}

/// Waits until nobody writes, if that can be told. Makes nothing, and goes on after a while: a
/// copy has no lock, and whoever only reads must not be kept from it.
pub(super) fn look(dir: &Path) -> Option<File> {
    let file = File::open(dir.join(NAME)).ok()?;
    let deadline = Instant::now() + PATIENCE;
    while file.try_lock_shared().is_err() {
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
    Some(file)
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

const NAME: &str = "LOCK";

/// How long another writer is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Between two tries. A record takes its writer about a millisecond.
const PAUSE: Duration = Duration::from_micros(500);
