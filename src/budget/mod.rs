//! What a CA still allows. History in, counts out: which limits there are, from what each of them
//! takes one, and how much is left of it.
//!
//! # Adding a limit
//! 1. A file here with `KIND`: what takes one of it, and what an order would take.
//! 2. Two lines below: `mod` and the entry in [`ALL`]; its size in [`Limits`], by CA, unless it is a
//!    rule of our own.

pub mod authority;
mod event;
mod exact_set;
mod failures;
mod forecast;
mod history;
mod limit;
mod names;
mod orders;
mod patience;
mod pause;
mod registered_domain;
mod retry_after;
mod seen;
mod tries;

use std::fmt;

pub use authority::{Authority, Limits, orders_at};
pub use event::{Account, Ca, Event, Origin, Timing, What};
pub use forecast::{Forecast, Turn, Use};
pub use history::{Bucket, Certainty, History, Told};
pub use limit::{Gauge, Limit, exact};
pub use names::{NameSet, normal, registered_domain};
pub use seen::{Gap, renewal_of};
pub use tries::{Guard, Rest, Try};

/// Every kind of limit, in the order in which they are told.
pub static ALL: &[Kind] = &[
    exact_set::KIND,
    registered_domain::KIND,
    orders::KIND,
    failures::KIND,
    patience::KIND,
    pause::KIND,
    retry_after::KIND,
];

/// What the rest of the program knows about a kind of limit.
#[derive(Debug)]
pub struct Kind {
    /// Its name in reports.
    pub name: &'static str,
    /// What it counts by, in a few words.
    pub title: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// What can be done while it is used up.
    pub instead: &'static str,
    /// Whether it is a rule of this program for its own orders, and not one of the CA.
    pub is_own: bool,
    /// How a refusal for it is explained, as in [`crate::explain`].
    refusal: &'static str,
    limit: fn(&Limits) -> Option<Limit>,
    /// From which scopes something that happened took one, or which of them it refused.
    takes: fn(&Event) -> Vec<Scope>,
    /// For which scopes something that happened makes forget what was before.
    resets: fn(&Event) -> Vec<Scope>,
    /// From which scopes an order would take one.
    wants: fn(&Wanted) -> Vec<Scope>,
}

/// What a limit is counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// An account.
    Account(Account),
    /// All that the CA is asked.
    Ca,
    /// A registered domain.
    Domain(String),
    /// A name, as one account proves it.
    Name(String, Account),
    /// An exact set of names.
    Set(NameSet),
}

/// An order that somebody thinks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Of whom it is ordered.
    pub ca: Ca,
    /// For which names.
    pub names: NameSet,
    /// By which account.
    pub account: Account,
    /// Whether it tells which certificate it replaces, within the time that the CA has suggested
    /// for that: then the CA counts nothing against it (RFC 9773, section 5, and boulder,
    /// wfe2/wfe.go, `validateReplacementOrder`).
    pub is_replacing: bool,
    /// Whether the same set had a certificate lately; found out by the history.
    pub is_renewal: bool,
}

impl Wanted {
    /// An order for these names.
    pub fn new(ca: Ca, names: NameSet, account: Account) -> Self {
        Self { ca, names, account, is_replacing: false, is_renewal: false }
    }
}

impl Kind {
    /// The size of this limit, where it is known.
    pub fn limit(&self, of: &Limits) -> Option<Limit> {
        (self.limit)(of)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(it) => it.fmt(f),
            Self::Ca => f.write_str("everything"),
            Self::Domain(it) => f.write_str(it),
            Self::Name(name, account) => write!(f, "{name} by {account}"),
            Self::Set(it) => it.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
