//! What stores of secrets hold of a place, for programs.

use serde::Serialize;

use super::Stamp;
use crate::fleet::{Place, Stored};

/// What a store holds of the certificate of a place.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WireStored<'a> {
    store: &'a str,
    path: &'a str,
    /// Whether it is what lies on the disk; `None` if the store could not be asked.
    holds: Option<bool>,
    sha256: Option<String>,
    version: Option<&'a str>,
    /// The host that it came from.
    host: Option<&'a str>,
    asked_at: Stamp,
}

/// What each store holds of a place.
pub(super) fn of(place: &Place) -> Vec<WireStored<'_>> {
    let disk = place.layers.disk.as_ref();
    place
        .stored
        .iter()
        .map(|it| WireStored::of(it, disk.and_then(|disk| it.holds(&disk.chain))))
        .collect()
}

impl<'a> WireStored<'a> {
    fn of(it: &'a Stored, holds: Option<bool>) -> Self {
        let held = it.held.as_ref();
        Self {
            store: it.store.as_str(),
            path: it.path.as_str(),
            holds,
            sha256: held.and_then(|it| it.chain.first()).map(ToString::to_string),
            version: held.and_then(|it| it.version.as_ref()).map(AsRef::as_ref),
            host: held.and_then(|it| it.host.as_ref()).map(AsRef::as_ref),
            asked_at: Stamp(it.at),
        }
    }
}
