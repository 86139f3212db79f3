//! Somebody led the live links back to an old version, and forgot it.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::{DAY, HOUR};
use crate::practice::certbot::{self, Certbot, Flaw, Lineage, ON_THE_HOST, Site};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "moved-back",
        page: "00:30 forum.example.com: expired, and the log of certbot is full of successes",
        about: "forum.example.com",
        cause: "moved-back",
        hints: [
            "What is the newest certificate that the CA has given, and what lies in live/?",
            "The archive holds a newer version than the one that the links lead to.",
            "Lead the links to the newest version (a b, rollback) at forum-ber-1.",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
            Wrong {
                action: "reload",
                why: "live/ led to the old version: a reload loads it again",
            },
        ],
        lesson: "Issued is not on the disk, and on the disk is not loaded: look at all four layers.",
    },
    hosts: &[Host {
        name: "forum-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "forum.example.com", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![Lineage {
                left: 60 * DAY - HOUR,
                site: Site::Version(2),
                flaw: Some(Flaw::MovedBack),
                ..Lineage::new(&["forum.example.com"])
            }])
            .install(stage)
        },
    }],
};

const NO_ORDER: &str = "a newer version was kept in the archive";
