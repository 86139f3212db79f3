//! What an action is done to: a host, and a lineage there.

use super::{Kind, Plan, Refusal};
use crate::fleet::{self, Fleet, HostName, Moment, Place};
use crate::inventory::{self, Inventory, Protect};

/// A host, and a lineage there.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What we were told.
    pub inventory: &'a Inventory,
    /// The same of the host.
    pub told: &'a inventory::Host,
    /// What is known of the host.
    pub host: &'a fleet::Host,
    /// The name of the lineage.
    pub lineage: Option<&'a str>,
    /// What is known of it, if it exists.
    pub place: Option<&'a Place>,
    /// The present.
    pub now: Moment,
}

/// Where targets are found.
#[derive(Debug, Clone, Copy)]
pub struct Find<'a> {
    /// What we were told.
    pub inventory: &'a Inventory,
    /// What is known.
    pub fleet: &'a Fleet,
    /// The present.
    pub now: Moment,
}

impl<'a> Find<'a> {
    /// The target of that name, on that host.
    pub fn target(&self, host: &HostName, lineage: Option<&'a str>) -> Option<Target<'a>> {
        let told = self.inventory.hosts.iter().find(|it| it.name == *host)?;
        let host = self.fleet.host(host)?;
        let place = lineage.and_then(|name| host.places.iter().find(|it| it.name.as_str() == name));
        Some(Target { inventory: self.inventory, told, host, lineage, place, now: self.now })
    }
}

impl Target<'_> {
    /// How carefully its groups are guarded: the strictest counts.
    pub fn protect(&self) -> Protect {
        let of = |name: &String| self.inventory.groups.iter().find(|it| it.name == *name);
        let all = self.told.groups.iter().filter_map(of).map(|it| it.protect);
        all.max().unwrap_or_default()
    }

    /// Refuses what no action may do: change a group that is read-only, or a host that was not
    /// read, or a lineage that is not there.
    pub(super) fn check(&self, kind: &Kind) -> Result<(), Refusal> {
        let _ = kind;
        todo!()
    }

    /// Raises the tier of a plan to what the groups ask for.
    pub(super) fn guarded(&self, plan: Plan) -> Plan {
        todo!("{plan:?}")
    }
}
