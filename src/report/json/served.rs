//! Servers, listeners and what is served.

use std::net::IpAddr;

use serde::Serialize;

use super::{Stamp, WireProblem};
use crate::fleet::{Chain, ChainFault, Load, NotServed, Probe, Server, Site};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WireServer<'a> {
    kind: &'static str,
    conf: &'a str,
    unit: Option<&'a str>,
    sites: Vec<WireSite<'a>>,
    problems: Vec<WireProblem<'a>>,
}

impl<'a> WireServer<'a> {
    pub(super) fn of(it: &'a Server) -> Self {
        Self {
            kind: it.kind,
            conf: it.conf.as_str(),
            unit: it.unit.as_ref().map(AsRef::as_ref),
            sites: it.sites.iter().map(WireSite::of).collect(),
            problems: it.problems.iter().map(WireProblem::of).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireSite<'a> {
    names: Vec<&'a str>,
    listens: Vec<String>,
    loads: Vec<WireLoad<'a>>,
}

impl<'a> WireSite<'a> {
    fn of(it: &'a Site) -> Self {
        Self {
            names: it.names.iter().map(AsRef::as_ref).collect(),
            listens: it.listens.iter().map(|it| listen(it.address, it.port)).collect(),
            loads: it.loads.iter().map(WireLoad::of).collect(),
        }
    }
}

/// An address with its port: `192.0.2.7:443`, `[::]:443`.
pub(super) fn listen(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireLoad<'a> {
    certificate: &'a str,
    key: Option<&'a str>,
    told_at: &'a str,
}

impl<'a> WireLoad<'a> {
    fn of(it: &'a Load) -> Self {
        Self {
            certificate: it.certificate.as_str(),
            key: it.key.as_ref().map(AsRef::as_ref),
            told_at: it.told_at.as_str(),
        }
    }
}

/// One handshake: a certificate, or why there is none.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WireProbe<'a> {
    name: &'a str,
    vantage: &'static str,
    address: &'a str,
    told: bool,
    added: bool,
    at: Stamp,
    sha256: Option<String>,
    not_after: Option<Stamp>,
    chain: Option<WireChain<'a>>,
    why: Option<&'static str>,
    error: Option<&'a str>,
}

impl<'a> WireProbe<'a> {
    pub(super) fn of(it: &'a Probe) -> Self {
        let chain = it.served.as_ref().ok();
        let error = it.served.as_ref().err();
        Self {
            name: it.name.as_str(),
            vantage: it.vantage.name(),
            address: it.address.as_str(),
            told: it.is_told,
            added: it.is_added,
            at: Stamp(it.at),
            sha256: it.leaf().map(|it| it.to_string()),
            not_after: chain.map(|it| Stamp(it.leaf.not_after)),
            chain: chain.map(|it| WireChain::of(it)),
            why: error.map(|it| match it.why {
                NotServed::Broken => "broken",
                NotServed::NoAddress => "no-address",
                NotServed::NoRoute => "no-route",
                NotServed::NotTls => "not-tls",
                NotServed::Refused => "refused",
                NotServed::Silent => "silent",
            }),
            error: error.map(|it| it.text.as_str()),
        }
    }
}

/// What comes after a leaf, and where it leads.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct WireChain<'a> {
    length: usize,
    fault: Option<&'static str>,
    anchor: Option<&'a str>,
    /// When the first certificate between leaf and root ends, on the way that lasts longest.
    not_after: Option<Stamp>,
}

impl<'a> WireChain<'a> {
    pub(super) fn of(it: &'a Chain) -> Self {
        Self {
            length: 1 + it.rest.len(),
            fault: it.fault.map(|it| match it {
                ChainFault::NoIntermediate => "no-intermediate",
                ChainFault::WrongIntermediate => "wrong-intermediate",
                ChainFault::WrongOrder => "wrong-order",
            }),
            anchor: it.trust.anchor.as_ref().map(AsRef::as_ref),
            not_after: it.trust.until.map(Stamp),
        }
    }
}
