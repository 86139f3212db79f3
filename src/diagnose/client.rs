//! The client is too old for the lifetime of its certificates.

use super::{Finding, Kind, Subject};
use crate::fleet::{DAY, Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "client",
    about: "the client is too old for the lifetime",
    advice: "Update the client before the lifetime gets shorter, not after. Until then set `renew_before_expiry` in the renewal configuration to a third of the lifetime. Do not let a timer run more often instead: each run would order again.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let automation = subject.host.automation.iter().find(|it| it.source == place.source)?;
    if automation.source != CLIENT {
        return None;
    }
    let version = automation.version.as_ref()?;
    let major: u32 = version.as_str().split('.').next()?.parse().ok()?;
    let lifetime = place.layers.disk.as_ref()?.chain.leaf.lifetime();
    let renewal = place.renewal.as_ref()?;
    if major >= KNOWS_LIFETIMES || lifetime > FIXED || !renewal.is_enabled {
        return None;
    }
    // Its configuration says when, whatever the version.
    let leaf = &place.layers.disk.as_ref()?.chain.leaf;
    if renewal.planned.is_some_and(|it| it > leaf.not_before) {
        return None;
    }
    Some(
        Finding::new(
            subject,
            Verdict::Automation,
            Severity::Warning,
            format!("certbot {version} renews a certificate of {} with every run", human(lifetime)),
        )
        .evidence(format!("certbot {version}; before 4.0 it renews from 30 days before the end"))
        .evidence(format!("the certificate lives for {} in all", human(lifetime)))
        .cause("The client orders anew with every run, until the CA's limit for the same names is used up.")
        .shared(format!("certbot {version} and lifetimes under 30 days")),
    )
}

const CLIENT: &str = "certbot";

/// Since certbot 4.0.0 (its changelog, 2025-04-07) renewal begins with the last third of the
/// lifetime, or the last half of less than ten days.
const KNOWS_LIFETIMES: u32 = 4;

/// Before that, with 30 days, in seconds, whatever the lifetime.
const FIXED: i64 = 30 * DAY;

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::DAY;
    use crate::text::SafeText;

    #[test]
    fn old_clients_and_short_lives_do_not_fit() {
        let with = |version: &str, life| {
            let chain = signed(leaf("www", &["www.example.net"], life, life - 1));
            let mut host = host("web-01", vec![place("www", chain)]);
            host.automation[0].version = Some(SafeText::new(version));
            host
        };
        check([with("2.1.0", 7)], "client warning automation web-01/www:");
        check([with("2.1.0", 90)], "");
        check([with("4.0.0", 7)], "");
        let mut told = with("2.1.0", 7);
        told.places[0].renewal.as_mut().unwrap().planned = Some(NOW.plus(DAY));
        check([told], "");
    }
}
