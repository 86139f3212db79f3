//! Whether a CA would issue, before anybody asks it: one check per file, from what was looked at
//! to a verdict with its evidence and what to do. Nothing here looks at anything.
//!
//! What was looked at comes in parts, which are gathered side by side by [`crate::perform`]; a
//! check is judged as soon as the parts that it needs are there. What could not be looked at is
//! unknown, and never good.
//!
//! # Adding a check
//! 1. A file here with `KIND` and its `judge`, with a table of cases as its tests.
//! 2. Two lines below: `mod` and the entry in [`ALL`]. Command, console and JSON follow.

mod account;
mod addresses;
mod authenticator;
mod authorities;
mod automation;
mod budget;
mod ca;
mod caa;
mod case;
mod clock;
mod disk;
mod dns_01;
mod dnssec;
mod evidence;
mod hooks;
pub mod host;
mod http;
mod lock;
#[cfg(test)]
mod sample;
pub mod vantage;
mod verdict;
mod webserver;

use std::collections::BTreeSet;

pub use case::{Ca, Case, Client, Proof, Proven, Refusal, Wanted};
pub use evidence::{
    Authority, Evidence, Fetch, Found, From, Listed, Name, Placed, Record, Saw, Web, Zone,
};
pub use verdict::{Outcome, Verdict};

/// Every check, in the order in which they are shown: what is wrong most often comes first.
pub static ALL: &[Kind] = &[
    addresses::KIND,
    authorities::KIND,
    dnssec::KIND,
    caa::KIND,
    http::KIND,
    dns_01::KIND,
    authenticator::KIND,
    account::KIND,
    budget::KIND,
    ca::KIND,
    clock::KIND,
    disk::KIND,
    lock::KIND,
    webserver::KIND,
    hooks::KIND,
    automation::KIND,
];

/// What the rest of the program knows about a check.
#[derive(Debug)]
pub struct Kind {
    /// Its name: on screen, in JSON.
    pub name: &'static str,
    /// One line for people: the question that it answers.
    pub about: &'static str,
    /// What has to be looked at for it.
    pub needs: &'static [Part],
    judge: fn(&Case, &Evidence) -> Verdict,
}

/// A part of what is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The CA: its directory, a nonce, its clock, our account there.
    Authority,
    /// The host, beyond what a scan reads: space, locks, the test of a configuration.
    Host,
    /// The names, as a resolver tells of them.
    Names,
    /// A record, written beside others, seen and removed. Changes the DNS.
    Record,
    /// A file, placed on the hosts, asked for and removed. Changes hosts.
    Web,
    /// The authoritative servers of the names, one by one.
    Zones,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Authority, Self::Host, Self::Names, Self::Record, Self::Web, Self::Zones];
}

impl Kind {
    /// Whether all that it needs was looked at.
    pub fn is_ready(&self, parts: &BTreeSet<Part>) -> bool {
        self.needs.iter().all(|it| parts.contains(it))
    }

    /// What is to be said of it.
    pub fn judge(&self, case: &Case, evidence: &Evidence) -> Verdict {
        (self.judge)(case, evidence)
    }
}

/// The worst of some outcomes.
pub fn worst<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Outcome {
    verdicts.into_iter().map(|it| it.outcome).max().unwrap_or(Outcome::NotNeeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_says_what_it_asks() {
        for (at, kind) in ALL.iter().enumerate() {
            assert!(ALL.iter().skip(at + 1).all(|it| it.name != kind.name), "{}", kind.name);
            assert!(kind.about.ends_with('?') && kind.about.len() <= 70, "{}", kind.about);
        }
    }

    #[test]
    fn nothing_that_was_not_looked_at_is_good() {
        let case = sample::case();
        for kind in ALL.iter().filter(|it| !it.needs.is_empty()) {
            let verdict = kind.judge(&case, &Evidence::default());
            let is_honest = matches!(verdict.outcome, Outcome::Unknown | Outcome::NotNeeded);
            assert!(is_honest, "{}: {verdict:?}", kind.name);
        }
    }
}
