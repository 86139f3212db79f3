//! Hosts beyond the scenarios: as many as asked for, most of them fine, the same on every run.

use super::{EDGE, INTERNAL, PRODUCTION, STAGING};
use crate::fleet::{DAY, HOUR};
use crate::practice::Error;
use crate::practice::certbot::{Certbot, Lineage};
use crate::practice::stage::Stage;
use crate::practice::words::Failure;

/// The name and the groups of the host with that number.
pub(in crate::practice) fn name(number: usize) -> (String, &'static [&'static str]) {
    let pick = mix(number);
    let (role, groups) = pick_from(&ROLES, pick);
    let site = pick_from(&SITES, pick / 7);
    // From 100 on, so that none has the name of a scenario's host.
    (format!("{role}-{site}-{}", 100 + number), groups)
}

/// Builds the host with that number. In a hundred, two are down, one is due and one overdue.
pub(in crate::practice) fn build(stage: &mut Stage<'_>, number: usize) -> Result<(), Error> {
    let (host, _) = name(number);
    let days = |salt: usize| 31 + i64::try_from(mix(number + salt) % 57).unwrap_or_default();
    let (left, failure) = match number % 100 {
        23 => (29 * DAY + 21 * HOUR, None),
        61 => (11 * DAY, Some(Failure::Refused)),
        _ => (days(0) * DAY, None),
    };
    stage.manner.is_down = matches!(number % 100, 7 | 57);
    let lineages = vec![
        Lineage { left, failure, versions: 2, ..Lineage::new(&[&format!("{host}.example.net")]) },
        Lineage {
            left: days(5000) * DAY + 7 * HOUR,
            versions: 2,
            ..Lineage::new(&[
                &format!("www-{number}.example.com"),
                &format!("{number}.example.com"),
            ])
        },
    ];
    Certbot { runs: 2, ..Certbot::new(lineages) }.install(stage)
}

fn pick_from<T: Copy, const N: usize>(list: &[T; N], pick: usize) -> T {
    #[expect(clippy::indexing_slicing, reason = "a remainder of the length")]
    list[pick % N]
}

/// A number that looks like chance, and is the same for the same host.
fn mix(number: usize) -> usize {
    // The finalizer of MurmurHash3, which spreads neighbours far apart.
    let mut bits = u32::try_from(number).unwrap_or(u32::MAX).wrapping_add(0x9e37_79b9);
    bits = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
    bits = (bits ^ (bits >> 13)).wrapping_mul(0xc2b2_ae35);
    (bits ^ (bits >> 16)) as usize
}

const ROLES: [(&str, &[&str]); 7] = [
    ("edge", EDGE),
    ("web", PRODUCTION),
    ("api", PRODUCTION),
    ("mail", PRODUCTION),
    ("shop", PRODUCTION),
    ("stage", STAGING),
    ("tool", INTERNAL),
];

const SITES: [&str; 8] = ["ams", "fra", "gru", "hel", "iad", "lhr", "sin", "tyo"];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_stay() {
        let names: HashSet<_> = (0..1000).map(|it| name(it).0).collect();
        assert_eq!(names.len(), 1000);
        assert_eq!(name(3), name(3));
        let down = (0..1000).filter(|it| matches!(it % 100, 7 | 57)).count();
        assert_eq!(down, 20);
    }
}
