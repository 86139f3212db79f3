//! What ends beside certificates, as the inventory tells of it.

use super::Moment;
use crate::text::SafeText;

/// Something other than a certificate that expires: an API token, a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What it is, as the inventory names it.
    pub name: SafeText,
    /// What kind of thing it is, if that is told.
    pub kind: Option<ExpiryKind>,
    /// When it ends: midnight UTC at the beginning of the given day.
    pub on: Moment,
    /// The ways to prove control that end with it, as clients name them: `dns-cloudflare`.
    pub authenticators: Vec<SafeText>,
}

/// What kind of thing expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExpiryKind {
    /// A token with which records are written into the DNS.
    DnsToken,
    /// A domain at its registrar.
    Domain,
    /// The key by which a CA binds accounts to a customer.
    EabKey,
    /// The certificate of an authority that somebody puts into chains by hand.
    Intermediate,
}

impl ExpiryKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::DnsToken, Self::Domain, Self::EabKey, Self::Intermediate];

    /// The kind of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    /// The word for it, in the inventory and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DnsToken => "dns-token",
            Self::Domain => "domain",
            Self::EabKey => "eab-key",
            Self::Intermediate => "intermediate",
        }
    }

    /// What its end means, in words that go on after it.
    pub const fn consequence(self) -> &'static str {
        match self {
            Self::DnsToken => "nothing is proven over the DNS after that",
            Self::Domain => "no name under it can be proven or reached after that",
            Self::EabKey => "no account can be made with it after that",
            Self::Intermediate => "clients refuse chains that lead over it after that",
        }
    }
}
