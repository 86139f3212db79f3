//! What proves control in the DNS ends before the certificate is renewed.

use super::{Finding, Kind, Subject};
use crate::fleet::{DAY, Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "credential",
    about: "a credential ends before the next renewal",
    advice: "Make a new token with the same rights, put it into the client's file of credentials on every host that uses it, and prove it with a dry run. Then write its new end into the inventory. Do not wait for the first renewal that fails: by then many fail at once.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let method = place.renewal.as_ref()?.authenticator.as_ref()?;
    let closes = subject.base()?.chain.leaf.renewal_closes();
    let ends = |it: &&crate::fleet::Expiry| {
        let is_used = it.authenticators.contains(method);
        is_used && it.on <= closes.max(now) && it.on.since(now) <= SOON
    };
    let expiry = subject.around.expiries().iter().filter(ends).min_by_key(|it| it.on)?;
    let left = expiry.on.since(now);
    let summary = if left <= 0 {
        format!("{} has expired, and renewal needs it", expiry.name)
    } else {
        format!("{} ends in {}, before the next renewal", expiry.name, human(left))
    };
    Some(
        Finding::new(subject, Verdict::Automation, Severity::Warning, summary)
            .evidence(format!("the inventory: {} on {}", expiry.name, expiry.on))
            .evidence(format!("authenticator = {method}; renewal is due by {closes}"))
            .cause("Renewals that prove control with this credential will fail.")
            .shared(expiry.name.as_str()),
    )
}

/// What ends later than this, in seconds, is not yet worth a line.
const SOON: i64 = 30 * DAY;

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, fleet, host, leaf, place, signed, told};
    use super::*;
    use crate::fleet::Expiry;
    use crate::text::SafeText;

    #[track_caller]
    fn check(days: i64, left: i64, method: &str, expected: &str) {
        let mut place = place("www", signed(leaf("www", &["www.example.net"], 90, left)));
        place.renewal.as_mut().unwrap().authenticator = Some(SafeText::new(method));
        let mut fleet = fleet([host("web-01", vec![place])]);
        fleet.expiries = vec![Expiry {
            name: SafeText::new("cloudflare API token"),
            kind: None,
            on: NOW.plus(days * DAY),
            authenticators: vec![SafeText::new("dns-cloudflare")],
        }];
        assert_eq!(told(&super::super::diagnose(&fleet, NOW).findings), expected);
    }

    #[test]
    fn what_ends_before_the_renewal_is_told() {
        let warning = "credential warning automation web-01/www:";
        check(-1, 89, "dns-cloudflare", warning);
        check(10, 40, "dns-cloudflare", warning);
        check(29, 40, "dns-cloudflare", "");
        check(60, 89, "dns-cloudflare", "");
        check(-1, 89, "webroot", "");
    }
}
