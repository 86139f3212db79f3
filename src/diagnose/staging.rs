//! A test or self-signed certificate where a public one belongs.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "staging",
    about: "a test or self-signed certificate",
    advice: "",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let sighting = subject.base()?;
    let leaf = &sighting.chain.leaf;
    let (summary, cause) = if leaf.is_of_staging() {
        (
            format!("issued by a staging authority: {}", leaf.authority()),
            "A dry run or a test was left in place; no client trusts its authority.",
        )
    } else if leaf.is_self_issued()
        && (!leaf.is_ca || !leaf.names.is_empty() || place.key.is_some())
    {
        // `openssl req -x509` makes its placeholders authorities; a real root that lies among
        // PEM files has neither names nor a key beside it.
        ("self-signed".to_owned(), "A placeholder was never replaced; no client trusts it.")
    } else {
        return None;
    };
    Some(
        Finding::new(subject, Verdict::Staging, Severity::Critical, summary)
            .evidence(format!("{}: issuer {}", sighting.location, leaf.issuer))
            .cause(cause)
            .remedies(&["rollback", "issue"]),
    )
}
