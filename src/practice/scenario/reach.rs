//! Hosts that are hard to read.

use std::time::Duration;

use super::{EDGE, INTERNAL, Kind, PRODUCTION};
use crate::fleet::DAY;
use crate::practice::certbot::{Certbot, Lineage};

pub(super) const DOWN: Kind = Kind {
    name: "down",
    about: "nothing listens there: connection refused",
    host: "db-iad-1",
    groups: INTERNAL,
    build: |stage| {
        stage.manner.is_down = true;
        Certbot::new(vec![Lineage::new(&["db.corp.example"])]).install(stage)
    },
};

pub(super) const SLOW: Kind = Kind {
    name: "slow",
    about: "takes four seconds to answer, and then is fine",
    host: "edge-tyo-1",
    groups: EDGE,
    build: |stage| {
        stage.manner.delay = Duration::from_secs(4);
        Certbot::new(vec![Lineage { left: 49 * DAY, ..Lineage::new(&["jp.example.net"]) }])
            .install(stage)
    },
};

pub(super) const SILENT: Kind = Kind {
    name: "silent",
    about: "takes the connection and says nothing until the deadline",
    host: "edge-syd-2",
    groups: EDGE,
    build: |stage| {
        stage.manner.delay = Duration::from_secs(600);
        stage.inventory("connect-timeout = \"3s\"\nscan-timeout = \"4s\"\n");
        Certbot::new(vec![Lineage { left: 31 * DAY, ..Lineage::new(&["au.example.net"]) }])
            .install(stage)
    },
};

pub(super) const STRANGER: Kind = Kind {
    name: "stranger",
    about: "a new host whose key nobody has looked at yet",
    host: "new-lhr-1",
    groups: PRODUCTION,
    build: |stage| {
        stage.manner.is_stranger = true;
        Certbot::new(vec![Lineage { left: 88 * DAY, ..Lineage::new(&["uk.example.com"]) }])
            .install(stage)
    },
};

pub(super) const CLOCK_OFF: Kind = Kind {
    name: "clock off",
    about: "its clock is two days ahead",
    host: "edge-gru-1",
    groups: EDGE,
    build: |stage| {
        stage.clock_offset += 2 * DAY;
        Certbot::new(vec![Lineage { left: 62 * DAY, ..Lineage::new(&["br.example.net"]) }])
            .install(stage)
    },
};
