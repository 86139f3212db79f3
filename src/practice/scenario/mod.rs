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
pub(super) mod pem;
mod public;
mod reach;
mod renewal;
mod served;

use super::Error;
use super::build::{Fleet, Recipe, Wanted};
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

/// That many hosts: every scenario first, then a crowd.
pub(super) fn fleet(hosts: usize) -> Fleet {
    let own = ALL.iter().map(|it| Wanted {
        name: it.host.to_owned(),
        groups: it.groups,
        about: Some(it.about),
        recipe: Recipe::Own(it.build),
    });
    let crowd = (0..).map(|number| {
        let (name, groups) = crowd::name(number);
        Wanted { name, groups, about: None, recipe: Recipe::Crowd(number) }
    });
    Fleet { hosts: own.chain(crowd).take(hosts).collect(), expiries: EXPIRIES }
}

/// What else expires around them.
const EXPIRIES: &[(&str, i64)] =
    &[("CDN API token", 9), ("example.org domain", 57), ("EAB key of rehearsal", 140)];

const EDGE: &[&str] = &["production", "edge"];
const PRODUCTION: &[&str] = &["production"];
const STAGING: &[&str] = &["staging"];
const INTERNAL: &[&str] = &["internal"];
