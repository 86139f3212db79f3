//! The folder of this run: configuration files and control sockets, seen by nobody else. What
//! runs that died left behind is swept; what belongs to a living run is not touched.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;

use super::Error;
use super::mux::end_master;

/// A folder that lives as long as this value. Its lock is held as long, which is how other runs
/// know that it is in use: a lock ends with its process, whatever end that is.
#[derive(Debug)]
pub(super) struct Folder {
    base: PathBuf,
    run: Mutex<Run>,
}

/// A folder that is there and locked.
#[derive(Debug)]
struct Run {
    path: PathBuf,
    _lock: File,
    /// The folder made because the usual one has too long a path, or cannot be used any more.
    _short: Option<TempDir>,
}

impl Folder {
    /// Makes the folder of this run below `base`, and sweeps `base`.
    pub(super) fn make(base: &Path) -> Result<Self, Error> {
        Ok(Self { base: base.to_owned(), run: Mutex::new(Run::make(base)?) })
    }

    /// Makes a folder for one session.
    ///
    /// A logout takes `/run/user/<uid>` away, also under a console that lives on in tmux: then
    /// the folder of this run is made anew, where it was or in a short one.
    pub(super) fn session_dir(&self) -> Result<TempDir, Error> {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        let mut made = private().prefix("s").tempdir_in(&run.path);
        if made.is_err() && !run.path.is_dir() {
            *run = Run::make(&self.base).or_else(|_| Run::short())?;
            made = private().prefix("s").tempdir_in(&run.path);
        }
        made.map_err(|source| Error::Folder { path: run.path.clone(), source })
    }
}

impl Run {
    fn make(base: &Path) -> Result<Self, Error> {
        if base.as_os_str().len() > LONGEST_BASE {
            return Self::short();
        }
        own(base).map_err(|source| Error::Folder { path: base.to_owned(), source })?;
        Self::below(base, None)
    }

    /// In a folder with a short path.
    fn short() -> Result<Self, Error> {
        sweep_short();
        let short = private().prefix(SHORT).tempdir_in("/tmp");
        let short = short.map_err(|source| Error::Folder { path: "/tmp".into(), source })?;
        let base = short.path().to_owned();
        Self::below(&base, Some(short))
    }

    fn below(base: &Path, short: Option<TempDir>) -> Result<Self, Error> {
        let problem = |source| Error::Folder { path: base.to_owned(), source };
        sweep(base);
        // Under another name until it is locked, so that nobody takes it for a dead one.
        let new = private().prefix("new-").tempdir_in(base).map_err(problem)?;
        let lock = File::create(new.path().join("lock")).map_err(problem)?;
        lock.try_lock().map_err(|it| problem(it.into()))?;
        let name = new.path().file_name().and_then(|it| it.to_str()).unwrap_or_default();
        let run = base.join(name.replacen("new-", "run-", 1));
        fs::rename(new.path(), &run).map_err(problem)?;
        // The old name is gone, so there is nothing for its guard to remove.
        drop(new.keep());
        Ok(Self { path: run, _lock: lock, _short: short })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}

/// Writes a new file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}

/// Makes folders that are closed to others from the beginning.
fn private() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.permissions(Permissions::from_mode(0o700));
    builder
}

/// Makes sure that a folder is there, is ours and is closed to others.
fn own(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let meta = fs::symlink_metadata(path)?;
    if !meta.is_dir() || meta.uid() != rustix::process::geteuid().as_raw() {
        let text = "not a folder of the user who runs this";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    if meta.mode().trailing_zeros() < 6 {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Removes what dead runs left in `base`. What cannot be removed is left: it does no harm.
fn sweep(base: &Path) {
    for run in entries(base).filter(|it| has_prefix(it, "run-")) {
        let Ok(lock) = File::open(run.join("lock")) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        for dir in entries(&run) {
            let socket = dir.join("master");
            if socket.exists() {
                end_master(&socket);
            }
        }
        fs::remove_dir_all(&run).ok();
    }
}

/// Sweeps the short folders of this user's dead runs.
fn sweep_short() {
    for base in entries(Path::new("/tmp")).filter(|it| has_prefix(it, SHORT)) {
        let is_ours = fs::symlink_metadata(&base).is_ok_and(|it| {
            it.is_dir()
                && it.uid() == rustix::process::geteuid().as_raw()
                && it.mode().trailing_zeros() >= 6
        });
        if is_ours {
            sweep(&base);
            // Fails as long as a living run is in it.
            fs::remove_dir(&base).ok();
        }
    }
}

fn entries(path: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(path).into_iter().flatten().flatten().map(|it| it.path())
}

fn has_prefix(path: &Path, prefix: &str) -> bool {
    path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// Where runs live whose usual folder has too long a path.
const SHORT: &str = "certdeck-";

/// A path of a Unix socket has at most 103 bytes on macOS and 107 on Linux. Ours adds
/// `/run-XXXXXX/sXXXXXX/master`, and ssh 17 random characters while it makes the socket.
const LONGEST_BASE: usize = 103 - 26 - 17;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a file that is in the way")]
mod tests {
    use super::*;

    fn path(folder: &Folder) -> PathBuf {
        folder.run.lock().unwrap().path.clone()
    }

    #[test]
    fn dead_runs_are_swept_and_living_ones_are_not() {
        let base = TempDir::new().unwrap();
        let living = Folder::make(base.path()).unwrap();
        let dead = base.path().join("run-dead");
        fs::create_dir(&dead).unwrap();
        File::create(dead.join("lock")).unwrap();
        let second = Folder::make(base.path()).unwrap();
        assert!(path(&living).is_dir() && path(&second).is_dir());
        assert!(!dead.exists());
        let gone = path(&living);
        drop(living);
        assert!(!gone.exists());
    }

    #[test]
    fn the_folder_is_closed_to_others() {
        let base = TempDir::new().unwrap();
        let open = base.path().join("open");
        DirBuilder::new().mode(0o777).create(&open).unwrap();
        let folder = Folder::make(&open).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&open), mode(&path(&folder))), (0o700, 0o700));
        let file = path(&folder).join("x");
        write_private(&file, "").unwrap();
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn a_long_path_is_replaced_by_a_short_one() {
        let base = TempDir::new().unwrap();
        let folder = Folder::make(&base.path().join("x".repeat(80))).unwrap();
        assert!(path(&folder).starts_with("/tmp"));
        assert!(path(&folder).as_os_str().len() <= LONGEST_BASE + 11);
    }

    #[test]
    fn a_folder_that_vanished_is_made_anew() {
        let user = TempDir::new().unwrap();
        let base = user.path().join("certdeck");
        let folder = Folder::make(&base).unwrap();
        let first = folder.session_dir().unwrap();
        fs::remove_dir_all(user.path()).unwrap();
        let second = folder.session_dir().unwrap();
        assert!(!first.path().exists() && second.path().starts_with(&base));
        assert_eq!(fs::metadata(path(&folder)).unwrap().mode() & 0o777, 0o700);
        // It is as much in use as the first was.
        drop(Folder::make(&base).unwrap());
        assert!(second.path().is_dir());
        // Nothing can be made there any more.
        fs::remove_dir_all(user.path()).unwrap();
        fs::write(user.path(), "").unwrap();
        assert!(folder.session_dir().unwrap().path().starts_with("/tmp"));
        assert!(path(&folder).as_os_str().len() <= LONGEST_BASE + 11);
        fs::remove_file(user.path()).unwrap();
    }
}
