//! Lineages that several hosts have with one key, as wildcards are.

use super::Target;
use crate::fleet::{Certificate, Host, Place};
use crate::text::SafeText;

/// The places of other hosts that have a certificate for the same names and the same key.
pub(super) fn sharing<'a>(target: &Target<'a>, leaf: &Certificate) -> Vec<(&'a Host, &'a Place)> {
    let hosts = target.fleet.hosts().filter(|it| it.name != target.host.name);
    let places = hosts.flat_map(|host| host.places.iter().map(move |place| (host, place)));
    let is_shared = |(_, place): &(&Host, &Place)| {
        let other = place.layers.disk.as_ref().map(|it| &it.chain.leaf);
        other.is_some_and(|it| it.spki_sha256 == leaf.spki_sha256 && same_names(it, leaf))
    };
    places.filter(is_shared).collect()
}

/// Whether two certificates are for the same names.
pub(super) fn same_names(a: &Certificate, b: &Certificate) -> bool {
    let sorted = |it: &Certificate| {
        let mut names: Vec<_> =
            it.names.iter().map(SafeText::as_str).map(str::to_ascii_lowercase).collect();
        names.sort();
        names.dedup();
        names
    };
    sorted(a) == sorted(b)
}
