//! What was asked of CAs from this machine, and what came of it, by the audit log: tries that
//! failed, and certificates that hosts may not show any more.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use super::ordered;
use crate::action::{self, DRY_RUN};
use crate::audit::read::Record;
use crate::budget::{Account, Ca, Event, NameSet, Origin, Try, What};
use crate::fleet::{Fingerprint, HostName, Moment};

/// The past of a machine while its log is read.
#[derive(Debug, Default)]
pub struct Past {
    open: HashMap<Uuid, Begun>,
    told: Noted,
}

/// What a log tells of what was asked of CAs.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    /// Certificates that were issued.
    pub events: Vec<Event>,
    /// What was tried, and how it ended.
    pub tries: Vec<Try>,
}

/// Something that has begun.
#[derive(Debug)]
struct Begun {
    tried: Option<Try>,
    order: Option<(Ca, NameSet, Account)>,
    /// When the CA had answered the order, if it is told apart from the end.
    ordered_at: Option<Moment>,
}

impl Past {
    /// Takes in the next record, the oldest first.
    pub fn add(&mut self, record: &Record) {
        match record.kind.as_str() {
            "intent" => {
                let tried = begun(record);
                let order = record.body.get("orders").and_then(ordered::read);
                if tried.is_some() || order.is_some() {
                    let begun = Begun { tried, order, ordered_at: None };
                    self.open.insert(record.op, begun);
                }
            }
            "step" if record.text("what") == Some("ordered") => {
                if let Some(begun) = self.open.get_mut(&record.op) {
                    begun.ordered_at = Some(record.at);
                }
            }
            _ if record.is_end() => {
                if let Some(begun) = self.open.remove(&record.op) {
                    self.told.events.extend(issued(&begun, record));
                    self.told.tries.extend(begun.tried.and_then(|it| ended(it, record)));
                }
            }
            _ => {}
        }
    }

    /// What was told.
    pub fn told(self) -> Noted {
        self.told
    }
}

/// The certificate that came of it, if another one was in place afterwards: also where something
/// failed that came after it.
fn issued(begun: &Begun, end: &Record) -> Option<Event> {
    let (ca, names, account) = begun.order.clone()?;
    let after = end.text("after").filter(|it| end.text("before") != Some(it))?;
    let what = What::Issued(Some(Fingerprint::parse(after)?));
    let at = begun.ordered_at.unwrap_or(end.at);
    Some(Event::noted(at, ca, what, names, account).seen(Origin::Audit(end.op)))
}

/// How a try ended, if it came to that.
fn ended(tried: Try, end: &Record) -> Option<Try> {
    let cause = match (end.text("ending"), end.text("cause")) {
        (Some("ok"), _) => None,
        (Some("failed"), Some(cause)) if !UNTRIED.contains(&cause) => Some(cause.to_owned()),
        _ => return None,
    };
    Some(Try { at: end.at, cause, ..tried })
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
    use crate::budget::Wanted;

    /// A log of these records, each with the identity of its action, its kind and its body.
    fn told(records: Vec<(u128, &str, Value)>) -> Noted {
        let mut past = Past::default();
        for (at, (op, kind, body)) in (1..).zip(records) {
            let Value::Object(body) = body else { panic!() };
            let (op, kind, at) = (Uuid::from_u128(op), kind.to_owned(), Moment::from_unix(at));
            past.add(&Record { seq: 1, at, op, kind, body, line: String::new() });
        }
        past.told()
    }

    /// What is known of a certificate by the records of the action that ordered it.
    #[test]
    fn certificates_are_read_from_what_came_of_orders() {
        let leaf = |it: &str| Fingerprint::of(it.as_bytes()).to_string();
        let wanted = |account| {
            let ca = Ca::of_directory("https://ca.test/dir");
            Wanted::new(ca, NameSet::new(["b.test", "a.test"]), account)
        };
        let intent = json!({
            "action": "renew", "host": "a", "lineage": "www",
            "orders": ordered::write(&wanted(Account::Own)),
        });
        let new = json!({"ending": "ok", "before": leaf("old"), "after": leaf("new")});
        let step = json!({"what": "ordered", "order": "https://ca.test/order/1"});
        let cases = [
            ("as usual", vec![("intent", &intent), ("outcome", &new)], Some(2)),
            ("found by whoever came next", vec![("intent", &intent), ("reconcile", &new)], Some(2)),
            (
                "the CA's answer",
                vec![("intent", &intent), ("step", &step), ("outcome", &new)],
                Some(2),
            ),
            (
                "told twice",
                vec![("intent", &intent), ("outcome", &new), ("reconcile", &new)],
                Some(2),
            ),
            ("nothing has begun", vec![("step", &step), ("outcome", &new)], None),
            ("it has no end", vec![("intent", &intent), ("step", &step)], None),
        ];
        for (what, records, at) in cases {
            let records = records.into_iter().map(|it| (7, it.0, it.1.clone()));
            let Noted { events, .. } = told(records.collect());
            let told: Vec<_> = events.iter().map(|it| it.at.unix()).collect();
            assert_eq!(told, at.into_iter().collect::<Vec<_>>(), "{what}");
        }
        let ends = [
            (
                "the hook failed",
                json!({"ending": "failed", "before": leaf("old"), "after": leaf("new")}),
                true,
            ),
            ("the first one", json!({"ending": "ok", "after": leaf("new")}), true),
            (
                "the same one",
                json!({"ending": "failed", "before": leaf("old"), "after": leaf("old")}),
                false,
            ),
            ("none is there", json!({"ending": "failed", "cause": "dns"}), false),
            ("no fingerprint", json!({"ending": "ok", "after": "x"}), false),
        ];
        for (what, end, is_issued) in ends {
            let mut odd = intent.clone();
            let client = Account::Client(crate::text::SafeText::new("f00d"));
            odd["orders"] = ordered::write(&wanted(client.clone()));
            let Noted { events, .. } = told(vec![(7, "intent", odd), (7, "outcome", end)]);
            assert_eq!(events.len(), usize::from(is_issued), "{what}");
            for event in events {
                assert_eq!((event.account, event.names.len()), (client.clone(), 2));
                assert_eq!(event.what, What::Issued(Some(Fingerprint::of(b"new"))));
                assert_eq!(event.from, [Origin::Audit(Uuid::from_u128(7))]);
            }
        }
        // What orders nothing issues nothing, whatever is there afterwards.
        let reload = json!({"action": "reload", "host": "a", "lineage": "www"});
        assert!(told(vec![(7, "intent", reload), (7, "outcome", new)]).events.is_empty());
    }

    #[test]
    fn tries_are_read_from_intents_and_outcomes() {
        let mut records = Vec::new();
        let mut add = |op: u128, kind: &'static str, body: Value| records.push((op, kind, body));
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
        let told: Vec<_> = told(records)
            .tries
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
