//! What happened at a CA, as far as it is known here, and how it is known.

use std::fmt;

use uuid::Uuid;

use super::authority::{self, Authority, LETS_ENCRYPT, LETS_ENCRYPT_STAGING};
use super::names::NameSet;
use crate::fleet::{Certificate, Fingerprint, HostName, Moment, PlaceName, host_of};
use crate::text::SafeText;

/// A CA, by its directory; one of which only certificates are known, by who signed those.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ca(Key);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Directory(String),
    Signer(String),
}

/// Whose account at a CA.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// That of this program, on this machine.
    Own,
    /// That of a client on a host, as the client calls it.
    Client(SafeText),
    /// It is not known whose.
    Unknown,
}

/// Something that happened at a CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// Where.
    pub ca: Ca,
    /// What.
    pub what: What,
    /// The names that it is about: of a failure those that could not be verified.
    pub names: NameSet,
    /// By which account.
    pub account: Account,
    /// How its time is known.
    pub timing: Timing,
    /// Where it was seen, each of them.
    pub from: Vec<Origin>,
    /// Whether the same set of names had a certificate lately; found out by the history.
    pub is_renewal: bool,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Names could not be verified.
    Failed,
    /// A certificate was issued.
    Issued(Option<Fingerprint>),
    /// An order was placed.
    Ordered,
    /// The CA refused for a limit.
    Refused {
        /// The name of the refusal, as it is explained.
        limit: &'static str,
        /// The name or domain that it is about, if it tells one.
        about: Option<String>,
        /// When it takes the next, if it tells that.
        until: Option<Moment>,
    },
    /// Control of the names was proven at the staging twin, in place of the CA.
    Rehearsed,
    /// Nothing came of an order for these names, because some of them could not be verified; which
    /// of them is told beside it.
    Unproven,
}

impl What {
    /// Its word in reports for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Issued(_) => "issued",
            Self::Ordered => "ordered",
            Self::Refused { .. } => "refused",
            Self::Rehearsed => "rehearsed",
            Self::Unproven => "unproven",
        }
    }
}

/// How it is known when something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timing {
    /// By the clock of this machine or of the host that wrote it down.
    Clock,
    /// By the timestamps that certificate transparency logs have put into the certificate.
    Logged,
    /// By the beginning of its validity, and by how far this CA dates back.
    Backdated,
    /// By the beginning of its validity alone.
    NotBefore,
}

/// Where something was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the audit log of this machine.
    Audit(Uuid),
    /// In the ledger of this machine.
    Ledger,
    /// In the log of a client.
    Log(HostName),
    /// As a version that is kept on a host.
    Version(HostName, PlaceName, u32),
    /// On a host, in use.
    InUse(HostName, PlaceName),
}

impl Ca {
    /// The CA of that directory.
    pub fn of_directory(url: &str) -> Self {
        // Directories of the same host are the same CA, if that is known.
        let known = authority::of_directory(url).map_or(url, |it| it.directory);
        Self(Key::Directory(known.to_owned()))
    }

    /// The CA that signed a certificate, if its name alone tells.
    pub fn of_signer(certificate: &Certificate) -> Option<Self> {
        let known = if certificate.is_of_staging() {
            LETS_ENCRYPT_STAGING
        } else if certificate.issuer.as_str().split(',').any(|it| it == "O=Let's Encrypt") {
            LETS_ENCRYPT
        } else {
            return None;
        };
        Some(Self(Key::Directory(known.directory.to_owned())))
    }

    /// A CA of which nothing but the name in its certificates is known.
    pub fn unknown(certificate: &Certificate) -> Self {
        let issuer = certificate.issuer.as_str();
        let organization = issuer.split(',').find_map(|it| it.strip_prefix("O="));
        Self(Key::Signer(organization.unwrap_or_else(|| certificate.authority()).to_owned()))
    }

    /// What is known of its limits.
    pub fn authority(&self) -> Option<&'static Authority> {
        authority::of_directory(self.directory()?)
    }

    /// The URL of its directory, if that is known.
    pub fn directory(&self) -> Option<&str> {
        match &self.0 {
            Key::Directory(url) => Some(url),
            Key::Signer(_) => None,
        }
    }
}

impl fmt::Display for Ca {
    /// Its name, or else the host of its directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.authority()) {
            (_, Some(known)) => f.write_str(known.name),
            (Key::Directory(url), None) if url.is_empty() => f.write_str("an unknown CA"),
            (Key::Directory(url), None) => f.write_str(host_of(url).unwrap_or(url)),
            (Key::Signer(name), None) => f.write_str(name),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("certdeck's own account"),
            // certbot names an account by a hash, of which the beginning is enough.
            Self::Client(id) => {
                let short: String = id.as_str().chars().take(8).collect();
                write!(f, "account {short}")
            }
            Self::Unknown => f.write_str("an account that is not known"),
        }
    }
}

impl Event {
    /// Something that was noted when it happened.
    pub fn noted(at: Moment, ca: Ca, what: What, names: NameSet, account: Account) -> Self {
        let (timing, from) = (Timing::Clock, Vec::new());
        Self { at, ca, what, names, account, timing, from, is_renewal: false }
    }

    /// What it was, in a few words.
    pub fn words(&self) -> String {
        let words = match &self.what {
            What::Failed => "could not be verified",
            What::Issued(_) if self.is_renewal => "renewed",
            What::Issued(_) => "issued",
            What::Ordered => "ordered",
            What::Refused { until: Some(until), .. } => return format!("refused until {until}"),
            What::Refused { until: None, .. } => "refused",
            What::Rehearsed => "proven to the staging twin",
            What::Unproven => "could not be proven",
        };
        words.to_owned()
    }

    /// The certificate that was issued, if it is known which.
    pub fn leaf(&self) -> Option<Fingerprint> {
        match self.what {
            What::Issued(leaf) => leaf,
            _ => None,
        }
    }

    /// Whether it is what came of an order of this program, as it was noted here.
    pub(super) fn is_end_of_ours(&self) -> bool {
        let is_end = matches!(self.what, What::Issued(_) | What::Rehearsed | What::Unproven);
        is_end && (self.account == Account::Own || self.from.contains(&Origin::Ledger))
    }

    /// Takes in what was noted of the same elsewhere.
    pub(super) fn learn(&mut self, noted: Self) {
        if self.timing == Timing::NotBefore {
            (self.at, self.timing) = (noted.at, noted.timing);
        }
        // Whoever ordered it knows where and by whom better than what renews it now.
        self.ca = noted.ca;
        if noted.account != Account::Unknown {
            self.account = noted.account;
        }
        self.from.extend(noted.from);
    }

    /// Says where it was seen.
    #[must_use]
    pub fn seen(mut self, from: Origin) -> Self {
        self.from.push(from);
        self
    }
}

impl Timing {
    /// Its word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Logged => "logged",
            Self::Backdated => "backdated",
            Self::NotBefore => "not-before",
        }
    }

    /// What it rests on, in words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Clock => "noted when it happened",
            Self::Logged => "by the timestamp of a transparency log",
            Self::Backdated => "an hour after its not-before, as this CA dates back",
            Self::NotBefore => "by its not-before",
        }
    }
}

impl Origin {
    /// The place on a host, or the host alone, if it is one.
    pub fn place(&self) -> Option<(&HostName, Option<&str>)> {
        match self {
            Self::Version(host, place, _) | Self::InUse(host, place) => {
                Some((host, Some(place.as_str())))
            }
            Self::Log(host) => Some((host, None)),
            Self::Audit(_) | Self::Ledger => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audit(op) => write!(f, "audit log, {op}"),
            Self::Ledger => f.write_str("ledger of this machine"),
            Self::Log(host) => write!(f, "log of the client on {host}"),
            Self::Version(host, place, number) => write!(f, "{host}/{place} version {number}"),
            Self::InUse(host, place) => write!(f, "{host}/{place} in use"),
        }
    }
}
