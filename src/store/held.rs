//! Things that are under way, and with which somebody else may go on: one file each, written after
//! every step, whole or not at all.
//!
//! ```text
//! FOLDER/           0700
//!   ID.json         0600, the thing, and who is at it
//!   ID.lock         held while that file is read and written
//!   ID.TOKEN.held   held by who is at it as long as they live; a dead one holds nothing
//! ```
//!
//! One is at a thing at a time. Somebody else may take it over: who was at it finds out with the
//! next step, and does nothing more.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::marker::PhantomData;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::replace;
use crate::fleet::Moment;
use crate::text::SafeText;

/// What can be kept while it is under way.
pub trait Lasting: Sized {
    /// Its folder in the state folder.
    const FOLDER: &'static str;
    /// What it is called, as in "there is no ... of that identity".
    const WHAT: &'static str;
    /// More than anything of it takes.
    const MAX_BYTES: u64;
    /// Its identity, a version 7 one, which has its time in it.
    fn id(&self) -> Uuid;
    /// The members of its file. Keys are added, never renamed, within a version.
    fn wire(&self) -> serde_json::Result<Value>;
    /// The thing as it was written; `None` if nothing writes that.
    fn read(id: Uuid, wire: Value) -> Option<Self>;
}

/// Where things of a kind are kept.
#[derive(Debug)]
pub struct Shelf<T> {
    dir: PathBuf,
    of: PhantomData<fn() -> T>,
}

// Not derived: that would ask for a thing that can be cloned.
impl<T> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Self { dir: self.dir.clone(), of: PhantomData }
    }
}

/// A thing that this process is at, until it is dropped or taken over.
#[derive(Debug)]
pub struct Held<T> {
    shelf: Shelf<T>,
    id: Uuid,
    token: Uuid,
    /// Locked as long as this process lives.
    _alive: File,
}

/// Who is at a thing, or was the last to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// User and machine.
    pub who: SafeText,
    /// Since when.
    pub since: Moment,
    /// Whether they still are.
    pub is_there: bool,
}

/// A thing as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    /// The thing; what was done for it is in the audit log.
    pub run: T,
    /// Who is at it, or was.
    pub holder: Option<Holder>,
}

/// Why a thing cannot be kept or taken up.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Somebody is at it.
    #[error("{} is at it, since {}", .0.who, .0.since)]
    Busy(Holder),
    /// Somebody has taken it over.
    #[error("{} has taken it over, at {}", .0.who, .0.since)]
    TakenOver(Holder),
    /// Nobody is at it who would find out.
    #[error("nobody is at it any more")]
    Left,
    /// There is none with that identity.
    #[error("there is no {what} `{id}`")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// By what.
        id: SafeText,
    },
    /// There are several whose identities begin or end so.
    #[error("`{id}` is the identity of {count} {what}s")]
    Ambiguous {
        /// What was looked for.
        what: &'static str,
        /// By what.
        id: SafeText,
        /// How many there are.
        count: usize,
    },
    /// The file is not what was written.
    #[error("{path}: this is no {what} as this version keeps them")]
    Damaged {
        /// What it should be.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl<T: Lasting> Shelf<T> {
    /// Things in the state folder; nothing is touched yet.
    pub fn new(state: &Path) -> Self {
        Self { dir: state.join(T::FOLDER), of: PhantomData }
    }

    /// Keeps a thing that begins, of which this process is the holder.
    pub fn begin(&self, run: &T, who: &str, now: Moment) -> Result<Held<T>, Trouble> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir).map_err(on(&self.dir))?;
        let _alone = self.lock(run.id())?;
        let (held, holder) = self.hold(run.id(), who, now)?;
        self.write(run, Some(holder))?;
        Ok(held)
    }

    /// Takes up a thing. What is there of somebody who is still at it is taken over only if that
    /// is meant.
    pub fn take(
        &self,
        id: Uuid,
        who: &str,
        now: Moment,
        is_over: bool,
    ) -> Result<(Kept<T>, Held<T>), Trouble> {
        let _alone = self.lock(id)?;
        let (kept, _) = self.read(id)?;
        if let Some(holder) = kept.holder.as_ref().filter(|it| it.is_there && !is_over) {
            return Err(Trouble::Busy(holder.clone()));
        }
        let (held, holder) = self.hold(id, who, now)?;
        self.write(&kept.run, Some(holder))?;
        Ok((kept, held))
    }

    /// Changes a thing beside whoever is at it, who finds out with the next step.
    ///
    /// # Errors
    /// Nothing is written if nobody is at it.
    pub fn change(&self, id: Uuid, change: impl FnOnce(&mut T)) -> Result<Kept<T>, Trouble> {
        let _alone = self.lock(id)?;
        let (mut kept, holder) = self.read(id)?;
        if !kept.holder.as_ref().is_some_and(|it| it.is_there) {
            return Err(Trouble::Left);
        }
        change(&mut kept.run);
        self.write(&kept.run, holder)?;
        Ok(kept)
    }

    /// The thing whose identity is that, or begins or ends with it.
    pub fn find(&self, text: &str) -> Result<Uuid, Trouble> {
        if let Ok(id) = Uuid::from_str(text)
            && self.path(id).exists()
        {
            return Ok(id);
        }
        let text = text.to_ascii_lowercase();
        let is_meant = |it: &Uuid| {
            let name = it.to_string();
            !text.is_empty() && (name.starts_with(&text) || name.ends_with(&text))
        };
        let (what, id) = (T::WHAT, SafeText::new(&text));
        match self.ids().into_iter().filter(is_meant).collect::<Vec<_>>()[..] {
            [id] => Ok(id),
            [] => Err(Trouble::Unknown { what, id }),
            ref many => Err(Trouble::Ambiguous { what, id, count: many.len() }),
        }
    }

    /// The thing with that identity, as it is now.
    pub fn get(&self, id: Uuid) -> Result<Kept<T>, Trouble> {
        Ok(self.read(id)?.0)
    }

    /// Every thing, the newest first; files that are none are left out.
    pub fn all(&self) -> Vec<Kept<T>> {
        let mut ids = self.ids();
        // An identity has its time in it.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        ids.into_iter().filter_map(|it| Some(self.read(it).ok()?.0)).collect()
    }

    /// Forgets things that are of no more use, unless somebody is at them.
    pub fn sweep(&self, is_useless: impl Fn(&T) -> bool) {
        for id in self.ids() {
            let Ok(_alone) = self.lock(id) else { continue };
            let Ok((kept, _)) = self.read(id) else { continue };
            let is_held = kept.holder.as_ref().is_some_and(|it| it.is_there);
            if !is_held && is_useless(&kept.run) {
                // What cannot be removed is tried again the next time.
                std::fs::remove_file(self.path(id)).ok();
                std::fs::remove_file(self.lock_path(id)).ok();
            }
        }
    }

    fn ids(&self) -> Vec<Uuid> {
        let files = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let id = |it: std::fs::DirEntry| {
            let name = it.file_name();
            Uuid::from_str(name.to_str()?.strip_suffix(".json")?).ok()
        };
        files.filter_map(id).collect()
    }

    pub(super) fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    fn lock_path(&self, id: Uuid) -> PathBuf {
        self.dir.join(format!("{id}.lock"))
    }

    fn held_path(&self, id: Uuid, token: Uuid) -> PathBuf {
        self.dir.join(format!("{id}.{token}.held"))
    }

    /// Keeps others from reading and writing it, until the file is dropped.
    fn lock(&self, id: Uuid) -> Result<File, Trouble> {
        let path = self.lock_path(id);
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = match open {
            Err(it) if it.kind() == io::ErrorKind::NotFound => return Err(unknown::<T>(id)),
            open => open.map_err(on(&path))?,
        };
        file.lock().map_err(on(&path))?;
        Ok(file)
    }

    fn hold(&self, id: Uuid, who: &str, now: Moment) -> Result<(Held<T>, WireHolder), Trouble> {
        let token = Uuid::new_v4();
        let path = self.held_path(id, token);
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path);
        let file = file.map_err(on(&path))?;
        file.lock().map_err(on(&path))?;
        let holder = WireHolder { who: who.to_owned(), since: now.to_string(), token };
        Ok((Held { shelf: self.clone(), id, token, _alive: file }, holder))
    }

    fn write(&self, run: &T, holder: Option<WireHolder>) -> Result<(), Trouble> {
        let path = self.path(run.id());
        let write = || {
            let file = WireFile { version: VERSION, holder, of: run.wire()? };
            let mut bytes = serde_json::to_vec_pretty(&file)?;
            bytes.push(b'\n');
            // What is not read again is not written either.
            if bytes.len() as u64 > T::MAX_BYTES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            replace(&self.dir, &path, &bytes)
        };
        write().map_err(on(&path))
    }

    fn read(&self, id: Uuid) -> Result<(Kept<T>, Option<WireHolder>), Trouble> {
        let path = self.path(id);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|it| it.take(T::MAX_BYTES).read_to_end(&mut bytes)) {
            Err(it) if it.kind() == io::ErrorKind::NotFound => return Err(unknown::<T>(id)),
            read => read.map_err(on(&path))?,
        };
        let file: Option<WireFile> = serde_json::from_slice(&bytes).ok();
        let file = file.filter(|it| it.version == VERSION);
        let read = file.and_then(|it| Some((it.holder, T::read(id, it.of)?)));
        let (holder, run) = read.ok_or(Trouble::Damaged { what: T::WHAT, path })?;
        let told = holder.as_ref().map(|it| it.told(self, id));
        Ok((Kept { run, holder: told }, holder))
    }
}

impl<T: Lasting> Held<T> {
    /// Keeps the thing as it is now.
    ///
    /// # Errors
    /// Nothing is written if somebody has taken it over.
    pub fn save(&self, run: &T) -> Result<(), Trouble> {
        let _alone = self.shelf.lock(self.id)?;
        let (_, holder) = self.own()?;
        self.shelf.write(run, Some(holder))
    }

    /// Changes the thing, and what others have changed of it stays; tells how it is then.
    ///
    /// # Errors
    /// Nothing is written if somebody has taken it over.
    pub fn change(&self, change: impl FnOnce(&mut T)) -> Result<T, Trouble> {
        let _alone = self.shelf.lock(self.id)?;
        let (mut run, holder) = self.own()?;
        change(&mut run);
        self.shelf.write(&run, Some(holder))?;
        Ok(run)
    }

    /// The thing as it is now, if nobody has taken it over.
    pub fn look(&self) -> Result<T, Trouble> {
        let _alone = self.shelf.lock(self.id)?;
        Ok(self.own()?.0)
    }

    /// The identity of the thing.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Makes sure that nobody has taken it over.
    pub fn check(&self) -> Result<(), Trouble> {
        self.look().map(drop)
    }

    fn own(&self) -> Result<(T, WireHolder), Trouble> {
        let (kept, holder) = self.shelf.read(self.id)?;
        match (holder, kept.holder) {
            (Some(it), _) if it.token == self.token => Ok((kept.run, it)),
            (_, Some(other)) => Err(Trouble::TakenOver(other)),
            (_, None) => Err(Trouble::Damaged { what: T::WHAT, path: self.shelf.path(self.id) }),
        }
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        // The lock goes with the file; a file that stays behind says nothing.
        let name = format!("{}.{}.held", self.id, self.token);
        std::fs::remove_file(self.shelf.dir.join(name)).ok();
    }
}

fn unknown<T: Lasting>(id: Uuid) -> Trouble {
    Trouble::Unknown { what: T::WHAT, id: SafeText::new(&id.to_string()) }
}

fn on(path: &Path) -> impl Fn(io::Error) -> Trouble + use<> {
    let path = path.to_owned();
    move |source| Trouble::File { path: path.clone(), source }
}

/// The file of a thing.
#[derive(Debug, Serialize, Deserialize)]
struct WireFile {
    version: u32,
    holder: Option<WireHolder>,
    #[serde(flatten)]
    of: Value,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireHolder {
    who: String,
    since: String,
    token: Uuid,
}

impl WireHolder {
    fn told<T: Lasting>(&self, shelf: &Shelf<T>, id: Uuid) -> Holder {
        Holder {
            who: SafeText::new(&self.who),
            since: Moment::parse(&self.since).unwrap_or_default(),
            is_there: is_held(&shelf.held_path(id, self.token)),
        }
    }
}

/// Whether a process lives that holds this file.
fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

const VERSION: u32 = 1;
