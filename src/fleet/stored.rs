//! What a store of secrets holds of a certificate that is delivered to it.

use super::{Chain, Fingerprint, Moment};
use crate::text::SafeText;

/// What a store was seen to hold of the certificate of a place, or that it could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The name of the store, as the inventory has it.
    pub store: SafeText,
    /// Where in it the certificate lies, or would lie.
    pub path: SafeText,
    /// What it holds there; `None` if that is not known.
    pub held: Option<Held>,
    /// When it was asked.
    pub at: Moment,
}

/// What a store holds at a path: nothing, where all of it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The certificates, the leaf first.
    pub chain: Vec<Fingerprint>,
    /// The name that the store gives to this version.
    pub version: Option<SafeText>,
    /// When the certificate ends, as it stands beside it.
    pub until: Option<Moment>,
}

impl Stored {
    /// Whether it holds exactly this; `None` if that is not known.
    pub fn holds(&self, chain: &Chain) -> Option<bool> {
        Some(self.held.as_ref()?.chain == chain.fingerprints())
    }
}
