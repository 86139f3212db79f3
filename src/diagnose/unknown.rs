//! Not enough was seen to tell: nobody has looked, or what should be there cannot be read.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Problem, ProblemKind, Reach, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "unknown",
    about: "a certificate or a folder could not be read",
    advice: "Unknown is not good: the certificate may have expired. See whether the user of the inventory may read the folder, and whether it is there at all. Nothing is changed by looking again with more rights.",
    is_about_reach: true,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let unknown = |severity, text: &str| Finding::new(subject, Verdict::Unknown, severity, text);
    let host = subject.host;
    match (&host.reach, subject.place) {
        (Reach::Never, None) if host.places.is_empty() => {
            Some(unknown(Severity::Info, "not looked at yet"))
        }
        (Reach::Up, Some(place)) if place.layers.disk.is_none() => {
            let what = place.problems.first();
            let summary = what.map_or("no certificate could be read", |it| it.text.as_str());
            if place.problems.iter().any(|it| is_ours(it.kind)) {
                let finding = unknown(Severity::Warning, summary)
                    .cause("The service may well have a certificate: it is this scan that cannot read it. Log in as root, or use `become = \"sudo\"`.");
                return Some(place.problems.iter().fold(finding, told));
            }
            let finding = unknown(Severity::Critical, summary)
                .cause("A service that restarts now finds no certificate it can load.");
            let relink: &[&str] =
                if place.versions.is_empty() { &["issue"] } else { &["rollback", "renew"] };
            Some(place.problems.iter().fold(finding, told).remedies(relink))
        }
        (Reach::Up, None) => {
            let of_servers = host.servers.iter().flat_map(|it| &it.problems);
            let all = host.problems.iter().chain(of_servers);
            let hidden = || all.clone().filter(|it| hides(it.kind));
            if let Some(first) = hidden().next() {
                let finding = unknown(Severity::Warning, first.text.as_str())
                    .cause("Certificates that could not be read may be there.");
                return Some(hidden().fold(finding, told));
            }
            host.places.is_empty().then(|| unknown(Severity::Warning, "no certificate was found"))
        }
        _ => None,
    }
}

/// Whether a problem is that of the reader, not of the certificate.
fn is_ours(kind: ProblemKind) -> bool {
    matches!(kind, ProblemKind::Unreadable | ProblemKind::TooLarge)
}

/// Whether a problem of a host may hide certificates.
fn hides(kind: ProblemKind) -> bool {
    matches!(
        kind,
        ProblemKind::Unreadable
            | ProblemKind::Missing
            | ProblemKind::TooLarge
            | ProblemKind::NotAFile
    )
}

fn told(finding: Finding, problem: &Problem) -> Finding {
    match &problem.path {
        // Most begin with the path that they are about.
        Some(path) if !problem.text.as_str().starts_with(path.as_str()) => {
            finding.evidence(format!("{path}: {}", problem.text))
        }
        _ => finding.evidence(&problem.text),
    }
}
