//! Roll-outs, beside the loop: gone on with, paused, and read.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::{Done, Work};
use crate::action::Confirmed;
use crate::audit::read::Record;
use crate::inventory::Inventory;
use crate::perform::{self, Run};
use crate::rollout::{Paused, Rollout};
use crate::store::{Kept, Rollouts};
use crate::text::SafeText;
use crate::tui::jobs::RunId;
use crate::tui::msg::Msg;

impl Work {
    /// Goes on with a roll-out as it was confirmed, if nobody else is at it.
    pub(in crate::tui) fn resume(
        &mut self,
        (id, rollout): (RunId, Uuid),
        confirmed: Confirmed,
        inventory: &Arc<Inventory>,
    ) {
        let Some(tools) = self.tools(inventory) else { return self.tell(Msg::RunEnded(id)) };
        self.tasks.spawn_blocking(move || {
            match tools.rollouts.take(rollout, &tools.who, tools.clock.now(), false) {
                Ok((_, held)) => Done::Begun(id, Run::resume(tools, confirmed, held)),
                Err(why) => Done::NotBegun(id, SafeText::of_error(&why)),
            }
        });
    }

    /// Lets what remains of a roll-out wait, or go on, wherever somebody is at it.
    pub(in crate::tui) fn pause(&mut self, rollout: Uuid, is_wanted: bool) {
        let rollouts = Rollouts::new(&self.state_dir);
        let paused = Paused { who: SafeText::new(&self.who), since: self.clock.now() };
        self.tasks.spawn_blocking(move || {
            let text = match rollouts.change(rollout, |it| it.paused = is_wanted.then_some(paused))
            {
                Ok(kept) if is_wanted => {
                    format!("what runs ends, and nothing more begins: {}", kept.run.tally())
                }
                Ok(kept) => format!("it goes on: {}", kept.run.tally()),
                Err(why) => SafeText::of_error(&why).to_string(),
            };
            Done::Tell(Msg::Told(SafeText::new(&text)))
        });
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
        Msg::RolloutsRead(self.all)
    }
}
