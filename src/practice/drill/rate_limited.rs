//! Renewed five times in a panic and never loaded: the limit of the CA is used up, and was not
//! needed.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::{DAY, HOUR};
use crate::practice::certbot::{self, Certbot, Lineage, ON_THE_HOST, Site};
use crate::practice::nginx;
use crate::practice::words::Failure;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "rate-limited",
        page: "03:40 shop.example.com has expired. Anton: \"renewed it again and again, it does not help, and now certbot fails\"",
        about: "shop.example.com",
        cause: "unloaded",
        hints: [
            "Anton did get certificates. Where are they?",
            "The newest lies on the disk and is good; what is loaded is not that.",
            "Reload nginx at shop-ber-1 (a l). Do not order: the limit for these names is used up.",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
        ],
        lesson: "When a renewal changes nothing on the wire, a second one changes nothing either. Five a week for the same names, and no CA lifts that in a night.",
    },
    hosts: &[Host {
        name: "shop-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "shop.example.com", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![Lineage {
                left: 60 * DAY - HOUR,
                site: Site::Version(2),
                failure: Some(Failure::RateLimited),
                ..Lineage::new(&["shop.example.com", "www.shop.example.com"])
            }])
            .install(stage)
        },
    }],
};

const NO_ORDER: &str = "the CA allows no more for these names, and a good certificate lay there";
