//! Which targets of an earlier run failed or were not begun.

use std::collections::HashMap;

use uuid::Uuid;

use crate::action::{self, Chosen};
use crate::audit::read::Record;
use crate::fleet::HostName;

/// A target of an earlier run that has to be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The action, as in [`crate::action::ALL`].
    pub action: String,
    /// The host.
    pub host: HostName,
    /// The lineage.
    pub lineage: Option<String>,
    /// What was chosen about it.
    pub chosen: Chosen,
    /// How it ended: `failed`, `refused`, `cancelled`, `unknown`; `None` if it has no end yet.
    pub ending: Option<String>,
}

/// The targets of a run that did not end well, in the order of the run. `op` is the identity of
/// the run or of any action in it; empty if there is no such thing or all went well.
///
/// A target without an end is among them: reconcile first, so that none is.
pub fn failed_of(records: &[Record], op: Uuid) -> Vec<Again> {
    let name = op.to_string();
    let is_intent = |it: &&Record| it.kind == "intent";
    let run = records
        .iter()
        .filter(is_intent)
        .find(|it| it.op == op || it.text("run") == Some(&name))
        .and_then(|it| it.text("run"));
    let Some(run) = run else { return Vec::new() };
    let ends = ends(records);
    let mut all: Vec<Again> = Vec::new();
    for it in records.iter().filter(is_intent).filter(|it| it.text("run") == Some(run)) {
        let (Some(action), Some(host)) = (it.text("action"), it.text("host")) else { continue };
        let again = Again {
            action: action.to_owned(),
            host: HostName::new(host),
            lineage: it.text("lineage").map(str::to_owned),
            chosen: chosen(it),
            ending: ends.get(&it.op).map(|it| it.text("ending").unwrap_or("unknown").to_owned()),
        };
        // A run that was taken up again has several records of a target: the last one counts.
        let is_same = |it: &&mut Again| {
            let what = |it: &Again| (it.action.clone(), it.host.clone(), it.lineage.clone());
            what(it) == what(&again) && it.chosen == again.chosen
        };
        match all.iter_mut().find(is_same) {
            Some(it) => *it = again,
            None => all.push(again),
        }
    }
    all.retain(|it| it.ending.as_deref() != Some("ok"));
    all
}

/// The end of every action that has one.
pub(super) fn ends(records: &[Record]) -> HashMap<Uuid, &Record> {
    let mut ends: HashMap<Uuid, &Record> = HashMap::new();
    for it in records.iter().filter(|it| it.is_end()) {
        // Whoever did it knows better than who found it.
        if it.kind == "outcome" || !ends.contains_key(&it.op) {
            ends.insert(it.op, it);
        }
    }
    ends
}

/// What was chosen, as far as the action still knows such a choice.
pub(super) fn chosen(intent: &Record) -> Chosen {
    let kind = intent.text("action").and_then(action::named);
    let value_of = |name: &str| intent.body.get("chosen")?.get(name)?.as_str();
    kind.map(|it| Chosen::recalled(it, value_of)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fleet::Moment;

    fn record(op: u128, kind: &str, body: Value) -> Record {
        let Value::Object(body) = body else { panic!() };
        let (op, kind) = (Uuid::from_u128(op), kind.to_owned());
        Record { seq: 1, at: Moment::default(), op, kind, body, line: String::new() }
    }

    #[test]
    fn what_failed_and_what_was_not_begun_is_done_again() {
        let run = Uuid::from_u128(100).to_string();
        let intent = |op, host: &str| {
            let body = json!({"run": run, "action": "renew", "host": host, "lineage": "www"});
            record(op, "intent", body)
        };
        let ended = |op, kind: &str, ending: &str| record(op, kind, json!({"ending": ending}));
        let records = [
            intent(1, "a"),
            ended(1, "outcome", "ok"),
            intent(2, "b"),
            ended(2, "outcome", "failed"),
            intent(3, "c"),
            ended(3, "outcome", "cancelled"),
            record(4, "intent", json!({"run": "another", "action": "renew", "host": "d"})),
            ended(4, "outcome", "failed"),
            intent(5, "e"),
            ended(5, "reconcile", "ok"),
            intent(6, "f"),
        ];
        for asked in [100, 1, 3] {
            let again = failed_of(&records, Uuid::from_u128(asked));
            let hosts: Vec<_> = again.iter().map(|it| it.host.as_str()).collect();
            assert_eq!(hosts, ["b", "c", "f"], "{asked}");
        }
        assert_eq!(failed_of(&records, Uuid::from_u128(77)), []);
    }

    #[test]
    fn what_follows_from_a_target_is_one_of_its_own() {
        let record = |op, kind: &str, action: &str, to: &str, ending: &str| {
            let body = json!({"run": "r", "action": action, "host": "a", "lineage": "www",
                "chosen": {"to": to}, "ending": ending});
            record(op, kind, body)
        };
        let records = [
            record(1, "intent", "renew", "", ""),
            record(1, "outcome", "renew", "", "ok"),
            record(2, "intent", "deliver", "main", ""),
            record(2, "outcome", "deliver", "main", "failed"),
            record(3, "intent", "deliver", "edge", ""),
            record(3, "outcome", "deliver", "edge", "ok"),
        ];
        let all = failed_of(&records, Uuid::from_u128(1));
        let told: Vec<_> = all.iter().map(|it| (&*it.action, it.chosen.get("to"))).collect();
        assert_eq!(told, [("deliver", Some("main"))]);
    }

    #[test]
    fn what_was_chosen_is_chosen_again() {
        let body = json!({"run": "r", "action": "rollback", "host": "a", "lineage": "www",
            "chosen": {"to": "3", "hook": "none", "of-a-newer-version": "x"}});
        let [again] = &failed_of(&[record(1, "intent", body)], Uuid::from_u128(1))[..] else {
            panic!()
        };
        assert_eq!(again.chosen.all().collect::<Vec<_>>(), [("hook", "none"), ("to", "3")]);
    }
}
