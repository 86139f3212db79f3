//! Four nodes order the same names, each for itself. The CA has allowed no more of them when it was
//! the turn of the third.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::{DAY, HOUR};
use crate::practice::certbot::{Certbot, Lineage, ON_THE_HOST, endpoint};
use crate::practice::stage::Stage;
use crate::practice::words::Failure;
use crate::practice::{Error, nginx};

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "node-missed",
        page: "02:15 static.example.net: one visitor in four sees a certificate warning",
        about: "static.example.net",
        cause: "expired",
        hints: [
            "One in four: do all nodes serve the same?",
            "One node has another certificate than its three siblings, and theirs is good.",
            "Transplant the certificate of a sibling to node-ber-3 (a t): the CA allows no order.",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
            Wrong { action: "reload", why: "the node's own files were old: it loads them again" },
        ],
        lesson: "When a part of the visitors complains, compare the nodes: the good certificate is on the next one. Nodes that each order the same names use up the limit for all.",
    },
    hosts: &[
        Host {
            name: "node-ber-1",
            groups: PRODUCTION,
            build: |stage| build(stage, 59 * DAY, None),
        },
        Host {
            name: "node-ber-2",
            groups: PRODUCTION,
            build: |stage| build(stage, 59 * DAY - HOUR, None),
        },
        Host {
            name: "node-ber-3",
            groups: PRODUCTION,
            build: |stage| build(stage, -2 * HOUR, Some(Failure::RateLimited)),
        },
        Host {
            name: "node-ber-4",
            groups: PRODUCTION,
            build: |stage| build(stage, 59 * DAY + HOUR, None),
        },
    ],
};

fn build(stage: &mut Stage<'_>, left: i64, failure: Option<Failure>) -> Result<(), Error> {
    endpoint(stage, STATIC, nginx::PORT, ON_THE_HOST);
    Certbot::new(vec![Lineage { left, failure, ..Lineage::new(&[STATIC]) }]).install(stage)
}

const STATIC: &str = "static.example.net";
const NO_ORDER: &str = "the CA allowed no more, and three siblings had a good one to take over";
