//! One of several was missed: its siblings share a newer certificate for the same names.

use super::around::Spot;
use super::elsewhere::record;
use super::remedy::Remedy;
use super::sight::{Odd, Whose, is_sound, is_version, odds, told_sighting};
use super::unloaded::is_older;
use super::{Finding, Kind, Subject};
use crate::fleet::{Certificate, Chain, Moment, Place, Reach, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "drift",
    about: "siblings share a newer certificate, and this host was missed",
    advice: "Do not renew here first: a good certificate is on a sibling, and an order for the same names draws on the budget of all of them. Bring the sibling's over, reload, and look at every address. Then see why the distribution missed this host, and whether it missed others.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let disk = place.layers.disk.as_ref()?;
    let leaf = &disk.chain.leaf;
    let (best, chain) = best_sibling(subject, now)?;
    if chain.leaf.sha256 == leaf.sha256 {
        return None;
    }
    let siblings = || subject.around.siblings(subject.host, leaf);
    let have_it = siblings().filter(|it| it.1.leaf.sha256 == chain.leaf.sha256).count();
    // That a sibling kept this very certificate as an older version of its own tells that they
    // share it; so do several with one and the same, unless this one renews on its own account.
    // So does a handshake for the name of a sibling that was answered here.
    let is_alone = !renews_by_itself(subject, place);
    let led = is_alone.then(|| led_here(subject, leaf)).flatten();
    let is_shared = siblings().any(|it| is_version(it.0.place, leaf))
        || (have_it > 1 && is_alone)
        || led.is_some();
    if !is_shared {
        return None;
    }
    let severity =
        if now >= leaf.renewal_closes() { Severity::Critical } else { Severity::Warning };
    let verdict = if leaf.not_after < now { Verdict::Expired } else { Verdict::Drift };
    let newer = chain.leaf.not_after;
    let who =
        if have_it == 1 { "a sibling has".to_owned() } else { format!("{have_it} siblings have") };
    let summary = format!("{who} a newer certificate for the same names, valid until {newer}");
    let found = Finding::new(subject, verdict, severity, summary)
        .evidence(format!("here {}", told_sighting(disk)));
    let sighting = best.place.layers.disk.as_ref();
    let found = sighting.into_iter().fold(found, |it, sighting| {
        it.evidence(format!("{} {}", best.host.name, told_sighting(sighting)))
    });
    let cause = match led {
        None => "This host was missed when the newer certificate was brought to its siblings."
            .to_owned(),
        Some(it) if it.probe.is_added => {
            let name = &it.probe.name;
            format!("{name} is served here as well, and the new certificate was not brought here.")
        }
        Some(it) => {
            format!("{} leads here, where the old certificate was left.", record(it.probe))
        }
    };
    let led = led.map(|it| format!("served by {}", it.told()));
    let found = led.into_iter().fold(found, Finding::evidence).cause(cause);
    let found = found.shared(format!(
        "the certificate that siblings have: sha256 {}",
        chain.leaf.sha256.short()
    ));
    let found = found.remedy(transplant(subject, best));
    let own = renews_by_itself(subject, place).then_some(["dry-run", "renew"]);
    Some(own.into_iter().flatten().fold(found, |it, action| it.remedy(subject.remedy(action))))
}

/// How clients of a sibling's name were answered here with this leaf.
fn led_here<'a>(subject: &Subject<'a>, leaf: &'a Certificate) -> Option<Odd<'a>> {
    let is_here = |it: &Odd<'_>| {
        matches!(it.whose, Whose::Fleet(host) if host.name == subject.host.name)
            && it.chain.leaf.sha256 == leaf.sha256
    };
    let mut siblings = subject.around.siblings(subject.host, leaf);
    siblings
        .find_map(|(spot, _)| odds(subject.around, spot.host, spot.place).into_iter().find(is_here))
}

/// The sibling whose certificate lasts longest, if it is sound and better than the one here.
pub(super) fn best_sibling<'a>(
    subject: &Subject<'a>,
    now: Moment,
) -> Option<(Spot<'a>, &'a Chain)> {
    let disk = subject.place?.layers.disk.as_ref()?;
    let leaf = &*disk.chain.leaf;
    let is_whole = subject.sound(now).is_some();
    let siblings = subject.around.siblings(subject.host, leaf);
    let good = siblings.filter(|(spot, chain)| {
        let is_pair = spot.place.key_matches() != Some(false);
        let is_better = chain.leaf.sha256 != leaf.sha256 && is_older(leaf, &chain.leaf);
        is_pair && is_sound(chain, now) && (is_better || !is_whole)
    });
    // Of several with the same, one that can be read from now.
    good.max_by_key(|it| (it.1.leaf.not_after, it.1.leaf.not_before, it.0.host.reach == Reach::Up))
}

/// Brings the version of a sibling here.
pub(super) fn transplant(subject: &Subject<'_>, from: Spot<'_>) -> Remedy {
    let source = format!("{}/{}", from.host.name, from.place.name);
    let why = format!("{} has a good one for the same names; no order", from.host.name);
    subject.remedy("transplant").choose("from", source).why(why)
}

/// The same, wherever a sibling has something better.
pub(super) fn from_sibling(subject: &Subject<'_>, now: Moment) -> Option<Remedy> {
    let (best, _) = best_sibling(subject, now)?;
    (best.host.reach == Reach::Up).then(|| transplant(subject, best))
}

/// Whether a client here renews it on its own account.
fn renews_by_itself(subject: &Subject<'_>, place: &Place) -> bool {
    let automation = subject.host.automation.iter().find(|it| it.source == place.source);
    let is_started = automation.is_some_and(|it| it.schedule.starting(place).next().is_some());
    is_started && place.renewal.as_ref().is_some_and(|it| it.is_enabled && it.is_unattended)
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Host, Place};

    const NAMES: &[&str] = &["www.example.net"];

    fn five(odd: Place, new: &Place) -> Vec<Host> {
        let mut hosts: Vec<_> =
            (1..5).map(|it| host(&format!("web-0{it}"), vec![new.clone()])).collect();
        hosts.push(host("web-05", vec![odd]));
        hosts
    }

    #[test]
    fn the_one_that_was_missed_is_found() {
        let (old, new) = (signed(leaf("old", NAMES, 90, 40)), signed(leaf("new", NAMES, 90, 89)));
        let expected = "drift warning drift web-05/www: transplant web-05/www --from web-04/www; dry-run web-05/www; renew web-05/www";
        check(five(place("www", old.clone()), &renewed("www", &old, new.clone())), expected);
        let expected = "drift warning drift web-05//etc/ssl/www.pem: transplant web-05//etc/ssl/www.pem --from web-04//etc/ssl/www.pem";
        check(five(file("/etc/ssl/www.pem", old), &file("/etc/ssl/www.pem", new)), expected);
    }

    #[test]
    fn an_expired_one_is_repaired_from_its_siblings() {
        let (old, new) = (signed(leaf("old", NAMES, 90, -1)), signed(leaf("new", NAMES, 90, 89)));
        let found = found(five(place("www", old.clone()), &renewed("www", &old, new)));
        assert!(
            told(&found).starts_with("drift critical expired web-05/www: transplant"),
            "{}",
            told(&found)
        );
        assert_eq!(found.len(), 1, "{}", told(&found));
    }

    #[test]
    fn hosts_that_renew_each_for_itself_do_not_drift() {
        let hosts = (1..5).map(|it| {
            let chain = signed(leaf(&format!("own {it}"), NAMES, 90, 40 + 10 * it));
            host(&format!("web-0{it}"), vec![place("www", chain)])
        });
        check(hosts, "");
        let shared = signed(leaf("shared", NAMES, 90, 80));
        let own = place("www", signed(leaf("own", NAMES, 90, 50)));
        check(five(own, &place("www", shared)), "");
    }
}
