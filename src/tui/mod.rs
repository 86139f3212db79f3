//! The console. [`run`] owns the terminal and all state until it returns; everything between a
//! key and a picture is [`app::App`], which is pure.

pub mod app;
pub mod arm;
pub mod bell;
pub mod book;
pub mod checks;
mod commands;
mod console;
pub mod desk;
mod editor;
pub mod escalation;
pub mod guided;
mod hand_over;
pub mod input;
pub mod jobs;
pub mod keys;
pub mod mask;
pub mod msg;
pub mod output;
pub mod overlay;
pub mod part;
mod posting;
pub mod record;
pub mod request;
pub mod rollouts;
pub mod rows;
#[doc(hidden)]
pub mod sample;
pub mod screen;
mod signals;
pub mod terminal;
pub mod theme;
mod work;

use std::io;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::process::Signal;

use crate::audit::Session;
use crate::clock::Clock;
use crate::drill::Drill;
use crate::guide::Run;
use crate::inventory::Inventory;
use crate::remote::Sessions;
use crate::store::{Held, Store};
use crate::text::SafeText;

pub use console::Console;

/// A guided run to go on with, and what makes this process the one that is at it; a new one has
/// nobody yet.
pub type Guide = (Run, Option<Held<Run>>);

/// What a console is given.
#[derive(Debug)]
pub struct Deck {
    /// What we were told.
    pub inventory: Arc<Inventory>,
    /// Where that is written.
    pub inventory_path: PathBuf,
    /// Reads it again after it was edited; an error is the complaints as they are printed.
    pub reread: fn(&Path) -> Result<Inventory, String>,
    /// The way to the hosts. They are closed at the end.
    pub sessions: Arc<Sessions>,
    /// The snapshot.
    pub store: Store,
    /// Folder for what is copied and the terminal may not have taken.
    pub state_dir: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Who sits there, and with what.
    pub session: Session,
    /// A guided run to go on with.
    pub guide: Option<Guide>,
    /// A drill, where nothing is real.
    pub drill: Option<Drill>,
    /// Choices.
    pub settings: Settings,
}

/// Choices that hold as long as the console runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the fleet is called in the header.
    pub fleet_name: String,
    /// Who sits there: user and machine.
    pub who: String,
    /// How it looks at first.
    pub theme: theme::Theme,
    /// How many colours the terminal has.
    pub depth: theme::Depth,
    /// Whether only ASCII is drawn.
    pub is_ascii: bool,
    /// Pseudonyms, if names are to be hidden.
    pub mask: Option<mask::Mask>,
    /// Whether nothing may be changed as long as the console runs.
    pub is_read_only: bool,
    /// Whether the mouse is listened to from the start.
    pub mouse: bool,
    /// How the terminal tells that something long has ended.
    pub bell: bell::Bell,
    /// Commands on other keys than those of the table, see [`keys::parse_overrides`].
    pub keys: Vec<(keys::Command, Vec<keys::Chord>)>,
    /// The `ssh_config` that is used instead of ssh's own, for commands that are shown and copied.
    pub ssh_config: Option<PathBuf>,
    /// `$VISUAL` or `$EDITOR`: a shell command.
    pub editor: Option<String>,
    /// `$PAGER`: a shell command.
    pub pager: Option<String>,
}

/// How a console ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Somebody left.
    Left,
    /// A signal asked for it, or the terminal is gone, which is as good as a hang-up.
    Signal(Signal),
}

impl Ending {
    /// The exit code: 128 and the number of the signal, as shells have it.
    pub fn code(self) -> u8 {
        match self {
            Self::Left => 0,
            Self::Signal(signal) => u8::try_from(128 + signal.as_raw()).unwrap_or(u8::MAX),
        }
    }
}

/// What is left when a console has ended.
#[derive(Debug)]
pub struct Left {
    /// How it ended.
    pub ending: Ending,
    /// What goes on at which hosts, line by line.
    pub goes_on: Vec<String>,
    /// What the audit log was not told.
    pub problem: Option<SafeText>,
    /// The drill, as far as it went.
    pub drill: Option<Drill>,
}

/// Why a console cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nobody to look at it.
    #[error("the console needs a terminal for input and output; `certdeck scan` does without")]
    NoTerminal,
    /// The terminal does not do as it is told.
    #[error("cannot use the terminal")]
    Terminal(#[from] io::Error),
}

/// Runs the console until somebody leaves. However it ends, the terminal is as it was before and
/// no session to a host is left.
pub async fn run(deck: Deck) -> Result<Left, Error> {
    if !terminal::is_there() {
        return Err(Error::NoTerminal);
    }
    terminal::give_back_on_panic();
    let sessions = Arc::clone(&deck.sessions);
    let ended = AssertUnwindSafe(Console::run(deck)).catch_unwind().await;
    terminal::give_back();
    // Whoever leaves does not wait for hosts that hang.
    let _ = tokio::time::timeout(CLOSING, sessions.close()).await;
    match ended {
        Ok(_) if terminal::has_panicked() => resume_unwind(Box::new("a task has panicked")),
        Ok(ended) => ended,
        Err(panic) => resume_unwind(panic),
    }
}

/// How long sessions may take to close.
const CLOSING: Duration = Duration::from_secs(2);
