//! What was tried at CAs, and what came of it, by the audit log.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use crate::action::{self, DRY_RUN};
use crate::audit::read::Record;
use crate::budget::{NameSet, Try};
use crate::fleet::HostName;

/// The tries of a log while it is read.
#[derive(Debug, Default)]
pub struct Tries {
    open: HashMap<Uuid, Try>,
    ended: Vec<Try>,
}

impl Tries {
    /// Takes in the next record, the oldest first.
    pub fn add(&mut self, record: &Record) {
        if record.kind == "intent" {
            self.open.extend(begun(record).map(|it| (record.op, it)));
            return;
        }
        if !record.is_end() {
            return;
        }
        let Some(mut it) = self.open.remove(&record.op) else { return };
        it.at = record.at;
        match (record.text("ending"), record.text("cause")) {
            (Some("ok"), _) => self.ended.push(it),
            (Some("failed"), Some(cause)) if !UNTRIED.contains(&cause) => {
                it.cause = Some(cause.to_owned());
                self.ended.push(it);
            }
            _ => {}
        }
    }

    /// What has ended, and how.
    pub fn ended(self) -> Vec<Try> {
        self.ended
    }
}

/// The try that an intent tells of, if it is one to order, or to rehearse that.
fn begun(intent: &Record) -> Option<Try> {
    let kind = intent.text("action").and_then(action::named)?;
    let is_rehearsal = kind.name == DRY_RUN;
    if !is_rehearsal && !kind.orders() {
        return None;
    }
    let chosen = |name: &str| intent.body.get("chosen")?.get(name)?.as_str();
    let names = match (chosen("names"), intent.body.get("names")) {
        (Some(names), _) => NameSet::new(names.split([',', ' '])),
        (None, Some(Value::Array(names))) => NameSet::new(names.iter().filter_map(Value::as_str)),
        (None, _) => NameSet::default(),
    };
    Some(Try {
        at: intent.at,
        host: HostName::new(intent.text("host")?),
        lineage: intent.text("lineage").map(str::to_owned),
        names,
        is_rehearsal: is_rehearsal || chosen("staging").is_some(),
        cause: None,
    })
}

/// Causes with which nobody has asked a CA for anything.
const UNTRIED: [&str; 5] = ["busy", "held", "no-issuer", "no-request", "not-due"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fleet::Moment;

    #[test]
    fn tries_are_read_from_intents_and_outcomes() {
        let mut tries = Tries::default();
        let mut add = |op: u128, kind: &str, body: Value| {
            let Value::Object(body) = body else { panic!() };
            let (op, kind) = (Uuid::from_u128(op), kind.to_owned());
            let at = Moment::from_unix(7);
            tries.add(&Record { seq: 1, at, op, kind, body, line: String::new() });
        };
        let intent = |action: &str| json!({"action": action, "host": "a", "lineage": "www", "names": ["B.test", "a.test"]});
        add(1, "intent", intent("renew"));
        add(2, "intent", intent("dry-run"));
        add(3, "intent", intent("reload"));
        let mut issue = intent("issue");
        issue["chosen"] = json!({"names": "c.test, d.test", "staging": "yes"});
        add(4, "intent", issue);
        add(5, "intent", intent("force-renew"));
        add(6, "intent", intent("renew"));
        add(1, "outcome", json!({"ending": "failed", "cause": "refused"}));
        add(2, "outcome", json!({"ending": "ok"}));
        add(3, "outcome", json!({"ending": "failed", "cause": "refused"}));
        add(4, "reconcile", json!({"ending": "ok"}));
        add(5, "outcome", json!({"ending": "refused", "cause": "stale"}));
        add(6, "outcome", json!({"ending": "failed", "cause": "held"}));
        add(7, "outcome", json!({"ending": "ok"}));
        let told: Vec<_> = tries
            .ended()
            .into_iter()
            .map(|it| (it.names.to_string(), it.is_rehearsal, it.cause))
            .collect();
        let both = "a.test, b.test".to_owned();
        assert_eq!(
            told,
            [
                (both.clone(), false, Some("refused".to_owned())),
                (both, true, None),
                ("c.test, d.test".to_owned(), true, None),
            ]
        );
    }
}
