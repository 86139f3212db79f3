//! `ssh.log` in the state folder: what ssh said of hosts that could not be reached.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::Error;
use crate::clock::Clock;
use crate::fleet::HostName;

/// Adds a line. A log that cannot be written is no reason to fail: the row says the same.
pub(super) fn note(state_dir: &Path, host: &HostName, error: &Error) {
    append(state_dir, &format!("{} {host}: {error}\n", Clock::default().stamp())).ok();
}

fn append(state_dir: &Path, line: &str) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    let path = state_dir.join("ssh.log");
    if fs::metadata(&path).is_ok_and(|it| it.len() > LARGEST) {
        fs::rename(&path, state_dir.join("ssh.log.old"))?;
    }
    let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(line.as_bytes())
}

/// Beyond this the log is begun anew, and one old one is kept.
const LARGEST: u64 = 1024 * 1024;
