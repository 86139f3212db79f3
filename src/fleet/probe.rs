//! What was really served: one handshake with one address.

use std::fmt;
use std::sync::Arc;

use super::{Chain, Fingerprint, Moment};
use crate::text::SafeText;

/// From where something that is served is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vantage {
    /// On the host itself, through SSH: what its process has loaded.
    Loopback,
    /// From the console: what clients get.
    Public,
}

impl Vantage {
    /// Its name, as in the inventory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Public => "public",
        }
    }

    /// The same in a sentence.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Loopback => "on the host",
            Self::Public => "from here",
        }
    }
}

/// What one handshake showed.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The name that was asked for (SNI).
    pub name: SafeText,
    /// From where.
    pub vantage: Vantage,
    /// Where, as `198.51.100.7:443`.
    pub address: SafeText,
    /// Whether the inventory asks for it; else a server's own configuration told of it.
    pub is_told: bool,
    /// Whether the inventory added the address to those of the name: a standby, a load balancer.
    pub is_added: bool,
    /// When.
    pub at: Moment,
    /// The chain that was served, or why there is none.
    pub served: Result<Arc<Chain>, Unserved>,
}

impl Probe {
    /// The fingerprint of the certificate that was served.
    pub fn leaf(&self) -> Option<Fingerprint> {
        self.served.as_ref().ok().map(|it| it.leaf.sha256)
    }

    /// The port, if the address has one.
    pub fn port(&self) -> Option<u16> {
        self.address.as_str().rsplit(':').next()?.parse().ok()
    }

    /// The first of these that shows another certificate where this one is not shown. A server
    /// with two kinds of keys shows it to some clients only, which is enough.
    pub fn other(probes: &[Self], leaf: Fingerprint) -> Option<&Self> {
        probes.iter().find(|it| {
            let is_here = |that: &&Self| (that.vantage, &that.address) == (it.vantage, &it.address);
            it.served.is_ok() && !probes.iter().filter(is_here).any(|it| it.leaf() == Some(leaf))
        })
    }
}

/// Why a handshake showed no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unserved {
    /// The kind of failure.
    pub why: NotServed,
    /// One line for people.
    pub text: SafeText,
}

/// The kinds of failed handshakes that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotServed {
    /// Anything else, on our side or on theirs.
    Broken,
    /// The name has no address.
    NoAddress,
    /// From here no way leads there: no IPv6, no route. Says nothing about the server.
    NoRoute,
    /// Something answers, and it is not TLS.
    NotTls,
    /// Nothing listens there.
    Refused,
    /// No answer in time.
    Silent,
}

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
