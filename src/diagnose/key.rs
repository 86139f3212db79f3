//! The private key on disk does not belong to the certificate on disk.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, ProblemKind, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "key",
    about: "private key and certificate do not match",
    advice: "",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let disk = place.layers.disk.as_ref()?;
    let mixed = place.problems.iter().find(|it| it.kind == ProblemKind::MixedVersions);
    let finding = |severity, text: &str| {
        Finding::new(subject, Verdict::Key, severity, text)
            .evidence(format!(
                "{}: public key {}",
                disk.location,
                disk.chain.leaf.spki_sha256.short()
            ))
            .remedies(&["rollback", "renew"])
    };
    match (place.key_matches(), mixed) {
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
    }
}
