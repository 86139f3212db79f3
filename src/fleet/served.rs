//! Which handshakes have to do with which place.

use super::{Host, Sighting, Vantage};

/// Gives every place of the host the probes that have to do with it, and its layers what they
/// show.
pub(super) fn assign(host: &mut Host) {
    for place in &mut host.places {
        let names: Vec<_> =
            place.layers.disk.iter().flat_map(|it| &it.chain.leaf.names).cloned().collect();
        place.probes = host.probes.iter().filter(|it| names.contains(&it.name)).cloned().collect();
        let sighting = |it: &super::Probe| {
            let chain = it.served.as_ref().ok()?.clone();
            Some(Sighting { chain, location: it.address.clone(), at: it.at })
        };
        let of = |vantage| place.probes.iter().filter(move |it| it.vantage == vantage);
        place.layers.loaded = of(Vantage::Loopback).find_map(sighting);
        place.layers.wire = of(Vantage::Public).filter_map(sighting).collect();
    }
}
