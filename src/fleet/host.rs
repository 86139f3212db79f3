//! A host of the fleet and what visits to it found.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::{
    Automation, Listen, Loaded, Moment, Place, PlaceName, Probe, Problem, Server, Severity,
    Verdict, served,
};
use crate::text::SafeText;

/// The unique name of a host, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// Takes a name that the inventory has checked.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A host and the last that is known of it.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its unique name.
    pub name: HostName,
    /// What ssh is given.
    pub address: String,
    /// The groups it is in.
    pub groups: Vec<String>,
    /// How the last visit went.
    pub reach: Reach,
    /// When the last visit ended, however it went.
    pub tried_at: Option<Moment>,
    /// When it was last read; the age of everything below.
    pub seen_at: Option<Moment>,
    /// The host's clock minus ours, in seconds.
    pub clock_offset: Option<i64>,
    /// What is kept there, by name.
    pub places: Vec<Place>,
    /// How certificates are renewed there, one per source that renews.
    pub automation: Vec<Automation>,
    /// Programs that serve TLS there.
    pub servers: Vec<Server>,
    /// The certificate files that these load.
    pub loaded: Vec<Loaded>,
    /// Every TCP port on which something listens.
    pub listeners: Vec<Listen>,
    /// The host's own addresses.
    pub addresses: Vec<IpAddr>,
    /// The identity of the running system (its boot id), by which two names for one machine are
    /// told.
    pub machine: Option<SafeText>,
    /// What is served: from the host's endpoints and from its servers' sites.
    pub probes: Vec<Probe>,
    /// What could not be read, where it belongs to no place.
    pub problems: Vec<Problem>,
    /// What somebody else has told of it, if it is not read from here.
    pub told: Option<Arc<Told>>,
}

/// What somebody else has found about a host, who reads it in our stead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Who, as the inventory names it.
    pub by: SafeText,
    /// Whom to ask, if that was told.
    pub owner: Option<SafeText>,
    /// Where the runbook is, if that was told.
    pub runbook: Option<SafeText>,
    /// The verdict of each place, by its name and source.
    pub verdicts: Vec<(PlaceName, &'static str, Verdict)>,
    /// What was found.
    pub findings: Vec<ToldFinding>,
}

/// Something that somebody else has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldFinding {
    /// The place; `None` if it is about the whole host.
    pub place: Option<PlaceName>,
    /// What it makes of the place.
    pub verdict: Verdict,
    /// How soon somebody must act.
    pub severity: Severity,
    /// The rule that found it.
    pub rule: SafeText,
}

impl Host {
    /// A host that nobody has looked at yet.
    pub fn new(name: HostName, address: &str, groups: &[String]) -> Self {
        Self {
            name,
            address: address.to_owned(),
            groups: groups.to_vec(),
            reach: Reach::Never,
            tried_at: None,
            seen_at: None,
            clock_offset: None,
            places: Vec::new(),
            automation: Vec::new(),
            servers: Vec::new(),
            loaded: Vec::new(),
            listeners: Vec::new(),
            addresses: Vec::new(),
            machine: None,
            probes: Vec::new(),
            problems: Vec::new(),
            told: None,
        }
    }

    pub(super) fn take_in(&mut self, visit: Visit) {
        self.tried_at = Some(visit.at);
        match visit.outcome {
            Outcome::Seen(seen) => {
                let Seen {
                    clock_offset,
                    mut places,
                    automation,
                    servers,
                    loaded,
                    listeners,
                    addresses,
                    machine,
                    problems,
                } = *seen;
                places.sort_by(|a, b| (&a.name, a.source).cmp(&(&b.name, b.source)));
                self.reach = Reach::Up;
                self.seen_at = Some(visit.at);
                self.clock_offset = clock_offset;
                self.places = places;
                self.automation = automation;
                self.servers = servers;
                self.loaded = loaded;
                self.listeners = listeners;
                self.addresses = addresses;
                self.machine = machine;
                self.problems = problems;
            }
            Outcome::Unreached(why) => self.reach = Reach::Down(why),
        }
        if let Some(probes) = visit.probes {
            self.probes = probes;
        }
        served::assign(self);
    }
}

/// Whether a host could be read the last time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Nobody has tried yet.
    Never,
    /// It was read.
    Up,
    /// It could not be read.
    Down(Unreached),
}

/// What came of one visit to one host.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The host.
    pub host: HostName,
    /// When the visit ended.
    pub at: Moment,
    /// What was found.
    pub outcome: Outcome,
    /// What is served; `None` if nobody looked, and what was seen before still counts.
    pub probes: Option<Vec<Probe>>,
}

/// The end of a visit.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The host was read.
    Seen(Box<Seen>),
    /// The host could not be read.
    Unreached(Unreached),
}

/// What a host that was read has.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The host's clock minus ours, in seconds.
    pub clock_offset: Option<i64>,
    /// Its places.
    pub places: Vec<Place>,
    /// How certificates are renewed there.
    pub automation: Vec<Automation>,
    /// Programs that serve TLS there.
    pub servers: Vec<Server>,
    /// The certificate files that these load.
    pub loaded: Vec<Loaded>,
    /// Every TCP port on which something listens.
    pub listeners: Vec<Listen>,
    /// The host's own addresses.
    pub addresses: Vec<IpAddr>,
    /// The identity of the running system: its boot id.
    pub machine: Option<SafeText>,
    /// What could not be read, where it belongs to no place.
    pub problems: Vec<Problem>,
}

/// Why a host could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The kind of failure.
    pub why: Why,
    /// One line for people: what happened, and with whom.
    pub text: SafeText,
    /// What to do about it, as a line of its own.
    pub hint: Option<SafeText>,
}

/// The kinds of failure that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// ssh was not let in: no key was accepted.
    Authentication,
    /// The host key is not the one that is known.
    ChangedKey,
    /// The connection broke before the answer was complete.
    CutShort,
    /// The host or its jump host has no known key.
    UnknownKey,
    /// The address has no route.
    NoRoute,
    /// There is no usable ssh client on this machine.
    NoSsh,
    /// The host has no POSIX shell where one is needed.
    NoShell,
    /// The name of the host has no address.
    NoSuchName,
    /// Anything else that ssh says.
    Other,
    /// Nothing listens there.
    Refused,
    /// `sudo -n` was not allowed.
    Sudo,
    /// The deadline passed.
    TimedOut,
    /// The host sent more than it may.
    TooLarge,
}
