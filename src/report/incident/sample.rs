//! A night in the audit log, with something of everything, for the tests of the hand-over.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::audit::Extract;
use crate::audit::read::Record;
use crate::audit::verify::{State, Verified};
use crate::fleet::{Fleet, Group, Host, HostName, Moment};
use crate::text::SafeText;

/// When the hand-over is written.
pub(super) const NOW: Moment = Moment::from_unix(1_795_407_164);
const BEGIN: Moment = Moment::from_unix(1_795_403_564);
const OLD: &str = "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const NEW: &str = "1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b";
const OUTPUT: &str = "2c2c";

/// A record: its minute of the night, its action, its kind and what else it says.
pub(super) fn record(seq: u64, minute: i64, op: u128, kind: &str, body: &Value) -> Record {
    Record {
        seq,
        at: BEGIN.plus(minute * 60),
        op: Uuid::from_u128(op),
        kind: kind.to_owned(),
        body: body.as_object().unwrap().clone(),
        line: String::new(),
    }
}

/// All of these records, and of them those with these numbers.
pub(super) fn extract(records: Vec<Record>, chosen: impl Fn(&Record) -> bool) -> Extract {
    let verified = Verified {
        state: State::OpenIntents,
        records: records.len() as u64,
        segments: 1,
        open: 1,
        fault: None,
    };
    let tail = ["Renewing", "```", "| Hook `reload` failed"].map(SafeText::new).to_vec();
    Extract {
        chosen: records.iter().filter(|it| chosen(it)).map(|it| it.seq).collect(),
        records,
        verified,
        tails: BTreeMap::from([(OUTPUT.to_owned(), tail)]),
        problem: None,
    }
}

/// The hosts of the night, and whom to ask about them.
pub(super) fn fleet() -> Fleet {
    let host = |name: &str| Host::new(HostName::new(name), name, &["edge".to_owned()]);
    let mut fleet = Fleet::new(["web-01", "web-02", "web-03"].map(host));
    fleet.groups = vec![Group {
        name: "edge".to_owned(),
        owner: Some(SafeText::new("edge team, +31 20 555 0100")),
        runbook: Some(SafeText::new("https://wiki.example.net/tls")),
    }];
    fleet
}

/// A failed renewal, an order of ours that is proven, a host key, an account, and what is open.
pub(super) fn night() -> Vec<Record> {
    let argv =
        json!([["certbot", "renew", "-n", "--cert-name", "www.example.net"], ["sh", "-c", "a\nb"]]);
    let begin = |action: &str, host: &str| {
        json!({
            "action": action, "host": host, "lineage": "www.example.net", "who": "anna@laptop",
            "names": ["www.example.net", "example.net"], "argv": argv, "confirmed": "typed the name",
            "before": OLD, "reason": "expires at 04:00", "pid": 7,
        })
    };
    let wire = |leaf: &str| json!([{"name": "www.example.net", "from": "public", "address": "192.0.2.7:443", "leaf": leaf, "error": null}]);
    let failed = json!({
        "ending": "failed", "summary": "the deploy hook ended with 1", "exit": 1, "before": OLD,
        "after": OLD, "output": OUTPUT, "output-bytes": 80, "cause": "hook-failed",
        "evidence": ["nginx serves the old certificate"], "wire": wire(OLD),
    });
    let proven = json!({"ending": "ok", "summary": "renewed and loaded", "exit": 0, "before": OLD, "after": NEW, "wire": wire(NEW)});
    let unproven = json!({"ending": "ok", "summary": "renewed", "exit": 0, "before": OLD, "after": NEW, "wire": wire(OLD)});
    let placed = |what: &str| json!({"what": what, "challenges": [{"dns": "zone", "owner": "_acme-challenge.www.example.net"}], "challenges-count": 1});
    let (answered, gone) = ("challenges are answered", "answers are taken away");
    vec![
        record(1, -90, 1, "genesis", &json!({"origin": "laptop"})),
        record(2, -90, 2, "intent", &begin("dry-run", "web-03")),
        record(
            3,
            0,
            3,
            "session",
            &json!({"event": "start", "who": "anna@laptop", "what": "console", "version": "0.1.0", "tty": "/dev/pts/3", "host": "laptop"}),
        ),
        record(4, 1, 4, "intent", &begin("force-renew", "web-01")),
        record(5, 2, 4, "outcome", &failed),
        record(
            6,
            3,
            5,
            "change",
            &json!({"what": "host-key", "host": "web-02", "old": null, "new": "SHA256:x", "who": "ben@bastion"}),
        ),
        record(7, 4, 6, "intent", &begin("issue", "web-02")),
        record(8, 5, 6, "step", &placed(answered)),
        record(9, 6, 6, "step", &json!({"what": "ordered", "order": "https://ca.example/order/1"})),
        record(10, 6, 6, "step", &placed(gone)),
        record(11, 8, 6, "outcome", &unproven),
        record(12, 9, 7, "intent", &begin("reload", "web-01")),
        record(13, 10, 7, "reconcile", &proven),
        record(
            14,
            11,
            8,
            "change",
            &json!({"what": "inventory", "old": "aa", "new": "bb", "who": "ben@bastion"}),
        ),
        record(
            15,
            12,
            9,
            "intent",
            &json!({"action": "issuer-register", "issuer": "lab", "who": "ben@bastion"}),
        ),
        record(16, 12, 9, "outcome", &json!({"ending": "unknown", "summary": "it was cut off"})),
        record(
            17,
            13,
            10,
            "waiver",
            &json!({"override": "CAA does not allow it", "who": "anna@laptop", "host": "web-01"}),
        ),
        record(18, 14, 11, "intent", &begin("renew", "web-03")),
        record(19, 14, 11, "step", &placed(answered)),
        record(20, 15, 3, "session", &json!({"event": "end"})),
        record(21, 90, 2, "outcome", &proven),
    ]
}
