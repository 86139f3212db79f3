//! Names that clients reach at other addresses than the host's own.

use super::{EDGE, Kind};
use crate::fleet::DAY;
use crate::practice::authority::Ca;
use crate::practice::certbot::{self, Certbot, Lineage};
use crate::practice::nginx::{self, Loaded};

pub(super) const ORIGIN: Kind = Kind {
    name: "origin",
    about: "all is well here; the load balancer before it still has the old certificate",
    host: "app-fra-1",
    groups: EDGE,
    build: |stage| {
        let port = stage.port_of(stage.name())?;
        let balancer = stage.port_of(BALANCER.host)?;
        let addresses = format!("  addresses = [\"127.0.0.1:{balancer}\"]\n");
        certbot::endpoint(stage, PORTAL, port, &addresses);
        Certbot::new(vec![Lineage { left: 77 * DAY, port, ..Lineage::new(&[PORTAL]) }])
            .install(stage)
    },
};

pub(super) const BALANCER: Kind = Kind {
    name: "balancer",
    about: "a load balancer with a copy of portal.localhost that nobody has replaced",
    host: "lb-fra-2",
    groups: EDGE,
    build: |stage| {
        let port = stage.port_of(stage.name())?;
        let issued = stage.issue(Ca::Public, &[PORTAL], 90 * DAY, 34 * DAY)?;
        super::pem::put(stage, PORTAL, &issued)?;
        super::pem::serve(stage, &[PORTAL], port)
    },
};

pub(super) const ELSEWHERE: Kind = Kind {
    name: "other address",
    about: "the AAAA record of kiosk.localhost leads to another machine, with an old certificate",
    host: "edge-lhr-1",
    groups: EDGE,
    build: |stage| {
        let port = stage.port_of(stage.name())?;
        let old = stage.issue(Ca::Public, &[KIOSK], 90 * DAY, 11 * DAY)?;
        let elsewhere = stage.root.join("elsewhere");
        let site = Loaded {
            names: vec![KIOSK.to_owned()],
            ports: vec![port],
            pems: vec![format!("{}{}{}", old.certificate, old.chain, old.key)],
        };
        nginx::load_at(&elsewhere, &[site])?;
        stage.divert_v6(elsewhere);
        certbot::endpoint(stage, KIOSK, port, "");
        Certbot::new(vec![Lineage { left: 65 * DAY, port, ..Lineage::new(&[KIOSK]) }])
            .install(stage)
    },
};

const PORTAL: &str = "portal.localhost";
const KIOSK: &str = "kiosk.localhost";
