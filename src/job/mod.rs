//! Detached jobs: how a host is told to do something that outlives the connection, and how it is
//! asked what became of it. Shell text out, answers in; nothing here talks to a host.
//!
//! ```text
//! <state>/jobs/          0700: /var/lib/certdeck for root, ~/.local/state/certdeck for others
//!   <op>/                0700, made once and never again
//!     request            what was asked for: commands, who, the audit record's number and hash
//!     began/             made once by whoever begins the job, or rules that it never will begin
//!     alive              locked as long as the runner lives
//!     out                what the commands printed, up to a cap
//!     input              what its commands need, readable by its user alone, until they have ended
//!     cut                there if they printed more
//!     tail               the last of that, once they have ended
//!     stop               there if somebody asked it to stop
//!     status             one line per fact, replaced as a whole
//! <state>/locks/<name>   locked by the job that works on a lineage; says which
//! ```
//!
//! A job that has a folder was started, one that has none never was; [`void`] makes sure that a
//! job which nobody has seen begin never begins later.

mod bring;
mod csr;
mod read;
mod script;
mod token;

use std::fmt;

use crate::fleet::{Fingerprint, Moment};
use crate::source::Nonce;
use crate::text::SafeText;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use bring::{bring, read_brought};
pub use csr::{Csr, CsrDer, Key, csr, drop_csr, read_csr};
pub use read::{read, read_list, read_removed};
pub use script::{ANSWER_CAP, LISTED, OUTPUT_BYTES, clean, list, look, start, stop, void};
pub use token::{Token, is_token, place_tokens, read_tokens, remove_tokens};

/// What a host is asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The identity of the action, the same as in the audit log.
    pub op: Uuid,
    /// The action's name, and the lineage, for people.
    pub title: String,
    /// Who asks: user and machine.
    pub who: String,
    /// The number and the hash of the audit record, as a witness.
    pub witness: (u64, String),
    /// Under which lock it runs.
    pub lock: String,
    /// The file whose first certificate is looked at before and after.
    pub leaf: Option<String>,
    /// What that certificate must be when the job begins.
    pub expect: Expect,
    /// The commands, one after the other until one fails.
    pub commands: Vec<Call>,
    /// What they find in the file that `CERTDECK_INPUT` names, in lines.
    pub input: Option<Secret>,
}

/// A text that may hold a private key: it is not shown, and wiped when it is dropped. On its host
/// it is a file that only the job's user can read, in the job's own folder, from before the job
/// begins until it ends: the job outlives the connection, and nothing else of it needs the key.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text.
    pub const fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Lends it to whoever hands it on.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A command of a job: variables of its environment, the program and its arguments.
pub type Call = (Vec<(String, String)>, Vec<String>);

/// What the certificate of a job must be when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// It does not matter.
    Anything,
    /// There must be none.
    Missing,
    /// This one.
    Leaf(Fingerprint),
}

/// What a host says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far it is.
    pub state: State,
    /// When it began, by the host's clock.
    pub began: Option<Moment>,
    /// When it ended.
    pub ended: Option<Moment>,
    /// The certificate before it began.
    pub before: Option<Fingerprint>,
    /// The certificate after it ended.
    pub after: Option<Fingerprint>,
    /// Which of its commands is running, or was the last, counted from 1.
    pub command: usize,
    /// Whether somebody asked it to stop.
    pub is_stopped: bool,
    /// How many bytes are kept of what its commands have printed.
    pub printed: u64,
    /// Whether they printed more than that. Once they have ended, a line tells where the gap is.
    pub is_cut: bool,
    /// What it is, for people.
    pub title: SafeText,
    /// Who asked for it.
    pub who: SafeText,
    /// The number and the hash of the audit record that it was begun with.
    pub witness: Option<(u64, String)>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There is no folder: it was never started.
    Absent,
    /// There is a folder, and it has not begun.
    Starting,
    /// It was ruled that it never begins.
    Void,
    /// Another job holds the lock: which, whose, since when.
    Busy {
        /// Who holds it, for people.
        holder: SafeText,
        /// Since when.
        since: Option<Moment>,
    },
    /// The certificate was not the one that was expected; nothing ran.
    Stale,
    /// It runs.
    Running,
    /// It ended: the exit code of the last command, 128 and the signal if one ended it.
    Done(u8),
    /// It was running, and is not any more, and did not say how it ended.
    Interrupted {
        /// Whether the host was started anew meanwhile.
        is_rebooted: bool,
    },
    /// The host lacks what a job needs; what.
    Impossible(SafeText),
}

impl Status {
    /// The exit code, if it ended with one.
    pub const fn exit(&self) -> Option<u8> {
        match self.state {
            State::Done(code) => Some(code),
            _ => None,
        }
    }
}

impl State {
    /// Its name, for other programs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Busy { .. } => "busy",
            Self::Done(_) => "done",
            Self::Impossible(_) => "impossible",
            Self::Interrupted { is_rebooted: false } => "interrupted",
            Self::Interrupted { is_rebooted: true } => "rebooted",
            Self::Running => "running",
            Self::Stale => "stale",
            Self::Starting => "starting",
            Self::Void => "void",
        }
    }
}

/// What came back of a look at a job.
#[derive(Debug, Clone)]
pub struct Look {
    /// How it is.
    pub status: Status,
    /// Output from where the look was asked to begin.
    pub output: Vec<u8>,
}

/// A job in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its identity.
    pub op: Uuid,
    /// How it is.
    pub status: Status,
}
