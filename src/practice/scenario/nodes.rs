//! Five nodes that share one certificate, which is brought to them from elsewhere. One was missed.

use super::{EDGE, Kind, pem};
use crate::fleet::DAY;
use crate::practice::Error;
use crate::practice::authority::Ca;
use crate::practice::nginx;
use crate::practice::stage::Stage;

pub(super) const FIRST: Kind = has_new("node 1", "node-gru-1");
pub(super) const SECOND: Kind = has_new("node 2", "node-gru-2");
pub(super) const THIRD: Kind = has_new("node 3", "node-gru-3");
pub(super) const FIFTH: Kind = has_new("node 5", "node-gru-5");

pub(super) const MISSED: Kind = Kind {
    name: "node missed",
    about: "the new certificate of static.example.net came to four of five nodes, and not here",
    host: "node-gru-4",
    groups: EDGE,
    build: |stage| build(stage, "old", 33 * DAY),
};

const fn has_new(name: &'static str, host: &'static str) -> Kind {
    Kind {
        name,
        about: "one of five nodes with static.example.net, brought here by other means",
        host,
        groups: EDGE,
        build: |stage| build(stage, "new", 76 * DAY),
    }
}

fn build(stage: &mut Stage<'_>, which: &'static str, left: i64) -> Result<(), Error> {
    let issued = stage.issue_once(which, Ca::Public, &[STATIC], 90 * DAY, left)?;
    pem::put(stage, STATIC, &issued)?;
    pem::serve(stage, &[STATIC], nginx::PORT)
}

const STATIC: &str = "static.example.net";
