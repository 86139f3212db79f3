//! What hosts answer.

use super::{Listed, Look, Nonce};
use crate::source::Incomplete;

/// Reads the answer to start, look, void and stop.
pub fn read(bytes: &[u8], nonce: &Nonce) -> Result<Look, Incomplete> {
    todo!("{bytes:?} {nonce:?}")
}

/// Reads a list.
pub fn read_list(bytes: &[u8], nonce: &Nonce) -> Result<Vec<Listed>, Incomplete> {
    todo!("{bytes:?} {nonce:?}")
}
