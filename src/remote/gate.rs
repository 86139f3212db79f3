//! Turns: sshd refuses connections beyond its `MaxStartups`, so not everybody may knock at the
//! same door at once.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::lock;
use super::route::Route;

/// How often a connection that was dropped without a word is tried again.
pub(super) const TRIES: u32 = 5;

/// How long a connection in the making keeps others waiting. After that it is not the number of
/// connections that is in the way: the host is slow or silent, and the turn is passed on.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many names may lead to one sshd at once: `MaxStartups` drops from the tenth connection on
/// (`sshd_config(5)`); two are left for people.
const SAME_DOOR: usize = 8;

/// A gate that has been narrowed as far as this stays so.
const NARROWEST: usize = 2;

/// One gate for every sshd that is connected to.
#[derive(Debug, Default)]
pub(super) struct Gates(Mutex<HashMap<String, Arc<Gate>>>);

#[derive(Debug)]
struct Gate {
    turns: Arc<Semaphore>,
    width: AtomicUsize,
}

/// The right to make a connection now.
#[derive(Debug)]
pub(super) struct Turn(Vec<(Arc<Gate>, OwnedSemaphorePermit)>);

impl Gates {
    /// Waits for a turn at the first door of the way and at the last.
    pub(super) async fn enter(&self, route: &Route, jumps_at_once: usize) -> Turn {
        let mut turn = Turn(Vec::new());
        // Always the near door first, so that no two wait for each other.
        if let Some(door) = route.first_jump_door() {
            turn.add(self.gate(door, jumps_at_once)).await;
        }
        turn.add(self.gate(route.door(), SAME_DOOR)).await;
        turn
    }

    fn gate(&self, door: String, at_once: usize) -> Arc<Gate> {
        let mut gates = lock(&self.0);
        let gate = gates.entry(door).or_insert_with(|| {
            let turns = Arc::new(Semaphore::new(at_once));
            Arc::new(Gate { turns, width: AtomicUsize::new(at_once) })
        });
        Arc::clone(gate)
    }
}

impl Turn {
    async fn add(&mut self, gate: Arc<Gate>) {
        // Fails only for a closed semaphore, and nothing closes these.
        if let Ok(permit) = Arc::clone(&gate.turns).acquire_owned().await {
            self.0.push((gate, permit));
        }
    }

    /// Does something in this turn; passes the turn on when it takes too long.
    pub(super) async fn beside<T>(&mut self, doing: impl Future<Output = T>) -> T {
        let mut doing = pin!(doing);
        if let Ok(done) = timeout(PATIENCE, &mut doing).await {
            return done;
        }
        self.0.clear();
        doing.await
    }

    /// Gives the turn back, and takes one out of the first gate for good: the door has shown
    /// that fewer may knock at once.
    pub(super) fn narrow(&mut self) {
        for (at, (gate, permit)) in self.0.drain(..).enumerate() {
            let narrower = |it: usize| (it > NARROWEST).then(|| it - 1);
            let relaxed = Ordering::Relaxed;
            if at == 0 && gate.width.fetch_update(relaxed, relaxed, narrower).is_ok() {
                permit.forget();
            }
        }
    }
}

/// Waits before the next try: longer each time, and not as long as the others.
pub(super) async fn wait_out(tries: u32) {
    let [.., jitter] = uuid::Uuid::now_v7().into_bytes();
    sleep(Duration::from_millis((150 << tries) + 2 * u64::from(jitter))).await;
}
