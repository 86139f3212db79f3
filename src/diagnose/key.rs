//! The private key on disk does not belong to the certificate on disk.

use super::drift::from_sibling;
use super::remedy::Remedy;
use super::sight::{is_placeholder, is_valid};
use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Place, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "key",
    about: "private key and certificate do not match",
    advice: "Do not restart or reload the server: what runs may still have a pair that fits, and would not come up again. Do not order first either: versions in the archive are whole pairs. Lead all four links to one version, prove that its key fits, then reload.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let disk = place.layers.disk.as_ref()?;
    let mixed = place.problems.iter().find(|it| it.kind == ProblemKind::MixedVersions);
    let finding = |severity, text: &str| {
        Finding::new(subject, Verdict::Key, severity, text).evidence(format!(
            "{}: public key {}",
            disk.location,
            disk.chain.leaf.spki_sha256.short()
        ))
    };
    let found = match (place.key_matches(), mixed) {
        (Some(false), _) => {
            let key = place.key.as_ref()?;
            let spki = key.spki.map_or_else(String::new, |it| it.short());
            let found =
                finding(Severity::Critical, "the private key belongs to another certificate")
                    .evidence(format!("{}: public key {spki}", key.path))
                    .cause("A service that restarts now fails to load the pair.");
            Some(match mixed {
                Some(mixed) => found.evidence(&mixed.text),
                None => found,
            })
        }
        (None, Some(mixed)) => Some(
            finding(Severity::Warning, "the live links lead to different versions")
                .evidence(&mixed.text)
                .cause("A renewal was left half done, and the key could not be compared."),
        ),
        _ => None,
    };
    let found = from_sibling(subject, now).into_iter().fold(found?, Finding::remedy);
    let found = found.remedy(rollback(subject, place, mixed.is_some(), now));
    let found = super::unloaded::then_reload(found, subject, now);
    Some(found.remedies(&["force-renew"]))
}

/// Leads the links to a version whose pair fits: the newest where they are mixed, else the newest
/// other one. Whether a pair fits is checked on the host.
fn rollback(subject: &Subject<'_>, place: &Place, is_mixed: bool, now: Moment) -> Remedy {
    let live = place.layers.disk.as_ref().map(|it| it.chain.leaf.sha256);
    let kept = place.versions.iter().filter_map(|it| Some((it.number, it.certificate.as_deref()?)));
    let valid = kept.filter(|it| is_valid(it.1, now) && !is_placeholder(it.1));
    let fitting = valid.filter(|it| is_mixed || Some(it.1.sha256) != live);
    let best = fitting.max_by_key(|it| (it.1.not_after, it.0)).map(|it| it.0);
    let why = "a version that is kept has both halves of its pair; no order";
    let remedy = subject.remedy("rollback").why(why);
    match best {
        Some(number) => remedy.choose("to", number.to_string()),
        None => remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Fingerprint, KeySight, Problem, ProblemKind};
    use crate::text::SafeText;

    const NAMES: &[&str] = &["www.example.net"];

    #[test]
    fn the_last_pair_that_fits_is_linked() {
        let (old, new) = (signed(leaf("old", NAMES, 90, 25)), signed(leaf("new", NAMES, 90, 89)));
        let mut it = renewed("www", &old, new);
        it.key = Some(KeySight {
            path: SafeText::new("/etc/letsencrypt/live/www/privkey.pem"),
            stamp: None,
            spki: Some(Fingerprint::of(b"another")),
        });
        check(
            [host("web-01", vec![it.clone()])],
            "key critical key web-01/www: rollback web-01/www --to 1; force-renew web-01/www",
        );
        let text = SafeText::new("privkey.pem leads to version 1");
        it.problems.push(Problem { kind: ProblemKind::MixedVersions, text, path: None });
        check(
            [host("web-01", vec![it])],
            "key critical key web-01/www: rollback web-01/www --to 2; force-renew web-01/www",
        );
    }

    #[test]
    fn a_sibling_with_a_whole_pair_helps_too() {
        let chain = signed(leaf("www", NAMES, 90, 80));
        let mut broken = place("www", chain.clone());
        let path = SafeText::new("/etc/letsencrypt/live/www/privkey.pem");
        broken.key = Some(KeySight { path, stamp: None, spki: Some(Fingerprint::of(b"another")) });
        broken.versions.clear();
        check(
            [host("web-01", vec![broken]), host("web-02", vec![place("www", chain)])],
            "key critical key web-01/www: transplant web-01/www --from web-02/www; force-renew web-01/www",
        );
    }
}
