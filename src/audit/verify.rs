//! Whether the log is as it was written.

use std::path::{Path, PathBuf};

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How the log is.
    pub state: State,
    /// How many records are good.
    pub records: u64,
    /// How many files they are in.
    pub segments: usize,
    /// How many intents have no outcome.
    pub open: usize,
    /// Where the first fault is: file, line from 1, and what.
    pub fault: Option<(PathBuf, usize, String)>,
}

/// How a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it was written.
    Good,
    /// The last record was torn by a crash; all before it are good.
    Torn,
    /// Somebody has changed it.
    Tampered,
    /// It is shorter than it was.
    Truncated,
    /// A newer version of this program has written it.
    UnknownVersion,
    /// As it was written, and some actions have no outcome.
    OpenIntents,
}

/// Verifies the log below the state folder.
pub fn verify(state_dir: &Path) -> Verified {
    todo!("{}", state_dir.display())
}
