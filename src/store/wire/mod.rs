//! How the fleet lies in the snapshot: shapes of their own, so that the domain stays free to
//! change. Whoever changes a shape here raises [`VERSION`](super::VERSION).
//!
//! Certificates and chains stand in tables and are referred to by number: one intermediate signs
//! thousands of leaves, and a leaf is seen on several layers.

mod automation;
mod certificate;
mod place;
mod server;
mod window;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use automation::WireAutomation;
use certificate::{WireCertificate, WireChain};
use place::{WirePlace, WireProblem};
use server::{WireListen, WireLoaded, WireProbe, WireServer};
use window::WireWindow;

use super::Unusable;

use crate::fleet::{
    Certificate, Chain, Fingerprint, Fleet, Host, HostName, Moment, Reach, Unreached, Why,
};
use crate::source;
use crate::text::SafeText;

/// The whole snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    scanned_at: Option<i64>,
    certificates: Vec<WireCertificate>,
    chains: Vec<WireChain>,
    hosts: Vec<WireHost>,
    windows: Vec<WireWindow>,
}

impl Snapshot {
    /// The snapshot of this fleet.
    pub(super) fn of(fleet: &Fleet) -> Self {
        let mut tables = Tables::default();
        // What others tell is asked for again.
        let own = fleet.hosts().filter(|it| it.told.is_none());
        let hosts = own.map(|it| WireHost::of(it, &mut tables)).collect();
        Self {
            scanned_at: fleet.scanned_at.map(Moment::unix),
            certificates: tables.certificates,
            chains: tables.chains,
            hosts,
            windows: fleet.windows().map(|it| WireWindow::of(&it)).collect(),
        }
    }

    /// Fills the hosts of the fleet that are in the snapshot under the same name and address.
    /// If the snapshot contradicts itself, the fleet is as before.
    pub(super) fn fill(self, fleet: &mut Fleet) -> Result<Option<Moment>, Unusable> {
        let certificates: Vec<Arc<Certificate>> =
            self.certificates.into_iter().map(|it| Arc::new(it.certificate())).collect();
        let chains = self
            .chains
            .into_iter()
            .map(|it| it.chain(&certificates).map(Arc::new))
            .collect::<Option<Vec<_>>>()
            .ok_or(Unusable::Damaged)?;
        let seen = Seen { certificates, chains };
        let mut hosts = Vec::new();
        for wire in self.hosts {
            let name = HostName::new(&wire.name);
            if let Some(now) = fleet.host(&name).filter(|it| it.address == wire.address) {
                hosts.push(wire.host(now, &seen).ok_or(Unusable::Damaged)?);
            }
        }
        for host in hosts {
            fleet.recall(host);
        }
        fleet.learn(self.windows.into_iter().map(|it| Arc::new(it.window())));
        let scanned_at = self.scanned_at.map(Moment::from_unix);
        fleet.scanned_at = fleet.scanned_at.max(scanned_at);
        Ok(scanned_at)
    }
}

/// What is referred to by number, while a snapshot is made.
#[derive(Default)]
struct Tables {
    certificates: Vec<WireCertificate>,
    by_fingerprint: HashMap<Fingerprint, u32>,
    chains: Vec<WireChain>,
    by_address: HashMap<*const Chain, u32>,
}

impl Tables {
    fn certificate(&mut self, it: &Certificate) -> u32 {
        let next = number(self.certificates.len());
        *self.by_fingerprint.entry(it.sha256).or_insert_with(|| {
            self.certificates.push(WireCertificate::of(it));
            next
        })
    }

    fn chain(&mut self, it: &Arc<Chain>) -> u32 {
        if let Some(known) = self.by_address.get(&Arc::as_ptr(it)) {
            return *known;
        }
        let wire = WireChain::of(it, self);
        let next = number(self.chains.len());
        self.chains.push(wire);
        self.by_address.insert(Arc::as_ptr(it), next);
        next
    }
}

/// A table never has four thousand million rows: the snapshot is capped far below.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// What is referred to by number, while a snapshot is read.
struct Seen {
    certificates: Vec<Arc<Certificate>>,
    chains: Vec<Arc<Chain>>,
}

fn at<T>(table: &[Arc<T>], number: u32) -> Option<Arc<T>> {
    table.get(usize::try_from(number).ok()?).cloned()
}

/// Safe text; made safe again when it is read, whatever happened to the file.
#[derive(Debug)]
struct Text(SafeText);

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&str>::deserialize(deserializer).map(|it| Self(SafeText::new(it)))
    }
}

fn text(it: &SafeText) -> Text {
    Text(it.clone())
}

fn text_if(it: Option<&SafeText>) -> Option<Text> {
    it.map(text)
}

fn safe(it: Option<Text>) -> Option<SafeText> {
    it.map(|it| it.0)
}

fn unix(it: Option<Moment>) -> Option<i64> {
    it.map(Moment::unix)
}

fn moment(it: Option<i64>) -> Option<Moment> {
    it.map(Moment::from_unix)
}

#[derive(Debug, Serialize, Deserialize)]
struct WireHost {
    name: String,
    address: String,
    reach: WireReach,
    tried_at: Option<i64>,
    seen_at: Option<i64>,
    clock_offset: Option<i64>,
    places: Vec<WirePlace>,
    automation: Vec<WireAutomation>,
    servers: Vec<WireServer>,
    loaded: Vec<WireLoaded>,
    listeners: Vec<WireListen>,
    addresses: Vec<IpAddr>,
    machine: Option<Text>,
    probes: Vec<WireProbe>,
    problems: Vec<WireProblem>,
}

impl WireHost {
    fn of(it: &Host, tables: &mut Tables) -> Self {
        Self {
            name: it.name.as_str().to_owned(),
            address: it.address.clone(),
            reach: WireReach::of(&it.reach),
            tried_at: unix(it.tried_at),
            seen_at: unix(it.seen_at),
            clock_offset: it.clock_offset,
            places: it.places.iter().map(|it| WirePlace::of(it, tables)).collect(),
            automation: it.automation.iter().map(WireAutomation::of).collect(),
            servers: it.servers.iter().map(WireServer::of).collect(),
            loaded: it.loaded.iter().map(|it| WireLoaded::of(it, tables)).collect(),
            listeners: it.listeners.iter().map(WireListen::of).collect(),
            addresses: it.addresses.clone(),
            machine: text_if(it.machine.as_ref()),
            probes: it.probes.iter().map(|it| WireProbe::of(it, tables)).collect(),
            problems: it.problems.iter().map(WireProblem::of).collect(),
        }
    }

    /// The host as it was, in the groups that it is in now.
    fn host(self, now: &Host, seen: &Seen) -> Option<Host> {
        let places = self
            .places
            .into_iter()
            .filter_map(|it| kind(&it.source).map(|source| it.place(source, seen)))
            .collect::<Option<_>>()?;
        Some(Host {
            name: now.name.clone(),
            address: self.address,
            groups: now.groups.clone(),
            reach: self.reach.reach(),
            tried_at: moment(self.tried_at),
            seen_at: moment(self.seen_at),
            clock_offset: self.clock_offset,
            places,
            automation: self
                .automation
                .into_iter()
                .filter_map(WireAutomation::automation)
                .collect(),
            servers: self.servers.into_iter().filter_map(WireServer::server).collect(),
            loaded: self.loaded.into_iter().map(|it| it.loaded(seen)).collect::<Option<_>>()?,
            listeners: self.listeners.into_iter().map(WireListen::listen).collect(),
            addresses: self.addresses,
            machine: safe(self.machine),
            probes: self.probes.into_iter().map(|it| it.probe(seen)).collect::<Option<_>>()?,
            problems: self.problems.into_iter().map(WireProblem::problem).collect(),
            told: None,
        })
    }
}

/// The kind of source of that name; `None` once a kind is no longer built in.
fn kind(name: &str) -> Option<&'static str> {
    source::ALL.iter().map(|it| it.name).find(|it| *it == name)
}

#[derive(Debug, Serialize, Deserialize)]
enum WireReach {
    Never,
    Up,
    Down {
        #[serde(with = "WireWhy")]
        why: Why,
        text: Text,
        hint: Option<Text>,
    },
}

impl WireReach {
    fn of(it: &Reach) -> Self {
        match it {
            Reach::Never => Self::Never,
            Reach::Up => Self::Up,
            Reach::Down(it) => {
                Self::Down { why: it.why, text: text(&it.text), hint: text_if(it.hint.as_ref()) }
            }
        }
    }

    fn reach(self) -> Reach {
        match self {
            Self::Never => Reach::Never,
            Self::Up => Reach::Up,
            Self::Down { why, text, hint } => {
                Reach::Down(Unreached { why, text: text.0, hint: safe(hint) })
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Why")]
enum WireWhy {
    Authentication,
    ChangedKey,
    CutShort,
    UnknownKey,
    NoRoute,
    NoSsh,
    NoShell,
    NoSuchName,
    Other,
    Refused,
    Sudo,
    TimedOut,
    TooLarge,
}
