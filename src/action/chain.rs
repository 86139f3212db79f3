//! Intermediates that are known in the fleet, for a leaf that lacks them.

use std::sync::Arc;

use super::{Refusal, Target, Why};
use crate::fleet::{self, Certificate, Chain, Fingerprint, Fleet, Host, Place};
use crate::text::SafeText;

/// Intermediates in the order in which they follow a leaf, without the root.
#[derive(Debug, Clone)]
pub(super) struct Intermediates<'a> {
    pub(super) all: Vec<&'a Arc<Certificate>>,
    /// Where they were found, for people.
    pub(super) seen_at: String,
}

/// The intermediates that were chosen: those behind the leaf of `HOST/LINEAGE`, or from that
/// fingerprint on; without a choice, those that last longest.
pub(super) fn choose<'a>(
    target: &Target<'a>,
    leaf: &Certificate,
    wanted: Option<&str>,
) -> Result<Intermediates<'a>, Refusal> {
    let known = known(target.fleet, leaf);
    let good = |it: &&Intermediates<'a>| {
        it.all.iter().all(|it| it.not_before <= target.now && it.not_after > target.now)
    };
    let Some(wanted) = wanted else {
        let best = known.iter().filter(good).max_by_key(|it| it.until());
        return best.cloned().ok_or_else(|| {
            let text = format!("no valid intermediate of {} is known in the fleet", leaf.issuer);
            Refusal::new(Why::Unknown, text).hint("`renew` brings what the CA gives")
        });
    };
    let found = match Fingerprint::parse(wanted) {
        Some(print) => known.iter().find(|it| it.all.first().is_some_and(|it| it.sha256 == print)),
        None => known.iter().find(|it| it.seen_at == wanted),
    };
    match found {
        Some(it) if good(&it) => Ok(it.clone()),
        Some(_) => {
            let text = format!("the intermediates of {} have expired", SafeText::new(wanted));
            Err(Refusal::new(Why::Pointless, text))
        }
        None => {
            let text =
                format!("`{}` has no intermediate of {}", SafeText::new(wanted), leaf.issuer);
            let hint =
                "a HOST/LINEAGE whose leaf has the same issuer, or the SHA-256 of an intermediate";
            Err(Refusal::new(Why::BadRequest, text).hint(hint))
        }
    }
}

impl Intermediates<'_> {
    fn until(&self) -> Option<fleet::Moment> {
        self.all.iter().map(|it| it.not_after).min()
    }

    /// All of them as PEM (RFC 7468).
    pub(super) fn pem(&self) -> String {
        let ders = self.all.iter().filter_map(|it| it.der.as_deref());
        ders.map(fleet::pem).collect()
    }
}

/// Everything in the fleet that begins with an intermediate of the leaf's issuer: what lies on
/// disks first, then what servers show.
pub(super) fn known<'a>(fleet: &'a Fleet, leaf: &Certificate) -> Vec<Intermediates<'a>> {
    let mut all = Vec::new();
    for host in fleet.hosts() {
        for place in &host.places {
            let disk = place.layers.disk.iter().map(|it| &*it.chain);
            let name = name(host, place);
            all.extend(disk.filter_map(|it| behind(it, leaf, name.clone())));
        }
    }
    for host in fleet.hosts() {
        let loaded = host.loaded.iter().filter_map(|it| Some((it.chain.as_ref().ok()?, &it.path)));
        let served =
            host.probes.iter().filter_map(|it| Some((it.served.as_ref().ok()?, &it.address)));
        for (chain, at) in loaded.chain(served) {
            all.extend(behind(chain, leaf, format!("{at} on {}", host.name)));
        }
    }
    all
}

/// `HOST/LINEAGE`.
pub(super) fn name(host: &Host, place: &Place) -> String {
    format!("{}/{}", host.name, place.name)
}

/// What stands in a chain from the first intermediate of that issuer on, as far as one signs the
/// other and all of it is known in full.
fn behind<'a>(chain: &'a Chain, leaf: &Certificate, seen_at: String) -> Option<Intermediates<'a>> {
    let begin = chain.rest.iter().position(|it| it.is_ca && it.subject == leaf.issuer)?;
    let mut all: Vec<&Arc<Certificate>> = Vec::new();
    for it in chain.rest.get(begin..)? {
        let follows = all.last().is_none_or(|below| below.issuer == it.subject);
        if !follows || !it.is_ca || it.is_self_issued() || it.der.is_none() || all.len() == MOST {
            break;
        }
        all.push(it);
    }
    (!all.is_empty()).then_some(Intermediates { all, seen_at })
}

/// Real chains have at most four certificates (Let's Encrypt, generation Y, 2026).
const MOST: usize = 4;
