//! Everything that ends soon, in one list by date: leaves, what stands above them, and what the
//! inventory tells of.

use std::collections::BTreeMap;

use super::horizon;
use crate::diagnose;
use crate::fleet::{Certificate, Chain, ExpiryKind, Fingerprint, Fleet, Host, Moment, Place};
use crate::text::SafeText;

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// When.
    pub on: Moment,
    /// What kind of thing it is.
    pub kind: EndingKind,
    /// What it is more exactly, if the inventory tells.
    pub what: Option<ExpiryKind>,
    /// What it is called.
    pub name: SafeText,
    /// Where it is, each place once.
    pub places: Vec<String>,
    /// When it should be renewed by itself; `None` if nothing does that.
    pub renews: Option<Moment>,
}

/// What kind of thing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndingKind {
    /// The certificate of a service.
    Leaf,
    /// One above it that is sent with it.
    Intermediate,
    /// The way from what is sent to a root that clients have.
    Trust,
    /// Something that the inventory tells of: a token, a key at a CA, a domain.
    Told,
}

impl Ending {
    /// The word for what it is.
    pub fn word(&self) -> &'static str {
        self.what.map_or_else(|| self.kind.word(), ExpiryKind::word)
    }
}

impl EndingKind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Leaf => "leaf",
            Self::Intermediate => "intermediate",
            Self::Trust => "trust",
            Self::Told => "inventory",
        }
    }
}

/// What ends within the time that a review looks ahead, or has ended; the first first.
pub(super) fn endings(fleet: &Fleet, now: Moment) -> Vec<Ending> {
    let mut list = List { known: BTreeMap::new(), until: horizon(now) };
    for (host, place) in fleet.places() {
        let Some(sighting) = place.layers.disk.as_ref().or_else(|| place.nearest()) else {
            continue;
        };
        list.add_chain(host, place, &sighting.chain);
        // What clients get ends as well, and may be another certificate.
        for seen in place.layers.loaded.iter().chain(&place.layers.wire) {
            if seen.chain.leaf.sha256 != sighting.chain.leaf.sha256 {
                list.add_chain(host, place, &seen.chain);
            }
        }
    }
    let told = fleet.expiries.iter().filter(|it| it.on <= list.until).map(|it| Ending {
        on: it.on,
        kind: EndingKind::Told,
        what: it.kind,
        name: it.name.clone(),
        places: it.authenticators.iter().map(|it| format!("authenticator {it}")).collect(),
        renews: None,
    });
    let mut all: Vec<_> = told.collect();
    all.extend(list.known.into_values());
    all.sort_by(|a, b| (a.on, a.kind, &a.name).cmp(&(b.on, b.kind, &b.name)));
    all
}

struct List {
    known: BTreeMap<(EndingKind, Fingerprint), Ending>,
    until: Moment,
}

impl List {
    fn add_chain(&mut self, host: &Host, place: &Place, chain: &Chain) {
        let leaf = &chain.leaf;
        let renewal = place.renewal.as_ref().filter(|it| it.is_enabled && it.is_unattended);
        let renews = renewal.map(|it| it.planned.unwrap_or_else(|| place.renewal_opens(leaf)));
        let name = leaf.names.first().unwrap_or(&leaf.subject);
        self.add(EndingKind::Leaf, leaf.sha256, leaf.not_after, name, (host, place), renews);
        for above in chain.rest.iter().filter(|it| it.is_ca) {
            let name = common_name(above);
            let (sha256, on) = (above.sha256, above.not_after);
            self.add(EndingKind::Intermediate, sha256, on, &name, (host, place), None);
        }
        // Where the chain is cut by something that is not sent: a root, or a cross-sign.
        let sent = chain.rest.iter().map(|it| it.not_after).chain([leaf.not_after]).min();
        if let Some(until) = chain.trust.until.filter(|it| Some(*it) < sent) {
            let anchor = chain.trust.anchor.clone().unwrap_or_default();
            let key = Fingerprint::of(anchor.as_str().as_bytes());
            self.add(EndingKind::Trust, key, until, &anchor, (host, place), None);
        }
    }

    fn add(
        &mut self,
        kind: EndingKind,
        key: Fingerprint,
        on: Moment,
        name: &SafeText,
        (host, place): (&Host, &Place),
        renews: Option<Moment>,
    ) {
        if on > self.until {
            return;
        }
        let blank = || {
            let (name, places) = (name.clone(), Vec::new());
            Ending { on, kind, what: None, name, places, renews: None }
        };
        let entry = self.known.entry((kind, key)).or_insert_with(blank);
        let at = diagnose::at(&host.name, Some(&place.name));
        if !entry.places.contains(&at) {
            entry.places.push(at);
        }
        entry.renews = entry.renews.into_iter().chain(renews).min();
    }
}

fn common_name(certificate: &Certificate) -> SafeText {
    let subject = certificate.subject.as_str();
    let common = subject.split(',').find_map(|it| it.strip_prefix("CN="));
    common.map_or_else(|| certificate.subject.clone(), SafeText::new)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::sample::{NOW, fleet, host, leaf, place};
    use super::*;
    use crate::fleet::{DAY, Expiry};

    #[test]
    fn everything_is_in_one_list_by_date() {
        let mut www = place("www", leaf("www", &["www.example.net"], 90, 60));
        let later = place("later", leaf("later", &["later.example.net"], 398, 300));
        let past = place("past", leaf("past", &["past.example.net"], 90, -3));
        let disk = www.layers.disk.as_mut().unwrap();
        let mut above = leaf("R10", &[], 1000, 50);
        (above.is_ca, above.subject) = (true, SafeText::new("CN=R10,O=Let's Encrypt,C=US"));
        let mut chain = Chain::clone(&disk.chain);
        chain.rest = vec![Arc::new(above)];
        chain.trust.until = Some(NOW.plus(40 * DAY));
        chain.trust.anchor = Some(SafeText::new("CN=ISRG Root X1"));
        disk.chain = Arc::new(chain);
        let mut known =
            fleet([host("web-01", vec![later, past, www.clone()]), host("web-02", vec![www])]);
        let eab_key = Some(ExpiryKind::EabKey);
        let told = [("zerossl", eab_key, 30), ("a badge", None, 31), ("example.net", None, 101)];
        known.expiries = told
            .map(|(name, kind, days)| Expiry {
                name: SafeText::new(name),
                kind,
                on: NOW.plus(days * DAY),
                authenticators: Vec::new(),
            })
            .to_vec();
        let all = endings(&known, NOW);
        let told: Vec<_> = all
            .iter()
            .map(|it| {
                let days = it.on.since(NOW) / DAY;
                format!("{days} {} {} at {}", it.word(), it.name, it.places.join(", "))
            })
            .collect();
        assert_eq!(
            told,
            [
                "-3 leaf past.example.net at web-01/past",
                "30 eab-key zerossl at ",
                "31 inventory a badge at ",
                "40 trust CN=ISRG Root X1 at web-01/www, web-02/www",
                "50 intermediate R10 at web-01/www, web-02/www",
                "60 leaf www.example.net at web-01/www, web-02/www",
            ]
        );
        assert_eq!(all[5].renews, Some(NOW.plus(30 * DAY)));
        assert_eq!(all[4].renews, None);
    }
}
