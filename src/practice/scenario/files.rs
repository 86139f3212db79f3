//! Lineages with something wrong in their files.

use super::{Kind, PRODUCTION, STAGING as STAGING_GROUP};
use crate::fleet::DAY;
use crate::practice::authority::Ca;
use crate::practice::certbot::{Certbot, Flaw, Lineage, Site};
use crate::practice::words::Failure;

pub(super) const STAGING: Kind = Kind {
    name: "staging",
    about: "a test certificate has been left where people look",
    host: "stage-fra-1",
    groups: STAGING_GROUP,
    build: |stage| {
        Certbot::new(vec![
            Lineage {
                left: 80 * DAY,
                ca: Ca::Staging,
                versions: 1,
                ..Lineage::new(&["beta.example.net"])
            },
            Lineage { left: 59 * DAY, ..Lineage::new(&["preview.example.net"]) },
        ])
        .install(stage)
    },
};

pub(super) const STALE_KEY: Kind = Kind {
    name: "stale key",
    about: "privkey.pem still leads to the key of the version before: a restart will fail",
    host: "mail-hel-2",
    groups: PRODUCTION,
    build: |stage| {
        Certbot::new(vec![
            Lineage {
                left: 86 * DAY,
                flaw: Some(Flaw::StaleKey),
                ..Lineage::new(&["mx2.example.com"])
            },
            Lineage { left: 52 * DAY, ..Lineage::new(&["lists.example.com"]) },
        ])
        .install(stage)
    },
};

pub(super) const DUPLICATE: Kind = Kind {
    name: "duplicate",
    about: "certbot made www.example.com-0001, again and again: the CA's limit is used up",
    host: "shop-sin-1",
    groups: PRODUCTION,
    build: |stage| {
        let www = Lineage {
            failure: Some(Failure::RateLimited),
            ..Lineage::new(&["www.example.com", "example.com"])
        };
        Certbot::new(vec![
            Lineage { name: "www.example.com-0001".into(), left: 79 * DAY, ..www.clone() },
            Lineage { left: 38 * DAY, site: Site::None, ..www },
        ])
        .install(stage)
    },
};

pub(super) const BROKEN_CONF: Kind = Kind {
    name: "broken conf",
    about: "a renewal configuration without its fullchain line: certbot skips it on every run",
    host: "api-iad-1",
    groups: PRODUCTION,
    build: |stage| {
        Certbot::new(vec![
            Lineage {
                left: 43 * DAY,
                flaw: Some(Flaw::BrokenConf),
                ..Lineage::new(&["graphql.example.com"])
            },
            Lineage { left: 64 * DAY, ..Lineage::new(&["rest.example.com"]) },
        ])
        .install(stage)
    },
};
