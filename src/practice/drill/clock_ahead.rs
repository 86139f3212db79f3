//! The clock of a host is two days ahead, and nothing is wrong with its certificate.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::certbot::{self, Certbot, Lineage, ON_THE_HOST};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "clock-ahead",
        page: "05:20 jobs on edge-ber-1 fail: they say that certificates of others have ended",
        about: "img.example.net",
        cause: "clock",
        hints: [
            "Is it the certificate at all? What does img.example.net serve, and until when?",
            "Whether a certificate has ended depends on who asks what time it is.",
            "Set the clock of edge-ber-1 (sync-clock).",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
            Wrong { action: "reload", why: "what was loaded was right" },
        ],
        lesson: "A clock that is off makes good certificates look bad, and an order from such a host fails as well.",
    },
    hosts: &[Host {
        name: "edge-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            stage.clock_offset += 2 * DAY;
            certbot::endpoint(stage, "img.example.net", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![Lineage { left: 62 * DAY, ..Lineage::new(&["img.example.net"]) }])
                .install(stage)
        },
    }],
};

const NO_ORDER: &str = "the certificate was good: the clock was not";
