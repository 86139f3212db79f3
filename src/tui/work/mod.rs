//! What goes on beside the loop: the audit log, the snapshot, and what was confirmed. Nothing of it
//! waits in the loop, so that a log that is held, a disk that is slow or a host that hangs never
//! keeps the console from drawing.

mod keeper;
mod rollout;
mod stores;

use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use keeper::{Keeper, Notes, keep_next};
use rollout::Open;
use stores::Asking;

use crate::acme::ledger::Ledger;
use crate::acme::{Office, window};
use crate::action::Confirmed;
use crate::audit::{self, Log};
use crate::clock::Clock;
use crate::fleet::{Fleet, HostName};
use crate::guide;
use crate::inventory::{Host, Inventory};
use crate::job;
use crate::perform::jobs::NotDone;
use crate::perform::preflight::{self, Preflight};
use crate::perform::{self, Progress, Run, Tools};
use crate::preflight::Wanted;
use crate::remote::Sessions;
use crate::review::Word;
use crate::store::{self, Held, Rollouts, Runs, Store};
use crate::text::SafeText;
use crate::tui::Deck;
use crate::tui::book::Reading;
use crate::tui::checks::ChecksId;
use crate::tui::guided::Note;
use crate::tui::hand_over;
use crate::tui::jobs::RunId;
use crate::tui::msg::{HandOver, Msg, Reviews};
use crate::tui::posting::{self, Posting};

/// What goes on beside the loop.
#[derive(Debug)]
pub(in crate::tui) struct Work {
    sessions: Arc<Sessions>,
    clock: Clock,
    who: String,
    state_dir: PathBuf,
    session: Option<(Arc<Mutex<Log>>, Uuid)>,
    runs: Vec<(RunId, Run)>,
    looks: Vec<(ChecksId, Preflight)>,
    tasks: JoinSet<Done>,
    /// What tasks tell before they end.
    told: mpsc::UnboundedReceiver<Done>,
    to_told: mpsc::UnboundedSender<Done>,
    /// Whether the log is being read, and whether it is to be read again after that.
    reads: (bool, bool),
    store: Store,
    /// Guided runs, and what makes this console the one that is at one.
    guide: Arc<Mutex<Keeper>>,
    /// What is still to be kept of one: as soon as the log is open, one after the other.
    notes: Arc<Notes>,
    /// Whether the snapshot is being written, and what is to be written after that.
    is_saving: bool,
    to_save: Option<Fleet>,
    posting: Posting,
    /// Whether CAs are being asked.
    is_learning: bool,
    stores: Asking,
}

/// What has ended or goes on.
#[derive(Debug)]
pub(in crate::tui) enum Done {
    /// The session is on record.
    Opened(Result<(Arc<Mutex<Log>>, Uuid), SafeText>),
    /// The log was read.
    Read(Msg),
    /// CAs were asked.
    Learnt(Msg),
    /// Stores of secrets were asked.
    Asked(Msg),
    /// The snapshot was written, or not, and why.
    Saved(Result<(), SafeText>),
    /// A run has told something; `None` at its end.
    Ran(RunId, Option<Progress>),
    /// What was confirmed is begun, or gone on with.
    Begun(RunId, Run),
    /// It is not, and why.
    NotBegun(RunId, SafeText),
    /// What remains of a roll-out waits or goes on, or not, and why.
    Paused(SafeText),
    /// A look before an order has told something; `None` at its end.
    Looked(ChecksId, Option<preflight::Progress>),
    /// A guided run was kept.
    Kept,
    /// What webhooks are to be told was written down, or not, and why.
    Noted(Option<SafeText>),
    /// This is to be told.
    Tell(Msg),
}

impl Work {
    /// Begins a session in the audit log.
    pub(in crate::tui) fn open(deck: &Deck) -> Self {
        let mut tasks = JoinSet::new();
        let (to_told, told) = mpsc::unbounded_channel();
        let (state_dir, clock) = (deck.state_dir.clone(), deck.clock);
        let session = deck.session.body();
        tasks.spawn_blocking(move || {
            let open = || {
                let mut log = Log::open(&state_dir, clock)?;
                let session = log.begin_session(&session)?;
                Ok((Arc::new(Mutex::new(log)), session))
            };
            Done::Opened(open().map_err(|it: audit::Error| SafeText::of_error(&it)))
        });
        Self {
            sessions: Arc::clone(&deck.sessions),
            clock: deck.clock,
            who: deck.session.who(),
            state_dir: deck.state_dir.clone(),
            session: None,
            runs: Vec::new(),
            looks: Vec::new(),
            tasks,
            told,
            to_told,
            reads: (false, false),
            store: deck.store.clone(),
            guide: Arc::new(Mutex::new(Keeper { runs: Runs::new(&deck.state_dir), held: None })),
            notes: Arc::default(),
            is_saving: false,
            to_save: None,
            is_learning: false,
            stores: Asking::default(),
            posting: Posting::open(deck),
        }
    }

    /// What has happened next; nothing for ever while nothing goes on. Nothing is lost when the
    /// future is dropped.
    pub(in crate::tui) async fn next(&mut self) -> Done {
        let Self { runs, looks, tasks, told, .. } = self;
        let ran = poll_fn(|context| {
            for (id, run) in &mut *runs {
                if let Poll::Ready(progress) = pin!(run.next()).poll(context) {
                    return Poll::Ready(Done::Ran(*id, progress));
                }
            }
            for (id, look) in &mut *looks {
                if let Poll::Ready(progress) = pin!(look.next()).poll(context) {
                    return Poll::Ready(Done::Looked(*id, progress));
                }
            }
            Poll::Pending
        });
        tokio::select! {
            Some(done) = told.recv() => done,
            Some(Ok(done)) = tasks.join_next() => done,
            done = ran => done,
        }
    }

    /// Takes what has happened; what is to be told of it, if anything is.
    pub(in crate::tui) fn take(&mut self, done: Done, inventory: &Arc<Inventory>) -> Option<Msg> {
        Some(match done {
            Done::Opened(Ok(session)) => {
                self.session = Some(session);
                self.reconcile(inventory);
                let waiting = self.notes.lock().map_or(0, |it| it.len());
                (0..waiting).for_each(|_| self.keep_note());
                Msg::LogOpened(Ok(()))
            }
            Done::Opened(Err(why)) => Msg::LogOpened(Err(why)),
            Done::Read(msg) => {
                let (_, once_more) = std::mem::take(&mut self.reads);
                if once_more {
                    self.read_log();
                }
                msg
            }
            Done::Learnt(msg) => {
                self.is_learning = false;
                msg
            }
            Done::Asked(msg) => {
                self.asked();
                msg
            }
            Done::Begun(id, run) => {
                self.runs.push((id, run));
                return None;
            }
            Done::NotBegun(id, why) => {
                self.tell(Msg::RunEnded(id));
                Msg::Told(why)
            }
            Done::Paused(text) => {
                // Who is at it somewhere else does not tell this console how it goes on.
                self.read_log();
                Msg::Told(text)
            }
            Done::Ran(id, Some(progress)) => Msg::Ran(id, progress),
            Done::Ran(id, None) => {
                self.runs.retain(|it| it.0 != id);
                Msg::RunEnded(id)
            }
            Done::Looked(id, Some(progress)) => Msg::Looked(id, progress),
            Done::Looked(id, None) => {
                self.looks.retain(|it| it.0 != id);
                Msg::LookEnded(id)
            }
            Done::Saved(saved) => {
                self.is_saving = false;
                if let Some(fleet) = self.to_save.take() {
                    self.save(fleet);
                }
                Msg::Told(saved.err()?)
            }
            Done::Kept => return None,
            Done::Noted(why) => {
                Msg::Told(SafeText::new(&format!("webhooks are not told: {}", why?)))
            }
            Done::Tell(msg) => msg,
        })
    }

    /// Does what was confirmed. Without a session in the log nothing is done; nor for a guided run
    /// that somebody has taken over.
    pub(in crate::tui) fn run(
        &mut self,
        id: RunId,
        confirmed: Confirmed,
        inventory: &Arc<Inventory>,
    ) {
        let Some(tools) = self.tools(inventory) else { return self.tell(Msg::RunEnded(id)) };
        if confirmed.guide().is_none() {
            return self.runs.push((id, Run::start(tools, confirmed)));
        }
        let keeper = Arc::clone(&self.guide);
        self.tasks.spawn_blocking(move || {
            let keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
            match keeper.check() {
                Ok(()) => Done::Begun(id, Run::start(tools, confirmed)),
                Err(why) => Done::NotBegun(id, why),
            }
        });
    }

    /// Looks at what a CA will look at. Without a session in the log nothing is looked at.
    pub(in crate::tui) fn preflight(
        &mut self,
        id: ChecksId,
        wanted: Wanted,
        read_only: Option<SafeText>,
        inventory: &Arc<Inventory>,
        fleet: Fleet,
    ) {
        match self.tools(inventory) {
            Some(tools) => {
                let look = Preflight::start(tools, fleet, vec![wanted], read_only);
                self.looks.push((id, look));
            }
            None => self.tell(Msg::LookEnded(id)),
        }
    }

    /// Looks at a job until it ends, and then finds out what became of it.
    pub(in crate::tui) fn attach(&mut self, host: HostName, op: Uuid, inventory: &Arc<Inventory>) {
        let told = inventory.host(host.as_str()).cloned();
        let Some((tools, told)) = self.tools(inventory).zip(told) else {
            return self.tell(Msg::Unwatched(op));
        };
        let to_told = self.to_told.clone();
        self.tasks.spawn(async move {
            watch(&tools, &told, op, &to_told).await;
            let found = perform::reconcile(&tools, Some(&[host])).await;
            // Nobody listens any more only while the console is being closed.
            to_told.send(Done::Tell(Msg::Unwatched(op))).ok();
            Done::Tell(Msg::Reconciled(found.map_err(|it| SafeText::of_error(&it))))
        });
    }

    /// Asks a job to stop.
    pub(in crate::tui) fn stop(&mut self, host: HostName, op: Uuid, inventory: &Arc<Inventory>) {
        let told = inventory.host(host.as_str()).cloned();
        let Some((tools, told)) = self.tools(inventory).zip(told) else { return };
        self.tasks.spawn(async move {
            let text = match perform::jobs::stop(&tools, &told, op, STOP).await {
                Ok(look) if look.status.is_stopped => format!("{host}: the job was asked to stop"),
                Ok(look) if look.status.state == job::State::Void => {
                    format!("{host}: it never begins there; an order for it is stopped")
                }
                Ok(_) => format!("{host}: the job had ended before"),
                Err(NotDone::Unreached(why)) => {
                    format!("{host}: whether the job stops is not known: {}", why.text)
                }
                Err(NotDone::ReadOnly(group)) => {
                    format!("{host}: the group {group} is read-only; nothing may be changed there")
                }
                Err(NotDone::NotAudited(error, false)) => {
                    return Done::Tell(Msg::LogOpened(Err(SafeText::of_error(&error))));
                }
                Err(NotDone::NotAudited(error, true)) => {
                    format!("{host}: it was asked to stop, but that is not on record: {error}")
                }
            };
            Done::Tell(Msg::Told(SafeText::new(&text)))
        });
    }

    /// Takes up a guided run, of which this console is the holder if it is not new.
    pub(in crate::tui) fn take_guide(&mut self, held: Option<Held<guide::Run>>, note: Note) {
        let id = note.run.id;
        if let Ok(mut keeper) = self.guide.lock() {
            keeper.held = held.map(|it| (id, it));
        }
        self.keep_guide(note);
    }

    /// Puts on record what has happened in a guided run, and keeps it.
    pub(in crate::tui) fn keep_guide(&mut self, note: Note) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push_back(note);
        self.keep_note();
    }

    /// Keeps the oldest of what is still to be kept, if the log is open.
    fn keep_note(&mut self) {
        let Some((log, _)) = &self.session else { return };
        let (log, keeper, notes) =
            (Arc::clone(log), Arc::clone(&self.guide), Arc::clone(&self.notes));
        let (who, now) = (self.who.clone(), self.clock.now());
        let (to_told, notices) = (self.to_told.clone(), self.posting.known());
        self.tasks.spawn_blocking(move || {
            match keep_next(&log, &keeper, &notes, (&who, now)) {
                Some((note, Ok(()))) => {
                    return Done::Noted(posting::closed(&notices, &note, &who));
                }
                // Nobody listens any more only while the console is being closed.
                Some((_, Err(why))) => drop(to_told.send(Done::Tell(Msg::GuideLost(why)))),
                None => {}
            }
            Done::Kept
        });
    }

    /// Puts on record what was said in a review, and keeps it. Without a session in the log nothing
    /// is kept.
    pub(in crate::tui) fn put(&mut self, words: Vec<Word>) {
        let Some((log, _)) = &self.session else { return };
        let (log, store, who) = (Arc::clone(log), self.store.clone(), self.who.clone());
        let to_told = self.to_told.clone();
        self.tasks.spawn_blocking(move || {
            let Ok(mut log) = log.lock() else { return Done::Tell(Msg::Told(SafeText::default())) };
            let kept = words.iter().try_for_each(|it| store.keep(&mut log, it, &who, PUT));
            let told = match (kept, words.as_slice()) {
                (Ok(()), [one]) => one.told(),
                (Ok(()), many) => format!("{} findings: it is on record", many.len()),
                (Err(store::Error::NotAudited(error)), _) => {
                    to_told.send(Done::Tell(read_reviews(&store))).ok();
                    return Done::Tell(Msg::LogOpened(Err(SafeText::of_error(&error))));
                }
                (Err(error), _) => {
                    format!("it is on record and was not kept: {}", SafeText::of_error(&error))
                }
            };
            to_told.send(Done::Tell(read_reviews(&store))).ok();
            Done::Tell(Msg::Told(SafeText::new(&told)))
        });
    }

    /// Reads the log once more after it has been read, if it is being read.
    pub(in crate::tui) fn read_log(&mut self) {
        if self.reads.0 {
            self.reads.1 = true;
            return;
        }
        self.reads = (true, false);
        let store = self.store.clone();
        self.tasks.spawn_blocking(move || Done::Tell(read_reviews(&store)));
        let (state_dir, clock) = (self.state_dir.clone(), self.clock);
        let to_told = self.to_told.clone();
        self.tasks.spawn_blocking(move || {
            let (mut reading, mut rollouts) = (Reading::default(), Open::read(&state_dir));
            let read = audit::read::scan(&state_dir, &mut |it| {
                rollouts.add(&it);
                reading.add(it);
            });
            // Nobody listens any more only while the console is being closed.
            to_told.send(Done::Tell(rollouts.told(read.is_ok()))).ok();
            let verified = audit::verify::verify(&state_dir);
            let book = reading.book(verified, read.err().map(|it| SafeText::of_error(&it)));
            // Without it, a little is known less.
            let ledger = Ledger::of(&Office::new(&state_dir, clock));
            let book = book.with(ledger.events(clock.now()).unwrap_or_default());
            Done::Read(Msg::LogRead(Box::new(book)))
        });
    }

    /// Writes the hand-over of an incident to a file.
    pub(in crate::tui) fn hand_over(&mut self, wanted: HandOver, inventory: &Arc<Inventory>) {
        let (state_dir, now) = (self.state_dir.clone(), self.clock.now());
        let inventory = Arc::clone(inventory);
        self.tasks.spawn_blocking(move || {
            let written = hand_over::write(&wanted, &state_dir, &inventory, now);
            Done::Tell(Msg::HandedOver(written))
        });
    }

    /// Tells webhooks what is critical on hosts that were looked at.
    pub(in crate::tui) fn notify(
        &mut self,
        hosts: Vec<HostName>,
        fleet: &Fleet,
        inventory: &Arc<Inventory>,
    ) {
        let Some(notices) = self.posting.notices(inventory) else { return };
        let (store, fleet, now) = (self.store.clone(), fleet.clone(), self.clock.now());
        self.tasks.spawn_blocking(move || {
            Done::Noted(posting::critical(&notices, &fleet, hosts, &store, now))
        });
    }

    /// Keeps what is known for the next start; the newest of what is asked for meanwhile once more.
    pub(in crate::tui) fn save(&mut self, fleet: Fleet) {
        if self.is_saving {
            self.to_save = Some(fleet);
            return;
        }
        self.is_saving = true;
        let store = self.store.clone();
        self.tasks.spawn_blocking(move || {
            let words = |it| format!("the snapshot was not kept: {}", SafeText::of_error(&it));
            Done::Saved(store.save(&fleet).map_err(|it| SafeText::new(&words(it))))
        });
    }

    /// Looks at nothing more, and waits until what was placed is gone.
    async fn give_up_looks(&mut self) {
        for (_, look) in &mut self.looks {
            look.stop();
        }
        for (_, look) in &mut self.looks {
            while look.next().await.is_some() {}
        }
    }

    /// Asks CAs when they want certificates to be renewed, as often as they allow: mostly there is
    /// nothing to ask. Nobody waits for it.
    pub(in crate::tui) fn learn(&mut self, fleet: Fleet, inventory: &Arc<Inventory>) {
        if std::mem::replace(&mut self.is_learning, true) {
            return;
        }
        let office = Office::new(&self.state_dir, self.clock);
        let (store, inventory) = (self.store.clone(), Arc::clone(inventory));
        self.tasks.spawn(async move {
            let windows = window::refresh(&office, &inventory, &fleet, LEARNING).await;
            Done::Learnt(Msg::Learnt(windows, store.unattended().map(|it| it.at)))
        });
    }

    /// Waits until the snapshot is written.
    async fn saved(&mut self) {
        while self.is_saving
            && let Some(done) = self.tasks.join_next().await
        {
            if matches!(done, Ok(Done::Saved(_))) {
                self.is_saving = false;
                self.to_save.take().into_iter().for_each(|it| self.save(it));
            }
        }
    }

    /// Ends what must not be cut off, and the session in the log; what kept it from the latter.
    pub(in crate::tui) async fn end(&mut self) -> Option<SafeText> {
        // What was placed to be looked for goes; what does not, goes at the next start.
        timeout(PATIENCE, self.give_up_looks()).await.ok();
        // A snapshot that is late is a memory less, and nothing to wait for.
        timeout(PATIENCE, self.saved()).await.ok();
        let (log, session) = self.session.take()?;
        let mut ending = JoinSet::new();
        let (keeper, who) = (Arc::clone(&self.guide), self.who.clone());
        ending.spawn_blocking(move || {
            let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
            let mut log = log.lock().ok()?;
            let left = keeper.leave(&mut log, &who);
            left.or_else(|| log.end_session(session).err().map(|it| SafeText::of_error(&it)))
        });
        match timeout(PATIENCE, ending.join_next()).await {
            Ok(Some(Ok(problem))) => problem,
            _ => Some(SafeText::new("somebody else holds it")),
        }
    }

    /// Finds out what became of actions that have no outcome in the log.
    fn reconcile(&mut self, inventory: &Arc<Inventory>) {
        let Some(tools) = self.tools(inventory) else { return };
        self.tasks.spawn(async move {
            let found = perform::reconcile(&tools, None).await;
            Done::Tell(Msg::Reconciled(found.map_err(|it| SafeText::of_error(&it))))
        });
    }

    fn tell(&mut self, msg: Msg) {
        self.tasks.spawn(async move { Done::Tell(msg) });
    }

    fn tools(&self, inventory: &Arc<Inventory>) -> Option<Tools> {
        let (log, _) = self.session.as_ref()?;
        Some(Tools {
            inventory: Arc::clone(inventory),
            sessions: Arc::clone(&self.sessions),
            log: Arc::clone(log),
            clock: self.clock,
            who: self.who.clone(),
            office: Arc::new(Office::new(&self.state_dir, self.clock)),
            rollouts: Rollouts::new(&self.state_dir),
        })
    }
}

/// What was said in reviews, by others as well.
fn read_reviews(store: &Store) -> Msg {
    let mut reviews = Reviews::default();
    match store.acks() {
        Ok(acks) => reviews.acks = acks,
        Err(error) => reviews.problem = Some(SafeText::of_error(&error)),
    }
    match store.marks() {
        Ok(mut marks) => reviews.mark = marks.pop(),
        Err(error) => reviews.problem = Some(SafeText::of_error(&error)),
    }
    Msg::ReviewsRead(Box::new(reviews))
}

/// Looks at a job until it has ended, and tells what it prints.
async fn watch(tools: &Tools, host: &Host, op: Uuid, to_told: &mpsc::UnboundedSender<Done>) {
    let mut from = 0;
    loop {
        let seen = perform::jobs::look(&tools.sessions, host, op, from).await;
        from += seen.as_ref().map_or(0, |it| it.output.len() as u64);
        let is_over = seen
            .as_ref()
            .is_ok_and(|it| !matches!(it.status.state, job::State::Running | job::State::Starting));
        let seen = Msg::Watched(op, seen.map_err(|it| it.text));
        if to_told.send(Done::Tell(seen)).is_err() || is_over {
            return;
        }
        sleep(PAUSE).await;
    }
}

/// How it was confirmed what is said in a review, for the audit log.
const PUT: &str = "typed in the console";
/// How it was confirmed that a job is to stop, for the audit log.
const STOP: &str = "the key y in the console";
/// How long CAs are waited for, by nobody: a slow line is no reason to ask again.
const LEARNING: Duration = Duration::from_secs(60);
/// How long a job is left alone between looks.
const PAUSE: Duration = Duration::from_secs(1);
/// How long leaving waits for what was placed to be gone, for the snapshot, and then for the log.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the program has to end after the terminal is gone: all of [`Work::end`], and a little
/// for what comes before and after it. With less, the end of the session would be missing in the
/// audit log, and the folder of a practice fleet would stay.
pub(in crate::tui) const GRACE: Duration = PATIENCE.saturating_mul(3).saturating_add(PATIENCE);
