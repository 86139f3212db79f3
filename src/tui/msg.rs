//! What happens to the console, and what the console wants to be done. Values only.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::action::Confirmed;
use crate::diagnose::Ack;
use crate::fleet::{Host, HostName, Moment, Visit, Window};
use crate::gather;
use crate::guide::Run;
use crate::inventory::Inventory;
use crate::job;
use crate::perform::{self, Progress, Reconciled};
use crate::preflight::Wanted;
use crate::review::{Mark, Word};
use crate::rollout::Rollout;
use crate::secret_store;
use crate::store::Kept;
use crate::text::SafeText;

use super::book::Book;
use super::checks::ChecksId;
use super::guided::Note;
use super::input::Input;
use super::jobs::RunId;
use super::rollouts::Times;

/// When something happened: by the wall clock, for people, and since the console began, for what
/// counts in parts of a second. A moment alone is enough where that does not matter.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// The present.
    pub now: Moment,
    /// How long the console had been open.
    pub up: Duration,
}

impl From<Moment> for Time {
    fn from(now: Moment) -> Self {
        Self { now, up: Duration::ZERO }
    }
}

/// What was said in reviews, as it is kept.
#[derive(Debug, Default)]
pub struct Reviews {
    /// About findings.
    pub acks: Vec<Ack>,
    /// The last that was signed off.
    pub mark: Option<Mark>,
    /// What could not be read, and why.
    pub problem: Option<SafeText>,
}

/// Something that happened.
#[derive(Debug)]
pub enum Msg {
    /// A guided run is to be gone on with.
    Guide(Run),
    /// The guided run cannot be kept, or somebody has taken it over.
    GuideLost(SafeText),
    /// The audit log is open for appending, or refuses.
    LogOpened(Result<(), SafeText>),
    /// What was said in reviews was read.
    ReviewsRead(Box<Reviews>),
    /// The hand-over is written: where, and the status; or why it is not.
    HandedOver(Result<(PathBuf, String), SafeText>),
    /// The roll-outs that are kept were read, as the audit log has them.
    RolloutsRead(Vec<Kept<Rollout>>, Times),
    /// The audit log was read, as far as it can be.
    LogRead(Box<Book>),
    /// Something confirmed tells how it goes on.
    Ran(RunId, Progress),
    /// Everything confirmed at once has ended.
    RunEnded(RunId),
    /// Why what was confirmed is not begun yet.
    Held(RunId, SafeText),
    /// How a job is that somebody else has started, or why its host cannot be asked.
    Watched(Uuid, Result<job::Look, SafeText>),
    /// Nobody looks at that job any more.
    Unwatched(Uuid),
    /// A look before an order tells how it goes on.
    Looked(ChecksId, perform::preflight::Progress),
    /// Nothing more comes of a look before an order.
    LookEnded(ChecksId),
    /// What became of actions of which the log had no outcome.
    Reconciled(Result<Vec<Reconciled>, SafeText>),
    /// A second has passed, while something is shown that counts them.
    Second,
    /// CAs have told when they want certificates to be renewed, and when this machine last renewed
    /// with nobody there was looked up.
    Learnt(Vec<Arc<Window>>, Option<Moment>),
    /// Stores of secrets have told what they hold.
    StoresSeen(Box<secret_store::Seen>),
    /// A scan of these hosts began.
    ScanBegan(Vec<HostName>),
    /// A visit to this host began.
    VisitBegan(HostName),
    /// A visit ended, after so long.
    VisitEnded(Visit, Duration),
    /// The scan ended, by itself or because it was stopped.
    ScanEnded,
    /// Somebody told of a fleet that is read elsewhere, or could not be asked.
    Gathered(SafeText, Result<Vec<Host>, gather::Error>),
    /// Somebody did something at the terminal.
    Input(Input),
    /// The inventory was read again: it, or the complaints as they are printed.
    InventoryRead(Result<Arc<Inventory>, String>),
    /// The window has so many columns and rows.
    Resized(u16, u16),
    /// There is something to be told.
    Told(SafeText),
    /// Time has passed.
    Tick,
}

/// Which hand-over is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// How many seconds back it goes.
    pub seconds: i64,
    /// The records that it is about; `None` is all of that time.
    pub only: Option<BTreeSet<u64>>,
    /// Where to; `None` is the folder of state.
    pub path: Option<String>,
}

/// Something that the loop is to do. Only [`Effect::Run`] and [`Effect::Resume`] change what a
/// host serves, and they cannot be made without a plan that was confirmed. [`Effect::Preflight`] places for a moment what
/// nobody can use, unless it is told not to.
#[derive(Debug)]
pub enum Effect {
    /// Look at a job that another console has started, until it ends.
    Attach(HostName, Uuid),
    /// Put on record what was said in a review, and keep it. It was typed out and confirmed, and
    /// changes nothing on any host.
    Put(Vec<Word>),
    /// Offer this text to the clipboard; what it is, for people.
    Copy {
        /// What is copied, in a word or two.
        what: &'static str,
        /// The text.
        text: String,
    },
    /// Open the editor on the inventory, at that host, and read it again.
    Edit(Option<HostName>),
    /// Keep a guided run as it is now, after it is on record what has happened.
    Guide(Note),
    /// Keep this text in a file of that name.
    Keep {
        /// The name, without a folder.
        name: String,
        /// The text.
        text: String,
    },
    /// Write the hand-over of an incident.
    HandOver(HandOver),
    /// Ask CAs when they want certificates to be renewed, of those that are due to be asked about,
    /// and look up when this machine last renewed with nobody there.
    Learn,
    /// Leave the program.
    Leave,
    /// Listen to the mouse, or no more.
    Mouse(bool),
    /// Look at what a CA will look at, and place nothing for the given reason, if there is one.
    Preflight(ChecksId, Wanted, Option<SafeText>),
    /// Show this text in the pager.
    Page(String),
    /// Fall over, to see that the terminal survives it.
    #[cfg(debug_assertions)]
    Panic,
    /// Tell webhooks what is critical on these hosts.
    Notify(Vec<HostName>),
    /// Read the audit log.
    ReadLog,
    /// Draw everything anew.
    Redraw,
    /// Tell whoever does not look at the terminal.
    Ring(SafeText),
    /// Do what was confirmed, as a part of that roll-out.
    Resume(RunId, Uuid, Confirmed),
    /// Let what remains of that roll-out wait, or go on.
    Pause(Uuid, bool),
    /// Do what was confirmed.
    Run(RunId, Confirmed),
    /// Keep what is known for the next start.
    Save,
    /// Look at these hosts.
    Scan(Vec<HostName>),
    /// Ask a job on that host to stop.
    Stop(HostName, Uuid),
    /// Stop the running scan.
    StopScan,
    /// Give the terminal to the shell for a while.
    Suspend,
}
