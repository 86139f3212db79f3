//! Hosts in, visits out, as they end: concurrency and deadlines, nothing else.
//!
//! # Deadlines
//!
//! A scan should end with the deadline of the hosts that begin first, however many are down or
//! slow. So a visit has until `scan-timeout` after the scan began; one that begins late has
//! half its `scan-timeout` all the same, and longer where visits take long here. A host is
//! never given up because this machine is busy, nor one that needs some seconds to answer.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use crate::clock::Clock;
use crate::fleet::{
    self, Fleet, HostName, Outcome, Probe, Reach, Seen, Unreached, Vantage, Visit, Why,
};
use crate::gather::{Gathered, gather};
use crate::inventory::{self, Inventory};
use crate::remote::{Limits, Sessions};
use crate::source::{self, Incomplete, Nonce, Reading};
use crate::text::SafeText;
use crate::wire;

/// What a running scan tells, as it happens.
#[derive(Debug)]
pub enum Progress {
    /// A visit began.
    Began(HostName),
    /// A visit ended.
    Ended(Visit),
    /// Somebody told of a fleet that is read elsewhere, or could not be asked.
    Gathered(Gathered),
}

/// A scan under way. Dropping it stops it.
#[derive(Debug)]
pub struct Scan {
    progress: mpsc::UnboundedReceiver<Progress>,
    /// Owns the visits: they end with this value.
    _visits: JoinSet<()>,
}

impl Scan {
    /// Starts to visit these hosts of the inventory, each once. `known` is what the fleet knows
    /// of them now. Needs a tokio runtime around it.
    #[expect(clippy::needless_pass_by_value, reason = "each visit keeps a share of it")]
    pub fn start(
        inventory: Arc<Inventory>,
        sessions: Arc<Sessions>,
        known: &Fleet,
        hosts: Vec<HostName>,
        clock: Clock,
    ) -> Self {
        sessions.limit_jumps(inventory.defaults.jump_concurrency);
        let (tell, progress) = mpsc::unbounded_channel();
        let concurrency = inventory.defaults.concurrency.max(1);
        let room = Arc::new(Room {
            busy: Semaphore::new(concurrency),
            all: Semaphore::new(concurrency.saturating_mul(SLOW_FOR_ONE)),
            pace: Pace::new(),
            begin: Instant::now(),
            sessions,
            clock,
        });
        let mut wanted: HashSet<HostName> = hosts.into_iter().collect();
        let chosen = (0..).zip(&inventory.hosts).filter(|(_, it)| wanted.remove(&it.name));
        let (down, up): (Vec<_>, Vec<_>) = chosen
            .map(|(at, host)| {
                let new = || fleet::Host::new(host.name.clone(), &host.address, &host.groups);
                (at, known.shared(&host.name).unwrap_or_else(|| Arc::new(new())))
            })
            .partition(|(_, known)| matches!(known.reach, Reach::Down(_)));
        let mut visits = JoinSet::new();
        for (at, known) in in_turn(down, up) {
            let (inventory, room, tell) = (Arc::clone(&inventory), Arc::clone(&room), tell.clone());
            visits.spawn(async move {
                if let Some(host) = inventory.hosts.get(at) {
                    room.visit(host, known, &tell).await;
                }
            });
        }
        for fleet in inventory.fleets.clone() {
            let (inventory, tell) = (Arc::clone(&inventory), tell.clone());
            visits.spawn(async move {
                let gathered = gather(inventory, fleet).await;
                // Nobody listens any more only when the scan is being dropped.
                tell.send(Progress::Gathered(gathered)).ok();
            });
        }
        Self { progress, _visits: visits }
    }

    /// What happened next; `None` once every visit has ended. Nothing is lost when the future
    /// is dropped.
    pub async fn next(&mut self) -> Option<Progress> {
        self.progress.recv().await
    }
}

/// One of these and one of those. A scan ends when the last deadline does, so hosts that may not
/// answer again begin early, and never take more than every second turn from the others.
fn in_turn<T>(these: Vec<T>, those: Vec<T>) -> Vec<T> {
    let (mut these, mut those) = (these.into_iter(), those.into_iter());
    let mut all = Vec::new();
    loop {
        let two = [these.next(), those.next()];
        if two.iter().all(Option::is_none) {
            return all;
        }
        all.extend(two.into_iter().flatten());
    }
}

/// What the visits of a scan share.
#[derive(Debug)]
struct Room {
    /// Visits that make work here.
    busy: Semaphore,
    /// These, and those that only wait for a slow host.
    all: Semaphore,
    pace: Pace,
    begin: Instant,
    sessions: Arc<Sessions>,
    clock: Clock,
}

/// How long visits take here and now. A visit that takes much longer waits for its host; if all
/// of them take long, this machine is busy, and more at once would only make it worse.
#[derive(Debug)]
struct Pace(AtomicU64);

impl Pace {
    fn new() -> Self {
        Self(AtomicU64::new(FIRST_GUESS))
    }

    /// Takes in how long a visit took, as one of the last few that make the average. One that
    /// is not over yet weighs less: it may wait for its host, or for this machine.
    fn learn(&self, time: Duration, few: u64) {
        let new = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let old = self.0.load(Ordering::Relaxed);
        let mean = old.saturating_mul(few - 1).saturating_add(new) / few;
        // A visit that is lost to a race between two does not matter to an average.
        self.0.store(mean, Ordering::Relaxed);
    }

    /// How long a visit counts as work.
    fn patience(&self) -> Duration {
        let usual = Duration::from_millis(self.0.load(Ordering::Relaxed));
        (usual * SLOW).max(LEAST_PATIENCE)
    }
}

impl Room {
    async fn visit(
        &self,
        host: &inventory::Host,
        known: Arc<fleet::Host>,
        tell: &mpsc::UnboundedSender<Progress>,
    ) {
        let _in = self.all.acquire().await;
        let turn = self.busy.acquire().await;
        // Nobody listens any more only when the scan is being dropped.
        tell.send(Progress::Began(host.name.clone())).ok();
        let begin = Instant::now();
        let left = host.scan_timeout.saturating_sub(self.begin.elapsed());
        let time = deadline(host, left, self.pace.patience());
        let mut asking = pin!(visit_within(time, &self.sessions, host, known, self.clock));
        let visit = loop {
            // Looked at again each time, because others have ended meanwhile.
            let until = begin + self.pace.patience();
            if let Ok(visit) = timeout_at(until, &mut asking).await {
                break visit;
            }
            if begin.elapsed() >= self.pace.patience() {
                // A host that is down or slow must not keep the others waiting for its deadline.
                self.pace.learn(begin.elapsed(), 16);
                drop(turn);
                break asking.await;
            }
        };
        if matches!(visit.outcome, Outcome::Seen(_)) {
            self.pace.learn(begin.elapsed(), 8);
        }
        tell.send(Progress::Ended(visit)).ok();
    }
}

/// Visits one host now. `known` is the last known state of it.
pub async fn visit(
    sessions: &Sessions,
    host: &inventory::Host,
    known: impl Into<Arc<fleet::Host>>,
    clock: Clock,
) -> Visit {
    visit_within(host.scan_timeout, sessions, host, known.into(), clock).await
}

async fn visit_within(
    time: Duration,
    sessions: &Sessions,
    host: &inventory::Host,
    known: Arc<fleet::Host>,
    clock: Clock,
) -> Visit {
    let until = Instant::now() + time;
    let (inside, outside) = tokio::join!(
        ask(time, sessions, host, Arc::clone(&known), clock),
        wire::from_here(host, Arc::clone(&known), clock.now(), until),
    );
    let (outcome, inside) = match inside {
        Ok((seen, probes)) => (Outcome::Seen(Box::new(seen)), probes),
        Err(why) => {
            // What was seen on the host before still counts, as all that was read there does.
            let of_host = known.probes.iter().filter(|it| it.vantage == Vantage::Loopback);
            (Outcome::Unreached(why), of_host.cloned().collect())
        }
    };
    let probes = Some([inside, outside].concat());
    Visit { host: host.name.clone(), at: clock.now(), outcome, probes }
}

/// Reads a host, and looks at what is served there.
async fn ask(
    time: Duration,
    sessions: &Sessions,
    host: &inventory::Host,
    known: Arc<fleet::Host>,
    clock: Clock,
) -> Result<(Seen, Vec<Probe>), Unreached> {
    let begin = Instant::now();
    let nonce = Nonce::new(uuid::Uuid::new_v4().into_bytes());
    let script = source::ask_all(&host.sources, &known, &nonce);
    let limits = Limits { time, cap: ANSWER_CAP };
    let visiting = sessions.visit_open(host, &script, limits).await;
    let (answer, open) = visiting.map_err(|it| it.unreached(host))?;
    let now = clock.now();
    let took = i64::try_from(answer.took.as_secs()).unwrap_or(i64::MAX);
    let asked = now.plus(-took);
    let (sources, roots) = (host.sources.clone(), Arc::clone(&host.roots));
    // Thousands of certificates take longer to read than a screen may stand still.
    let before = Arc::clone(&known);
    let reading = spawn_blocking(move || {
        let reading = Reading { known: &before, roots: &roots, now };
        source::read_answer(&sources, &answer.bytes, &nonce, asked, &reading)
    });
    let seen = match reading.await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(incomplete)) => Err(unread(incomplete)),
        Err(_) => Err(unreached(Why::Other, "the answer could not be read")),
    };
    let seen = match seen {
        Ok(seen) => seen,
        Err(why) => {
            sessions.keep(open).await;
            return Err(why);
        }
    };
    let until = (begin + time).max(Instant::now() + LEAST_LOOK);
    let probes = wire::on_host(&open, host, &known, &seen, now, until).await;
    sessions.keep(open).await;
    Ok((seen, probes))
}

/// How long a visit may take of which so much is left if the scan is to end in time, on a machine
/// where a visit counts as work for `patience`.
fn deadline(host: &inventory::Host, left: Duration, patience: Duration) -> Duration {
    // ssh has words of its own for a host that cannot be connected to.
    let least = (host.scan_timeout / 2).max(host.connect_timeout + FOR_WORDS);
    // People read it if it passes.
    let seconds = left.max(least).max(patience).as_secs_f64().ceil();
    Duration::from_secs_f64(seconds).min(host.scan_timeout)
}

fn unread(incomplete: Incomplete) -> Unreached {
    let why = match incomplete {
        Incomplete::NeverOpened => Why::NoShell,
        Incomplete::CutShort => Why::CutShort,
    };
    unreached(why, &incomplete.to_string())
}

fn unreached(why: Why, text: &str) -> Unreached {
    Unreached { why, text: SafeText::new(text), hint: None }
}

/// How much of an answer is read: what a host with some thousand certificates has to say. With
/// the default concurrency, no more than a quarter of a gigabyte can be under way at once.
const ANSWER_CAP: usize = 8 * 1024 * 1024;

/// How long a visit counts as work at the least; most are over long before.
const LEAST_PATIENCE: Duration = Duration::from_secs(2);

/// How much time is left for a look at what is served, however long the reading took.
const LEAST_LOOK: Duration = Duration::from_secs(3);

/// How much longer than connecting a visit may take at the least.
const FOR_WORDS: Duration = Duration::from_secs(1);

/// How many times as long as the others a visit takes that waits for its host.
const SLOW: u32 = 4;

/// How many visits may be under way for each that works: a tenth of a fleet may be down and
/// the rest is still read in the time that it takes.
const SLOW_FOR_ONE: usize = 4;

/// What a visit takes, in milliseconds, before any has ended.
const FIRST_GUESS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_were_down_begin_early_and_leave_room() {
        assert_eq!(in_turn(vec![5, 6], vec![1, 2, 3]), [5, 1, 6, 2, 3]);
        assert_eq!(in_turn(vec![], vec![1, 2]), [1, 2]);
    }

    #[test]
    fn late_visits_are_shorter_and_never_hasty() {
        let text = "[[host]]\nname = 'a'\nconnect-timeout = '5s'\nscan-timeout = '20s'\n";
        let (inventory, _) = inventory::read(text);
        let host = inventory.hosts.first().unwrap();
        let check = |left, patience, expect| {
            let [left, patience, expect] = [left, patience, expect].map(Duration::from_secs);
            assert_eq!(deadline(host, left, patience), expect);
        };
        check(20, 2, 20);
        check(15, 2, 15);
        check(0, 2, 10);
        check(0, 14, 14);
        check(0, 50, 20);
        let patient = inventory::Host { connect_timeout: Duration::from_secs(15), ..host.clone() };
        assert_eq!(deadline(&patient, Duration::ZERO, Duration::ZERO).as_secs(), 16);
    }

    #[test]
    fn patience_follows_the_pace_of_the_machine() {
        let pace = Pace::new();
        assert_eq!(pace.patience(), LEAST_PATIENCE);
        (0..40).for_each(|_| pace.learn(Duration::from_millis(200), 8));
        assert_eq!(pace.patience(), LEAST_PATIENCE);
        (0..40).for_each(|_| pace.learn(Duration::from_secs(3), 8));
        assert!(pace.patience() > Duration::from_secs(10));
    }
}
