//! Orders that have begun, on the disk: each step is there before the request that leads on from
//! it, so that whoever comes after a crash knows what was asked for and what has to be cleaned up.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::{Error, Office, Stage};
use crate::text::SafeText;

/// An order as it is kept. Nothing in it is secret: the key is on its host, that of the account in
/// a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    /// The format of the file.
    version: u32,
    /// The identity of the action.
    pub op: Uuid,
    /// The `[[issuer]]` of the inventory.
    pub issuer: String,
    /// Whether its staging twin is asked.
    pub is_staging: bool,
    /// Whether it is a rehearsal at the staging twin: it ends once control is proven.
    #[serde(default)]
    pub is_rehearsal: bool,
    /// The names.
    pub names: Vec<String>,
    /// The profile that is asked for.
    pub profile: Option<String>,
    /// The certificate that is replaced; dropped once the CA has refused it.
    pub replaces: Option<String>,
    /// How far it is.
    pub stage: Stage,
    /// Its URL at the CA, once the CA has told.
    pub url: Option<String>,
    /// What was put in place to answer challenges and is not known to be gone.
    pub placed: Vec<Placed>,
    /// The chain, once it is here: PEM.
    pub chain: Option<String>,
    /// Whether it goes from one action to another.
    #[serde(default)]
    pub passing: Passing,
    /// What the host is then asked to do, as whoever performs the plan writes it.
    pub job: serde_json::Value,
}

/// Whose an order is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passing {
    /// The action's that began it.
    #[default]
    Own,
    /// Nobody's: its action was stopped, and one for the same goes on with it.
    Stopped,
    /// An action's that goes on with it; the CA may have let it go meanwhile.
    Adopted,
}

/// Something that answers a challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placed {
    /// A file on a host (RFC 8555, section 8.3).
    File {
        /// The host.
        host: String,
        /// The folder that is served.
        webroot: String,
        /// Its name.
        token: String,
        /// What is in it.
        content: String,
    },
    /// A record in the DNS (RFC 8555, section 8.4).
    Record {
        /// The `[[dns]]` of the inventory.
        dns: String,
        /// Where it is, as the provider's room writes it.
        spot: serde_json::Value,
    },
}

impl Kept {
    /// An order that begins.
    pub fn new(op: Uuid, order: &super::Wanted<'_>, job: serde_json::Value) -> Self {
        Self {
            version: VERSION,
            op,
            issuer: order.issuer.name.clone(),
            is_staging: order.is_staging,
            is_rehearsal: order.is_rehearsal,
            names: order.names.to_vec(),
            profile: order.profile.map(str::to_owned),
            replaces: order.replaces.map(str::to_owned),
            stage: Stage::Begun,
            url: None,
            placed: Vec::new(),
            chain: None,
            passing: Passing::Own,
            job,
        }
    }

    /// No order: something that is put in place only to see whether it is found. It is kept as
    /// that of an order is, so that it goes however this program ends.
    pub fn trial(op: Uuid, names: Vec<String>, placed: Vec<Placed>) -> Self {
        Self {
            version: VERSION,
            op,
            issuer: String::new(),
            is_staging: false,
            is_rehearsal: true,
            names,
            profile: None,
            replaces: None,
            stage: Stage::Placed,
            url: None,
            placed,
            chain: None,
            passing: Passing::Own,
            job: serde_json::Value::Null,
        }
    }

    /// Reads the order of an action, or its rehearsal; `None` if there is none.
    ///
    /// # Errors
    /// Where the file cannot be read or makes no sense.
    pub fn read(office: &Office, op: Uuid, is_rehearsal: bool) -> Result<Option<Self>, Error> {
        let path = path_of(office, op, is_rehearsal);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|it| it.take(MAX_BYTES).read_to_end(&mut bytes)) {
            Err(it) if it.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(it) => return Err(file(&path, &format!("cannot be read: {it}"))),
            Ok(_) => {}
        }
        let kept: Self = serde_json::from_slice(&bytes)
            .map_err(|it| file(&path, &format!("this is no order as certdeck keeps them: {it}")))?;
        if kept.version != VERSION || kept.op != op {
            return Err(file(&path, "another version of certdeck wrote this order"));
        }
        Ok(Some(kept))
    }

    /// Writes it, whole and to the disk.
    ///
    /// # Errors
    /// Where it cannot be written: then nothing may be asked of the CA.
    pub fn write(&self, office: &Office) -> Result<(), Error> {
        let path = path_of(office, self.op, self.is_rehearsal);
        let folder = folder(office);
        let write = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            // Always the same name: what a crash leaves is written over, or forgotten with the rest.
            let new = path.with_extension(DRAFT);
            let mut draft = OpenOptions::new();
            draft.create(true).write(true).truncate(true).mode(0o600);
            let mut draft = draft.open(&new)?;
            let mut bytes = serde_json::to_vec_pretty(self)?;
            bytes.push(b'\n');
            draft.write_all(&bytes)?;
            draft.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(&folder)?.sync_all()
        };
        write().map_err(|it| file(&path, &format!("cannot be written: {it}")))
    }

    /// The actions of which an order is kept, and whether that is a rehearsal.
    pub fn all(office: &Office) -> Vec<(Uuid, bool)> {
        let files = std::fs::read_dir(folder(office)).into_iter().flatten().flatten();
        let op = |it: std::fs::DirEntry| {
            let name = it.file_name();
            let name = name.to_str()?.strip_suffix(".json")?;
            let op = name.strip_suffix(REHEARSAL);
            Some((Uuid::try_parse(op.unwrap_or(name)).ok()?, op.is_some()))
        };
        files.filter_map(op).collect()
    }

    /// Makes sure that nobody else is at the order of an action, for as long as the file is open;
    /// `None` if somebody is.
    ///
    /// # Errors
    /// Where the folder of orders cannot be used.
    pub fn hold(office: &Office, op: Uuid) -> Result<Option<File>, Error> {
        let path = folder(office).join(format!("{op}.lock"));
        let cannot = |it: io::Error| file(&path, &format!("cannot be locked: {it}"));
        DirBuilder::new().recursive(true).mode(0o700).create(folder(office)).map_err(cannot)?;
        let held = File::options().create(true).append(true).open(&path).map_err(cannot)?;
        match held.try_lock() {
            Ok(()) => Ok(Some(held)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(it)) => Err(cannot(it)),
        }
    }

    /// Takes away what [`Self::hold`] and [`Self::ask_to_stop`] leave.
    pub fn release(office: &Office, op: Uuid) {
        Self::unmark(office, op);
        // An empty file that is left says nothing to anybody.
        std::fs::remove_file(folder(office).join(format!("{op}.lock"))).ok();
    }

    /// Forgets it: it has ended, and nothing of it is left anywhere.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub fn forget(&self, office: &Office) -> Result<(), Error> {
        let path = path_of(office, self.op, self.is_rehearsal);
        // The order itself goes on after its rehearsal.
        if !self.is_rehearsal {
            Self::release(office, self.op);
        }
        std::fs::remove_file(path.with_extension(DRAFT)).ok();
        match std::fs::remove_file(&path) {
            Err(it) if it.kind() != io::ErrorKind::NotFound => {
                Err(file(&path, &format!("cannot be removed: {it}")))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn folder(office: &Office) -> PathBuf {
    office.state.join("orders")
}

fn path_of(office: &Office, op: Uuid, is_rehearsal: bool) -> PathBuf {
    let twin = if is_rehearsal { REHEARSAL } else { "" };
    folder(office).join(format!("{op}{twin}.json"))
}

pub(super) fn file(path: &Path, why: &str) -> Error {
    Error::File { path: path.to_owned(), why: SafeText::new(why) }
}

const VERSION: u32 = 1;
const DRAFT: &str = "new";
const REHEARSAL: &str = "+rehearsal";

/// A hundred names with their tokens and a chain have less.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
