//! The CA is down for everybody. One of two nodes did not renew before that.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::{DAY, HOUR};
use crate::practice::certbot::{Certbot, Lineage, ON_THE_HOST, endpoint};
use crate::practice::stage::Stage;
use crate::practice::words::Failure;
use crate::practice::{Error, nginx};

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "ca-down",
        page: "20:10 login.example.com: every second login fails: the certificate has ended",
        about: "login.example.com",
        cause: "expired",
        hints: [
            "How did the last renewal fail: on this side, or on the other?",
            "An order fails for everybody today. Who has renewed before that?",
            "Transplant the certificate of login-ber-2 to login-ber-1 (a t).",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
        ],
        lesson: "A CA may be down for hours, as on 2025-07-21 for nearly eight. What does not need it: the archive, a sibling, a second CA.",
    },
    hosts: &[
        Host {
            name: "login-ber-1",
            groups: PRODUCTION,
            build: |stage| build(stage, -40 * HOUR / 60),
        },
        Host { name: "login-ber-2", groups: PRODUCTION, build: |stage| build(stage, 38 * DAY) },
    ],
};

fn build(stage: &mut Stage<'_>, left: i64) -> Result<(), Error> {
    endpoint(stage, LOGIN, nginx::PORT, ON_THE_HOST);
    let failure = Some(Failure::CaDown);
    Certbot::new(vec![Lineage { left, failure, ..Lineage::new(&[LOGIN]) }]).install(stage)
}

const LOGIN: &str = "login.example.com";
const NO_ORDER: &str = "the CA was down, and the sibling had a good one";
