//! Issued by hand in the last emergency: nothing can renew it unattended.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::certbot::{self, Authenticator, Certbot, Lineage, ON_THE_HOST};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "by-hand",
        page: "16:00 hand-over: \"promo.example.com was down on Friday, all good again. Does it renew?\"",
        about: "promo.example.com",
        cause: "authenticator",
        hints: [
            "Clients get a good certificate. Will they in ninety days?",
            "How does this lineage show the CA that the name is ours, and who does that at night?",
            "Convert the lineage at promo-ber-1 to a method that needs nobody (convert).",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "force-renew", why: "it was new already, and cannot renew unattended" },
            Wrong { action: "issue", why: "it was new already" },
        ],
        lesson: "`certonly --manual` ends an outage and plants the next one. Convert the lineage while it is still good.",
    },
    hosts: &[Host {
        name: "promo-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "promo.example.com", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![
                Lineage {
                    left: 86 * DAY,
                    versions: 1,
                    authenticator: Authenticator::Manual,
                    ..Lineage::new(&["promo.example.com"])
                },
                Lineage { left: 46 * DAY, ..Lineage::new(&["careers.example.com"]) },
            ])
            .install(stage)
        },
    }],
};
