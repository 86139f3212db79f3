//! Something bad is served that no source tells of.

use super::sight::{is_of_lineage, is_placeholder, told_probe};
use super::{Finding, Kind, Subject};
use crate::fleet::{
    Certificate, ChainFault, Host, Moment, Place, Probe, Severity, Vantage, Verdict, human,
};

pub(super) const KIND: Kind = Kind {
    name: "endpoint",
    about: "something bad is served that no source tells of",
    advice: "No source of the inventory tells where this certificate is kept, so nothing here can renew it, and nobody may know who does. Find the file that the server loads, add its source to the inventory, and find out what renews it. Internal names are the ones that are forgotten.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    if subject.place.is_some() {
        return None;
    }
    let host = subject.host;
    let bad = orphans(host).filter(|it| it.is_told || !is_anothers(subject, it));
    let bad: Vec<_> = bad.filter_map(|it| Some((it, judge(it, now)?))).collect();
    let (probe, (verdict, what)) = bad.iter().max_by_key(|it| (it.0.is_told, it.1.0))?;
    let chain = probe.served.as_ref().ok()?;
    let severity = if probe.is_told { Severity::Critical } else { Severity::Warning };
    let mut found = Finding::new(
        subject,
        *verdict,
        severity,
        format!("{} at {}: {what}", probe.name, probe.address),
    );
    for (probe, _) in bad.iter().take(SHOWN) {
        found = probe
            .served
            .iter()
            .fold(found, |it, chain| it.evidence(told_probe(probe, &chain.leaf)));
    }
    let files = host
        .loaded
        .iter()
        .filter(|it| it.chain.as_ref().is_ok_and(|it| it.leaf.sha256 == chain.leaf.sha256));
    let found = files.fold(found, |it, file| it.evidence(format!("{} holds it", file.path)));
    Some(found.cause("It is served from files that no source of the inventory covers.").shared(
        format!("the certificate of {}, sha256 {}", chain.leaf.subject, chain.leaf.sha256.short()),
    ))
}

/// So many lines of evidence are enough.
const SHOWN: usize = 6;

/// The handshakes of a host that have to do with none of its places: what is served there covers a
/// name that the place, which was only the nearest, does not.
pub(super) fn orphans(host: &Host) -> impl Iterator<Item = &Probe> {
    let is_same =
        |a: &Probe, b: &Probe| (a.vantage, &a.address, &a.name) == (b.vantage, &b.address, &b.name);
    let is_strange = |place: &Place, it: &Probe| {
        let covers = |leaf: &Certificate| leaf.covers(it.name.as_str());
        let disk = place.layers.disk.as_ref();
        let is_others = it.served.as_ref().is_ok_and(|it| covers(&it.leaf))
            && disk.is_some_and(|it| !covers(&it.chain.leaf));
        is_others || is_unrelated(host, place, it)
    };
    let has = move |it: &&Probe| {
        host.places.iter().any(|place| {
            place.probes.iter().any(|that| is_same(it, that)) && !is_strange(place, it)
        })
    };
    host.probes.iter().filter(move |it| !has(it))
}

/// Whether a process of the host of which no configuration is known serves a placeholder that
/// never was the place's, where the inventory asks for a name that the place covers.
fn is_unrelated(host: &Host, place: &Place, probe: &Probe) -> bool {
    let mut sites = host.servers.iter().flat_map(|it| &it.sites).flat_map(|it| &it.listens);
    let is_foreign = |it: &Certificate| is_placeholder(it) && !is_of_lineage(place, it);
    probe.is_told
        && probe.vantage == Vantage::Loopback
        && sites.all(|it| Some(it.port) != probe.port())
        && probe.served.as_ref().is_ok_and(|it| is_foreign(&it.leaf))
}

/// Whether another host of the inventory that is the same machine covers what is served.
pub(super) fn is_anothers(subject: &Subject<'_>, probe: &Probe) -> bool {
    let leaf = probe.leaf();
    subject.around.same_machine(subject.host).any(|it| {
        let has_place = it.places.iter().any(|it| {
            it.layers.disk.as_ref().map(|it| it.chain.leaf.sha256) == leaf && leaf.is_some()
        });
        let is_asked = it.probes.iter().any(|it| it.is_told && it.address == probe.address);
        has_place || is_asked
    })
}

/// What is wrong with what is served, if anything.
fn judge(probe: &Probe, now: Moment) -> Option<(Verdict, String)> {
    let chain = probe.served.as_ref().ok()?;
    let leaf = &chain.leaf;
    let over = now.since(leaf.not_after);
    if over > 0 {
        return Some((
            Verdict::Expired,
            format!("expired {} ago, at {}", human(over), leaf.not_after),
        ));
    }
    // What nobody asked for may be meant so: a default site with a placeholder, a name of its own.
    if !probe.is_told {
        return None;
    }
    if !leaf.covers(probe.name.as_str()) {
        return Some((Verdict::Name, "the certificate does not cover the name".to_owned()));
    }
    if is_placeholder(leaf) {
        return Some((Verdict::Staging, "a test or self-signed certificate".to_owned()));
    }
    if leaf.not_before > now {
        return Some((Verdict::Clock, format!("not valid before {}", leaf.not_before)));
    }
    if chain.fault == Some(ChainFault::NoIntermediate) && chain.trust.anchor.is_none() {
        return Some((Verdict::Chain, "served without an intermediate".to_owned()));
    }
    (now >= leaf.renewal_closes()).then(|| {
        let left = human(leaf.left(now));
        (Verdict::Overdue, format!("{left} left of {}, renewal is overdue", human(leaf.lifetime())))
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Host, Probe};
    use crate::text::SafeText;

    fn with(probe: Probe) -> Host {
        let chain = signed(leaf("www", &["www.example.net"], 90, 80));
        let mut host = host("web-01", vec![place("www", chain)]);
        host.machine = Some(SafeText::new("one"));
        host.probes.push(probe);
        host
    }

    fn intranet(left: i64) -> Probe {
        let chain = signed(leaf("intranet", &["intranet.example.net"], 90, left));
        probe("intranet.example.net", "127.0.0.1:8443", chain)
    }

    #[test]
    fn what_no_source_tells_of_is_judged_by_what_is_served() {
        check([with(intranet(-1))], "endpoint critical expired web-01:");
        check([with(intranet(5))], "endpoint critical overdue web-01:");
        check([with(intranet(80))], "");
        let other = Probe { name: SafeText::new("other.example.net"), ..intranet(80) };
        check([with(other)], "endpoint critical name web-01:");
        let found = Probe { is_told: false, ..intranet(-1) };
        let told = told(&super::super::sample::found([with(found)]));
        assert!(told.contains("endpoint warning expired web-01:"), "{told}");
    }

    #[test]
    fn what_only_came_to_the_nearest_place_is_judged_too() {
        let mut host = with(intranet(-1));
        host.probes.clear();
        serve(&mut host, intranet(-1));
        check([host], "endpoint critical expired web-01:");
    }

    /// A mail server that still has the placeholder of its package, beside a lineage for its name.
    #[test]
    fn a_placeholder_of_a_process_that_nobody_knows_is_found() {
        let names = &["www.example.net"];
        let mut placeholder = leaf("snakeoil", &["vm"], 3650, 3600);
        placeholder.issuer = placeholder.subject.clone();
        let shown = || probe(names[0], "127.0.0.1:993", signed(placeholder.clone()));
        let with = |shown: Probe| {
            let chain = signed(leaf("www", names, 90, 80));
            let mut host = host("web-01", vec![place("www", chain)]);
            serve(&mut host, shown);
            host
        };
        check([with(shown())], "endpoint critical name web-01:");
        check([with(Probe { is_told: false, ..shown() })], "");
    }

    #[test]
    fn what_another_name_of_the_machine_covers_is_not_blamed_here() {
        let found = with(Probe { is_told: false, ..intranet(-1) });
        let mut owner = host("web-02", vec![]);
        owner.machine = found.machine.clone();
        owner.places.push(place("www", signed(leaf("own", &["own.example.net"], 90, 80))));
        owner.probes.push(intranet(-1));
        check([found, owner], "endpoint critical expired web-02:");
    }
}
