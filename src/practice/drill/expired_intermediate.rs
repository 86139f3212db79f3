//! The leaf is good for months; the intermediate in its file has ended.

use super::{EDGE, Host, Kind};
use crate::drill::{Task, Wrong};
use crate::fleet::DAY;
use crate::practice::authority::Ca;
use crate::practice::certbot::{ON_THE_HOST, endpoint};
use crate::practice::nginx;
use crate::practice::scenario::pem;

pub(super) const KIND: Kind = Kind {
    task: Task {
        name: "expired-intermediate",
        page: "07:30 sso.example.com: nobody can log in; the certificate is said to last until spring",
        about: "sso.example.com",
        cause: "chain",
        hints: [
            "The leaf is good. What else does a server show, and how long does that last?",
            "Look at the end of every certificate in the chain, not only of the first.",
            "Replace the chain at sso-ber-1 (replace-chain): leaf and key stay.",
        ],
        orders: 0,
        wrong: &[
            Wrong { action: "issue", why: "the leaf was good for months" },
            Wrong { action: "reload", why: "the file itself had the old intermediate" },
        ],
        lesson: "A chain ends with its first end. DST Root X3 in 2021 and AddTrust in 2020 were outages of good leaves.",
    },
    hosts: &[
        Host {
            name: "sso-ber-1",
            groups: EDGE,
            build: |stage| {
                endpoint(stage, SSO, nginx::PORT, ON_THE_HOST);
                let mut sso = stage.issue(Ca::Second, &[SSO], 398 * DAY, 151 * DAY)?;
                stage.lapsed_chain(Ca::Second).clone_into(&mut sso.chain);
                pem::put(stage, SSO, &sso)?;
                pem::serve(stage, &[SSO], nginx::PORT)
            },
        },
        // Bought later, with the intermediate of today.
        Host {
            name: "wiki-ber-1",
            groups: EDGE,
            build: |stage| {
                endpoint(stage, WIKI, nginx::PORT, ON_THE_HOST);
                let wiki = stage.issue(Ca::Second, &[WIKI], 200 * DAY, 122 * DAY)?;
                pem::put(stage, WIKI, &wiki)?;
                pem::serve(stage, &[WIKI], nginx::PORT)
            },
        },
    ],
};

const SSO: &str = "sso.example.com";
const WIKI: &str = "wiki.example.com";
