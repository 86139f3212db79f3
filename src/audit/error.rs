//! Why the log refused, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::lock::PATIENCE;

/// Why the log refused a record. What it says ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// After a write that had failed.
    #[error(
        "the audit log takes no more records from this process: a write failed before; \
         free the disk or mend it, then start certdeck again"
    )]
    Broken,
    /// Something was taken up that has ended, or never was begun.
    #[error("{0}: there is no such action without an end")]
    Closed(uuid::Uuid),
    /// Waiting for another writer.
    #[error(
        "another process has held the audit log for {} s; \
         wait for it or end it (`fuser -v` on audit/LOCK names it), then try again",
        PATIENCE.as_secs()
    )]
    Busy,
    /// Starting a new log.
    #[error("the audit log is as it was written; there is nothing to fork from")]
    Fork,
    /// Looking at the disk's free space.
    #[error("too little space is left for the audit log in {}; free some, then try again", .0.display())]
    Full(PathBuf),
    /// Looking at the folder.
    #[error(
        "{} is not a safe place for the audit log: {why}; \
         put that right, or set CERTDECK_STATE_DIR to a folder of yours",
        path.display()
    )]
    Place {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// Reading it.
    #[error("cannot read the audit log at {}: {cause}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Checking the last records.
    #[error(
        "the audit log was changed: {} line {line}: {what}; \
         `certdeck audit verify` looks at all of it, `certdeck audit fork --reason …` begins a new one",
        path.display()
    )]
    Tampered {
        /// The segment.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// Comparing with the head.
    #[error(
        "the audit log is shorter than it was: record {has} is the last, {had} was; \
         restore it, or `certdeck audit fork --reason …` begins a new one"
    )]
    Truncated {
        /// The last record.
        has: u64,
        /// The last record that the head knows of.
        had: u64,
    },
    /// Checking the last records.
    #[error(
        "{} line {line} was written by a newer certdeck; use that one",
        path.display()
    )]
    UnknownVersion {
        /// The segment.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Writing.
    #[error(
        "cannot write the audit log at {}: {cause}; \
         put that right, or set CERTDECK_STATE_DIR to a folder of yours",
        path.display()
    )]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
}

impl Error {
    /// For `map_err`: a failure to write there.
    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |cause| Self::Write { path: path.to_owned(), cause }
    }

    /// For `map_err`: a failure to read there.
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |cause| Self::Read { path: path.to_owned(), cause }
    }
}
