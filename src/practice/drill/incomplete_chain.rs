//! A bought certificate was put in place without its intermediate.

use super::{EDGE, Host, Kind};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::authority::Ca;
use crate::practice::certbot::{ON_THE_HOST, endpoint};
use crate::practice::nginx;
use crate::practice::scenario::pem;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "incomplete-chain",
        page: "09:10 vpn.example.com: phones cannot connect since the change; laptops can",
        about: "vpn.example.com",
        cause: "chain",
        hints: [
            "Some clients complete for themselves what others need to be given.",
            "Look at the certificates after the leaf, in the file and on the wire.",
            "Replace the chain at vpn-ber-1 (replace-chain): leaf and key stay.",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "issue", why: "leaf and key were good: only the chain was missing" },
            Wrong { action: "reload", why: "the file itself had no intermediate" },
        ],
        lesson: "\"Works on my laptop\" is the sign of a missing intermediate: browsers keep those that they have seen elsewhere.",
    },
    hosts: &[Host {
        name: "vpn-ber-1",
        groups: EDGE,
        build: |stage| {
            endpoint(stage, VPN, nginx::PORT, ON_THE_HOST);
            let mut vpn = stage.issue(Ca::Second, &[VPN], 398 * DAY, 174 * DAY)?;
            vpn.chain.clear();
            pem::put(stage, VPN, &vpn)?;
            let radius = stage.issue(Ca::Second, &[RADIUS], 200 * DAY, 139 * DAY)?;
            pem::put(stage, RADIUS, &radius)?;
            pem::serve(stage, &[VPN, RADIUS], nginx::PORT)
        },
    }],
};

const VPN: &str = "vpn.example.com";
const RADIUS: &str = "radius.example.com";
