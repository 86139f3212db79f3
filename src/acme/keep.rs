//! Where accounts are kept: a file for each issuer and each staging twin, with its key in it.
//! Written whole or not at all, readable by its owner only. Nothing here asks a CA.

use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Office;
use super::error::Error;
use crate::inventory::Issuer;
use crate::text::SafeText;

/// An account as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Kept {
    /// The format of the file.
    pub(super) version: u32,
    /// The URL of the directory of the CA that knows it.
    pub(super) directory: String,
    /// Its URL at the CA.
    pub(super) account: String,
    /// Where the CA writes to: URLs.
    #[serde(default)]
    pub(super) contact: Vec<String>,
    /// When it was made, RFC 3339.
    pub(super) made: String,
    /// The thumbprint of its key (RFC 7638).
    pub(super) thumbprint: String,
    /// Its key, as the library writes it.
    pub(super) credentials: AccountCredentials,
}

impl Kept {
    /// Reads an account; `None` if there is no such file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let bytes = match read(path) {
            Err(it) if it.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|it| file(path, &format!("cannot be read: {it}")))?,
        };
        // What serde says about a file with a key in it could quote the key.
        let kept = serde_json::from_slice::<Self>(&bytes);
        let kept = kept.map_err(|_| file(path, "this is no account as certdeck keeps them"))?;
        if kept.version != VERSION {
            return Err(file(path, "another version of certdeck wrote this account"));
        }
        Ok(Some(kept))
    }

    /// Writes it; what was there before is kept as `.prev`.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let cannot = |it: io::Error| file(path, &format!("cannot be written: {it}"));
        let folder = path.parent().ok_or_else(|| file(path, "lies in no folder"))?;
        let mut draft = NamedTempFile::new_in(folder).map_err(cannot)?;
        draft.write_all(&self.bytes().map_err(cannot)?).map_err(cannot)?;
        draft.as_file().sync_all().map_err(cannot)?;
        let previous = beside(path, "prev");
        match std::fs::hard_link(path, beside(path, "old")) {
            Ok(()) => std::fs::rename(beside(path, "old"), previous).map_err(cannot)?,
            Err(it) if it.kind() == io::ErrorKind::NotFound => {}
            Err(it) => return Err(cannot(it)),
        }
        draft.persist(path).map_err(|it| cannot(it.error))?;
        File::open(folder).and_then(|it| it.sync_all()).map_err(cannot)
    }

    /// Writes it into a new file somewhere else.
    pub(super) fn copy_to(&self, path: &Path) -> Result<(), Error> {
        let write = || {
            let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            out.write_all(&self.bytes()?)?;
            out.sync_all()
        };
        write().map_err(|it| match it.kind() {
            io::ErrorKind::AlreadyExists => file(path, "is there already, and is not replaced"),
            _ => file(path, &format!("cannot be written: {it}")),
        })
    }

    fn bytes(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        // Large enough that nothing is moved, which would leave half a key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
        serde_json::to_writer_pretty(&mut *bytes, self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Moves the file of a closed account out of the way.
pub(super) fn close(path: &Path) -> Result<PathBuf, Error> {
    let closed = beside(path, "closed");
    let moved = std::fs::rename(path, &closed);
    moved.map_err(|it| file(path, &format!("cannot be moved: {it}"))).map(|()| closed)
}

/// The file of an issuer's account, or of that at its staging twin.
pub(super) fn path_of(office: &Office, issuer: &Issuer, is_staging: bool) -> PathBuf {
    let mut name = String::new();
    for byte in issuer.name.bytes() {
        // Names may hold slashes, and `+` tells the twin.
        if byte.is_ascii_alphanumeric()
            || b"-_".contains(&byte)
            || (byte == b'.' && !name.is_empty())
        {
            name.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            write!(name, "%{byte:02X}").ok();
        }
    }
    let twin = if is_staging { "+staging" } else { "" };
    folder(office).join(format!("{name}{twin}.json"))
}

/// The folder of accounts. While this is held nobody else changes one.
pub(super) async fn lock(office: &Office) -> Result<File, Error> {
    let folder = folder(office);
    let cannot = |it: io::Error| file(&folder, &format!("cannot be used: {it}"));
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(cannot)?;
    let found = folder.symlink_metadata().map_err(cannot)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(file(&folder, "is no folder of yours"));
    }
    if found.mode() & 0o077 != 0 {
        let why = format!("others may enter this folder: chmod 700 {}", folder.display());
        return Err(file(&folder, &why));
    }
    let path = folder.join("LOCK");
    let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let held = open.map_err(cannot)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match held.try_lock() {
            Ok(()) => return Ok(held),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(file(&folder, "another certdeck is changing an account"));
            }
            Err(TryLockError::Error(it)) => return Err(cannot(it)),
        }
    }
}

fn folder(office: &Office) -> PathBuf {
    office.state.join("accounts")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if found.mode() & 0o077 != 0 {
        return Err(io::Error::other("others can read its key: chmod 600, and roll the key over"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    file.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn file(path: &Path, why: &str) -> Error {
    Error::File { path: path.to_owned(), why: SafeText::new(why) }
}

pub(super) const VERSION: u32 = 1;
/// Some hundred bytes are usual.
const MAX_BYTES: usize = 16 * 1024;
/// Longer than a CA takes to make an account.
const PATIENCE: Duration = Duration::from_secs(90);
