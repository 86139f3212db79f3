//! What the rest of the fleet has to do with a place: siblings, groups.

use crate::fleet::{Fleet, Group, Host};

/// The fleet, put in order so that a rule can ask about the others.
#[derive(Debug, Clone, Default)]
pub struct Around<'a> {
    groups: &'a [Group],
}

impl<'a> Around<'a> {
    /// Puts a fleet in order.
    pub fn of(fleet: &'a Fleet) -> Self {
        Self { groups: &fleet.groups }
    }

    /// The groups that a host is in, in the order in which it names them.
    pub(super) fn groups_of(&self, host: &'a Host) -> impl Iterator<Item = &'a Group> {
        host.groups.iter().filter_map(|name| self.groups.iter().find(|it| it.name == *name))
    }
}
