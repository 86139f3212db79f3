//! A practice host while it is set up: its folder, what the inventory says of it, and how its
//! server behaves.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Error;
use super::authority::{Authorities, Ca, Claim, Issued, KeyKind};
use super::build::Ground;
use super::ports::Ports;
use crate::fleet::{DAY, Moment};

/// A practice host while it is set up.
pub(super) struct Stage<'a> {
    /// The time of the whole fleet.
    pub(super) now: Moment,
    /// The folder of the host.
    pub(super) root: PathBuf,
    /// How its server behaves.
    pub(super) manner: Manner,
    /// Its keys in the inventory besides name and groups, and its sources.
    pub(super) inventory: String,
    /// Its clock minus the machine's, in seconds.
    pub(super) clock_offset: i64,
    /// The same for whoever's clock is right.
    pub(super) true_offset: i64,
    /// The program that is certbot there.
    pub(super) program: &'a Path,
    authorities: &'a Authorities,
    shared: &'a Shared,
    ports: &'a Ports,
}

/// Files that are the same on many hosts, by mode and text: they are written once, and linked.
///
/// To make a file appear is what building a fleet costs, not the bytes in it. A file that is to
/// differ later has to be replaced, never written over.
#[derive(Debug, Default)]
pub(super) struct Shared(RefCell<HashMap<(u32, Vec<u8>), PathBuf>>);

/// How the server of a host behaves.
#[derive(Debug, Default)]
pub(super) struct Manner {
    /// Nothing listens.
    pub(super) is_down: bool,
    /// Nobody knows its key.
    pub(super) is_stranger: bool,
    /// How long a client waits for the first byte.
    pub(super) delay: Duration,
    /// What is sent before anybody has logged in.
    pub(super) banner: Option<String>,
    /// What a login prints before the command does.
    pub(super) noise: Vec<u8>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        authorities: &'a Authorities,
        shared: &'a Shared,
        ground: &'a Ground<'a>,
        root: PathBuf,
    ) -> Self {
        Self {
            now: ground.now,
            root,
            manner: Manner::default(),
            inventory: String::new(),
            clock_offset: ground.clock_offset,
            true_offset: ground.clock_offset,
            program: ground.program,
            authorities,
            shared,
            ports: ground.ports,
        }
    }

    /// Issues a certificate that ends in `left` seconds and lives `life` seconds in all.
    pub(super) fn issue(
        &self,
        ca: Ca,
        names: &[&str],
        life: i64,
        left: i64,
    ) -> Result<Issued, Error> {
        let names: Vec<String> = names.iter().map(|&it| it.into()).collect();
        let not_after = self.now.plus(left);
        self.issue_claim(
            ca,
            KeyKind::Ecdsa,
            &Claim { names: &names, subject: None, not_before: not_after.plus(-life), not_after },
        )
    }

    /// As [`Self::issue`], with the same for whoever asks with the same word.
    pub(super) fn issue_once(
        &self,
        word: &'static str,
        ca: Ca,
        names: &[&str],
        life: i64,
        left: i64,
    ) -> Result<Arc<Issued>, Error> {
        self.authorities.once(word, || self.issue(ca, names, life, left))
    }

    /// The intermediate of a CA as it was once: with the same key, and over.
    pub(super) fn lapsed_chain(&self, ca: Ca) -> &str {
        self.authorities.lapsed_chain(ca)
    }

    pub(super) fn issue_claim(
        &self,
        ca: Ca,
        key: KeyKind,
        claim: &Claim<'_>,
    ) -> Result<Issued, Error> {
        self.authorities.issue(ca, key, claim).map_err(Error::Issue)
    }

    /// Makes a folder of the host, and those above it.
    pub(super) fn folder(&self, path: &str) -> Result<(), Error> {
        let path = self.root.join(path);
        fs::create_dir_all(&path).map_err(|source| Error::Write { path, source })
    }

    /// Sets the mode of a file or folder.
    pub(super) fn mode(&self, path: &str, mode: u32) -> Result<(), Error> {
        let path = self.root.join(path);
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .map_err(|source| Error::Write { path, source })
    }

    /// Writes a file of the host, and makes its folder where there is none.
    pub(super) fn file(&self, path: &str, mode: u32, text: impl AsRef<[u8]>) -> Result<(), Error> {
        let path = self.root.join(path);
        write(&path, mode, text.as_ref()).map_err(|source| Error::Write { path, source })
    }

    /// As [`Self::file`], for what other hosts have in the same words, and had for long.
    pub(super) fn shared_file(&self, path: &str, mode: u32, text: &str) -> Result<(), Error> {
        let mut shared = self.shared.0.borrow_mut();
        let key = (mode, text.as_bytes().to_vec());
        let to = self.root.join(path);
        if let Some(first) = shared.get(&key) {
            let link = || fs::hard_link(first, &to);
            return in_folder_of(&to, link).map_err(|source| Error::Write { path: to, source });
        }
        self.file(path, mode, text)?;
        let long_ago = u64::try_from(self.now.plus(-AGE).unix()).unwrap_or_default();
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(long_ago);
        File::open(&to)
            .and_then(|it| it.set_modified(modified))
            .map_err(|source| Error::Write { path: to.clone(), source })?;
        shared.insert(key, to);
        Ok(())
    }

    /// Makes a link; `target` is what it says.
    pub(super) fn link(&self, path: &str, target: &str) -> Result<(), Error> {
        let path = self.root.join(path);
        symlink(target, &path).map_err(|source| Error::Write { path, source })
    }

    /// The port at which a host of that name answers from outside.
    pub(super) fn port_of(&self, host: &str) -> Result<u16, Error> {
        self.ports.of(host).map_err(Error::Listen)
    }

    /// The name of the host.
    pub(super) fn name(&self) -> &str {
        self.root.file_name().and_then(|it| it.to_str()).unwrap_or_default()
    }

    /// Has another machine answer with IPv6 at the port of this host: that with this root.
    pub(super) fn divert_v6(&self, root: PathBuf) {
        self.ports.divert_v6(self.name(), root);
    }

    /// Adds a source, or any other text that belongs to this host, to the inventory.
    pub(super) fn inventory(&mut self, text: &str) {
        self.inventory.push_str(text);
    }
}

/// How long ago somebody wrote what hosts have in common, in seconds: hooks are older than what
/// logs tell of them.
const AGE: i64 = 400 * DAY;

/// Reads a file.
#[expect(clippy::disallowed_methods, reason = "the files of a practice fleet are this room's own")]
pub(super) fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
}

/// Writes a new file with that mode.
pub(super) fn write(path: &Path, mode: u32, text: &[u8]) -> io::Result<()> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = in_folder_of(path, open)?;
    file.write_all(text)?;
    // The umask of whoever runs this has no say: hooks are told apart by their mode.
    file.set_permissions(Permissions::from_mode(mode))
}

/// Makes `path` by `make`, and its folder if that is missing.
fn in_folder_of<T>(path: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match (make(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            make()
        }
        (made, _) => made,
    }
}
