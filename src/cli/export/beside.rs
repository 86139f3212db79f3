//! What this machine knows beside the fleet: how its own attempts to renew ended, and what the
//! CAs still allow.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::audit::read::{self, Record};
use crate::budget::{Ca, History};
use crate::explain;
use crate::fleet::{HostName, Moment};
use crate::inventory::{Inventory, Issuer};
use crate::report::prometheus::{Attempt, Room};
use crate::text::SafeText;

/// How the attempts of this program to renew ended, the last of each place, as far as the audit
/// log tells; of a log that is damaged, what stands before that.
pub(super) fn attempts(state: &Path) -> Vec<Attempt> {
    let mut told = Told::default();
    read::scan(state, &mut |record| told.take_in(&record)).ok();
    told.last.into_values().collect()
}

#[derive(Default)]
struct Told {
    /// What has begun, by its identity.
    begun: HashMap<uuid::Uuid, (HostName, SafeText)>,
    last: BTreeMap<(HostName, SafeText), Attempt>,
}

impl Told {
    fn take_in(&mut self, record: &Record) {
        if record.kind == "intent" {
            let is_one = record.text("action").is_some_and(|it| ACTIONS.contains(&it));
            let at = record.text("host").zip(record.text("lineage")).filter(|_| is_one);
            if let Some((host, place)) = at {
                self.begun.insert(record.op, (HostName::new(host), SafeText::new(place)));
            }
            return;
        }
        if !record.is_end() {
            return;
        }
        let Some((host, place)) = self.begun.remove(&record.op) else { return };
        let failure = match record.text("ending") {
            Some("ok") => None,
            Some("failed") => Some(record.text("cause").and_then(explain::named).unwrap_or(OTHER)),
            // Refused, stopped, or not known: that says nothing of the next one.
            _ => return,
        };
        let attempt = Attempt { host: host.clone(), place: place.clone(), at: record.at, failure };
        self.last.insert((host, place), attempt);
    }
}

/// How many orders the CAs of the inventory still take of our accounts.
pub(super) fn rooms(history: &History, inventory: &Inventory, now: Moment) -> Vec<Room> {
    let room = |issuer: &Issuer| {
        let limit = issuer.orders(false)?;
        let left = history.orders_left(&Ca::of_directory(&issuer.directory), now)?;
        let issuer = SafeText::new(&issuer.name);
        Some(Room { issuer, limit: "orders", left, size: limit.burst })
    };
    inventory.issuers.iter().filter_map(room).collect()
}

/// The actions that try whether a renewal works.
const ACTIONS: &[&str] = &["dry-run", "force-renew", "issue", "renew"];
/// The reason of what failed in a way that nobody has explained yet.
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::audit::Log;
    use crate::clock::Clock;

    fn body(value: &Value) -> serde_json::Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn the_last_attempt_of_each_place_counts() {
        let folder = tempfile::tempdir().unwrap();
        let now = Moment::from_unix(1_795_403_564);
        let mut log = Log::open(folder.path(), Clock::fixed(now)).unwrap();
        let mut act = |action: &str, place: &str, outcome: &Value| {
            let intent = json!({ "action": action, "host": "web-01", "lineage": place });
            let permit = log.intent(&body(&intent)).unwrap();
            log.outcome(permit, &body(outcome)).unwrap();
        };
        act("renew", "a", &json!({ "ending": "ok" }));
        act("renew", "a", &json!({ "ending": "failed", "cause": "txt-record" }));
        act("renew", "a", &json!({ "ending": "refused" }));
        act("reload", "a", &json!({ "ending": "ok" }));
        act("issue", "b", &json!({ "ending": "failed", "cause": "timeout" }));
        act("dry-run", "b", &json!({ "ending": "ok" }));
        act("issue", "c", &json!({ "ending": "failed", "cause": "a name of some later version" }));
        let told = attempts(folder.path());
        let told: Vec<_> = told.iter().map(|it| (it.place.as_str(), it.failure, it.at)).collect();
        let expected =
            [("a", Some("txt-record"), now), ("b", None, now), ("c", Some("other"), now)];
        assert_eq!(told, expected);
    }

    #[test]
    fn every_action_that_counts_is_one() {
        for name in ACTIONS {
            assert!(crate::action::named(name).is_some(), "{name}");
        }
    }
}
