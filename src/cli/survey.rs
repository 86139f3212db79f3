//! One look at the fleet from the command line: inventory, snapshot, visits, and the line that
//! tells how far they are.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Context, Exit, Failure, log, open, runtime};
use crate::acme::ledger::Ledger;
use crate::acme::{Office, window};
use crate::audit;
use crate::budget::History;
use crate::diagnose::Diagnosis;
use crate::filter::Filter;
use crate::fleet::{Fleet, HostName, Moment, human};
use crate::inventory::Inventory;
use crate::perform::{Noted, Past};
use crate::remote::{Sessions, Settings};
use crate::scan::{Progress, Scan};
use crate::secret_store;
use crate::store::Store;
use crate::text::SafeText;

/// Reads a filter from the words of a command line.
pub(super) fn filter(words: &[String], context: &Context) -> Result<Filter, Failure> {
    let text = words.join(" ");
    Filter::parse(&text).map_err(|complaint| {
        let drawn = complaint.render("filter", &text, context.is_colored);
        Failure::Complaints(format!("{drawn}\n"))
    })
}

/// Nothing that is known is meant by a word.
pub(super) fn nothing(word: &str, inventory: &Inventory) -> Failure {
    let text = format!("nothing matches `{}`", SafeText::new(word));
    let failure = Failure::say(Exit::BadRequest, text)
        .with_hint("`certdeck scan` lists hosts and lineages; a target is HOST/LINEAGE");
    if inventory.fleets.is_empty() {
        return failure;
    }
    failure.with_hint("a host that only a [[fleet]] tells of needs a [[host]] to be acted on")
}

/// What is known after a look.
pub(super) struct Survey {
    /// What was told.
    pub(super) inventory: Arc<Inventory>,
    /// What is known.
    pub(super) fleet: Fleet,
    /// The hosts that were looked at.
    pub(super) visited: Vec<HostName>,
}

/// Visits the hosts that the filter may keep. What the last snapshot knows of the others stays.
pub(super) fn survey(context: &Context, filter: &Filter) -> Result<Survey, Failure> {
    let inventory = Arc::new(open::inventory(context)?);
    let mut fleet = inventory.fleet();
    let store = Store::new(&context.paths.state);
    // A snapshot that cannot be used costs nothing but the memory of hosts that are down.
    store.recall(&mut fleet).ok();
    let visited: Vec<_> =
        fleet.hosts().filter(|it| filter.may_keep(it)).map(|it| it.name.clone()).collect();
    runtime()?.block_on(async {
        visit(context, Arc::clone(&inventory), &mut fleet, visited.clone()).await?;
        say(&learn(context, &inventory, &mut fleet).await);
        Ok::<_, Failure>(())
    })?;
    if let Err(error) = store.save(&fleet) {
        let error = anyhow::Error::new(error);
        note(&format!("warning: {error:#}; the console will not remember this scan\n"));
    }
    Ok(Survey { inventory, fleet, visited })
}

/// Marks the findings that somebody knows of.
pub(super) fn acknowledge(context: &Context, diagnosis: &mut Diagnosis, now: Moment) {
    match Store::new(&context.paths.state).acks() {
        Ok(acks) => diagnosis.acknowledge(&acks, now),
        Err(error) => {
            let error = anyhow::Error::new(error);
            note(&format!("warning: {error:#}; nothing is shown as acknowledged\n"));
        }
    }
}

/// Asks CAs when they want certificates to be renewed, of which that is due to be asked, and stores
/// of secrets what they hold. Why which store could not be asked is for whoever is there.
pub(super) async fn learn(
    context: &Context,
    inventory: &Inventory,
    fleet: &mut Fleet,
) -> Vec<SafeText> {
    let office = Office::new(&context.paths.state, context.clock);
    let (windows, seen) = tokio::join!(
        window::refresh(&office, inventory, fleet, PATIENCE),
        secret_store::survey(inventory, fleet, context.clock, PATIENCE),
    );
    fleet.learn(windows);
    for (host, place, stored) in seen.places {
        fleet.learn_stored(&host, &place, stored);
    }
    seen.silent
}

/// Tells what is not known.
pub(super) fn say(silent: &[SafeText]) {
    for why in silent {
        note(&format!("warning: {why}\n"));
    }
}

/// What is known to have happened at CAs: what the fleet shows, and what was noted here.
pub(super) fn history(context: &Context, inventory: &Inventory, fleet: &Fleet) -> History {
    let office = Office::new(&context.paths.state, context.clock);
    let now = context.clock.now();
    let kept = Ledger::of(&office).events(now).unwrap_or_else(|error| {
        note(&format!("warning: {error}; what was ordered from here is not counted\n"));
        Vec::new()
    });
    let mut past = Past::default();
    let read = audit::read::scan(&context.paths.state, &mut |it| past.add(&it));
    if let Err(error) = read {
        note(&format!("warning: {error}; what was tried before is not known\n"));
    }
    let Noted { mut events, tries } = past.told();
    events.extend(kept);
    History::new(fleet, &inventory.order_limits(), events, now).with_tries(tries)
}

/// The way to the hosts, on which so many sessions stay open after their visits.
pub(super) fn sessions(context: &Context, keep_warm: usize) -> Result<Arc<Sessions>, Failure> {
    log::start(context);
    let settings = Settings {
        runtime_dir: context.paths.runtime.clone(),
        ssh_config: context.paths.ssh_config.clone(),
        keep_warm,
        variables: context.environment.variables.clone(),
    };
    Sessions::open(settings).map_err(|it| Failure::new(Exit::Unknown, it))
}

pub(super) async fn visit(
    context: &Context,
    inventory: Arc<Inventory>,
    fleet: &mut Fleet,
    hosts: Vec<HostName>,
) -> Result<(), Failure> {
    // Before there is anything that a signal could leave behind.
    let mut signals = Signals::catch()?;
    // Nothing comes back to a session after the one visit.
    let sessions = sessions(context, 0)?;
    let looked = look(context, &inventory, &sessions, fleet, hosts, &mut signals).await;
    sessions.close().await;
    looked
}

/// Visits these hosts on a way that is open, unless a signal comes.
pub(super) async fn look(
    context: &Context,
    inventory: &Arc<Inventory>,
    sessions: &Arc<Sessions>,
    fleet: &mut Fleet,
    hosts: Vec<HostName>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let mut line = Line::new(hosts.len());
    let mut scan = Scan::start(inventory.clone(), sessions.clone(), fleet, hosts, context.clock);
    let ended = tokio::select! {
        number = signals.next() => Some(number),
        () = take_in(&mut scan, fleet, &mut line) => None,
    };
    drop(scan);
    line.clear();
    match ended {
        None => Ok(()),
        Some(number) => Err(Failure::say(
            Exit::Code(128 + number),
            format!("stopped after {} of {} hosts", line.done, line.total),
        )),
    }
}

async fn take_in(scan: &mut Scan, fleet: &mut Fleet, line: &mut Line) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            progress = scan.next() => match progress {
                None => return,
                Some(Progress::Began(host)) => line.began(host),
                Some(Progress::Ended(visit)) => {
                    line.ended(&visit.host);
                    fleet.apply(visit);
                }
                Some(Progress::Gathered((by, told))) => match told {
                    Ok(hosts) => fleet.tell(&by, hosts),
                    Err(error) => {
                        line.clear();
                        note(&format!("warning: {error}\n"));
                    }
                },
            },
            _ = tick.tick() => line.draw(),
        }
    }
}

/// The signals that ask to stop.
pub(super) struct Signals {
    interrupt: Signal,
    hangup: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn catch() -> Result<Self, Failure> {
        let catch = |kind| signal(kind).context("cannot catch signals");
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            hangup: catch(SignalKind::hangup())?,
            terminate: catch(SignalKind::terminate())?,
        })
    }

    /// Waits for one, and tells its number.
    pub(super) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.hangup.recv() => 1,
            _ = self.terminate.recv() => 15,
        }
    }
}

/// How far a scan is, on one line of stderr if that is a terminal.
struct Line {
    done: usize,
    total: usize,
    running: BTreeSet<HostName>,
    since: Instant,
    is_shown: bool,
    drawn: String,
}

impl Line {
    fn new(total: usize) -> Self {
        Self {
            done: 0,
            total,
            running: BTreeSet::new(),
            since: Instant::now(),
            is_shown: io::stderr().is_terminal(),
            drawn: String::new(),
        }
    }

    fn began(&mut self, host: HostName) {
        self.running.insert(host);
    }

    fn ended(&mut self, host: &HostName) {
        self.running.remove(host);
        self.done += 1;
    }

    /// Writes only what changed: the line to the operator may be slow.
    fn draw(&mut self) {
        let text = self.text(self.since.elapsed());
        if self.is_shown && text != self.drawn {
            note(&format!("\r{text}\x1b[K"));
            self.drawn = text;
        }
    }

    fn clear(&self) {
        if self.is_shown {
            note("\r\x1b[K");
        }
    }

    /// The line itself, narrow enough for 80 columns.
    fn text(&self, elapsed: Duration) -> String {
        let elapsed = human(i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX));
        let mut text = format!("{} of {} hosts, {elapsed}", self.done, self.total);
        if (1..=FEW).contains(&self.running.len()) {
            let names: Vec<&str> = self.running.iter().map(HostName::as_str).collect();
            text.push_str(", waiting for ");
            text.push_str(&names.join(", "));
        }
        text.chars().take(79).collect()
    }
}

/// Writes to stderr; if it is closed, nobody is there to be told.
pub(super) fn note(text: &str) {
    io::stderr().write_all(text.as_bytes()).ok();
}

/// How long CAs may take to tell when they want certificates to be renewed, and stores what they
/// hold. CAs are asked a few times a day, and mostly there is nothing to ask.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many hosts are named while they are waited for.
const FEW: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hosts_are_named() {
        let mut line = Line::new(20);
        for name in ["web-1", "web-2", "web-3", "web-4"] {
            line.running.insert(HostName::new(name));
        }
        line.done = 16;
        assert_eq!(line.text(Duration::from_secs(3)), "16 of 20 hosts, 3s");
        line.ended(&HostName::new("web-2"));
        assert_eq!(
            line.text(Duration::from_secs(75)),
            "17 of 20 hosts, 1m, waiting for web-1, web-3, web-4"
        );
    }

    #[test]
    fn the_line_never_wraps() {
        let mut line = Line::new(1);
        line.running.insert(HostName::new(&"x".repeat(300)));
        assert_eq!(line.text(Duration::ZERO).chars().count(), 79);
    }
}
