//! The client would renew, but it cannot prove control with nobody at the keyboard.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "authenticator",
    about: "the certificate cannot be renewed unattended",
    advice: "",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let renewal = subject.place?.renewal.as_ref()?;
    let finding = |text: &str| Finding::new(subject, Verdict::Automation, Severity::Warning, text);
    if !renewal.is_unattended {
        let method = renewal.authenticator.clone().unwrap_or_default();
        return Some(
            finding("it was issued by hand and cannot renew by itself")
                .evidence(format!("authenticator = {method}, without a hook that answers for it"))
                .cause("A certificate made in an emergency was never handed over to automation.")
                .remedies(&["issue"]),
        );
    }
    (!renewal.is_enabled).then(|| {
        finding("its renewal is switched off")
            .evidence("autorenew = False in its renewal configuration")
            .cause("The client skips this certificate.")
    })
}
