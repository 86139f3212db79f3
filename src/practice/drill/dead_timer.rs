//! Somebody switched certbot's timer off weeks ago and forgot it.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::{DAY, HOUR};
use crate::practice::certbot::{self, Certbot, Lineage, ON_THE_HOST, Timer};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "dead-timer",
        page: "04:00 api.example.net refuses all clients: certificate has expired",
        about: "api.example.net",
        cause: "schedule",
        hints: [
            "It has ended, and nothing newer is anywhere. Why did nobody renew it for weeks?",
            "Look at what starts certbot on the host, and when it last ran.",
            "Renew (a r) at pay-ber-1, it is due; then enable certbot.timer (enable-timer).",
        ],
        orders: 1,
        wrong: &[
            Wrong { action: "force-renew", why: "it was due, so a plain renewal would have done" },
            Wrong { action: "issue", why: "the lineage was whole: a renewal keeps its settings" },
        ],
        lesson: "A renewal ends the outage; without the timer the next one is ninety days away.",
    },
    hosts: &[Host {
        name: "pay-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "api.example.net", nginx::PORT, ON_THE_HOST);
            Certbot {
                timer: Timer::Disabled,
                runs: 0,
                ..Certbot::new(vec![
                    Lineage { left: -3 * HOUR, ..Lineage::new(&["api.example.net"]) },
                    Lineage { left: 46 * DAY, ..Lineage::new(&["hooks.example.net"]) },
                ])
            }
            .install(stage)
        },
    }],
};
