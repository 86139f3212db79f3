//! What is told of places in several steps: the layers, one by one, and certificates in a line.

use super::Scene;
use crate::fleet::{Certificate, Host, Moment, Place, Probe, Vantage, human};
use crate::text::SafeText;

/// A leaf in a line: how long it is good for, and by what it is told from others.
pub(super) fn leaf(it: &Certificate, now: Moment) -> String {
    let left = it.left(now);
    let life = if now < it.not_before {
        format!("not valid before {}", it.not_before)
    } else if left > 0 {
        format!("{} left, until {}", human(left), it.not_after)
    } else {
        format!("EXPIRED {} ago, at {}", human(-left), it.not_after)
    };
    format!("{life}, sha256 {}", it.sha256.short())
}

/// The four layers of a place, from what clients get to what the CA gave.
pub(super) fn layers(host: &Host, place: &Place, now: Moment) -> Vec<String> {
    let mut lines = vec![format!("{}/{}", host.name, place.name)];
    for vantage in [Vantage::Public, Vantage::Loopback] {
        let seen: Vec<_> = place.probes.iter().filter(|it| it.vantage == vantage).collect();
        lines.extend(seen.iter().take(SHOWN).map(|it| probe(it, now)));
        if seen.len() > SHOWN {
            lines.push(format!("  and {} more addresses", seen.len() - SHOWN));
        }
    }
    if place.probes.is_empty() {
        lines.push("  served  nobody has looked: no endpoint of the inventory, no server that is known, loads it".to_owned());
    }
    let layers = &place.layers;
    let disk = layers.disk.as_ref().map(|it| &*it.chain.leaf);
    lines.push(match disk {
        Some(it) => format!("  disk    {}", leaf(it, now)),
        None => "  disk    could not be read".to_owned(),
    });
    let issued = layers.issued.as_ref().map(|it| &*it.chain.leaf);
    if let Some(it) = issued.filter(|it| disk.is_none_or(|disk| disk.sha256 != it.sha256)) {
        lines.push(format!("  issued  {}", leaf(it, now)));
    }
    lines
}

/// What one address shows.
pub(super) fn probe(it: &Probe, now: Moment) -> String {
    let told = match &it.served {
        Ok(chain) => leaf(&chain.leaf, now),
        Err(why) => why.to_string(),
    };
    let layer = match it.vantage {
        Vantage::Public => "wire   ",
        Vantage::Loopback => "loaded ",
    };
    format!("  {layer} {} {}: {told}", it.address, it.vantage.words())
}

impl Scene<'_> {
    /// The layers of the places that it is about, the worst first, as many as anybody reads.
    pub(super) fn tell_layers(&self) -> Vec<SafeText> {
        let mut places: Vec<_> = self.case.places(self.find).collect();
        let is_bad = |host: &Host, place: &Place| {
            let of_it = |it: &&crate::diagnose::Finding| {
                it.host == host.name && it.place.as_ref() == Some(&place.name)
            };
            self.faults().iter().any(of_it)
        };
        places.sort_by_key(|(host, place)| !is_bad(host, place));
        let shown = places.iter().take(SHOWN);
        let mut lines: Vec<_> = shown.flat_map(|it| layers(it.0, it.1, self.find.now)).collect();
        if places.len() > SHOWN {
            lines.push(format!("and {} more places", places.len() - SHOWN));
        }
        lines.iter().map(|it| SafeText::new(it)).collect()
    }

    /// The command that shows the same without a guide.
    pub(super) fn scan(&self) -> String {
        format!("certdeck scan {}", crate::diagnose::word(&self.run.about))
    }
}

/// So many of a kind are told.
pub(super) const SHOWN: usize = 6;
