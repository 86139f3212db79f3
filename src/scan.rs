//! Hosts in, visits out, as they end: concurrency and deadlines, nothing else.

use std::sync::Arc;

use crate::clock::Clock;
use crate::fleet::{Fleet, HostName, Visit};
use crate::inventory::Inventory;
use crate::remote::Sessions;

/// What a running scan tells, as it happens.
#[derive(Debug)]
pub enum Progress {
    /// A visit began.
    Began(HostName),
    /// A visit ended.
    Ended(Visit),
}

/// A scan under way. Dropping it stops it.
#[derive(Debug)]
pub struct Scan {}

impl Scan {
    /// Starts to visit these hosts of the inventory. `known` is what the fleet knows of them now.
    pub fn start(
        _inventory: Arc<Inventory>,
        _sessions: Arc<Sessions>,
        _known: &Fleet,
        _hosts: Vec<HostName>,
        _clock: Clock,
    ) -> Self {
        todo!()
    }

    /// What happened next; `None` once every visit has ended.
    pub async fn next(&mut self) -> Option<Progress> {
        todo!()
    }
}
