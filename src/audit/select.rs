//! Some of the records: those that somebody asks for, with everything that belongs to them.

use std::collections::HashSet;

use uuid::Uuid;

use super::read::Record;
use crate::fleet::Moment;

/// Which records. What is `None` leaves every record.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Not before.
    pub since: Option<Moment>,
    /// Not after.
    pub until: Option<Moment>,
    /// From the record of this number on.
    pub first: Option<u64>,
    /// Up to the record of this number.
    pub last: Option<u64>,
    /// The host.
    pub host: Option<String>,
    /// What was done: `renew`, `rollback`, …
    pub action: Option<String>,
    /// Who did it, or a part of that: `anna@laptop`, `anna`.
    pub actor: Option<String>,
    /// The identities of actions, or of the guided runs that they are part of, or how these begin;
    /// nobody named: every action.
    pub ops: Vec<String>,
}

impl Selection {
    /// The records that were asked for, in their order. An outcome belongs to its intent, so host,
    /// action and actor choose whole actions; the time chooses records.
    pub fn choose<'r>(&self, records: &'r [Record]) -> Vec<&'r Record> {
        let [host, action, actor] = [&self.host, &self.action, &self.actor].map(Option::as_deref);
        let ops_with = |wanted: Option<&str>, has: &dyn Fn(&Record, &str) -> bool| {
            let ops = |wanted| records.iter().filter(move |it| has(it, wanted)).map(|it| it.op);
            wanted.map(|it| ops(it).collect::<HashSet<Uuid>>())
        };
        let chosen = [
            ops_with(host, &|it, wanted| it.text("host") == Some(wanted)),
            ops_with(action, &|it, wanted| it.action() == Some(wanted)),
            ops_with(actor, &|it, wanted| it.text("who").is_some_and(|it| it.contains(wanted))),
        ];
        let begins = |it: &str| self.ops.iter().any(|wanted| it.starts_with(wanted));
        let is_named =
            |it: &&Record| begins(&it.op.to_string()) || it.text("guide").is_some_and(begins);
        let named: HashSet<Uuid> = records.iter().filter(is_named).map(|it| it.op).collect();
        let is_chosen = |it: &&Record| {
            chosen.iter().flatten().all(|ops| ops.contains(&it.op))
                && (self.ops.is_empty() || named.contains(&it.op))
                && self.since.is_none_or(|since| it.at >= since)
                && self.until.is_none_or(|until| it.at <= until)
                && self.first.is_none_or(|first| it.seq >= first)
                && self.last.is_none_or(|last| it.seq <= last)
        };
        records.iter().filter(is_chosen).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn records() -> Vec<Record> {
        let record = |(at, op, kind, body): &(i64, u128, &str, Value)| Record {
            seq: at.unsigned_abs(),
            at: Moment::from_unix(*at),
            op: Uuid::from_u128(*op << 100),
            kind: (*kind).to_owned(),
            body: body.as_object().unwrap().clone(),
            line: String::new(),
        };
        [
            (1, 1, "session", json!({"who": "anna@laptop", "host": "laptop"})),
            (2, 2, "intent", json!({"who": "anna@laptop", "host": "web-01", "action": "renew"})),
            (3, 3, "change", json!({"what": "host-key", "host": "web-02"})),
            (4, 2, "outcome", json!({"ending": "ok"})),
            (5, 4, "intent", json!({"who": "ben@bastion", "host": "web-01", "action": "hook"})),
        ]
        .iter()
        .map(record)
        .collect()
    }

    #[track_caller]
    fn check(selection: &Selection, expect: &[u64]) {
        let records = records();
        let chosen: Vec<u64> = selection.choose(&records).iter().map(|it| it.seq).collect();
        assert_eq!(chosen, expect);
    }

    #[test]
    fn an_outcome_belongs_to_its_intent() {
        let some = |text: &str| Some(text.to_owned());
        check(&Selection::default(), &[1, 2, 3, 4, 5]);
        check(&Selection { host: some("web-01"), ..Selection::default() }, &[2, 4, 5]);
        check(&Selection { action: some("renew"), ..Selection::default() }, &[2, 4]);
        check(&Selection { action: some("host-key"), ..Selection::default() }, &[3]);
        check(&Selection { actor: some("anna"), ..Selection::default() }, &[1, 2, 4]);
        check(
            &Selection { actor: some("anna"), host: some("web-01"), ..Selection::default() },
            &[2, 4],
        );
        check(&Selection { ops: vec!["0000004".to_owned()], ..Selection::default() }, &[5]);
        let two = ["0000001", "0000004", "7"].map(str::to_owned).to_vec();
        check(&Selection { ops: two, ..Selection::default() }, &[1, 5]);
        check(&Selection { host: some("web"), ..Selection::default() }, &[]);
    }

    #[test]
    fn time_chooses_records() {
        let at = |at| Some(Moment::from_unix(at));
        check(&Selection { since: at(3), ..Selection::default() }, &[3, 4, 5]);
        check(&Selection { since: at(3), until: at(4), ..Selection::default() }, &[3, 4]);
        check(&Selection { first: Some(2), last: Some(3), ..Selection::default() }, &[2, 3]);
    }
}
