//! The deploy hook failed in the night of the renewal, and certbot called that a success.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::{DAY, HOUR};
use crate::practice::certbot::{self, Certbot, Flaw, Lineage, ON_THE_HOST, Site};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "hook-failed",
        page: "22:25 rewards.example.com has expired. The dashboard of renewals has been green for weeks",
        about: "rewards.example.com",
        cause: "unloaded",
        hints: [
            "A green dashboard of renewals says that certificates came. Who loads them?",
            "Read the client's log of the last renewal to its end, below the word success.",
            "Reload nginx at bonus-ber-1 (a l), or run its deploy hook again (a h).",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
        ],
        lesson: "certbot ends with 0 where a deploy hook fails. What counts is the fingerprint on the wire; run the hook alone, no order is needed for that.",
    },
    hosts: &[Host {
        name: "bonus-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "rewards.example.com", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![Lineage {
                left: 60 * DAY - 3 * HOUR,
                site: Site::Version(2),
                flaw: Some(Flaw::HookFailed),
                ..Lineage::new(&["rewards.example.com"])
            }])
            .install(stage)
        },
    }],
};

const NO_ORDER: &str = "the certificate had come already, and lay on the disk";
