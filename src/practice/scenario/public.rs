//! Names that clients reach at other addresses than the host's own.

use std::sync::Arc;

use super::{EDGE, Kind};
use crate::fleet::DAY;
use crate::practice::Error;
use crate::practice::authority::{Ca, Issued};
use crate::practice::certbot::{self, Certbot, Lineage};
use crate::practice::nginx::{self, Loaded};
use crate::practice::stage::Stage;

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
        let before = Some(old_portal(stage)?);
        let portal = Lineage { left: LEFT, port, before, ..Lineage::new(&[PORTAL]) };
        Certbot::new(vec![portal]).install(stage)
    },
};

pub(super) const BALANCER: Kind = Kind {
    name: "balancer",
    about: "a load balancer with a copy of portal.localhost that nobody has replaced",
    host: "lb-fra-2",
    groups: EDGE,
    build: |stage| {
        let port = stage.port_of(stage.name())?;
        let old = old_portal(stage)?;
        super::pem::put(stage, PORTAL, &old)?;
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
        let left = 65 * DAY;
        let old = stage.issue(Ca::Public, &[KIOSK], 90 * DAY, left - certbot::period(90 * DAY))?;
        let elsewhere = stage.root.join("elsewhere");
        let site = Loaded {
            names: vec![KIOSK.to_owned()],
            ports: vec![port],
            pems: vec![format!("{}{}{}", old.certificate, old.chain, old.key)],
        };
        nginx::load_at(&elsewhere, &[site])?;
        stage.divert_v6(elsewhere);
        certbot::endpoint(stage, KIOSK, port, "");
        let before = Some(Arc::new(old));
        let kiosk = Lineage { left, port, before, ..Lineage::new(&[KIOSK]) };
        Certbot::new(vec![kiosk]).install(stage)
    },
};

/// The version of the portal's certificate that the balancer still has.
fn old_portal(stage: &Stage<'_>) -> Result<Arc<Issued>, Error> {
    let left = LEFT - certbot::period(90 * DAY);
    stage.issue_once("portal", Ca::Public, &[PORTAL], 90 * DAY, left)
}

/// How long the newest version of the portal's certificate lasts.
const LEFT: i64 = 77 * DAY;

const PORTAL: &str = "portal.localhost";
const KIOSK: &str = "kiosk.localhost";
