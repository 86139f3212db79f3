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
    let host = &subject.host.name;
    let lags = |it: &Stored| it.lags(host, &place.name, &disk.chain) == Some(true);
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
    let Held { chain, version, until, host, .. } = it.held.clone().unwrap_or_default();
    let whose = host.map(|it| format!(", of {it}")).unwrap_or_default();
    let version = version.map(|it| format!(", version {it}")).unwrap_or_default();
    let what = match (chain.first(), until) {
        (None, _) => "no certificate of ours".to_owned(),
        (Some(leaf), Some(until)) => {
            format!("sha256 {}…{whose}, valid until {until}", leaf.short())
        }
        (Some(leaf), None) => format!("sha256 {}…{whose}", leaf.short()),
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
        Held {
            chain: chain.fingerprints(),
            version,
            until: Some(until),
            host: Some(SafeText::new("web-01")),
            lineage: Some(SafeText::new("www")),
            names: vec![SafeText::new("www.example.net")],
        }
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

    /// Hosts that share a path, each with a certificate of its own, must not deliver for ever.
    #[test]
    fn what_another_host_has_brought_is_as_good_if_it_ends_no_sooner() {
        let lags = "not-delivered warning drift web-01/www: deliver web-01/www --to vault-main";
        let of = |host: &str, lineage: &str, names: &[&str], left: i64| Held {
            host: Some(SafeText::new(host)),
            lineage: Some(SafeText::new(lineage)),
            names: names.iter().map(|it| SafeText::new(it)).collect(),
            ..held(&chain("other", left), NOW.plus(left * DAY))
        };
        let name = "www.example.net";
        for (what, expected) in [
            (of("web-02", "www", &[name], 90), ""),
            (of("web-02", "www", &[name], 89), ""),
            (of("web-02", "www", &["example.net", "WWW.example.net"], 90), ""),
            (of("web-02", "www", &[name], 88), lags),
            (of("web-02", "www", &["example.net"], 90), lags),
            (of("web-02", "www", &[], 90), lags),
            (of("web-02", "other", &[name], 90), lags),
            (of("web-01", "www", &[name], 90), lags),
            (Held { until: None, ..of("web-02", "www", &[name], 90) }, lags),
            (Held { host: None, ..of("web-02", "www", &[name], 90) }, lags),
        ] {
            check([stored(&[Some(what)])], expected);
        }
        // Another chain behind the same leaf is not the same, whoever has brought it.
        let mut bare = chain("new", 89);
        bare.rest.clear();
        let host = Some(SafeText::new("web-02"));
        check([stored(&[Some(Held { host, ..held(&bare, NOW.plus(89 * DAY)) })])], lags);
        let found = found([stored(&[Some(of("web-02", "www", &[name], 88))])]);
        let told = found[0].evidence[1].as_str();
        assert!(told.contains("…, of web-02, valid until"), "{told}");
    }

    #[test]
    fn what_is_there_or_not_known_is_no_finding() {
        check([stored(&[Some(held(&chain("new", 89), NOW.plus(89 * DAY)))])], "");
        check([stored(&[None])], "");
        check([stored(&[])], "");
    }
}
