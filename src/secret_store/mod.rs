//! Stores of secrets that certificates are delivered to: what they hold of a place, and a new
//! version of it. The only room that speaks to one.
//!
//! A store is written in steps that can be repeated: what is newest there is read first; only if
//! it is another certificate, a new version is written, and only if nobody has written one in
//! between; then it is read back. Former versions stay. Where hosts share a path, the certificate
//! that ends last is the newest. A private key that is in what was read or written is in no
//! message, and its memory is wiped.

mod aws;
mod fault;
mod http;
mod parcel;
mod survey;
mod vault;

use futures_util::future::BoxFuture;

use crate::audit::{self, Permit};
use crate::clock::Clock;
use crate::fleet::{Fingerprint, Held};
use crate::inventory::{self, StoreKind};
use crate::secret::Secret;
use crate::text::SafeText;

pub use fault::Fault;
pub use parcel::{Kept, Parcel};
pub use survey::{Seen, survey};

use http::Http;

/// A store that is open.
pub struct Store {
    kind: Box<dyn Kind>,
    guards: Vec<audit::Secret>,
    whose: SafeText,
}

/// What a store holds at a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The newest version, by the name that the store gives it. There may be one that holds
    /// nothing, because it was deleted.
    pub version: Option<String>,
    /// What it holds.
    pub kept: Option<Kept>,
}

/// A certificate that is in a store, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Whether it was written now; otherwise it was there already.
    pub is_new: bool,
    /// The version that holds it.
    pub version: SafeText,
    /// The version before, if there was one.
    pub former: Option<SafeText>,
    /// Whether its private key is there, too.
    pub has_key: bool,
    /// What another host has brought there, if that stays because it ends no sooner.
    pub instead: Option<Held>,
}

/// Whoever knows how a kind of store is asked.
trait Kind: Send + Sync {
    /// What is newest at a path.
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Found, Fault>>;

    /// Makes a new version the newest, if the newest is still the one that was found.
    fn write<'a>(
        &'a self,
        path: &'a str,
        parcel: &'a Parcel,
        found: &'a Found,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// What somebody types who wants to have a former version back.
    fn way_back(&self, path: &str, former: &str, version: &str) -> String;
}

impl Store {
    /// Opens a store: reads what it is opened with. A store with an AppRole is asked for a token.
    ///
    /// # Errors
    /// Where there is no secret, or it opens nothing.
    pub async fn open(told: &inventory::SecretStore, clock: Clock) -> Result<Self, Fault> {
        let whose = format!("secret-store {}", told.name);
        let secret =
            Secret::read(&told.secret, &whose).await.map_err(|it| Fault::settings(&it.0))?;
        let http = Http::open(told, clock)?;
        let mut guards = vec![secret.guard()];
        let kind: Box<dyn Kind> = match &told.kind {
            StoreKind::AwsSecretsManager { region } => {
                let aws = aws::open(http, region, &secret)?;
                guards.extend(aws.guards());
                Box::new(aws)
            }
            StoreKind::VaultKv2 { mount, namespace, role } => {
                let place = vault::Place { mount, namespace: namespace.as_deref() };
                let vault = vault::open(http, &place, role.as_deref(), &secret).await?;
                guards.push(vault.guard());
                Box::new(vault)
            }
        };
        Ok(Self { kind, guards, whose: SafeText::new(&whose) })
    }

    /// What the audit log has to know so that it never writes it down.
    pub fn guards(&self) -> &[audit::Secret] {
        &self.guards
    }

    /// What a path holds now.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn look(&self, path: &str) -> Result<Found, Fault> {
        self.kind.read(path).await.map_err(|it| it.of(&self.whose))
    }

    /// Brings a certificate to a path, unless it is there already, and reads it back.
    ///
    /// # Errors
    /// Where it is not there now, or that cannot be told.
    pub async fn deliver(
        &self,
        path: &str,
        parcel: &Parcel,
        permit: &Permit,
    ) -> Result<Delivered, Fault> {
        let found = self.look(path).await?;
        if let Some(kept) = &found.kept {
            parcel.check(kept, path).map_err(|it| it.of(&self.whose))?;
            if parcel.is(kept) {
                return Ok(delivered(false, &found, kept, None));
            }
            if parcel.is_needless(kept) {
                let instead = Some(kept.held(None));
                return Ok(Delivered { instead, ..delivered(false, &found, kept, None) });
            }
        }
        let written = self.kind.write(path, parcel, &found, permit).await;
        let written = written.map_err(|it| it.of(&self.whose));
        // A write whose answer was lost is asked for again, and is then in its own way.
        let conflict = match written {
            Err(fault) if !fault.is_conflict() => return Err(fault),
            other => other.err(),
        };
        let now = self.look(path).await.map_err(Fault::after)?;
        match &now.kept {
            Some(kept) if parcel.is(kept) => Ok(delivered(true, &now, kept, found.version)),
            _ => Err(conflict.unwrap_or_else(|| Fault::not_kept(path).of(&self.whose))),
        }
    }

    /// What somebody types who wants to have a former version back.
    pub fn way_back(&self, path: &str, it: &Delivered) -> Option<String> {
        let former = it.former.as_ref()?;
        Some(self.kind.way_back(path, former.as_str(), it.version.as_str()))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.whose)
    }
}

impl Found {
    /// The certificate that it holds.
    pub fn leaf(&self) -> Option<Fingerprint> {
        self.kept.as_ref()?.sha256
    }
}

fn delivered(is_new: bool, found: &Found, kept: &Kept, former: Option<String>) -> Delivered {
    let version = found.version.as_deref().unwrap_or("?");
    Delivered {
        is_new,
        version: SafeText::capped(version, MAX_VERSION),
        former: former.filter(|it| !it.is_empty()).map(|it| SafeText::capped(&it, MAX_VERSION)),
        has_key: kept.has_key,
        instead: None,
    }
}

/// Versions are numbers, or UUIDs.
const MAX_VERSION: usize = 64;
