//! What follows from a plan that ended well: deliveries that were confirmed with it, planned from
//! what its run saw last.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Ending, Report, Tools};
use crate::action::{Find, Plan};
use crate::budget::History;
use crate::fleet::{Fleet, Visit};
use crate::inventory::Inventory;
use crate::text::SafeText;

/// What a run has seen of hosts, and how long its list is.
pub(super) struct Onward {
    seen: Mutex<Fleet>,
    next: AtomicUsize,
}

impl Onward {
    /// For a run of so many plans.
    pub(super) fn after(count: usize, inventory: &Inventory) -> Self {
        Self { seen: Mutex::new(inventory.fleet()), next: AtomicUsize::new(count) }
    }

    /// Takes in how a host looks.
    pub(super) fn see(&self, visit: &Visit) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).apply(visit.clone());
    }

    /// The next place in the list.
    pub(super) fn place(&self) -> usize {
        self.next.fetch_add(1, Ordering::AcqRel)
    }

    /// The plans that follow. What cannot be done is told as part of the state that things are in.
    pub(super) fn following(&self, plan: &Plan, report: &mut Report, tools: &Tools) -> Vec<Plan> {
        // What one store holds has nothing to do with another.
        let goes_on = report.ending == Ending::Ok || plan.delivers.is_some();
        if !goes_on || plan.then.is_empty() || report.op.is_none() {
            return Vec::new();
        }
        let fleet = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let find = Find {
            inventory: &tools.inventory,
            fleet: &fleet,
            // A delivery costs nothing at a CA.
            history: &History::default(),
            now: tools.clock.now(),
        };
        let mut following = Vec::new();
        for delivery in &plan.then {
            match plan.onward(delivery, find) {
                Ok(plan) => following.push(plan),
                Err(why) => {
                    let hint = why.hint.map(|it| format!(" ({it})")).unwrap_or_default();
                    let text = format!("not delivered to {}: {}{hint}", delivery.store, why.text);
                    report.state.push(SafeText::new(&text));
                }
            }
        }
        following
    }
}

/// What somebody types who wants a delivery to be tried again, if the plan is one.
pub(super) fn again(plan: &Plan) -> Option<SafeText> {
    let command = plan.delivery_command()?;
    Some(SafeText::new(&format!("to deliver it again: {command}")))
}
