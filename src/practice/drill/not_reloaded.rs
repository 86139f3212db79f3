//! Renewed a month ago, and nobody told nginx: the old one has ended on the wire.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::{DAY, HOUR};
use crate::practice::certbot::{self, Certbot, Lineage, ON_THE_HOST, Site};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "not-reloaded",
        page: "03:07 www.example.net is down: browsers say that its certificate has ended",
        about: "www.example.net",
        cause: "unloaded",
        hints: [
            "Before anything is ordered: is there a good certificate on the host already?",
            "The layers of the place differ: compare what lies on the disk with what is loaded.",
            "Reload nginx at web-ber-1 (a l): the new certificate lies on its disk for a month.",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
        ],
        lesson: "A certificate that has ended on the wire may have been renewed long ago. Look at the disk before you ask a CA, and find out why the hook did not reload.",
    },
    hosts: &[Host {
        name: "web-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "www.example.net", nginx::PORT, ON_THE_HOST);
            Certbot::new(vec![
                // The version before ended an hour ago.
                Lineage {
                    left: 60 * DAY - HOUR,
                    site: Site::Version(2),
                    ..Lineage::new(&["www.example.net", "example.net"])
                },
                Lineage { left: 52 * DAY, ..Lineage::new(&["status.example.net"]) },
            ])
            .install(stage)
        },
    }],
};

const NO_ORDER: &str = "a good certificate lay on the disk, so no order was needed";
