//! A test certificate was left where people look.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::authority::Ca;
use crate::practice::certbot::{self, Certbot, Lineage, ON_THE_HOST};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "staging-live",
        page: "08:00 launch of beta.example.net: no browser trusts it, though it is new",
        about: "beta.example.net",
        cause: "staging",
        hints: [
            "It is neither old nor for another name. Who has signed it?",
            "Its authority is one that no client trusts: the twin for tests.",
            "Issue at beta-ber-1 from the real CA (a i). A renewal asks the test CA again.",
        ],
        orders: 1,
        wrong: &[
            Wrong { action: "renew", why: "a renewal asks the test CA again" },
            Wrong { action: "force-renew", why: "a renewal asks the test CA again" },
            Wrong { action: "reload", why: "what was loaded is what lies on the disk" },
        ],
        lesson: "A lineage remembers its CA: what came from staging renews from staging.",
    },
    hosts: &[Host {
        name: "beta-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "beta.example.net", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![
                Lineage {
                    left: 80 * DAY,
                    ca: Ca::Staging,
                    versions: 1,
                    ..Lineage::new(&["beta.example.net"])
                },
                Lineage { left: 59 * DAY, ..Lineage::new(&["preview.example.net"]) },
            ])
            .install(stage)
        },
    }],
};
