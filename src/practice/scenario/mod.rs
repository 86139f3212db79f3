//! The hosts of the practice fleet: one scenario each, with its own trouble or with none.
//!
//! # Adding a scenario
//! 1. A `Kind` in the file of its sort: its host, what it shows, and how it is built.
//! 2. An entry in [`ALL`]; the order is that of the inventory, and of fewer `--hosts`.

mod automation;
pub(super) mod crowd;
mod files;
mod hostile;
mod nodes;
mod pem;
mod public;
mod reach;
mod renewal;
mod served;

use super::Error;
use super::stage::Stage;

/// Every scenario.
pub static ALL: &[Kind] = &[
    renewal::FINE,
    renewal::OVERDUE,
    renewal::EXPIRED,
    renewal::DUE,
    renewal::FORTY_FIVE_DAYS,
    reach::SILENT,
    renewal::SIX_DAYS,
    hostile::KIND,
    automation::TIMER_DISABLED,
    files::STAGING,
    pem::PRIVATE_CA,
    reach::DOWN,
    automation::HOOK_NOT_EXECUTABLE,
    files::STALE_KEY,
    pem::NO_INTERMEDIATE,
    reach::SLOW,
    automation::SERVICE_FAILED,
    files::DUPLICATE,
    files::BROKEN_CONF,
    renewal::NOT_YET_VALID,
    reach::STRANGER,
    reach::CLOCK_OFF,
    automation::MANUAL,
    renewal::RSA,
    served::NOT_RELOADED,
    served::HOOK_FAILED,
    served::MOVED_BACK,
    served::OTHER_LINEAGE,
    served::NAME,
    served::EMERGENCY,
    pem::EXPIRED_INTERMEDIATE,
    public::ELSEWHERE,
    public::ORIGIN,
    public::BALANCER,
    nodes::FIRST,
    nodes::SECOND,
    nodes::THIRD,
    nodes::MISSED,
    nodes::FIFTH,
];

/// What a practice host is about.
#[derive(Debug)]
pub struct Kind {
    /// The scenario's name.
    pub name: &'static str,
    /// One line for people: what is to be seen there.
    pub about: &'static str,
    /// The name of its host.
    pub host: &'static str,
    /// The groups of its host.
    pub groups: &'static [&'static str],
    pub(super) build: fn(&mut Stage<'_>) -> Result<(), Error>,
}

const EDGE: &[&str] = &["production", "edge"];
const PRODUCTION: &[&str] = &["production"];
const STAGING: &[&str] = &["staging"];
const INTERNAL: &[&str] = &["internal"];
