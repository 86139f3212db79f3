//! Those who write TXT records for dns-01 challenges (RFC 8555, section 8.4): one kind of provider
//! per file. A provider adds a value to a name, and takes away that value and no other. Knows
//! nothing of orders, nor of the inventory beyond keys and values.
//!
//! # Adding a kind
//! 1. A file here with `KIND`, a `Provider`, and its tests; a cloud that `dns-update` knows is a
//!    line in `clouds.rs` instead.
//! 2. Two lines below: `mod` and the entry in [`ALL`].
//! 3. A key that no other kind has: in [`KEYS`], and in the shape of the inventory.

mod acme_dns;
#[cfg(feature = "dns-providers")]
mod clouds;
mod exec;
mod fault;
mod rfc2136;

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;

pub use fault::Fault;

/// The kinds that this program speaks to itself, in the order of the alphabet. With those of
/// [`kinds`] it is all of them.
pub static ALL: &[Kind] = &[acme_dns::KIND, exec::KIND, rfc2136::KIND];

/// Every key of the inventory that some kind takes, beside those that all of them take.
pub const KEYS: [&str; 10] = [
    "account",
    "algorithm",
    "command",
    "key-name",
    "project",
    "region",
    "server",
    "url",
    "user",
    "zone-id",
];

/// What the rest of the program knows about a kind of provider.
#[derive(Debug)]
pub struct Kind {
    /// The name used in the inventory.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// The keys that it must have.
    pub needs: &'static [&'static str],
    /// The keys that it may have.
    pub takes: &'static [&'static str],
    /// What its secret is.
    pub secret: Wanted,
    open: fn(&Given<'_>) -> Result<Box<dyn Provider>, Fault>,
}

/// What the secret of a kind is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It may have one.
    Perhaps(&'static str),
    /// Lines `name = value` with these names; those that end with `?` may be missing.
    Parts(&'static [&'static str]),
    /// One text.
    Text(&'static str),
}

/// A TXT value at a name: where it really lies, so that it can be found again after a crash.
/// Nothing secret: the DNS shows it to everybody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spot {
    /// The `[[dns]]` of the inventory that writes it.
    pub desk: String,
    /// The name that has the record, at the end of all aliases; without the last dot.
    pub owner: String,
    /// The apex of the zone that it lies in.
    pub zone: String,
    /// The value.
    pub value: String,
}

/// Somebody who writes records. Adding what is there and removing what is not are no errors.
pub trait Provider: Send + Sync {
    /// Adds a value; the others at the name stay.
    fn add<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>>;

    /// Removes that value; the others at the name stay.
    fn remove<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>>;

    /// The values at a name of a zone, if the provider tells; otherwise the DNS is asked. Most
    /// do not.
    fn list<'a>(
        &'a self,
        _owner: &'a str,
        _zone: &'a str,
    ) -> BoxFuture<'a, Result<Option<Vec<String>>, Fault>> {
        Box::pin(async { Ok(None) })
    }

    /// Whether a value can be taken away at all.
    fn forgets(&self) -> bool {
        true
    }
}

impl fmt::Debug for dyn Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of it: there are secrets in it.
        f.write_str("Provider")
    }
}

/// What a provider is opened with.
pub(super) struct Given<'a> {
    /// The keys of the inventory.
    pub(super) keys: &'a BTreeMap<&'static str, String>,
    /// Its secret; empty where there is none.
    pub(super) secret: &'a str,
    /// For signatures.
    pub(super) clock: Clock,
}

impl<'a> Given<'a> {
    /// A key, if it is there.
    fn key(&self, name: &str) -> Option<&'a str> {
        self.keys.get(name).map(String::as_str)
    }

    /// A key that the inventory has made sure of.
    fn needed(&self, name: &str) -> Result<&'a str, Fault> {
        self.key(name).ok_or_else(|| Fault::settings(&format!("there is no `{name}`")))
    }

    /// The whole secret.
    fn text(&self) -> Result<&'a str, Fault> {
        if self.secret.is_empty() {
            return Err(Fault::settings("there is no secret"));
        }
        Ok(self.secret)
    }

    /// One part of a secret of many, from its line `name = value`.
    #[cfg(feature = "dns-providers")]
    fn part(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.secret.lines().filter_map(|it| it.split_once('='));
        let (_, value) = lines.find(|it| it.0.trim() == name)?;
        Some(value.trim().trim_matches('"'))
    }

    /// A part that must be there.
    #[cfg(feature = "dns-providers")]
    fn part_needed(&self, name: &str) -> Result<&'a str, Fault> {
        let missing = || Fault::settings(&format!("the secret has no line `{name} = …`"));
        self.part(name).ok_or_else(missing)
    }
}

impl Kind {
    /// Opens a provider of this kind. Nothing is asked yet.
    pub(super) fn open(&self, given: &Given<'_>) -> Result<Box<dyn Provider>, Fault> {
        (self.open)(given)
    }
}

/// Every kind there is: our own, then those of the clouds.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    #[cfg(feature = "dns-providers")]
    let clouds = clouds::KINDS;
    #[cfg(not(feature = "dns-providers"))]
    let clouds: &[Kind] = &[];
    ALL.iter().chain(clouds)
}

/// The kind of that name.
pub fn named(name: &str) -> Option<&'static Kind> {
    kinds().find(|it| it.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_and_take_known_keys() {
        let mut names: Vec<_> = kinds().map(|it| it.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for kind in kinds() {
            for key in kind.needs.iter().chain(kind.takes) {
                assert!(KEYS.contains(key), "{}: {key}", kind.name);
            }
        }
        for key in KEYS {
            let is_taken = |it: &Kind| it.needs.contains(&key) || it.takes.contains(&key);
            assert!(kinds().any(is_taken) || !cfg!(feature = "dns-providers"), "{key}");
        }
    }
}
