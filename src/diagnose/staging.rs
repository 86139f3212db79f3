//! A test or self-signed certificate where a public one belongs.

use super::name::{covering, is_name};
use super::remedy::Remedy;
use super::sight::{is_placeholder, is_valid, loading};
use super::wrong_lineage::repoint;
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Place, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "staging",
    about: "a test or self-signed certificate",
    advice: "See first whether a real certificate is there: in the archive, on a sibling, or in another lineage that the server does not load. Only then order one, from the production directory; a renewal would go to the test authority again.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let sighting = subject.base()?;
    let leaf = &sighting.chain.leaf;
    let (summary, cause) = if leaf.is_of_staging() {
        (
            format!("issued by a staging authority: {}", leaf.authority()),
            "A dry run or a test was left in place; no client trusts its authority.",
        )
    } else if leaf.is_self_issued()
        && sighting.chain.trust.anchor.is_none()
        && (!leaf.is_ca || !leaf.names.is_empty() || place.key.is_some())
    {
        // `openssl req -x509` makes its placeholders authorities; a real root that lies among
        // PEM files has neither names nor a key beside it.
        ("self-signed".to_owned(), "A placeholder was never replaced; no client trusts it.")
    } else {
        return None;
    };
    let found = Finding::new(subject, Verdict::Staging, Severity::Critical, summary)
        .evidence(format!("{}: issuer {}", sighting.location, leaf.issuer))
        .cause(cause);
    let found = super::drift::from_sibling(subject, now).into_iter().fold(found, Finding::remedy);
    let kept = place.versions.iter().filter_map(|it| Some((it.number, it.certificate.as_deref()?)));
    let real = kept.filter(|it| is_valid(it.1, now) && !is_placeholder(it.1));
    let found = match real.max_by_key(|it| (it.1.not_after, it.0)) {
        Some((number, _)) => {
            let why = format!("version {number} is a real one, and is kept; no order");
            found.remedy(subject.remedy("rollback").choose("to", number.to_string()).why(why))
        }
        None => found,
    };
    let found = better_lineage(subject, place, now).into_iter().fold(found, Finding::remedy);
    let found = super::unloaded::then_reload(found, subject, now);
    let why = "one order at the CA of which this is the test twin";
    Some(found.remedy(subject.remedy("issue").why(why)))
}

/// Lets the server load another lineage that is good and covers the same names.
fn better_lineage(subject: &Subject<'_>, place: &Place, now: Moment) -> Option<Remedy> {
    let (server, site, _) = loading(subject.host, place).next()?;
    let names: Vec<_> = site.names.iter().filter(|it| is_name(it.as_str())).collect();
    repoint(subject, covering(subject, &names, now)?, server)
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::Chain;
    use crate::text::SafeText;

    const NAMES: &[&str] = &["www.example.net"];

    fn test(left: i64) -> Chain {
        let mut it = leaf("test", NAMES, 90, left);
        it.issuer = SafeText::new("CN=(STAGING) Puzzling Parsnip E7");
        signed(it)
    }

    #[test]
    fn a_reload_alone_mends_nothing() {
        let mut it = host("web-01", vec![place("www", test(80))]);
        nginx(&mut it, NAMES, &live("www"), &test(80));
        check([it], "staging critical staging web-01/www: issue web-01/www");
    }

    #[test]
    fn a_real_one_that_is_kept_comes_before_an_order() {
        check(
            [host("web-01", vec![place("www", test(80))])],
            "staging critical staging web-01/www: issue web-01/www",
        );
        let real = signed(leaf("real", NAMES, 90, 70));
        let mut it = renewed("www", &real, test(80));
        check(
            [host("web-01", vec![it.clone()])],
            "staging critical staging web-01/www: rollback web-01/www --to 1; issue web-01/www",
        );
        it.versions.clear();
        let hosts = [host("web-01", vec![it]), host("web-02", vec![place("www", real)])];
        check(
            hosts,
            "staging critical staging web-01/www: transplant web-01/www --from web-02/www; issue web-01/www",
        );
    }

    #[test]
    fn a_good_lineage_beside_it_is_loaded_instead() {
        let real = signed(leaf("real", &["*.example.net"], 90, 70));
        let places = vec![place("www", test(80)), place("wild", real)];
        let mut host = host("web-01", places);
        nginx(&mut host, NAMES, &live("www"), &test(80));
        check(
            [host],
            "staging critical staging web-01/www: repoint web-01/www --to wild --server nginx; reload web-01/www --server nginx; issue web-01/www",
        );
    }

    #[test]
    fn what_the_inventory_trusts_is_no_placeholder() {
        let mut own = leaf("own", NAMES, 365, 300);
        own.issuer = own.subject.clone();
        let mut chain = signed(own);
        chain.rest.clear();
        let mut it = place("www", chain.clone());
        it.versions.clear();
        check([host("web-01", vec![it.clone()])], "");
        chain.trust = crate::fleet::Trust::default();
        it.layers.disk = Some(sighting(&live("www"), chain));
        check([host("web-01", vec![it])], "staging critical staging web-01/www: issue web-01/www");
    }
}
