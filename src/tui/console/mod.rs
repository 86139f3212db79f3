//! The loop: waits for whatever happens, hands it to the [`App`], does what that asks for, and
//! draws. The only part of the console that touches the world.

pub(super) mod outside;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::app::App;
use super::desk::Desk;
use super::guided::Note;
use super::input::{Input, Reader, Stamped};
use super::keys::Keymap;
use super::msg::{Effect, Msg, Time};
use super::signals::{Asked, Signals};
use super::terminal::{self, Terminal};
use super::work::{Done, GRACE, Work};
use super::{Deck, Ending, Error, Left};
use crate::fleet::HostName;
use crate::inventory::Inventory;
use crate::scan::{Progress, Scan};
use crate::text::SafeText;

use outside::{keep, read_text};

/// A console at work.
#[derive(Debug)]
pub struct Console {
    app: App,
    deck: Deck,
    terminal: Terminal,
    reader: Option<Reader>,
    inputs: mpsc::UnboundedReceiver<Stamped>,
    to_inputs: mpsc::UnboundedSender<Stamped>,
    signals: Signals,
    work: Work,
    /// When the console was opened.
    opened: std::time::Instant,
    scan: Option<Scan>,
    began: HashMap<HostName, Instant>,
    /// Whether what is shown may be out of date.
    is_dirty: bool,
    drawn: Option<Instant>,
    judged: Option<Instant>,
    /// When the last second was counted.
    second: Option<Instant>,
    ending: Option<Ending>,
}

/// What was waited for.
enum Woken {
    Input(Stamped),
    Done(Done),
    Progress(Option<Progress>),
    Asked(Asked),
    /// It is time to draw or to judge.
    Due,
    /// Nothing has happened for a while.
    Quiet,
    Panicked,
}

impl Console {
    /// Runs until somebody leaves.
    pub(super) async fn run(deck: Deck) -> Result<Left, Error> {
        let mut console = Self::open(deck)?;
        let ended = console.go().await;
        // Nothing is worth a terminal that hangs: the log may be held by somebody else.
        console.terminal.leave();
        let problem = console.work.end().await;
        let goes_on = console.app.goes_on();
        Ok(Left { ending: ended?, goes_on, problem, drill: console.app.into_drill() })
    }

    async fn go(&mut self) -> Result<Ending, Error> {
        self.draw()?;
        let all = self.app.desk().fleet.hosts().map(|it| it.name.clone()).collect();
        self.perform(Effect::Scan(all)).await?;
        loop {
            self.refresh()?;
            if let Some(ending) = self.ending {
                return Ok(ending);
            }
            match self.wait().await {
                Woken::Input(input) => self.take_inputs(input).await?,
                Woken::Done(done) => self.take_done(done).await?,
                Woken::Progress(progress) => self.take_progress(progress).await?,
                Woken::Asked(asked) => self.take_signal(asked).await?,
                Woken::Due => self.count_second().await?,
                Woken::Quiet => self.tell(Msg::Tick).await?,
                Woken::Panicked => return Ok(Ending::Left),
            }
        }
    }

    fn open(deck: Deck) -> Result<Self, Error> {
        let mut fleet = deck.inventory.fleet();
        let recalled = deck.store.recall(&mut fleet);
        let settings = deck.settings.clone();
        let (theme, now) = (settings.theme.clone(), deck.clock.now());
        let mut desk = Desk::new(Arc::clone(&deck.inventory), fleet, theme, now);
        desk.ssh_config.clone_from(&settings.ssh_config);
        desk.who = deck.session.who();
        desk.drill.clone_from(&deck.drill);
        desk.mask = settings.mask.clone().map(|mut mask| {
            mask.learn(&desk.fleet);
            mask
        });
        let (keymap, _) = Keymap::new(&settings.keys);
        let hears_mouse = settings.mouse;
        let mut app = App::new(desk, settings, keymap);
        let (width, height) = terminal::size();
        app.update(Msg::Resized(width, height), now);
        if let Err(error) = recalled {
            app.update(Msg::Told(SafeText::new(&error.to_string())), now);
        }

        let signals = Signals::listen()?;
        let mut terminal = Terminal::take()?;
        if hears_mouse {
            terminal.listen_to_mouse(true)?;
        }
        let mut work = Work::open(&deck);
        let mut deck = deck;
        if let Some((run, held)) = deck.guide.take() {
            let event = if held.is_some() { "resume" } else { "begin" };
            let note = Note { run: run.clone(), event, ending: None, given: None };
            app.update(Msg::Guide(run), now);
            work.take_guide(held, note);
        }
        let (to_inputs, inputs) = mpsc::unbounded_channel();
        let reader = Some(Reader::start(to_inputs.clone(), GRACE)?);
        Ok(Self {
            app,
            deck,
            terminal,
            reader,
            inputs,
            to_inputs,
            signals,
            work,
            opened: std::time::Instant::now(),
            scan: None,
            began: HashMap::new(),
            is_dirty: true,
            drawn: None,
            judged: None,
            second: None,
            ending: None,
        })
    }

    async fn wait(&mut self) -> Woken {
        let due = self.due();
        let quiet = Instant::now() + QUIET;
        tokio::select! {
            biased;
            () = terminal::panicked() => Woken::Panicked,
            asked = self.signals.next() => Woken::Asked(asked),
            Some(input) = self.inputs.recv() => Woken::Input(input),
            () = sleep_until(due.unwrap_or(quiet)), if due.is_some() => Woken::Due,
            done = self.work.next() => Woken::Done(done),
            progress = next(&mut self.scan) => Woken::Progress(progress),
            () = sleep_until(quiet) => Woken::Quiet,
        }
    }

    /// When there is something to draw or to judge, if there is.
    fn due(&self) -> Option<Instant> {
        let after = |last: Option<Instant>, pause: Duration| {
            last.map_or_else(Instant::now, |it| it + pause)
        };
        let draw = self.is_dirty.then(|| after(self.drawn, FRAME));
        let judge = self.app.is_stale().then(|| after(self.judged, self.judging_pause()));
        let second = self.app.counts_seconds().then(|| after(self.second, SECOND));
        [draw, judge, second].into_iter().flatten().min()
    }

    /// A large fleet takes longer to judge; then it is done less often, so that keys are not kept
    /// waiting.
    fn judging_pause(&self) -> Duration {
        JUDGING.max(self.app.meter.judge * 4)
    }

    /// Judges and draws what is due.
    fn refresh(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let is_due =
            |last: Option<Instant>, pause| last.is_none_or(|it: Instant| now >= it + pause);
        if self.app.is_stale() && is_due(self.judged, self.judging_pause()) {
            self.app.refresh();
            self.app.meter.judge = now.elapsed();
            self.judged = Some(Instant::now());
            self.is_dirty = true;
        }
        if self.is_dirty && is_due(self.drawn, FRAME) {
            self.draw()?;
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let app = &self.app;
        self.terminal.draw(app.size(), |area, buf| app.draw(area, buf))?;
        self.is_dirty = false;
        self.drawn = Some(Instant::now());
        self.app.drawn(self.opened.elapsed());
        let meter = &mut self.app.meter;
        meter.frame = began.elapsed();
        meter.frames += 1;
        meter.bytes = self.terminal.written();
        Ok(())
    }

    /// Takes an input and all that came with it, so that a key that is held down is drawn once.
    async fn take_inputs(&mut self, first: Stamped) -> Result<(), Error> {
        let mut next = Some(first);
        while let Some((at, input)) = next {
            if input == Input::Vanished {
                self.ending = Some(Ending::Signal(Signal::HUP));
                return Ok(());
            }
            self.tell_at(Msg::Input(input), at.duration_since(self.opened)).await?;
            // A key is answered at once, whatever else was drawn just before.
            self.drawn = None;
            if self.ending.is_some() {
                return Ok(());
            }
            next = self.inputs.try_recv().ok();
        }
        self.app.meter.memory = resident();
        Ok(())
    }

    /// Takes what a scan tells, as far as it is there already.
    async fn take_progress(&mut self, first: Option<Progress>) -> Result<(), Error> {
        let mut next_one = Some(first);
        for _ in 0..BATCH {
            let Some(progress) = next_one.take() else { return Ok(()) };
            let msg = match progress {
                Some(Progress::Began(host)) => {
                    self.began.insert(host.clone(), Instant::now());
                    Msg::VisitBegan(host)
                }
                Some(Progress::Ended(visit)) => {
                    let began = self.began.remove(&visit.host);
                    Msg::VisitEnded(visit, began.map_or(Duration::ZERO, |it| it.elapsed()))
                }
                Some(Progress::Gathered((by, told))) => Msg::Gathered(by, told),
                None => {
                    self.scan = None;
                    self.began.clear();
                    return self.tell(Msg::ScanEnded).await;
                }
            };
            self.tell(msg).await?;
            next_one = next(&mut self.scan).now_or_never();
        }
        if let Some(progress) = next_one {
            // It was taken out already, so it must not be lost.
            return Box::pin(self.take_progress(progress)).await;
        }
        Ok(())
    }

    /// Takes what has ended beside the loop.
    async fn take_done(&mut self, done: Done) -> Result<(), Error> {
        let inventory = &self.app.desk().inventory;
        match self.work.take(done, inventory) {
            Some(msg) => self.tell(msg).await,
            None => Ok(()),
        }
    }

    async fn count_second(&mut self) -> Result<(), Error> {
        let is_due = self.second.is_none_or(|it| it.elapsed() >= SECOND);
        if self.app.counts_seconds() && is_due {
            self.second = Some(Instant::now());
            return self.tell(Msg::Second).await;
        }
        Ok(())
    }

    async fn take_signal(&mut self, asked: Asked) -> Result<(), Error> {
        match asked {
            Asked::End(signal) => self.ending = Some(Ending::Signal(signal)),
            Asked::Stop => self.perform(Effect::Suspend).await?,
            Asked::GoOn => {
                // Whoever stopped us from outside has left the terminal in modes of its own.
                self.terminal.leave();
                self.come_back().await?;
            }
            Asked::Resize => {
                // Even if the size is as before: what happened in between has moved what is shown.
                self.terminal.forget();
                let (width, height) = terminal::size();
                self.tell(Msg::Resized(width, height)).await?;
            }
        }
        Ok(())
    }

    /// Hands a message to the app, and does what it asks for.
    async fn tell(&mut self, msg: Msg) -> Result<(), Error> {
        self.tell_at(msg, self.opened.elapsed()).await
    }

    /// The same, of something that happened when the console had been open for so long.
    async fn tell_at(&mut self, msg: Msg, up: Duration) -> Result<(), Error> {
        self.is_dirty = true;
        let effects = self.app.update(msg, Time { now: self.deck.clock.now(), up });
        for effect in effects {
            Box::pin(self.perform(effect)).await?;
        }
        Ok(())
    }

    /// Does what changes something, or keeps it from being changed.
    fn change(&mut self, effect: Effect, inventory: &Arc<Inventory>) {
        match effect {
            Effect::Run(run, confirmed) => self.work.run(run, confirmed, inventory),
            Effect::Resume(run, rollout, confirmed) => {
                self.work.resume((run, rollout), confirmed, inventory);
            }
            Effect::Pause(rollout, is_wanted) => self.work.pause(rollout, is_wanted),
            Effect::Stop(host, op) => self.work.stop(host, op, inventory),
            // Nothing else changes anything.
            _ => {}
        }
    }

    async fn perform(&mut self, effect: Effect) -> Result<(), Error> {
        let inventory = Arc::clone(&self.app.desk().inventory);
        match effect {
            Effect::Attach(host, op) => {
                self.work.attach(host, op, &inventory);
                Ok(())
            }
            Effect::Keep { name, text } => {
                let path = self.deck.state_dir.join(name);
                let told = match keep(&path, &text) {
                    Ok(()) => format!("kept in {}", path.display()),
                    Err(error) => format!("{}: {error}", path.display()),
                };
                self.tell(Msg::Told(SafeText::new(&told))).await
            }
            Effect::Guide(note) => {
                self.work.keep_guide(note);
                Ok(())
            }
            Effect::Put(words) => {
                self.work.put(words);
                Ok(())
            }
            Effect::HandOver(wanted) => {
                self.work.hand_over(wanted, &inventory);
                Ok(())
            }
            Effect::Notify(hosts) => {
                self.work.notify(hosts, &self.app.desk().fleet, &inventory);
                Ok(())
            }
            Effect::Ring(text) => Ok(self.terminal.ring(self.deck.settings.bell, &text)?),
            Effect::Preflight(id, wanted, read_only) => {
                let fleet = self.app.desk().fleet.clone();
                self.work.preflight(id, wanted, read_only, &inventory, fleet);
                Ok(())
            }
            Effect::ReadLog => {
                self.work.read_log();
                Ok(())
            }
            Effect::Run(..) | Effect::Resume(..) | Effect::Pause(..) | Effect::Stop(..) => {
                self.change(effect, &inventory);
                Ok(())
            }
            Effect::Copy { what, text } => {
                let told = self.copy(what, &text)?;
                self.tell(Msg::Told(told)).await
            }
            Effect::Edit(host) => self.edit(host).await,
            Effect::Leave => {
                if self.scan.is_some() {
                    self.work.save(self.app.desk().fleet.clone());
                }
                self.ending = Some(Ending::Left);
                Ok(())
            }
            Effect::Learn => {
                self.work.learn(self.app.desk().fleet.clone(), &inventory);
                self.work.ask_stores(self.app.desk().fleet.clone(), &inventory);
                Ok(())
            }
            Effect::Mouse(is_on) => Ok(self.terminal.listen_to_mouse(is_on)?),
            Effect::Page(text) => self.page(text).await,
            #[cfg(debug_assertions)]
            #[expect(clippy::panic, reason = "this is what it is for")]
            Effect::Panic => panic!("asked for in the palette"),
            Effect::Redraw => {
                self.terminal.forget();
                Ok(())
            }
            Effect::Save => {
                self.work.save(self.app.desk().fleet.clone());
                Ok(())
            }
            Effect::Scan(hosts) => {
                let sessions = Arc::clone(&self.deck.sessions);
                let fleet = &self.app.desk().fleet;
                // What others read, they tell again with each scan.
                let is_ours = |it: &HostName| inventory.host(it.as_str()).is_some();
                let hosts: Vec<_> = hosts.into_iter().filter(is_ours).collect();
                let inventory = Arc::clone(&inventory);
                self.scan =
                    Some(Scan::start(inventory, sessions, fleet, hosts.clone(), self.deck.clock));
                self.tell(Msg::ScanBegan(hosts)).await
            }
            Effect::StopScan => {
                self.scan = None;
                self.began.clear();
                self.tell(Msg::ScanEnded).await
            }
            Effect::Suspend => self.suspend().await,
        }
    }
}

/// The next of a scan, or nothing for ever while there is none.
async fn next(scan: &mut Option<Scan>) -> Option<Progress> {
    match scan {
        Some(scan) => scan.next().await,
        None => std::future::pending().await,
    }
}

/// Resident memory of this process in KiB; 0 where it is not known.
fn resident() -> u64 {
    let pages = read_text(Path::new("/proc/self/statm"))
        .ok()
        .and_then(|it| it.split_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * (rustix::param::page_size() as u64 / 1024)
}

/// Thirty frames a second: more than anybody sees, few enough for a slow line.
const FRAME: Duration = Duration::from_millis(33);
/// How often what counts seconds is drawn.
const SECOND: Duration = Duration::from_secs(1);
/// How often the fleet is judged while data comes in.
const JUDGING: Duration = Duration::from_millis(100);
/// After how long without any event ages and verdicts are brought up to date.
const QUIET: Duration = Duration::from_secs(60);
/// How much of a scan is taken in before keys are looked at again.
const BATCH: usize = 64;
