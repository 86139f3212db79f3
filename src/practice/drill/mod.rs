//! Drills: small fleets with one trouble each, of the kind that pages people at night. What is to
//! be solved is in [`crate::drill`]; here is what is broken, and where.
//!
//! # Adding a drill
//! 1. A file here with `KIND`: the task, and the hosts that are part of the trouble.
//! 2. Two lines below: `mod` and the entry in [`ALL`].

mod balancer;
mod by_hand;
mod ca_down;
mod clock_ahead;
mod dead_timer;
mod expired_intermediate;
mod hook_failed;
mod hook_skipped;
mod incomplete_chain;
mod key_mismatch;
mod missing_name;
mod moved_back;
mod node_missed;
mod not_reloaded;
mod rate_limited;
mod staging_live;
mod wrong_lineage;

use super::Error;
use super::build::{Fleet, Recipe, Wanted};
use super::certbot::{Certbot, Lineage};
use super::stage::Stage;
use crate::drill::Task;
use crate::fleet::DAY;

/// Every drill, by name.
pub static ALL: &[Kind] = &[
    balancer::KIND,
    by_hand::KIND,
    ca_down::KIND,
    clock_ahead::KIND,
    dead_timer::KIND,
    expired_intermediate::KIND,
    hook_failed::KIND,
    hook_skipped::KIND,
    incomplete_chain::KIND,
    key_mismatch::KIND,
    missing_name::KIND,
    moved_back::KIND,
    node_missed::KIND,
    not_reloaded::KIND,
    rate_limited::KIND,
    staging_live::KIND,
    wrong_lineage::KIND,
];

/// A drill: what is to be solved, and the hosts on which it is.
#[derive(Debug)]
pub struct Kind {
    /// What is to be solved.
    pub task: Task,
    hosts: &'static [Host],
}

/// A host that is part of the trouble.
#[derive(Debug)]
struct Host {
    name: &'static str,
    groups: &'static [&'static str],
    build: fn(&mut Stage<'_>) -> Result<(), Error>,
}

impl Kind {
    /// Its fleet: the hosts with the trouble between others that are fine.
    pub(super) fn fleet(&self) -> Fleet {
        let one = |it: &Host| Wanted {
            name: it.name.to_owned(),
            groups: it.groups,
            // Whoever reads the inventory is not to be told.
            about: None,
            recipe: Recipe::Own(it.build),
        };
        let mut hosts: Vec<Wanted> = FINE.iter().chain(self.hosts).map(one).collect();
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        Fleet { hosts, expiries: &[] }
    }
}

/// The drill of that name.
pub fn named(name: &str) -> Option<&'static Kind> {
    ALL.iter().find(|it| it.task.name == name)
}

/// The drill that chance picks: the same for the same seed.
pub fn picked(seed: u64) -> Option<&'static Kind> {
    // The finalizer of SplitMix64, so that seeds that follow each other lead to different drills.
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let many = u64::try_from(ALL.len()).ok()?;
    ALL.get(usize::try_from((bits ^ (bits >> 31)) % many).ok()?)
}

/// Hosts on which nothing is wrong.
const FINE: &[Host] = &[
    Host {
        name: "api-ber-1",
        groups: PRODUCTION,
        build: |stage| fine(stage, "rest.example.com", 64),
    },
    Host {
        name: "docs-ber-1",
        groups: PRODUCTION,
        build: |stage| fine(stage, "docs.example.com", 57),
    },
    Host {
        name: "git-ber-1",
        groups: PRODUCTION,
        build: |stage| fine(stage, "git.example.com", 49),
    },
    Host {
        name: "mail-ber-1",
        groups: PRODUCTION,
        build: |stage| fine(stage, "smtp.example.com", 71),
    },
];

fn fine(stage: &mut Stage<'_>, name: &str, days: i64) -> Result<(), Error> {
    Certbot::new(vec![Lineage { left: days * DAY, versions: 2, ..Lineage::new(&[name]) }])
        .install(stage)
}

/// Where names are typed to confirm a change.
const PRODUCTION: &[&str] = &["production"];
/// Where a key is enough: files without a lineage have long names.
const EDGE: &[&str] = &["edge"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_sorted_and_hosts_are_few() {
        assert!(ALL.is_sorted_by_key(|it| it.task.name));
        assert!(ALL.len() >= 10, "{}", ALL.len());
        for it in ALL {
            let hosts = it.fleet().hosts;
            assert!((5..=12).contains(&hosts.len()), "{}: {}", it.task.name, hosts.len());
            let names: BTreeSet<_> = hosts.iter().map(|it| &it.name).collect();
            assert_eq!(names.len(), hosts.len(), "{}", it.task.name);
        }
    }

    /// Neither the page nor a vague hint may say what a plain one does.
    #[test]
    fn the_page_does_not_tell() {
        for Kind { task, .. } in ALL {
            for word in task.name.split('-').filter(|it| it.len() > 5) {
                assert!(!task.page.to_lowercase().contains(word), "{}: {word}", task.name);
            }
        }
    }

    #[test]
    fn chance_picks_every_drill_and_the_same_again() {
        let picks: BTreeSet<_> = (0..500).filter_map(picked).map(|it| it.task.name).collect();
        assert_eq!(picks.len(), ALL.len());
        assert_eq!(picked(7).map(|it| it.task.name), picked(7).map(|it| it.task.name));
    }
}
