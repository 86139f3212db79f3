//! Programs on a host that serve TLS, as their own configuration says, and what listens.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Chain, Moment, Problem};
use crate::text::SafeText;

/// A server that runs on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Which program: `nginx`, `apache`, `haproxy`.
    pub kind: &'static str,
    /// Its main configuration file.
    pub conf: SafeText,
    /// Its program, from the root: `/usr/sbin/nginx`.
    pub program: Option<SafeText>,
    /// The arguments that it was started with.
    pub args: Vec<SafeText>,
    /// The process that reads the configuration: the master.
    pub pid: Option<u32>,
    /// Its unit, if systemd runs it.
    pub unit: Option<SafeText>,
    /// When the newest of its processes started, by the host's clock: it has read no file later
    /// than that, as a reload starts new ones. It may well have read them earlier.
    pub read_by: Option<Moment>,
    /// What it serves with TLS.
    pub sites: Vec<Site>,
    /// What could not be read of its configuration.
    pub problems: Vec<Problem>,
}

/// Something that a server serves with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The names that it answers to; none if it takes whatever comes.
    pub names: Vec<SafeText>,
    /// Where it listens with TLS.
    pub listens: Vec<Listen>,
    /// Which of these want the PROXY protocol first: only a load balancer can ask there.
    pub proxied: Vec<Listen>,
    /// The certificates that it loads: several for keys of several kinds.
    pub loads: Vec<Load>,
}

impl Site {
    /// Where anybody can ask it.
    pub fn doors(&self) -> impl Iterator<Item = Listen> {
        self.listens.iter().filter(|it| !self.proxied.contains(it)).copied()
    }
}

/// A file that a server loads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The certificate file, from the root, links not resolved.
    pub certificate: SafeText,
    /// The private key, if it is another file.
    pub key: Option<SafeText>,
    /// The rest of the chain, if the configuration names another file for it.
    pub chain: Option<SafeText>,
    /// Where the configuration says so, as `/etc/nginx/sites-enabled/www:12`.
    pub told_at: SafeText,
}

/// An address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listen {
    /// The address; `0.0.0.0` and `::` stand for all of their kind.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
}

/// A file that some server loads, as it is on disk.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its path, as the server's configuration has it.
    pub path: SafeText,
    /// What is in it.
    pub chain: Result<Arc<Chain>, Problem>,
    /// When it was last changed, by the host's clock.
    pub changed: Option<Moment>,
}
