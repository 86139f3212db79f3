//! What a fleet was when a review was signed off: of each certificate as much as the next review
//! compares, and no more.

use std::collections::BTreeMap;

use crate::fleet::{Certificate, Fingerprint, Fleet, HostName, KeyKind, Moment, Place, PlaceName};
use crate::text::SafeText;

/// A signed-off review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Its number, counted from 1.
    pub number: u32,
    /// When it was signed off.
    pub at: Moment,
    /// Who has signed it off.
    pub who: SafeText,
    /// What they said.
    pub note: SafeText,
    /// When each host had been read last; `None` if never.
    pub hosts: BTreeMap<HostName, Option<Moment>>,
    /// What was kept where; `None` where nothing was known of the certificate.
    pub places: BTreeMap<Spot, Option<Kept>>,
}

/// A place, by its names alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The host.
    pub host: HostName,
    /// The place.
    pub place: PlaceName,
    /// The kind of source.
    pub source: SafeText,
}

/// What is compared of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of the certificate.
    pub sha256: Fingerprint,
    /// SHA-256 of its public key.
    pub spki: Fingerprint,
    /// The kind of its key.
    pub key: KeyKind,
    /// Who signed it.
    pub issuer: SafeText,
    /// Its names, in order.
    pub names: Vec<SafeText>,
    /// The first moment of validity.
    pub not_before: Moment,
    /// The last moment of validity.
    pub not_after: Moment,
    /// The profile that is asked for.
    pub profile: Option<SafeText>,
}

impl Mark {
    /// What a fleet is now, as the review of that number.
    pub fn of(fleet: &Fleet, number: u32, at: Moment, who: &str, note: &str) -> Self {
        Self {
            number,
            at,
            who: SafeText::new(who),
            note: SafeText::new(note),
            hosts: fleet.hosts().map(|it| (it.name.clone(), it.seen_at)).collect(),
            places: fleet
                .places()
                .map(|(host, place)| (Spot::of(&host.name, place), Kept::of(place)))
                .collect(),
        }
    }
}

impl Spot {
    /// Where a place is.
    pub(super) fn of(host: &HostName, place: &Place) -> Self {
        let (host, source) = (host.clone(), SafeText::new(place.source));
        Self { host, place: place.name.clone(), source }
    }
}

impl Kept {
    /// What a place has on its disk, or else serves.
    pub(super) fn of(place: &Place) -> Option<Self> {
        let disk = place.layers.disk.as_ref().map(|it| &*it.chain.leaf);
        let profile = place.renewal.as_ref().and_then(|it| it.profile.clone());
        Some(Self { profile, ..Self::of_leaf(disk.or_else(|| place.leaf())?) })
    }

    /// The newest version that is kept at a place and was issued before then.
    pub(super) fn before(place: &Place, moment: Moment) -> Option<Self> {
        let kept = place.versions.iter().filter_map(|it| it.certificate.as_deref());
        let old = kept.filter(|it| it.not_before < moment).max_by_key(|it| it.not_before);
        let disk = place.layers.disk.as_ref().map(|it| &*it.chain.leaf);
        let disk = disk.filter(|it| it.not_before < moment);
        // What profile was asked for then, no archive tells.
        let profile = place.renewal.as_ref().and_then(|it| it.profile.clone());
        Some(Self { profile, ..Self::of_leaf(old.or(disk)?) })
    }

    fn of_leaf(leaf: &Certificate) -> Self {
        let mut names = leaf.names.clone();
        names.sort_unstable();
        names.dedup();
        Self {
            sha256: leaf.sha256,
            spki: leaf.spki_sha256,
            key: leaf.key,
            issuer: leaf.issuer.clone(),
            names,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            profile: None,
        }
    }

    /// The CA behind it: its organisation, for intermediates change from one order to the next
    /// (Let's Encrypt, "Chains of trust", 2026); where none is named, the signer's common name.
    pub(super) fn authority(&self) -> &str {
        let issuer = self.issuer.as_str();
        let part = |key| issuer.split(',').find_map(|it| it.strip_prefix(key));
        part("O=").or_else(|| part("CN=")).unwrap_or(issuer)
    }
}
