//! What can go wrong with a host, in words.

use crate::fleet::Unreached;
use crate::inventory;

/// Why a host could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {}

impl Error {
    /// What this means for the fleet.
    pub fn unreached(&self, _host: &inventory::Host) -> Unreached {
        todo!()
    }
}
