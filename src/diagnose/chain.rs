//! An intermediate is missing, wrong or expired, as far as the file shows.

use super::{Finding, Kind, Subject};
use crate::fleet::{ChainFault, Moment, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "chain",
    about: "an intermediate is missing, wrong or expired",
    advice: "",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let sighting = subject.base()?;
    let chain = &sighting.chain;
    let (summary, cause) = match (chain.fault, chain.expired_intermediate(now)) {
        (Some(ChainFault::NoIntermediate), _) => (
            "the file holds no intermediate".to_owned(),
            "Clients that do not know the intermediate cannot verify the certificate.",
        ),
        (Some(ChainFault::WrongIntermediate), _) => (
            format!(
                "the intermediate in the file did not sign this certificate ({})",
                chain.leaf.authority()
            ),
            "The certificate was renewed under another intermediate, and the old one was kept.",
        ),
        (Some(ChainFault::WrongOrder), _) => (
            "the certificates in the file are in the wrong order".to_owned(),
            "Strict clients want every certificate to be followed by the one that signed it.",
        ),
        (None, Some(it)) => (
            format!("the intermediate {} expired at {}", it.subject, it.not_after),
            "The chain in the file ends in a certificate that no client accepts any more.",
        ),
        (None, None) => return None,
    };
    let shown = Finding::new(subject, Verdict::Chain, Severity::Critical, summary)
        .evidence(format!("{}: leaf issued by {}", sighting.location, chain.leaf.issuer))
        .cause(cause)
        .remedies(&["replace-chain", "renew"]);
    Some(chain.rest.iter().fold(shown, |finding, it| {
        finding.evidence(format!("followed by {}, until {}", it.subject, it.not_after))
    }))
}
