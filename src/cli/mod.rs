//! The command line: one file per subcommand. Alone turns errors into text and exit codes.

mod host;
mod paths;

use std::process::ExitCode;

pub use paths::Paths;

use crate::clock::Clock;

/// How the program ends, apart from `check`, which has the codes of monitoring plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done and proven: 0.
    Done,
    /// A step failed or a finding is critical: 1.
    Failed,
    /// The request itself was wrong: 2.
    BadRequest,
    /// It could not be told: 3.
    Unknown,
    /// The audit log refused: 74, `EX_IOERR` of sysexits.h.
    AuditRefused,
    /// A monitoring plugin's own code.
    Code(u8),
}

/// What every subcommand is given.
#[derive(Debug)]
pub struct Context {
    /// The time.
    pub clock: Clock,
    /// Where things are kept on this machine.
    pub paths: Paths,
    /// Whether stderr takes colours.
    pub is_colored: bool,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::BadRequest => 2,
            Exit::Unknown => 3,
            Exit::AuditRefused => 74,
            Exit::Code(code) => code,
        })
    }
}
