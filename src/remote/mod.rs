//! A host, over the system's ssh. The only room that speaks SSH; it knows nothing of
//! certificates.

pub mod client;
mod error;

use std::path::PathBuf;
use std::sync::Arc;

use crate::inventory;

pub use error::Error;

/// What the pool of sessions needs to know of this machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of control sockets, 0700; made if it is missing.
    pub runtime_dir: PathBuf,
    /// Folder of the log of what ssh said.
    pub state_dir: PathBuf,
    /// The ssh_config to ask for each host (`ssh -F`); `None` is ssh's own default files.
    pub ssh_config: Option<PathBuf>,
    /// How many sessions stay open after their visit.
    pub keep_warm: usize,
}

/// Open sessions, and how many may be opened at once.
#[derive(Debug)]
pub struct Sessions {}

impl Sessions {
    /// Makes the folder of this run, and sweeps those of runs that died.
    pub fn open(_settings: Settings) -> Result<Arc<Self>, Error> {
        todo!()
    }

    /// How many connections through the same jump host may be in the making at once.
    pub fn limit_jumps(&self, _at_once: usize) {
        todo!()
    }

    /// Runs one script on a host and takes at most `cap` bytes of answer.
    pub async fn visit(
        &self,
        _host: &inventory::Host,
        _script: &str,
        _cap: usize,
    ) -> Result<Vec<u8>, Error> {
        todo!()
    }

    /// Ends every session; no process and no file of this run is left.
    pub async fn close(&self) {
        todo!()
    }
}
