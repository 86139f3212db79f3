//! Whoever collects metrics: a listener that serves them over HTTP, and a file for a textfile
//! collector. Hands out what it is given; asks no host, and holds no key.

mod listener;
mod textfile;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use listener::{Listener, Page};
pub use textfile::write;

/// Why metrics cannot be handed out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something else listens there.
    #[error("another program listens at {0} already")]
    InUse(SocketAddr),
    /// Nobody may listen there.
    #[error("cannot listen at {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The file could not be written; what was there is as before.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
