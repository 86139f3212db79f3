//! nginx was given a second name, and the certificate was not.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::certbot::{self, Certbot, Lineage, ON_THE_HOST};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "missing-name",
        page: "11:05 m.club.example.com shows a warning since the relaunch; club.example.com does not",
        about: "m.club.example.com",
        cause: "name",
        hints: [
            "One name works, another on the same host does not. What do they have in common?",
            "Compare the names that nginx serves with those in the certificate.",
            "Issue at club-ber-1 with both names (a i): a renewal keeps the old set.",
        ],
        orders: 1,
        wrong: &[
            Wrong { action: "renew", why: "a renewal has the same names as before" },
            Wrong { action: "force-renew", why: "a renewal has the same names as before" },
            Wrong { action: "reload", why: "what was loaded is what lies on the disk" },
        ],
        lesson: "A new name needs a new set of names: an order of its own, with its own place in the CA's limits.",
    },
    hosts: &[Host {
        name: "club-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "club.example.com", nginx::PORT, ON_THE_HOST);
            certbot::endpoint(stage, "m.club.example.com", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![Lineage {
                left: 58 * DAY,
                also: &["m.club.example.com"],
                ..Lineage::new(&["club.example.com"])
            }])
            .install(stage)
        },
    }],
};
