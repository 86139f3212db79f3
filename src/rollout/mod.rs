//! Plans for many places, in waves: one canary first, then some at once, never two on one host.
//! And how far such a roll-out is.

mod course;

use std::collections::BTreeSet;

use crate::action::Plan;
use crate::fleet::HostName;
use crate::inventory::Inventory;

pub use course::{Became, Paused, Rollout, Tally, Target};

/// Plans that are performed at the same time, as places in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave(pub Vec<usize>);

/// Puts plans into waves of at most `width` after the canary, which is the first of the list. The
/// order of the list is kept, but that a plan waits for a wave without another on its host.
pub fn waves(plans: &[Plan], width: usize) -> Vec<Wave> {
    let hosts: Vec<_> = plans.iter().map(|it| &it.host).collect();
    spread(&hosts, width)
}

fn spread(hosts: &[&HostName], width: usize) -> Vec<Wave> {
    let mut waiting: Vec<usize> = (0..hosts.len()).collect();
    let mut waves = Vec::new();
    while !waiting.is_empty() {
        let width = if waves.is_empty() { 1 } else { width.max(1) };
        let (wave, rest) = wave(&waiting, hosts, width);
        waves.push(Wave(wave));
        waiting = rest;
    }
    waves
}

/// The next wave, and what waits for a later one.
fn wave(waiting: &[usize], hosts: &[&HostName], width: usize) -> (Vec<usize>, Vec<usize>) {
    let mut busy = BTreeSet::new();
    let (mut wave, mut rest) = (Vec::new(), Vec::new());
    for &at in waiting {
        if wave.len() < width && hosts.get(at).is_some_and(|it| busy.insert(*it)) {
            wave.push(at);
        } else {
            rest.push(at);
        }
    }
    (wave, rest)
}

/// How many places are changed at once: what the most careful of the groups says.
pub fn width(plans: &[Plan], inventory: &Inventory) -> usize {
    let hosts = inventory.hosts.iter().filter(|it| plans.iter().any(|plan| plan.host == it.name));
    let names: BTreeSet<&String> = hosts.flat_map(|it| &it.groups).collect();
    let groups = inventory.groups.iter().filter(|it| names.contains(&it.name));
    groups.filter_map(|it| it.wave).min().unwrap_or(WIDTH)
}

/// How many places are changed at once where no group says otherwise.
pub const WIDTH: usize = 5;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waves_of(hosts: &[String], width: usize) -> Vec<Vec<usize>> {
        let names: Vec<_> = hosts.iter().map(|it| HostName::new(it)).collect();
        let names: Vec<_> = names.iter().collect();
        spread(&names, width).into_iter().map(|it| it.0).collect()
    }

    #[track_caller]
    fn check(hosts: &str, width: usize, expect: &[&[usize]]) {
        let hosts: Vec<_> = hosts.split_whitespace().map(str::to_owned).collect();
        assert_eq!(waves_of(&hosts, width), expect);
    }

    #[test]
    fn the_canary_goes_first() {
        check("", 5, &[]);
        check("a", 5, &[&[0]]);
        check("a b c d", 2, &[&[0], &[1, 2], &[3]]);
        check("a b c", 0, &[&[0], &[1], &[2]]);
    }

    #[test]
    fn what_shares_a_host_waits() {
        check("a a a b", 5, &[&[0], &[1, 3], &[2]]);
    }

    proptest! {
        #[test]
        fn every_plan_has_its_wave(hosts in prop::collection::vec("[a-d]", 0..30), width in 0..6_usize) {
            let waves = waves_of(&hosts, width);
            let mut all: Vec<_> = waves.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..hosts.len()).collect::<Vec<_>>());
            prop_assert!(waves.first().is_none_or(|it| *it == [0]));
            for wave in waves {
                let busy: BTreeSet<_> = wave.iter().map(|it| &hosts[*it]).collect();
                prop_assert_eq!(busy.len(), wave.len());
                prop_assert!(wave.len() <= width.max(1));
            }
        }
    }
}
