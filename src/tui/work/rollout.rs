//! Roll-outs, beside the loop: gone on with, paused, and read.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use uuid::Uuid;

use super::{Done, Work};
use crate::action::Confirmed;
use crate::audit;
use crate::audit::read::Record;
use crate::inventory::Inventory;
use crate::perform::{self, Run, Tools};
use crate::rollout::{Paused, Rollout};
use crate::store::{Kept, Rollouts};
use crate::text::SafeText;
use crate::tui::jobs::RunId;
use crate::tui::msg::Msg;
use crate::tui::rollouts::Times;

impl Work {
    /// Goes on with a roll-out as it was confirmed, if nobody else is at it.
    pub(in crate::tui) fn resume(
        &mut self,
        (id, rollout): (RunId, Uuid),
        confirmed: Confirmed,
        inventory: &Arc<Inventory>,
    ) {
        let Some(tools) = self.tools(inventory) else { return self.tell(Msg::RunEnded(id)) };
        let to_told = self.to_told.clone();
        self.tasks.spawn(async move {
            let (beside, who) = (tools.clone(), tools.who.clone());
            let take = move || beside.rollouts.take(rollout, &who, beside.clock.now(), false);
            let (kept, held) = match spawn_blocking(take).await {
                Ok(Ok(taken)) => taken,
                Ok(Err(why)) => return Done::NotBegun(id, SafeText::of_error(&why)),
                Err(why) => return Done::NotBegun(id, SafeText::of_error(&why)),
            };
            // Nobody listens any more only while the console is being closed.
            let tell = |text| drop(to_told.send(Done::Tell(Msg::Held(id, text))));
            if let Err(it) = settle(&tools, &kept.run, tell).await {
                return Done::NotBegun(id, SafeText::of_error(&it));
            }
            Done::Begun(id, Run::resume(tools, confirmed, held))
        });
    }

    /// Lets what remains of a roll-out wait, or go on, wherever somebody is at it.
    pub(in crate::tui) fn pause(&mut self, rollout: Uuid, is_wanted: bool) {
        let rollouts = Rollouts::new(&self.state_dir);
        let paused = Paused { who: SafeText::new(&self.who), since: self.clock.now() };
        self.tasks.spawn_blocking(move || {
            let pause = |it: &mut Rollout| it.paused = is_wanted.then_some(paused);
            let text = match rollouts.change(rollout, pause) {
                Ok(kept) if is_wanted => {
                    format!("what runs ends, and nothing more begins: {}", kept.run.tally())
                }
                Ok(kept) => format!("it goes on: {}", kept.run.tally()),
                Err(why) => SafeText::of_error(&why).to_string(),
            };
            Done::Paused(SafeText::new(&text))
        });
    }
}

/// Waits until what was begun of a roll-out has its end: nothing more of it begins before. What
/// cannot be asked now is not waited for.
async fn settle(
    tools: &Tools,
    rollout: &Rollout,
    tell: impl Fn(SafeText),
) -> Result<(), audit::Error> {
    let hosts: Vec<_> = rollout.targets.iter().map(|it| it.host.clone()).collect();
    loop {
        let open = perform::reconcile(tools, Some(&hosts)).await?;
        let running: Vec<_> = open.iter().filter(|it| it.is_running).collect();
        let Some(first) = running.first() else { return Ok(()) };
        let more = match running.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        tell(SafeText::new(&format!("waits for what still runs: {}{more}", first.text)));
        sleep(SETTLING).await;
    }
}

/// Roll-outs that nobody has closed, and what the audit log says of them while it is read.
pub(super) struct Open {
    all: Vec<Kept<Rollout>>,
    records: Vec<Record>,
}

impl Open {
    pub(super) fn read(state_dir: &Path) -> Self {
        let mut all = Rollouts::new(state_dir).all();
        all.retain(|it| it.run.ended.is_none());
        Self { all, records: Vec::new() }
    }

    /// Takes in the next record of the log, the oldest first.
    pub(super) fn add(&mut self, record: &Record) {
        if !self.all.is_empty() && (record.kind == "intent" || record.is_end()) {
            self.records.push(record.clone());
        }
    }

    /// The roll-outs as the log has them; one that is not as it was written says nothing.
    pub(super) fn told(mut self, is_good: bool) -> Msg {
        let records = if is_good { &self.records[..] } else { &[] };
        for it in &mut self.all {
            perform::learn(&mut it.run, records);
        }
        Msg::RolloutsRead(self.all, times(&self.records))
    }
}

fn times(records: &[Record]) -> Times {
    let mut times = Times::new();
    for it in records {
        match times.get_mut(&it.op) {
            Some((_, end)) => *end = Some(it.at),
            None if it.kind == "intent" => drop(times.insert(it.op, (it.at, None))),
            None => {}
        }
    }
    times
}

/// So often it is looked whether what runs has ended.
const SETTLING: Duration = Duration::from_secs(2);
