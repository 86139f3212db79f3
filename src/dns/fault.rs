//! What can go wrong at a DNS provider, in words for people, and what to do about each.

use crate::resolve::Silence;
use crate::text::SafeText;

/// Why a provider did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It wants to be left alone for a while.
    #[error("asks to be left alone for a while: {0}")]
    Busy(SafeText),
    /// The clocks of here and there are too far apart for its signatures.
    #[error("the clocks of this machine and of the DNS server differ too much (BADTIME)")]
    Clock,
    /// It did not do what it was asked for.
    #[error("{0}")]
    Failed(SafeText),
    /// The server does not know the key, or its secret is another one.
    #[error("the DNS server does not accept the TSIG key: {0}")]
    Key(SafeText),
    /// The alias does not lead to the name that the provider writes.
    #[error("{owner} is not what this provider writes, which is {writes}")]
    NoAlias {
        /// Where the record should be.
        owner: SafeText,
        /// The one name that can be written.
        writes: SafeText,
    },
    /// The server does not serve the zone, or not as its primary.
    #[error("the server may not write the zone (NOTAUTH)")]
    NotAuthoritative,
    /// It may not do that.
    #[error("the key or token is known and may not do this: {0}")]
    Refused(SafeText),
    /// What the inventory or the secret says cannot be used.
    #[error("{0}")]
    Settings(SafeText),
    /// It says nothing.
    #[error("{server}: {silence}")]
    Silent {
        /// Who was asked.
        server: SafeText,
        /// What came instead.
        silence: Silence,
    },
    /// The key or token is not known.
    #[error("does not know the key or token: {0}")]
    Unauthorized(SafeText),
}

impl Fault {
    pub(crate) fn settings(why: &str) -> Self {
        Self::Settings(SafeText::capped(why, 300))
    }

    pub(super) fn failed(why: &str) -> Self {
        Self::Failed(SafeText::capped(why, 300))
    }

    /// What to try, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Busy(_) => "wait some minutes, then try again",
            Self::Clock => "set both clocks by NTP, then try again",
            Self::Failed(_) => "see what the provider says; `certdeck dns check NAME` tries again",
            Self::Key(_) => {
                "compare `key-name`, `algorithm` and the secret with those of the server"
            }
            Self::NoAlias { .. } => "make _acme-challenge of the name a CNAME to what it writes",
            Self::NotAuthoritative => {
                "name the primary in `server` of this [[dns]], and see that it allows updates of \
                 the zone"
            }
            Self::Refused(_) => {
                "let the key or token write TXT records of this zone: `update-policy` at BIND, \
                 the permissions of the token at a cloud"
            }
            Self::Settings(_) => "correct this [[dns]] in the inventory, or its secret",
            Self::Silent { .. } => "see that it runs and that this machine can reach it",
            Self::Unauthorized(_) => {
                "make a new token at the provider and put it where the secret of this [[dns]] is"
            }
        }
    }
}
