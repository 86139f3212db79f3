//! The CA asks for a certificate to be replaced long before its time.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "recalled",
    about: "the CA asks for a replacement now",
    advice: "The CA has revoked this certificate or will do so, often with many others, because of a mistake of its own. Clients that look at revocation refuse it from that day. Renew now, and see that what is served is the new one; a new key is needed only if the reason is the key.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let sighting = subject.base()?;
    let leaf = &sighting.chain.leaf;
    let window = place.window_of(leaf).filter(|it| it.is_summons(leaf, now))?;
    if now > leaf.not_after {
        return None;
    }
    let said = window.explanation.as_ref().map(|it| format!("the CA says why: {it}"));
    let finding = Finding::new(
        subject,
        Verdict::Revoked,
        Severity::Critical,
        format!("the CA asks for a replacement now, with {} left", human(leaf.left(now))),
    )
    .evidence(format!("{}: not_after {}", sighting.location, leaf.not_after))
    .evidence(format!(
        "its renewal window was from {} to {}, as the CA said at {}",
        window.start, window.end, window.asked_at
    ));
    let finding = said.into_iter().fold(finding, Finding::evidence);
    Some(finding.cause("The CA has revoked it, or will soon.").remedies(&["renew", "force-renew"]))
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{DAY, HOUR, Place, Window};
    use crate::text::SafeText;

    /// A place whose certificate has 70 of 90 days left, with that window.
    fn recalled(start: i64, end: i64, explanation: Option<&str>) -> Place {
        let mut place = place("www", signed(leaf("a", &["www.example.net"], 90, 70)));
        let of = place.layers.disk.as_ref().unwrap().chain.leaf.sha256;
        place.window = Some(
            Window {
                of,
                start: NOW.plus(start),
                end: NOW.plus(end),
                explanation: explanation.map(SafeText::new),
                asked_at: NOW,
            }
            .into(),
        );
        place
    }

    #[test]
    fn what_the_ca_recalls_is_told() {
        let told = "recalled critical revoked web-01/www: renew web-01/www; force-renew web-01/www";
        let url = Some("https://ca.test/incident");
        check([host("web-01", vec![recalled(-HOUR, -HOUR / 2, None)])], told);
        check([host("web-01", vec![recalled(-3 * DAY, -DAY, url)])], told);
    }

    #[test]
    fn a_window_to_come_is_no_recall() {
        check([host("web-01", vec![recalled(40 * DAY, 42 * DAY, Some("https://ca.test"))])], "");
        // It has passed, and nobody says why: the CA counts differently than others.
        check(
            [host("web-01", vec![recalled(-3 * DAY, -2 * DAY, None)])],
            "due info due web-01/www: dry-run web-01/www; renew web-01/www",
        );
    }
}
