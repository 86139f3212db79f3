//! Where things are kept on the operator's machine.

use std::path::PathBuf;

/// The folders and files of this program; nothing is created by asking for them.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The inventory.
    pub inventory: PathBuf,
    /// Folder of settings.
    pub config: PathBuf,
    /// Folder of the audit log, the snapshot and the logs.
    pub state: PathBuf,
    /// Folder of control sockets, 0700.
    pub runtime: PathBuf,
    /// The operator's own ssh_config, if it exists.
    pub ssh_config: Option<PathBuf>,
}
