//! From confirmed plans to what became of them. The only room that changes a host.
//!
//! What is to be done is written down first. For each plan, in waves: an intent in the audit log,
//! a detached job on the host, a look at it until it has ended, a look at the host and at what is
//! served, and the outcome in the log. A job that was lost from sight is found again by its
//! identity, and never started twice.

mod activation;
mod again;
mod bring;
mod case;
mod conclude;
mod course;
mod csr;
mod deliver;
pub mod errand;
mod follow;
mod guided;
mod hook;
pub mod jobs;
mod judge;
mod kept;
mod obtain;
mod one;
mod onward;
mod ordered;
mod owner;
mod past;
pub mod preflight;
mod reconcile;
mod record;
mod resume;
mod solve;
mod waves;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::acme::order::Kept;
use crate::acme::{Office, Step};
use crate::action::{Confirmed, Plan};
use crate::audit;
use crate::clock::Clock;
use crate::explain::Explanation;
use crate::fleet::Probe;
use crate::fleet::{Fingerprint, Visit};
use crate::inventory::Inventory;
use crate::job;
use crate::remote::Sessions;
use crate::rollout::Rollout;
use crate::store::{Held, Rollouts};
use crate::text::SafeText;

pub use again::{Again, failed_of};
pub use course::learn;
pub use guided::{done_by, done_in};
pub use past::{Noted, Past};
pub use reconcile::{Reconciled, reconcile};

/// What performing needs.
#[derive(Debug, Clone)]
pub struct Tools {
    /// What we were told.
    pub inventory: Arc<Inventory>,
    /// The way to the hosts.
    pub sessions: Arc<Sessions>,
    /// The audit log.
    pub log: Arc<Mutex<audit::Log>>,
    /// The time.
    pub clock: Clock,
    /// Who does it: user and machine.
    pub who: String,
    /// Where accounts and orders are kept.
    pub office: Arc<Office>,
    /// Where roll-outs are kept.
    pub rollouts: Rollouts,
}

/// Plans being performed. Dropping it leaves the jobs to their hosts.
#[derive(Debug)]
pub struct Run {
    id: Uuid,
    progress: mpsc::UnboundedReceiver<Progress>,
    office: Arc<Office>,
    /// Somebody wants to leave: nothing more begins.
    is_left: Arc<AtomicBool>,
    /// Owns the work.
    _work: JoinSet<()>,
}

/// What a run tells, as it happens. `at` is the place of the plan in the list.
#[derive(Debug)]
pub enum Progress {
    /// A wave began: its number from 1, and of how many.
    Wave(usize, usize),
    /// A plan's intent is on record and its job is being started.
    Began {
        /// Which plan.
        at: usize,
        /// The identity of the action.
        op: Uuid,
    },
    /// A job has said how it is, and perhaps printed more.
    Looked {
        /// Which plan.
        at: usize,
        /// What it says.
        look: job::Look,
    },
    /// Something happens to the order of a plan, before its job is started.
    Ordering {
        /// Which plan.
        at: usize,
        /// What.
        step: Step,
    },
    /// The host cannot be reached now; the job goes on there without us.
    Lost {
        /// Which plan.
        at: usize,
        /// Why.
        why: SafeText,
    },
    /// A host was looked at again.
    Visited(Visit),
    /// What was confirmed with a plan follows from it now, and has the next place in the list.
    Follows {
        /// Which plan it is from here on.
        at: usize,
        /// Which plan it follows from.
        of: usize,
        /// What happens.
        plan: Box<Plan>,
    },
    /// A plan has ended.
    Ended {
        /// Which plan.
        at: usize,
        /// What became of it.
        report: Box<Report>,
    },
    /// It is kept as a roll-out of that identity: anybody can go on with what remains of it.
    Kept(Uuid),
    /// Somebody wants what has not begun to wait, or not any more.
    Pause(Pause),
    /// A plan was not begun, because one before it failed or the log refused.
    NotBegun {
        /// Which plan.
        at: usize,
        /// Why.
        why: SafeText,
    },
}

/// How far a wish to wait has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// This one wants it to wait: what runs ends, and nothing more begins.
    Asked(SafeText),
    /// Nothing runs, and what remains waits, as this one wants it.
    Reached(SafeText),
    /// It goes on.
    Over,
}

/// How a plan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Done and proven.
    Ok,
    /// It failed.
    Failed,
    /// Nothing was changed: another job was at it, or things had changed.
    Refused,
    /// It was stopped.
    Cancelled,
    /// Nobody can tell.
    Unknown,
    /// The audit log refused, before or after.
    NotAudited,
}

/// What became of a plan.
#[derive(Debug, Clone)]
pub struct Report {
    /// The identity of the action.
    pub op: Option<Uuid>,
    /// How it ended.
    pub ending: Ending,
    /// What happened, in one line.
    pub summary: SafeText,
    /// In what state things are now, line by line.
    pub state: Vec<SafeText>,
    /// What it means and what to do next, where something failed.
    pub explanation: Option<Explanation>,
    /// Where the log is.
    pub log: Option<SafeText>,
    /// The live certificate before.
    pub before: Option<Fingerprint>,
    /// The live certificate after.
    pub after: Option<Fingerprint>,
    /// What is served.
    pub probes: Vec<Probe>,
    /// The end of what the commands printed.
    pub tail: Vec<SafeText>,
}

impl Run {
    /// Starts to perform plans; of many, what becomes of them is kept, so that somebody else can
    /// go on. Needs a tokio runtime around it.
    pub fn start(tools: Tools, confirmed: Confirmed) -> Self {
        Self::begin(tools, confirmed, Uuid::now_v7(), None)
    }

    /// Goes on with a roll-out: performs plans for what remains of it.
    pub fn resume(tools: Tools, confirmed: Confirmed, held: Held<Rollout>) -> Self {
        Self::begin(tools, confirmed, held.id(), Some(held))
    }

    fn begin(tools: Tools, confirmed: Confirmed, id: Uuid, held: Option<Held<Rollout>>) -> Self {
        let (tell, progress) = mpsc::unbounded_channel();
        let mut work = JoinSet::new();
        let (office, is_left) = (tools.office.clone(), Arc::default());
        let left = Arc::clone(&is_left);
        work.spawn(waves::perform_all(tools, confirmed, (id, held), tell, left));
        Self { id, progress, office, is_left, _work: work }
    }

    /// Its identity: of all its actions in the audit log, and of what is kept of a roll-out.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Lets nothing more begin, and asks the orders of these actions to stop: of each that can
    /// still be stopped the end is told soon.
    pub fn wind_up(&self, ops: impl IntoIterator<Item = Uuid>) {
        self.is_left.store(true, Ordering::Release);
        for op in ops {
            // An order that cannot be asked ends as if nobody had.
            Kept::ask_to_stop(&self.office, op).ok();
        }
    }

    /// What happened next; `None` once everything has ended. Nothing is lost when the future is
    /// dropped.
    pub async fn next(&mut self) -> Option<Progress> {
        self.progress.recv().await
    }
}
