//! nginx loads the lineage with `-0001`, and what is renewed is the one without.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::certbot::{self, Certbot, Lineage, ON_THE_HOST, Site};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "wrong-lineage",
        page: "10:20 monitor: gift.example.com has 36 days left; certbot and its log say 84",
        about: "gift.example.com",
        cause: "wrong-lineage",
        hints: [
            "Both are right. How can two certificates for the same names be there?",
            "Which files does nginx name in its configuration, and which does certbot renew?",
            "Let nginx at gift-ber-1 load the lineage without -0001 (repoint).",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
            Wrong { action: "reload", why: "nginx loads what its configuration names" },
        ],
        lesson: "certbot made a second lineage when the names were typed in another order, and the server was never told. Every order for both counts against the same limit.",
    },
    hosts: &[Host {
        name: "gift-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "gift.example.com", nginx::PORT, ON_THE_HOST);
            let gift = Lineage::new(&["gift.example.com", "www.gift.example.com"]);
            Certbot::new(vec![
                Lineage { left: 84 * DAY, site: Site::None, ..gift.clone() },
                Lineage {
                    name: "gift.example.com-0001".into(),
                    left: 36 * DAY,
                    versions: 1,
                    ..gift
                },
            ])
            .install(stage)
        },
    }],
};

const NO_ORDER: &str = "a good certificate was there, in the lineage beside it";
