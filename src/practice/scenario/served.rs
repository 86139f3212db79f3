//! Good certificates that clients do not get: what nginx has loaded is something else.

use super::{Kind, PRODUCTION};
use crate::fleet::DAY;
use crate::practice::certbot::{self, Authenticator, Certbot, Flaw, Lineage, ON_THE_HOST, Site};
use crate::practice::nginx;

pub(super) const NOT_RELOADED: Kind = Kind {
    name: "not reloaded",
    about: "renewed nine days ago, and nobody told nginx: the old one has three weeks left",
    host: "web-lhr-1",
    groups: PRODUCTION,
    build: |stage| {
        certbot::endpoint(stage, "tickets.example.com", nginx::PORT, ON_THE_HOST);
        Certbot {
            hooks: &[],
            ..Certbot::new(vec![
                Lineage {
                    left: 81 * DAY,
                    site: Site::Version(2),
                    ..Lineage::new(&["tickets.example.com"])
                },
                Lineage { left: 54 * DAY, ..Lineage::new(&["seats.example.com"]) },
            ])
        }
        .install(stage)
    },
};

pub(super) const HOOK_FAILED: Kind = Kind {
    name: "hook failed",
    about: "renewed, but the deploy hook failed that night, and certbot called it a success",
    host: "web-lhr-2",
    groups: PRODUCTION,
    build: |stage| {
        Certbot::new(vec![Lineage {
            left: 83 * DAY,
            site: Site::Version(2),
            flaw: Some(Flaw::HookFailed),
            ..Lineage::new(&["rewards.example.com"])
        }])
        .install(stage)
    },
};

pub(super) const MOVED_BACK: Kind = Kind {
    name: "moved back",
    about: "somebody led the live links back to an old version, and forgot it",
    host: "web-lhr-3",
    groups: PRODUCTION,
    build: |stage| {
        Certbot::new(vec![Lineage {
            left: 86 * DAY,
            site: Site::Version(2),
            flaw: Some(Flaw::MovedBack),
            ..Lineage::new(&["forum.example.com"])
        }])
        .install(stage)
    },
};

pub(super) const OTHER_LINEAGE: Kind = Kind {
    name: "other lineage",
    about: "nginx loads gift.example.com-0001, and what is renewed is gift.example.com",
    host: "shop-lhr-1",
    groups: PRODUCTION,
    build: |stage| {
        let gift = Lineage::new(&["gift.example.com", "www.gift.example.com"]);
        Certbot::new(vec![
            Lineage { left: 84 * DAY, site: Site::None, ..gift.clone() },
            Lineage { name: "gift.example.com-0001".into(), left: 36 * DAY, versions: 1, ..gift },
        ])
        .install(stage)
    },
};

pub(super) const NAME: Kind = Kind {
    name: "name not covered",
    about: "nginx was given a second name, and the certificate was not",
    host: "web-lhr-4",
    groups: PRODUCTION,
    build: |stage| {
        certbot::endpoint(stage, "m.club.example.com", nginx::PORT, ON_THE_HOST);
        Certbot::new(vec![Lineage {
            left: 58 * DAY,
            also: &["m.club.example.com"],
            ..Lineage::new(&["club.example.com"])
        }])
        .install(stage)
    },
};

pub(super) const EMERGENCY: Kind = Kind {
    name: "emergency",
    about: "issued by hand in an emergency; nothing can renew it unattended",
    host: "web-lhr-5",
    groups: PRODUCTION,
    build: |stage| {
        Certbot::new(vec![
            Lineage {
                left: 69 * DAY,
                versions: 1,
                authenticator: Authenticator::Manual,
                ..Lineage::new(&["promo.example.com"])
            },
            Lineage { left: 46 * DAY, ..Lineage::new(&["careers.example.com"]) },
        ])
        .install(stage)
    },
};
