//! A server loads something else than the lineage that is renewed for the name.

use super::around::has_same_names;
use super::remedy::{Remedy, has_deploy_hook};
use super::sight::{
    Odd, is_loaded, is_of_lineage, is_placeholder, is_sound, is_valid, loading, told_leaf,
    told_sighting,
};
use super::unloaded::{is_older, weight};
use super::{Finding, Kind, Subject};
use crate::fleet::{Certificate, Moment, Place, Server, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "wrong-lineage",
    about: "a server loads another file than the one that is renewed",
    advice: "Do not renew: what is renewed is fine, and the server does not look at it. See which file the server really loads, and point it to the live folder of the lineage. Do not copy files over each other, and delete the other lineage only once nothing loads it.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    of_another_file(subject, now).or_else(|| of_another_lineage(subject, now))
}

/// This lineage is good and covers the name, and the server loads another file for it.
fn of_another_file(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let (place, disk) = subject.sound(now)?;
    let good = &disk.chain.leaf;
    let is_worse = |it: &&Odd<'_>| {
        let served = &it.chain.leaf;
        let is_old = is_of_lineage(place, served) && is_older(served, good);
        let name = it.probe.name.as_str();
        is_old || (good.covers(name) && fault(served, name, now).is_some())
    };
    let odd = subject
        .odds
        .iter()
        .filter(|it| it.is_own() && it.is_of_another_file(place))
        .find(is_worse)?;
    let serving = odd.serving?;
    let (server, load) = (serving.server, serving.load?);
    let served = &odd.chain.leaf;
    let faulty = fault(served, odd.probe.name.as_str(), now)
        .map(|(verdict, what)| (verdict, Severity::Critical, what));
    let (verdict, severity, what) = faulty.unwrap_or_else(|| {
        let (verdict, severity) = weight(served, now);
        (verdict, severity, "an older certificate".to_owned())
    });
    let path = &load.certificate;
    let found = Finding::new(
        subject,
        verdict,
        severity,
        format!("{} loads {path}, {what}, where {} has a good one", server.kind, place.name),
    )
    .evidence(format!("served by {}", odd.told()))
    .evidence(format!("{}: {} loads {path}", load.told_at, server.kind))
    .evidence(format!("renewed is {}", told_sighting(disk)));
    // A copy that a hook makes is made again by the hook.
    let is_copy = is_of_lineage(place, served)
        && !pinned(place, path.as_str())
        && has_deploy_hook(subject.host, place);
    if is_copy {
        let text =
            format!("{} loads a copy, which the hook did not bring up to date.", server.kind);
        let why = "the hook makes the copy again; no order";
        return Some(found.cause(text).remedy(subject.remedy("hook").why(why)));
    }
    let text = if pinned(place, path.as_str()) {
        format!(
            "{} loads one version from the archive; renewals do not change that file.",
            server.kind
        )
    } else {
        format!("{} loads a file that nobody renews.", server.kind)
    };
    Some(repoint(subject, place, server).into_iter().fold(found.cause(text), Finding::remedy))
}

/// A server loads this lineage, and another one for the same names is newer and loaded by none.
fn of_another_lineage(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let (host, place) = (subject.host, subject.place?);
    let disk = place.layers.disk.as_ref()?;
    let leaf = &disk.chain.leaf;
    let (server, _, load) = loading(host, place).next()?;
    let good = |it: &&Place| {
        let Some(other) = &it.layers.disk else { return false };
        let other_leaf = &other.chain.leaf;
        let is_newer = other_leaf.sha256 != leaf.sha256 && is_older(leaf, other_leaf);
        has_same_names(leaf, other_leaf)
            && is_same_kind(leaf, other_leaf)
            && is_newer
            && is_sound(&other.chain, now)
            && it.key_matches() != Some(false)
            && !is_loaded(host, it)
    };
    let other =
        host.places.iter().filter(good).max_by_key(|it| it.leaf().map(|it| it.not_after))?;
    let newer = other.layers.disk.as_ref()?;
    let (verdict, severity) = weight(leaf, now);
    let found = Finding::new(
        subject,
        verdict,
        severity,
        format!(
            "{} loads {}, and {} is what was renewed last",
            server.kind, place.name, other.name
        ),
    )
    .evidence(format!("{}: {} loads {}", load.told_at, server.kind, load.certificate))
    .evidence(format!("loaded: {}", told_sighting(disk)))
    .evidence(format!("renewed: {}", told_sighting(newer)))
    .cause(format!(
        "Two lineages are for the same names, and {} loads the one that falls behind.",
        server.kind
    ));
    Some(repoint(subject, other, server).into_iter().fold(found, Finding::remedy))
}

/// Lets a server load a lineage; only where its configuration can be edited line by line, and
/// takes certificate and key from two files as lineages have them.
pub(super) fn repoint(subject: &Subject<'_>, to: &Place, server: &Server) -> Option<Remedy> {
    let is_editable = ["nginx", "apache"].contains(&server.kind);
    let why = format!("{} then loads the lineage that is renewed; no order", server.kind);
    let remedy = subject.remedy("repoint").choose("to", to.name.as_str());
    is_editable.then(|| remedy.choose("server", server.kind).why(why))
}

/// What is wrong with something that is served for a name, whatever else there is.
fn fault(served: &Certificate, name: &str, now: Moment) -> Option<(Verdict, String)> {
    if is_placeholder(served) {
        let what = if served.is_of_staging() { "a test certificate" } else { "a self-signed one" };
        return Some((Verdict::Staging, what.to_owned()));
    }
    if !served.covers(name) {
        return Some((Verdict::Name, format!("which does not cover {name}")));
    }
    if served.not_after < now {
        return Some((Verdict::Expired, "an expired one".to_owned()));
    }
    (!is_valid(served, now))
        .then(|| (Verdict::Clock, format!("not valid yet ({})", told_leaf(served))))
}

/// Whether a path leads to one version of the lineage, which no renewal changes.
fn pinned(place: &Place, path: &str) -> bool {
    path.contains(&format!("/archive/{}/", place.name))
}

fn is_same_kind(a: &Certificate, b: &Certificate) -> bool {
    std::mem::discriminant(&a.key) == std::mem::discriminant(&b.key)
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{ConfHook, HookStage, Host};
    use crate::text::SafeText;

    const NAMES: &[&str] = &["www.example.net"];

    #[test]
    fn a_second_lineage_that_is_loaded_is_told_from_the_one_that_is_renewed() {
        let (old, new) = (signed(leaf("old", NAMES, 90, 40)), signed(leaf("new", NAMES, 90, 89)));
        let places = vec![place("www-0001", old.clone()), place("www", new.clone())];
        let mut host = host("web-01", places);
        nginx(&mut host, NAMES, &live("www-0001"), &old);
        serve(&mut host, probe(NAMES[0], "127.0.0.1:443", old.clone()));
        check(
            [host.clone()],
            "wrong-lineage warning unloaded web-01/www-0001: repoint web-01/www-0001 --to www --server nginx",
        );
        // Where something loads the newer one too, both are in use.
        nginx(&mut host, NAMES, &live("www"), &new);
        check([host], "");
    }

    /// A server that loads `path` for the name, and serves `chain`.
    fn loads(path: &str, chain: crate::fleet::Chain) -> Host {
        let (old, new) = (signed(leaf("old", NAMES, 90, 40)), signed(leaf("new", NAMES, 90, 89)));
        let mut host = host("web-01", vec![renewed("www", &old, new)]);
        nginx(&mut host, NAMES, path, &chain);
        serve(&mut host, probe(NAMES[0], "127.0.0.1:443", chain));
        host
    }

    #[test]
    fn files_that_nobody_renews_are_found() {
        let repoint = "repoint web-01/www --to www --server nginx";
        let old = signed(leaf("old", NAMES, 90, 40));
        check(
            [loads("/etc/letsencrypt/archive/www/fullchain1.pem", old.clone())],
            &format!("wrong-lineage warning unloaded web-01/www: {repoint}"),
        );
        check(
            [loads("/etc/ssl/www.pem", old.clone())],
            &format!("wrong-lineage warning unloaded web-01/www: {repoint}"),
        );
        let mut snakeoil = leaf("snakeoil", &["web-01"], 3650, 3000);
        snakeoil.issuer = snakeoil.subject.clone();
        check(
            [loads("/etc/ssl/certs/ssl-cert-snakeoil.pem", signed(snakeoil))],
            &format!("wrong-lineage critical staging web-01/www: {repoint}"),
        );
        let other = signed(leaf("other", &["other.example.net"], 90, 80));
        check(
            [loads("/etc/ssl/other.pem", other)],
            &format!("wrong-lineage critical name web-01/www: {repoint}"),
        );

        let mut copied = loads("/etc/haproxy/www.pem", old);
        let hook = ConfHook { stage: HookStage::Deploy, command: SafeText::new("copy") };
        copied.places[0].renewal.as_mut().unwrap().hooks.push(hook);
        check([copied], "wrong-lineage warning unloaded web-01/www: hook web-01/www");
    }

    #[test]
    fn another_good_certificate_for_the_name_is_no_fault() {
        let bought = signed(leaf("bought", &["www.example.net", "example.net"], 200, 180));
        check([loads("/etc/ssl/bought.pem", bought)], "");
    }
}
