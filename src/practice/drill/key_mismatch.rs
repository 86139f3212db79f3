//! `privkey.pem` still leads to the key of the version before.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::certbot::{self, Certbot, Flaw, Lineage, ON_THE_HOST, Site};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "key-mismatch",
        page: "01:50 deploy of mx.example.com is stuck: nginx does not start with the new files",
        about: "mx.example.com",
        cause: "key",
        hints: [
            "What does nginx itself say of the files? Do certificate and key belong together?",
            "One of the four links of the lineage leads to another version than the others.",
            "Lead the links back to a version whose key fits (a b, rollback) at mx-ber-1.",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
        ],
        lesson: "A pair that was half written is mended by the pair that is kept in the archive. Never restart a server whose key does not fit.",
    },
    hosts: &[Host {
        name: "mx-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "mx.example.com", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![
                Lineage {
                    left: 86 * DAY,
                    flaw: Some(Flaw::StaleKey),
                    site: Site::Version(2),
                    ..Lineage::new(&["mx.example.com"])
                },
                Lineage { left: 53 * DAY, ..Lineage::new(&["lists.example.com"]) },
            ])
            .install(stage)
        },
    }],
};

const NO_ORDER: &str = "a pair that fits was kept in the archive";
