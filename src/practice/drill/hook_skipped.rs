//! The deploy hook has lost its execute bit, so that certbot passes over it, and nginx is never
//! told of a renewal.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::certbot::{self, Certbot, HookFile, Lineage, ON_THE_HOST, RELOAD, Site};
use crate::practice::nginx;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "hook-skipped",
        page: "06:40 monitor: app.example.com has 19 days left on the wire; certbot says 79",
        about: "app.example.com",
        cause: "hook",
        hints: [
            "Two things are wrong: what clients get now, and why it came to that.",
            "nginx was not told of the renewal. What should have told it, and did certbot run it?",
            "Reload nginx at app-ber-1, then make its hook executable (enable-hook).",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
        ],
        lesson: "A reload mends this night; the hook mends the next renewal. certbot passes over a hook that is not executable without a word.",
    },
    hosts: &[Host {
        name: "app-ber-1",
        groups: PRODUCTION,
        build: |stage| {
            certbot::endpoint(stage, "app.example.com", nginx::PORT, ON_THE_HOST);
            Certbot {
                hooks: &[HookFile { path: "deploy/10-reload-nginx.sh", mode: 0o644, text: RELOAD }],
                ..Certbot::new(vec![Lineage {
                    left: 79 * DAY,
                    site: Site::Version(2),
                    ..Lineage::new(&["app.example.com"])
                }])
            }
            .install(stage)
        },
    }],
};

const NO_ORDER: &str = "a good certificate lay on the disk, so no order was needed";
