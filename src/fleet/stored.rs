//! What a store of secrets holds of a certificate that is delivered to it.

use super::{Certificate, Chain, Fingerprint, HostName, Moment, PlaceName};
use crate::text::SafeText;

/// What a store was seen to hold of the certificate of a place, or that it could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The name of the store, as the inventory has it.
    pub store: SafeText,
    /// Where in it the certificate lies, or would lie.
    pub path: SafeText,
    /// What it holds there; `None` if that is not known.
    pub held: Option<Held>,
    /// When it was asked.
    pub at: Moment,
}

/// What a store holds at a path: nothing, where all of it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The certificates, the leaf first.
    pub chain: Vec<Fingerprint>,
    /// The name that the store gives to this version.
    pub version: Option<SafeText>,
    /// When the certificate ends, as it stands beside it.
    pub until: Option<Moment>,
    /// The host that it came from, as it stands beside it.
    pub host: Option<SafeText>,
    /// The lineage that it came from, as it stands beside it.
    pub lineage: Option<SafeText>,
    /// The names that it is for, as they stand beside it.
    pub names: Vec<SafeText>,
}

impl Stored {
    /// Whether it holds exactly this; `None` if that is not known.
    pub fn holds(&self, chain: &Chain) -> Option<bool> {
        Some(self.held.as_ref()?.chain == chain.fingerprints())
    }

    /// Whether whoever reads it misses what lies on a host; `None` if that is not known.
    pub fn lags(&self, host: &HostName, lineage: &PlaceName, chain: &Chain) -> Option<bool> {
        let held = self.held.as_ref()?;
        let stands_in = held.stands_in_for(&chain.leaf, host.as_str(), lineage.as_str());
        Some(self.holds(chain) == Some(false) && !stands_in)
    }
}

impl Held {
    /// Whether it came from another host than this.
    pub fn is_of_another(&self, host: &str) -> bool {
        self.host.as_ref().is_some_and(|it| it.as_str() != host)
    }

    /// Whether it serves readers as well as a certificate that a host could deliver: several hosts
    /// may share a path, each with a certificate of its own for one lineage, and would else take
    /// each other's place for ever. It is another host's, has all of the names, and ends no sooner.
    pub fn stands_in_for(&self, leaf: &Certificate, host: &str, lineage: &str) -> bool {
        self.is_of_another(host)
            && self.lineage.as_ref().is_some_and(|it| it.as_str() == lineage)
            && self.chain.first().is_some_and(|it| *it != leaf.sha256)
            && self.until.is_some_and(|it| it >= leaf.not_after)
            && covers(&self.names, &leaf.names)
    }

    /// Whether a certificate has every name that it has.
    pub fn is_covered_by(&self, leaf: &Certificate) -> bool {
        covers(&leaf.names, &self.names)
    }
}

/// Whether all of these names are among those.
fn covers(those: &[SafeText], names: &[SafeText]) -> bool {
    let has =
        |name: &SafeText| those.iter().any(|it| it.as_str().eq_ignore_ascii_case(name.as_str()));
    names.iter().all(has)
}
