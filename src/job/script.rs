//! The shell text.

use super::{Nonce, Request, Uuid};

/// Starts a job, unless its folder is there already, and tells how it is.
pub fn start(request: &Request, nonce: &Nonce) -> String {
    todo!("{request:?} {nonce:?}")
}

/// Tells how a job is, with output from that byte on.
pub fn look(op: Uuid, from: u64, nonce: &Nonce) -> String {
    todo!("{op} {from} {nonce:?}")
}

/// Rules that a job never begins if it has not yet, and tells how it is.
pub fn void(op: Uuid, nonce: &Nonce) -> String {
    todo!("{op} {nonce:?}")
}

/// Asks a job to stop: SIGTERM to its process group.
pub fn stop(op: Uuid, nonce: &Nonce) -> String {
    todo!("{op} {nonce:?}")
}

/// Lists the jobs of a host, newest first.
pub fn list(nonce: &Nonce) -> String {
    todo!("{nonce:?}")
}

/// The command that removes the folders of these jobs; those that run are left alone.
pub fn clean(ops: &[Uuid]) -> Vec<String> {
    todo!("{ops:?}")
}
