//! A store of secrets lags behind what is in place.

use super::sight::told_sighting;
use super::{Finding, Kind, Subject};
use crate::fleet::{Held, Moment, Severity, Stored, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "not-delivered",
    about: "a store of secrets does not hold the certificate that is in place",
    advice: "Nothing is wrong on the host, and nothing has to be ordered. Whoever takes the certificate from the store gets an old one: deliver what is in place, and let those who read it load it. If the store refuses, see what it says before anything is written there by hand.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let disk = place.layers.disk.as_ref()?;
    let leaf = &disk.chain.leaf;
    // What is not fit for service is not fit for a store.
    if leaf.not_after <= now || leaf.is_of_staging() || disk.chain.fault.is_some() {
        return None;
    }
    let lags = |it: &Stored| it.holds(&disk.chain) == Some(false);
    let lagging: Vec<_> = place.stored.iter().filter(|it| lags(it)).collect();
    let names: Vec<_> = lagging.iter().map(|it| it.store.as_str()).collect();
    let first = *lagging.first()?;
    let until = |it: &&Stored| it.held.as_ref()?.until;
    let has_ended = lagging.iter().filter_map(until).any(|it| it <= now);
    let severity = if has_ended { Severity::Critical } else { Severity::Warning };
    let summary = match first.held.as_ref() {
        Some(held) if held.chain.is_empty() => format!("{} does not hold it", names.join(", ")),
        _ => format!("{} still holds another one", names.join(", ")),
    };
    let found = Finding::new(subject, Verdict::Drift, severity, summary)
        .evidence(format!("on the host {}", told_sighting(disk)))
        .cause(
            "The store was not given what is in place: its own client renewed it, or a delivery \
             failed or was cut off.",
        )
        .shared(format!("{} was not given what is in place", first.store));
    Some(lagging.into_iter().fold(found, |found, it| {
        let deliver = subject.remedy("deliver").choose("to", it.store.as_str());
        found.evidence(told(it)).remedy(deliver)
    }))
}

/// What a store holds, and where.
fn told(it: &Stored) -> String {
    let Held { chain, version, until } = it.held.clone().unwrap_or_default();
    let version = version.map(|it| format!(", version {it}")).unwrap_or_default();
    let what = match (chain.first(), until) {
        (None, _) => "no certificate of ours".to_owned(),
        (Some(leaf), Some(until)) => format!("sha256 {}…, valid until {until}", leaf.short()),
        (Some(leaf), None) => format!("sha256 {}…", leaf.short()),
    };
    format!("{}, {}{version}: {what} (asked at {})", it.store, it.path, it.at)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, check, found, host, leaf, place, signed, told};
    use crate::fleet::{Chain, DAY, Held, Host, Moment, Stored};
    use crate::text::SafeText;

    fn chain(tag: &str, left: i64) -> Chain {
        signed(leaf(tag, &["www.example.net"], 90, left))
    }

    /// A version of a store that holds it.
    fn held(chain: &Chain, until: Moment) -> Held {
        let version = Some(SafeText::new("3"));
        Held { chain: chain.fingerprints(), version, until: Some(until) }
    }

    /// A host with a new certificate, and what stores hold of it; `None` is not known.
    fn stored(held: &[Option<Held>]) -> Host {
        let mut place = place("www", chain("new", 89));
        let of = |(held, store): (&Option<Held>, &str)| Stored {
            store: SafeText::new(store),
            path: SafeText::new("tls/www"),
            held: held.clone(),
            at: NOW,
        };
        place.stored = held.iter().zip(["vault-main", "aws"]).map(of).collect();
        host("web-01", vec![place])
    }

    #[test]
    fn a_store_that_lags_is_told_with_what_it_holds() {
        let (old, ends) = (chain("old", 20), NOW.plus(20 * DAY));
        let nothing = Held::default;
        let lags = "not-delivered warning drift web-01/www: deliver web-01/www --to vault-main";
        check([stored(&[Some(held(&old, ends))])], lags);
        check([stored(&[Some(nothing())])], lags);
        let found = found([stored(&[Some(held(&old, ends)), Some(nothing())])]);
        assert_eq!(told(&found), format!("{lags}; deliver web-01/www --to aws"));
        let evidence: Vec<_> = found[0].evidence.iter().map(SafeText::as_str).collect();
        let version =
            format!("vault-main, tls/www, version 3: sha256 {}…", old.leaf.sha256.short());
        assert!(evidence[1].starts_with(&version), "{evidence:?}");
        assert!(evidence[2].starts_with("aws, tls/www: no certificate of ours"), "{evidence:?}");
        // Another chain behind the same leaf is not the same.
        let mut bare = chain("new", 89);
        bare.rest.clear();
        check([stored(&[Some(held(&bare, ends))])], lags);
        // Whoever reads it gets what has expired.
        check([stored(&[Some(held(&old, NOW.plus(-DAY)))])], &lags.replace("warning", "critical"));
    }

    #[test]
    fn what_is_there_or_not_known_is_no_finding() {
        check([stored(&[Some(held(&chain("new", 89), NOW.plus(89 * DAY)))])], "");
        check([stored(&[None])], "");
        check([stored(&[])], "");
    }
}
