//! Servers and what is served, in the snapshot.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::place::WireProblem;
use super::{Seen, Tables, Text, at, moment, safe, text, text_if, unix};
use crate::fleet::{
    Listen, Load, Loaded, Moment, NotServed, Probe, Server, Site, Unserved, Vantage,
};
use crate::source;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireServer {
    kind: String,
    conf: Text,
    program: Option<Text>,
    args: Vec<Text>,
    pid: Option<u32>,
    unit: Option<Text>,
    read_by: Option<i64>,
    sites: Vec<WireSite>,
    problems: Vec<WireProblem>,
}

impl WireServer {
    pub(super) fn of(it: &Server) -> Self {
        Self {
            kind: it.kind.to_owned(),
            conf: text(&it.conf),
            program: text_if(it.program.as_ref()),
            args: it.args.iter().map(text).collect(),
            pid: it.pid,
            unit: text_if(it.unit.as_ref()),
            read_by: unix(it.read_by),
            sites: it.sites.iter().map(WireSite::of).collect(),
            problems: it.problems.iter().map(WireProblem::of).collect(),
        }
    }

    /// `None` once servers of this kind are no longer known.
    pub(super) fn server(self) -> Option<Server> {
        Some(Server {
            kind: source::servers().find(|it| *it == self.kind)?,
            conf: self.conf.0,
            program: safe(self.program),
            args: self.args.into_iter().map(|it| it.0).collect(),
            pid: self.pid,
            unit: safe(self.unit),
            read_by: moment(self.read_by),
            sites: self.sites.into_iter().map(WireSite::site).collect(),
            problems: self.problems.into_iter().map(WireProblem::problem).collect(),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireSite {
    names: Vec<Text>,
    listens: Vec<WireListen>,
    proxied: Vec<WireListen>,
    loads: Vec<WireLoad>,
}

impl WireSite {
    fn of(it: &Site) -> Self {
        Self {
            names: it.names.iter().map(text).collect(),
            listens: it.listens.iter().map(WireListen::of).collect(),
            proxied: it.proxied.iter().map(WireListen::of).collect(),
            loads: it.loads.iter().map(WireLoad::of).collect(),
        }
    }

    fn site(self) -> Site {
        Site {
            names: self.names.into_iter().map(|it| it.0).collect(),
            listens: self.listens.into_iter().map(WireListen::listen).collect(),
            proxied: self.proxied.into_iter().map(WireListen::listen).collect(),
            loads: self.loads.into_iter().map(WireLoad::load).collect(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireLoad {
    certificate: Text,
    key: Option<Text>,
    chain: Option<Text>,
    told_at: Text,
}

impl WireLoad {
    fn of(it: &Load) -> Self {
        Self {
            certificate: text(&it.certificate),
            key: text_if(it.key.as_ref()),
            chain: text_if(it.chain.as_ref()),
            told_at: text(&it.told_at),
        }
    }

    fn load(self) -> Load {
        Load {
            certificate: self.certificate.0,
            key: safe(self.key),
            chain: safe(self.chain),
            told_at: self.told_at.0,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireListen {
    address: IpAddr,
    port: u16,
}

impl WireListen {
    pub(super) fn of(it: &Listen) -> Self {
        Self { address: it.address, port: it.port }
    }

    pub(super) fn listen(self) -> Listen {
        Listen { address: self.address, port: self.port }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireLoaded {
    path: Text,
    chain: Result<u32, WireProblem>,
    changed: Option<i64>,
}

impl WireLoaded {
    pub(super) fn of(it: &Loaded, tables: &mut Tables) -> Self {
        Self {
            path: text(&it.path),
            chain: match &it.chain {
                Ok(chain) => Ok(tables.chain(chain)),
                Err(problem) => Err(WireProblem::of(problem)),
            },
            changed: unix(it.changed),
        }
    }

    pub(super) fn loaded(self, seen: &Seen) -> Option<Loaded> {
        let chain = match self.chain {
            Ok(chain) => Ok(at(&seen.chains, chain)?),
            Err(problem) => Err(problem.problem()),
        };
        Some(Loaded { path: self.path.0, chain, changed: moment(self.changed) })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireProbe {
    name: Text,
    #[serde(with = "WireVantage")]
    vantage: Vantage,
    address: Text,
    is_told: bool,
    is_added: bool,
    at: i64,
    served: Result<u32, WireUnserved>,
}

impl WireProbe {
    pub(super) fn of(it: &Probe, tables: &mut Tables) -> Self {
        Self {
            name: text(&it.name),
            vantage: it.vantage,
            address: text(&it.address),
            is_told: it.is_told,
            is_added: it.is_added,
            at: it.at.unix(),
            served: match &it.served {
                Ok(chain) => Ok(tables.chain(chain)),
                Err(it) => Err(WireUnserved { why: it.why, text: text(&it.text) }),
            },
        }
    }

    pub(super) fn probe(self, seen: &Seen) -> Option<Probe> {
        Some(Probe {
            name: self.name.0,
            vantage: self.vantage,
            address: self.address.0,
            is_told: self.is_told,
            is_added: self.is_added,
            at: Moment::from_unix(self.at),
            served: match self.served {
                Ok(chain) => Ok(at(&seen.chains, chain)?),
                Err(it) => Err(Unserved { why: it.why, text: it.text.0 }),
            },
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireUnserved {
    #[serde(with = "WireNotServed")]
    why: NotServed,
    text: Text,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "NotServed")]
enum WireNotServed {
    Broken,
    NoAddress,
    NoRoute,
    NotTls,
    Refused,
    Silent,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Vantage")]
enum WireVantage {
    Loopback,
    Public,
}
