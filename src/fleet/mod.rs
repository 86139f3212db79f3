//! What is known about the fleet: certificates, where they were seen, and how the hosts are.
//! Nothing here asks the world; [`Fleet::apply`] takes in what a scan saw.

mod ability;
mod automation;
mod certificate;
mod chain;
mod expiry;
mod host;
mod moment;
mod name;
mod pace;
mod place;
mod probe;
mod roots;
mod served;
mod server;
mod stored;
mod url;
mod verdict;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::text::SafeText;

pub use ability::{Ability, Release};
pub use automation::{
    Automation, Hook, HookStage, Lock, Schedule, Scheduler, Scope, Trigger, Unproven,
};
pub use certificate::{Certificate, Fingerprint, KeyKind, Unparsable, pem};
pub use chain::{Chain, ChainFault, Trust};
pub use expiry::{Expiry, ExpiryKind};
pub use host::{Host, HostName, Outcome, Reach, Seen, Told, ToldFinding, Unreached, Visit, Why};
pub use moment::{DAY, HOUR, Moment, human, seconds};
pub use pace::span;
pub use place::{
    ConfHook, DryRun, FailedHook, Failure, Install, InstallKind, KeySight, Layers, Need, NeedKind,
    NeedState, OWN, Place, PlaceName, Problem, ProblemKind, Renewal, Sighting, Version,
};
pub use probe::{NotServed, Probe, Unserved, Vantage};
pub use roots::Roots;
pub use server::{Listen, Load, Loaded, Server, Site};
pub use stored::{Held, Stored};
pub use url::{host_of, is_example, server_of};
pub use verdict::{Severity, Verdict, Weight};
pub use window::Window;

/// All that is known, host by host.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    /// Shared with the visits under way, which need to know what was seen before.
    hosts: BTreeMap<HostName, Arc<Host>>,
    /// Other things that expire, from the inventory.
    pub expiries: Vec<Expiry>,
    /// Who owns what, from the inventory.
    pub groups: Vec<Group>,
    /// When the last visit was taken in.
    pub scanned_at: Option<Moment>,
    /// When this machine last renewed with nobody there, if it ever did: an unattended run of
    /// what this program has ordered itself.
    pub unattended_at: Option<Moment>,
    /// When CAs want certificates to be renewed.
    windows: BTreeMap<Fingerprint, Arc<Window>>,
}

/// A group of hosts, as far as findings tell of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Who to ask.
    pub owner: Option<SafeText>,
    /// Where the runbook is.
    pub runbook: Option<SafeText>,
}

impl Fleet {
    /// A fleet of hosts that nobody has looked at yet.
    pub fn new(hosts: impl IntoIterator<Item = Host>) -> Self {
        Self {
            hosts: hosts.into_iter().map(|it| (it.name.clone(), Arc::new(it))).collect(),
            ..Self::default()
        }
    }

    /// Takes in what one visit to a host found. A failed visit keeps what was known before; a
    /// visit to a host that is not in the fleet is ignored.
    pub fn apply(&mut self, visit: Visit) {
        self.scanned_at = self.scanned_at.max(Some(visit.at));
        if let Some(host) = self.hosts.get_mut(&visit.host) {
            let host = Arc::make_mut(host);
            host.take_in(visit);
            assign(&self.windows, host);
        }
    }

    /// Takes in the hosts that somebody else reads, in place of those of the last time. What we
    /// read ourselves is nearer, and stays.
    pub fn tell(&mut self, by: &SafeText, hosts: impl IntoIterator<Item = Host>) {
        self.hosts.retain(|_, it| it.told.as_ref().is_none_or(|it| it.by != *by));
        for mut host in hosts {
            if !self.hosts.contains_key(&host.name) {
                assign(&self.windows, &mut host);
                self.hosts.insert(host.name.clone(), Arc::new(host));
            }
        }
    }

    /// Takes in when CAs want certificates to be renewed.
    pub fn learn(&mut self, windows: impl IntoIterator<Item = Arc<Window>>) {
        self.windows.extend(windows.into_iter().map(|it| (it.of, it)));
        for host in self.hosts.values_mut() {
            let is_old =
                |it: &Place| it.window.as_deref() != window(&self.windows, it).map(|it| &**it);
            if host.places.iter().any(is_old) {
                assign(&self.windows, Arc::make_mut(host));
            }
        }
    }

    /// Takes in what stores hold of the certificates of a place, until its host is read again.
    pub fn learn_stored(&mut self, host: &HostName, name: &PlaceName, stored: Vec<Stored>) {
        let Some(host) = self.hosts.get_mut(host) else { return };
        let is_meant = |it: &Place| it.name == *name;
        let own = host.places.iter().position(|it| is_meant(it) && it.is_own());
        let Some(at) = own.or_else(|| host.places.iter().position(is_meant)) else { return };
        if let Some(place) = Arc::make_mut(host).places.get_mut(at) {
            place.stored = stored;
        }
    }

    /// When CAs want certificates to be renewed, of those that are at a place.
    pub fn windows(&self) -> impl Iterator<Item = Arc<Window>> {
        let used: BTreeMap<_, _> =
            self.places().filter_map(|(_, it)| it.window.clone()).map(|it| (it.of, it)).collect();
        used.into_values()
    }

    /// The hosts, by name.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &Host> {
        self.hosts.values().map(|it| &**it)
    }

    /// The host of that name.
    pub fn host(&self, name: &HostName) -> Option<&Host> {
        self.hosts.get(name).map(|it| &**it)
    }

    /// The same, to keep while the fleet changes.
    pub fn shared(&self, name: &HostName) -> Option<Arc<Host>> {
        self.hosts.get(name).cloned()
    }

    /// Replaces the last known state of a host that is in the fleet, as when a snapshot is read.
    /// What is served at its places is found out again from its probes.
    pub fn recall(&mut self, mut host: Host) {
        served::assign(&mut host);
        if let Some(known) = self.hosts.get_mut(&host.name) {
            assign(&self.windows, &mut host);
            *known = Arc::new(host);
        }
    }

    /// Every place with its host.
    pub fn places(&self) -> impl Iterator<Item = (&Host, &Place)> {
        self.hosts().flat_map(|host| host.places.iter().map(move |place| (host, place)))
    }
}

/// Tells the places of a host when their CAs want them to be renewed.
fn assign(windows: &BTreeMap<Fingerprint, Arc<Window>>, host: &mut Host) {
    for place in &mut host.places {
        place.window = window(windows, place).cloned();
    }
}

/// The window of what lies on the disk of a place, or else of what it serves.
fn window<'a>(
    windows: &'a BTreeMap<Fingerprint, Arc<Window>>,
    place: &Place,
) -> Option<&'a Arc<Window>> {
    let disk = place.layers.disk.as_ref().map(|it| &*it.chain.leaf);
    windows.get(&disk.or_else(|| place.leaf())?.sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(at: i64, outcome: Outcome) -> Visit {
        Visit { host: HostName::new("web-01"), at: Moment::from_unix(at), outcome, probes: None }
    }

    #[test]
    fn a_failed_visit_keeps_what_was_known() {
        let mut fleet = Fleet::new([Host::new(HostName::new("web-01"), "web-01", &[])]);
        let places = vec![Place::new("certbot", SafeText::new("www"))];
        fleet.apply(visit(100, Outcome::Seen(Box::new(Seen { places, ..Seen::default() }))));
        let text = SafeText::new("web-01: connection refused");
        let down = Unreached { why: Why::Refused, text, hint: None };
        fleet.apply(visit(200, Outcome::Unreached(down.clone())));

        let host = fleet.host(&HostName::new("web-01")).unwrap();
        assert_eq!(host.reach, Reach::Down(down));
        assert_eq!(host.places.len(), 1);
        assert_eq!(host.seen_at, Some(Moment::from_unix(100)));
        assert_eq!(host.tried_at, Some(Moment::from_unix(200)));
        assert_eq!(fleet.scanned_at, Some(Moment::from_unix(200)));
    }

    #[test]
    fn what_others_tell_is_replaced_as_a_whole_and_never_what_we_read() {
        let host = |name: &str, by: Option<&str>| {
            let told = by.map(|by| Told { by: SafeText::new(by), ..Told::default() });
            let mut host = Host::new(HostName::new(name), name, &[]);
            host.told = told.map(Arc::new);
            host
        };
        let mut fleet = Fleet::new([host("own", None)]);
        let told = |it: &Fleet| {
            let by = |it: &Host| it.told.as_ref().map(|it| it.by.to_string()).unwrap_or_default();
            it.hosts().map(|it| format!("{} {}", it.name, by(it))).collect::<Vec<_>>()
        };
        let eu = SafeText::new("eu");
        fleet.tell(&eu, [host("a", Some("eu")), host("own", Some("eu"))]);
        fleet.tell(&SafeText::new("us"), [host("b", Some("us"))]);
        assert_eq!(told(&fleet), ["a eu", "b us", "own "]);
        fleet.tell(&eu, [host("c", Some("eu"))]);
        assert_eq!(told(&fleet), ["b us", "c eu", "own "]);
    }

    #[test]
    fn a_host_that_is_not_in_the_fleet_is_ignored() {
        let mut fleet = Fleet::default();
        fleet.apply(visit(100, Outcome::Seen(Box::default())));
        assert_eq!(fleet.hosts().len(), 0);
    }
}
