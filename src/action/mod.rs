//! What can be done about a certificate: one action per file, from a target to a [`Plan`], which
//! is data, or to a [`Refusal`] that says why not. Nothing here does anything.
//!
//! The same plan is shown, printed, confirmed, performed and audited. [`Review`] is the only way
//! from a plan to a [`Confirmed`], and nothing can be performed that is not confirmed.
//!
//! # Adding an action
//! 1. A file here with `KIND` and its `plan`, with tests of the plan and of every refusal.
//! 2. Two lines below: `mod` and the entry in [`ALL`]. Menu, keys, command line, help and README
//!    table follow.

mod card;
mod certbot;
mod chain;
mod choice;
mod cluster;
mod confirm;
mod convert;
mod cost;
mod deliver;
mod dry_run;
mod enable_hook;
mod enable_timer;
mod following;
mod force_renew;
mod gate;
mod hook;
mod issue;
mod names;
mod onward;
mod order;
mod plan;
mod reload;
mod renew;
mod replace_chain;
mod repoint;
mod rollback;
mod script;
mod server;
mod share;
mod store;
mod sync_clock;
mod target;
mod transplant;

use crate::fleet::{HostName, Moment};

pub use choice::{Choice, Chosen, Offer};
pub use confirm::{Answer, Ask, Confirmed, NotConfirmed, Review};
pub use cost::{Cost, of as cost};
pub use issue::{Way, issuer_named, meant_method, orderer, webroots_beside};
pub use onward::delivery;
pub use order::{Counted, KeyPlan, KeyType, Order, Proof, Prover, Webroot};
pub use plan::{Bring, Command, Delivery, Expect, Plan, Promise};
pub use server::test as configuration_test;
pub use target::{Find, Target};

/// Every action, in the order of menus.
pub static ALL: &[Kind] = &[
    dry_run::KIND,
    renew::KIND,
    force_renew::KIND,
    issue::KIND,
    reload::KIND,
    hook::KIND,
    rollback::KIND,
    repoint::KIND,
    replace_chain::KIND,
    transplant::KIND,
    deliver::KIND,
    convert::KIND,
    enable_timer::KIND,
    enable_hook::KIND,
    sync_clock::KIND,
];

/// The name of the action that only tries: it is offered before every other one.
pub const DRY_RUN: &str = dry_run::KIND.name;

/// The name of the action that renews what is due: the only one that runs unattended.
pub const RENEW: &str = renew::KIND.name;

/// The choice to order though the CA would refuse, or though the same has failed twice.
pub const OVER_BUDGET: &str = "over-budget";

/// The choice that names where something is taken from.
const FROM: &str = "from";

/// What the rest of the program knows about an action.
#[derive(Debug)]
pub struct Kind {
    /// Its name: on the command line, in remedies, in the audit log.
    pub name: &'static str,
    /// Its keys in the console, as in [`crate::tui::keys`].
    pub keys: &'static str,
    /// One or two words, for menus.
    pub title: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// How carefully it is asked for, at the least.
    pub tier: Tier,
    /// What it is done to.
    pub subject: Subject,
    /// What can be chosen about it.
    pub choices: &'static [Choice],
    plan: fn(&Target<'_>, &Chosen) -> Result<Plan, Refusal>,
}

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A host, or a lineage that exists.
    Any,
    /// A host.
    Host,
    /// A lineage, which need not exist yet.
    Lineage,
    /// A lineage that exists.
    Place,
}

/// How carefully a change is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Not at all: it is safe, and told.
    Safe,
    /// A review card and one key.
    Change,
    /// A review card, and the name must be typed.
    Risky,
    /// A list of targets, and their number must be typed.
    Many,
}

/// Why an action cannot be done to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of reason.
    pub why: Why,
    /// One line for people: what is in the way.
    pub text: String,
    /// What to do instead, as a line of its own.
    pub hint: Option<String>,
    /// From when on nothing is in the way any more, where that is a matter of time.
    pub until: Option<Moment>,
}

/// The kinds of reason that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The request itself is wrong: a choice is missing or makes no sense.
    BadRequest,
    /// The group may not be changed.
    ReadOnly,
    /// Nobody knows enough about the target, as when the host was not read.
    Unknown,
    /// The CA would refuse it now, or it has failed for the same cause twice: somebody may say
    /// that it is to be done all the same.
    OverBudget,
    /// It would do nothing, or do harm.
    Pointless,
}

impl Why {
    /// Whether another choice may change it.
    pub const fn may_be_chosen(self) -> bool {
        matches!(self, Self::BadRequest | Self::OverBudget)
    }
}

impl Kind {
    /// Whether it may order a certificate.
    pub fn orders(&self) -> bool {
        self.choices.iter().any(Choice::is_override)
    }

    /// Which other hosts must be known to plan it: those that something is taken from.
    pub fn others(&self, chosen: &Chosen) -> Others {
        if !self.choices.iter().any(|it| it.name == FROM) {
            return Others::None;
        }
        match chosen.get(FROM).and_then(|it| it.split_once('/')) {
            Some((host, _)) => Others::One(HostName::new(host)),
            None => Others::All,
        }
    }

    /// Plans the action. What holds for every action is checked here: the host can be read and
    /// may be changed.
    pub fn plan(&self, target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
        target.check(self)?;
        chosen.check(self)?;
        let plan = onward::follow(target, chosen, (self.plan)(target, chosen)?);
        Ok(Plan { chosen: chosen.clone(), ..target.guarded(plan) })
    }
}

/// Which hosts beside its target must be known to plan an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Others {
    /// No other.
    None,
    /// The one that was chosen.
    One(HostName),
    /// All: whichever has the best is found among them.
    All,
}

/// The action of that name.
pub fn named(name: &str) -> Option<&'static Kind> {
    ALL.iter().find(|it| it.name == name)
}

impl Refusal {
    fn new(why: Why, text: impl Into<String>) -> Self {
        Self { why, text: text.into(), hint: None, until: None }
    }

    /// Says what to do instead.
    #[must_use]
    fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }
}

#[cfg(test)]
mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys_are_told_apart() {
        for (at, kind) in ALL.iter().enumerate() {
            let others = ALL.iter().enumerate().filter(|it| it.0 != at);
            assert!(others.clone().all(|it| it.1.name != kind.name), "{}", kind.name);
            assert!(others.clone().all(|it| it.1.keys != kind.keys), "{}", kind.name);
            for choice in kind.choices {
                let is_option = |it: char| it.is_ascii_lowercase() || it == '-';
                assert!(choice.name.chars().all(is_option), "{}", choice.name);
            }
        }
    }
}
