//! All is well at the origin; the load balancer before it still has the old certificate.

use super::{Host, Kind, PRODUCTION};
use crate::drill::{Task, Wrong};
use crate::fleet::{DAY, HOUR};
use crate::practice::certbot::{self, Certbot, Lineage};
use crate::practice::words::Failure;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "balancer",
        page: "12:45 portal.localhost: customers see an expired certificate; on the server all is green",
        about: "portal.localhost",
        cause: "expired",
        hints: [
            "Who answers customers? Is it the server that is green?",
            "What comes from outside is another certificate than what the origin serves.",
            "Transplant the origin's certificate to edge-ber-2, which stands before it (a t).",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "renew", why: NO_ORDER },
            Wrong { action: "force-renew", why: NO_ORDER },
            Wrong { action: "issue", why: NO_ORDER },
        ],
        lesson: "What clients get is what the last machine before them serves. Look from outside, not at the origin alone.",
    },
    hosts: &[
        Host {
            name: "portal-ber-1",
            groups: PRODUCTION,
            build: |stage| {
                let port = stage.port_of(stage.name())?;
                let before = stage.port_of(BALANCER)?;
                let addresses = format!("  addresses = [\"127.0.0.1:{before}\"]\n");
                certbot::endpoint(stage, PORTAL, port, &addresses);
                let portal = Lineage { left: LEFT, port, ..Lineage::new(&[PORTAL]) };
                Certbot::new(vec![portal]).install(stage)
            },
        },
        Host {
            name: BALANCER,
            groups: PRODUCTION,
            build: |stage| {
                let port = stage.port_of(stage.name())?;
                // What it has ended, and its own renewals never find the challenge.
                let old = Lineage {
                    left: LEFT - certbot::period(90 * DAY),
                    port,
                    failure: Some(Failure::NotFound),
                    ..Lineage::new(&[PORTAL])
                };
                Certbot::new(vec![old]).install(stage)
            },
        },
    ],
};

const BALANCER: &str = "edge-ber-2";
const PORTAL: &str = "portal.localhost";
/// So that the version before has ended.
const LEFT: i64 = 60 * DAY - 2 * HOUR;
const NO_ORDER: &str = "the origin had a good certificate already";
