//! An intermediate is missing, wrong or expired: on disk, or in what is served.

use super::around::Authority;
use super::sight::{Serving, is_sound, serving};
use super::wrong_lineage::repoint;
use super::{Finding, Kind, Subject};
use crate::fleet::{
    Certificate, Chain, ChainFault, DAY, Moment, Place, Probe, Reach, Severity, Verdict, human,
};

pub(super) const KIND: Kind = Kind {
    name: "chain",
    about: "an intermediate is missing, wrong or expired",
    advice: "The leaf is fine, so a renewal is the expensive way. Browsers hide this fault, because they remember intermediates from elsewhere; curl, other servers and phones do not. Put the right intermediate behind the leaf, never the root alone, and look at what is served, not only at the file.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    on_disk(subject, now).or_else(|| served(subject, now))
}

/// What is wrong with a chain.
struct Flaw {
    severity: Severity,
    /// What is wrong, in a few words, after "the file" or the address.
    what: String,
    cause: &'static str,
    shared: String,
}

/// What is wrong with a chain, if anything. That it ends in an authority that nobody here knows is
/// no fault: companies have their own.
fn flaw(around: &super::Around<'_>, chain: &Chain, now: Moment) -> Option<Flaw> {
    let leaf = &chain.leaf;
    let flaw = |severity, what: String, cause, shared: &dyn std::fmt::Display| {
        Some(Flaw { severity, what, cause, shared: shared.to_string() })
    };
    let leads = chain.trust.anchor.is_some();
    let lasts = leads && chain.trust.until.is_none_or(|it| it > now);
    let issuer = format!("the intermediate {}", leaf.authority());
    match chain.fault {
        // A root signed it itself, and clients have that.
        Some(ChainFault::NoIntermediate) if leads || is_of_root(around, leaf, now) => None,
        Some(ChainFault::NoIntermediate) => flaw(
            Severity::Critical,
            "holds no intermediate".to_owned(),
            "Clients that do not know the intermediate cannot verify the certificate.",
            &issuer,
        ),
        // What is too much does no harm where a way to a root is there.
        Some(ChainFault::WrongIntermediate) if lasts => None,
        Some(ChainFault::WrongIntermediate) => flaw(
            Severity::Critical,
            format!(
                "holds an intermediate that did not sign this certificate ({})",
                leaf.authority()
            ),
            "The certificate was renewed under another intermediate, and the old one was kept.",
            &issuer,
        ),
        Some(ChainFault::WrongOrder) => flaw(
            if leads { Severity::Warning } else { Severity::Critical },
            "has its certificates in the wrong order".to_owned(),
            "Strict clients want every certificate to be followed by the one that signed it.",
            &"certificates in the wrong order",
        ),
        None => expired(chain, lasts, now)
            .or_else(|| rootless(chain))
            .or_else(|| ends_early(chain, now)),
    }
}

/// Something behind the leaf has expired.
fn expired(chain: &Chain, lasts: bool, now: Moment) -> Option<Flaw> {
    let it = chain.expired_intermediate(now)?;
    Some(Flaw {
        // Clients that build their own way find another one; old ones do not (AddTrust, 2020).
        severity: if lasts { Severity::Warning } else { Severity::Critical },
        what: format!("holds the intermediate {}, which expired at {}", it.subject, it.not_after),
        cause: "The chain ends in a certificate that no client accepts any more.",
        shared: format!("the intermediate {}, sha256 {}", it.subject, it.sha256.short()),
    })
}

/// Each signed the one before it, and the last leads to no root that clients have: a cross-signed
/// certificate was left out, or replaced (Let's Encrypt, 2026-05-08).
fn rootless(chain: &Chain) -> Option<Flaw> {
    let leaf = &chain.leaf;
    let is_public = PUBLIC.iter().any(|it| leaf.issuer.as_str().contains(&format!("O={it}")));
    if chain.trust.anchor.is_some() || leaf.is_of_staging() || !is_public {
        return None;
    }
    let last = chain.rest.last()?;
    Some(Flaw {
        severity: Severity::Warning,
        what: format!(
            "ends with {}, signed by {}, which clients do not know",
            last.subject, last.issuer
        ),
        cause: "A certificate between this chain and a known root is missing or was replaced.",
        shared: format!("chains that end with {}, sha256 {}", last.subject, last.sha256.short()),
    })
}

/// Organisations whose certificates lead to roots that every client has (Mozilla's programme, as of
/// November 2026). Only of these it is a fault that a chain leads to none.
const PUBLIC: [&str; 9] = [
    "Let's Encrypt",
    "ZeroSSL",
    "Google Trust Services",
    "Sectigo Limited",
    "DigiCert Inc",
    "Amazon",
    "GlobalSign nv-sa",
    "SSL Corporation",
    "Actalis S.p.A.",
];

/// What is behind the leaf ends before the leaf is renewed, and soon.
fn ends_early(chain: &Chain, now: Moment) -> Option<Flaw> {
    let weakest = chain.weakest()?;
    let leads = chain.trust.anchor.is_some();
    let until = if leads { chain.trust.until? } else { weakest.not_after };
    if until >= chain.leaf.renewal_closes() || until.since(now) > SOON {
        return None;
    }
    Some(Flaw {
        severity: Severity::Warning,
        what: format!(
            "holds {}, which ends in {}, before the leaf is renewed",
            weakest.subject,
            human(until.since(now))
        ),
        cause: "From then on no client can verify the certificate, though it is valid for longer.",
        shared: format!("the intermediate {}, sha256 {}", weakest.subject, weakest.sha256.short()),
    })
}

/// What ends later than this, in seconds, is not yet worth a line.
const SOON: i64 = 30 * DAY;

/// Whether a leaf was signed by something that the fleet knows as a root.
fn is_of_root(around: &super::Around<'_>, leaf: &Certificate, now: Moment) -> bool {
    let known = around.authorities(leaf, now);
    !known.is_empty() && known.iter().all(|it| it.certificate.is_self_issued())
}

fn on_disk(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let sighting = subject.base()?;
    let chain = &sighting.chain;
    let flaw = flaw(subject.around, chain, now)?;
    let mut found =
        Finding::new(subject, Verdict::Chain, flaw.severity, format!("the file {}", flaw.what))
            .evidence(format!("{}: leaf issued by {}", sighting.location, chain.leaf.issuer));
    for it in &chain.rest {
        found = found.evidence(format!("followed by {}, until {}", it.subject, it.not_after));
    }
    let is_served = |it: &&Probe| it.leaf() == Some(chain.leaf.sha256);
    let fine = place.probes.iter().filter(is_served).find(|it| {
        it.served.as_ref().is_ok_and(|it| self::flaw(subject.around, it, now).is_none())
    });
    if let Some(it) = fine {
        found = found.evidence(format!(
            "{} {} still serves a whole chain; the next reload would lose it",
            it.address,
            it.vantage.words()
        ));
        found.severity = found.severity.min(Severity::Warning);
    }
    let found = replaced(subject, found.cause(flaw.cause).shared(flaw.shared), &chain.leaf, now);
    let found = super::unloaded::then_reload(found, subject, now);
    Some(found.remedies(&["renew"]))
}

/// Names the intermediates that fit, if any are known.
fn replaced(subject: &Subject<'_>, found: Finding, leaf: &Certificate, now: Moment) -> Finding {
    let known = subject.around.authorities(leaf, now);
    // What is in place already is what is wrong.
    let placed = subject.base().map_or(&[][..], |it| &it.chain.rest);
    let is_new = |it: &Authority<'_>| placed.iter().all(|old| old.sha256 != it.certificate.sha256);
    let fits = |it: &&Authority<'_>| !it.certificate.is_self_issued() && is_new(it);
    let Some(best) = known.iter().find(fits) else { return found };
    let kept = best.kept.filter(|it| it.host.reach == Reach::Up);
    let from = match kept {
        Some(it) => format!("{}/{}", it.host.name, it.place.name),
        None => best.certificate.sha256.to_string(),
    };
    let why = format!(
        "{} is known here, until {}; the leaf and its key stay",
        best.certificate.subject, best.certificate.not_after
    );
    found.remedy(subject.remedy("replace-chain").choose("from", from).why(why))
}

/// The file is whole, and what is served is not, though the leaf is the same.
fn served(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let (place, disk) = subject.sound(now)?;
    let same = place.probes.iter().filter(|it| it.leaf() == Some(disk.chain.leaf.sha256));
    let broken = same.filter_map(|probe| {
        let chain = probe.served.as_ref().ok()?;
        Some((probe, chain, flaw(subject.around, chain, now)?))
    });
    let (probe, chain, flaw) = broken.max_by_key(|it| std::cmp::Reverse(it.0.vantage))?;
    let mut found = Finding::new(
        subject,
        Verdict::Chain,
        flaw.severity,
        format!("what {} serves {}", probe.address, flaw.what),
    )
    .evidence(format!(
        "{} {}, asked for {} at {}: leaf issued by {}",
        probe.address,
        probe.vantage.words(),
        probe.name,
        probe.at,
        chain.leaf.issuer
    ));
    for it in &chain.rest {
        found = found.evidence(format!("followed by {}, until {}", it.subject, it.not_after));
    }
    found = found
        .evidence(format!(
            "{} is whole, with {} behind the leaf",
            disk.location,
            disk.chain.rest.len()
        ))
        .shared(flaw.shared);
    Some(mended(subject, found, place, probe, now))
}

/// What mends a served chain: another file, a reload, or somebody else.
fn mended(
    subject: &Subject<'_>,
    found: Finding,
    place: &Place,
    probe: &Probe,
    now: Moment,
) -> Finding {
    let is_own = probe.vantage == crate::fleet::Vantage::Loopback
        || super::sight::is_own(subject.around, subject.host, probe);
    if !is_own {
        return found.cause("What answers there has the certificate without its intermediate; the host itself has both.");
    }
    let Some(Serving { server, load: Some(load), file, .. }) = serving(subject.host, place, probe)
    else {
        return found
            .cause("The process was started before the file was mended, or loads the leaf alone.");
    };
    let line = format!("{}: {} loads {}", load.told_at, server.kind, load.certificate);
    let found = found.evidence(line);
    let is_whole = file.is_some_and(|it| is_sound(it, now));
    if is_whole || Some(&load.certificate) == place.layers.disk.as_ref().map(|it| &it.location) {
        let why = "the file is whole by now; the configuration is tested first";
        let reload = subject.remedy("reload").choose("server", server.kind).why(why);
        return found
            .cause(format!("{} was not reloaded since the file was mended.", server.kind))
            .remedy(reload);
    }
    let text = format!("{} loads a file with the leaf alone.", server.kind);
    repoint(subject, place, server).into_iter().fold(found.cause(text), Finding::remedy)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::sample::*;
    use crate::fleet::{Chain, ChainFault, Trust};
    use crate::text::SafeText;

    const NAMES: &[&str] = &["www.example.net"];

    fn bare(chain: &Chain) -> Chain {
        Chain {
            rest: Vec::new(),
            fault: Some(ChainFault::NoIntermediate),
            trust: Trust::default(),
            ..chain.clone()
        }
    }

    #[test]
    fn a_missing_intermediate_comes_from_where_it_is_known() {
        let whole = signed(leaf("www", NAMES, 90, 80));
        let broken = || host("web-01", vec![place("www", bare(&whole))]);
        check([broken()], "chain critical chain web-01/www: renew web-01/www");
        let other = place("shop", signed(leaf("shop", &["shop.example.net"], 90, 80)));
        check(
            [broken(), host("web-02", vec![other])],
            "chain critical chain web-01/www: replace-chain web-01/www --from web-02/shop; renew web-01/www",
        );
    }

    #[test]
    fn what_is_served_is_judged_apart_from_the_file() {
        let whole = signed(leaf("www", NAMES, 90, 80));
        let mut host = host("web-01", vec![place("www", whole.clone())]);
        serve(&mut host, probe(NAMES[0], "127.0.0.1:443", bare(&whole)));
        check([host.clone()], "chain critical chain web-01/www:");
        let mut stale = host.clone();
        nginx(&mut stale, NAMES, &live("www"), &whole);
        check([stale], "chain critical chain web-01/www: reload web-01/www --server nginx");
        let path = "/etc/letsencrypt/live/www/cert.pem";
        nginx(&mut host, NAMES, path, &bare(&whole));
        check(
            [host],
            "chain critical chain web-01/www: repoint web-01/www --to www --server nginx",
        );
    }

    #[test]
    fn a_private_authority_is_no_fault() {
        let mut own = leaf("own", NAMES, 365, 300);
        own.issuer = SafeText::new("CN=Example Corp CA");
        let trusted = Trust { anchor: Some(own.issuer.clone()), until: Some(own.not_after) };
        let alone = Chain {
            leaf: Arc::new(own.clone()),
            rest: vec![],
            fault: Some(ChainFault::NoIntermediate),
            trust: trusted,
        };
        check([host("web-01", vec![place("www", alone)])], "");
        let mut root = authority("root", 500);
        root.subject = own.issuer.clone();
        root.issuer = own.issuer.clone();
        let unknown = Chain {
            leaf: Arc::new(own),
            rest: vec![Arc::new(root)],
            fault: None,
            trust: Trust::default(),
        };
        check([host("web-01", vec![place("www", unknown.clone())])], "");
        let mut alone = unknown.clone();
        alone.rest.clear();
        alone.fault = Some(ChainFault::NoIntermediate);
        let hosts =
            [host("web-01", vec![place("a", unknown)]), host("web-02", vec![place("b", alone)])];
        check(hosts, "");
    }

    #[test]
    fn a_public_chain_must_lead_to_a_root() {
        let mut chain = signed(leaf("www", NAMES, 90, 80));
        chain.trust = Trust::default();
        let expected = "chain warning chain web-01/www: renew web-01/www";
        let told = told(&found([host("web-01", vec![place("www", chain.clone())])]));
        assert!(told.starts_with("chain warning chain web-01/www:"), "{told}");
        chain.trust.anchor = Some(SafeText::new("CN=ISRG Root X2"));
        check([host("web-01", vec![place("www", chain.clone())])], "");
        // What ends before the renewal is told in time.
        chain.rest = vec![Arc::new(authority("ending", 10))];
        chain.trust.until = Some(NOW.plus(10 * crate::fleet::DAY));
        let mut it = place("www", chain.clone());
        check([host("web-01", vec![it.clone()])], expected);
        chain.trust.until = Some(NOW.plus(85 * crate::fleet::DAY));
        it.layers.disk = Some(sighting(&live("www"), chain));
        check([host("web-01", vec![it])], "");
    }

    #[test]
    fn one_intermediate_is_one_cause() {
        let hosts = ["web-01", "web-02"].map(|it| {
            let mut chain = signed(leaf(it, &[&format!("{it}.example.net")], 90, 80));
            chain.rest = vec![Arc::new(authority("old", -1))];
            chain.trust = Trust::default();
            host(it, vec![place("www", chain)])
        });
        let found = found(hosts);
        let causes = super::super::gather(&found);
        assert_eq!((causes.len(), causes[0].findings.len()), (1, 2));
    }
}
