//! Whether anything renews what this program has ordered itself. Its timer is on no host but on
//! some machine like this one: what is seen is what this machine did, and what became of the
//! certificate.

use super::{Finding, Kind, Subject};
use crate::fleet::{Certificate, DAY, Moment, Place, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "unattended",
    about: "no timer is seen to renew what certdeck orders itself",
    advice: "What certdeck has ordered is renewed by `certdeck run renew due --unattended`, from one machine that reaches the hosts. `certdeck timer` prints the units or the line for cron, `certdeck doctor` tells when it last ran here. If it runs on another machine, look there: from here only that nothing came of it can be seen.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place.filter(|it| it.is_own())?;
    let leaf = &*place.layers.disk.as_ref()?.chain.leaf;
    let finding =
        |verdict, severity, summary: &str| Finding::new(subject, verdict, severity, summary);
    let opens = place.renewal_opens(leaf);
    let closes = place.window_of(leaf).map_or_else(|| leaf.renewal_closes(), |it| it.end);
    // Each lineage has its turn within the first quarter, and runs come twice a day.
    let quarter = (closes.since(opens) / 4).max(DAY);
    if let Some(last) = subject.around.unattended_at() {
        let age = now.since(last);
        let summary = format!("this machine has not renewed with nobody there for {}", human(age));
        return (age > quarter).then(|| {
            finding(Verdict::Automation, Severity::Warning, &summary)
                .evidence(format!("the last unattended run from here ended at {last}"))
                .cause(
                    "The timer that starts certdeck here has stopped, unless another machine does \
                     its work by now: `certdeck timer` prints one.",
                )
        });
    }
    let unseen = "no unattended run from this machine is on record";
    if now > opens.plus(quarter + DAY) {
        let summary =
            format!("it has been due for {}, and nothing renews it", human(now.since(opens)));
        return Some(
            finding(Verdict::Automation, Severity::Warning, &summary)
                .evidence(unseen)
                .evidence(format!(
                    "an unattended run takes it up within the first quarter of its window, which \
                     began at {opens}"
                ))
                .cause(
                    "No machine is seen to renew it: `certdeck timer` prints what makes this one.",
                )
                .remedies(&["renew"]),
        );
    }
    if let Some(before) = in_time(place, leaf) {
        return Some(
            finding(Verdict::Ok, Severity::Info, "another machine seems to renew it")
                .evidence(unseen)
                .evidence(format!(
                    "the certificate before it, until {}, was renewed in time at {}",
                    before.not_after, leaf.not_before
                ))
                .cause("Whether its timer still runs cannot be seen from here."),
        );
    }
    Some(
        finding(Verdict::Automation, Severity::Info, "nothing is seen to renew it")
            .evidence(unseen)
            .evidence("it has not been renewed yet")
            .cause(
                "Unless another machine renews it, nobody will: `certdeck timer` prints what makes \
                 this one.",
            ),
    )
}

/// The version before this one, if this one replaced it in its window.
fn in_time<'a>(place: &'a Place, leaf: &Certificate) -> Option<&'a Certificate> {
    let versions = place.versions.iter().filter_map(|it| it.certificate.as_deref());
    let others = versions.filter(|it| it.not_after < leaf.not_after && it.sha256 != leaf.sha256);
    let before = others.max_by_key(|it| it.not_after)?;
    let is_in = leaf.not_before >= before.renewal_opens() && leaf.not_before < before.not_after;
    is_in.then_some(before)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::diagnose;
    use super::super::sample::*;
    use super::*;
    use crate::fleet::{OWN, Version};

    /// A lineage of 90 days with so many left; this machine ran so many hours ago.
    #[track_caller]
    fn check(left: i64, ran: Option<i64>, before: Option<i64>, expected: &str) {
        let mut it = place("www", signed(leaf("www", &["www.example.net"], 90, left)));
        it.source = OWN;
        it.versions.extend(before.map(|left| Version {
            number: 1,
            certificate: Some(Arc::new(leaf("old", &["www.example.net"], 90, left))),
        }));
        let mut fleet = fleet([host("web-01", vec![it])]);
        fleet.unattended_at = ran.map(|hours| NOW.plus(-hours * crate::fleet::HOUR));
        let findings = diagnose(&fleet, NOW).findings;
        let about: Vec<_> = findings.into_iter().filter(|it| it.rule == KIND.name).collect();
        assert_eq!(told(&about), expected);
    }

    #[test]
    fn a_machine_that_renews_is_believed_until_it_stops() {
        check(80, Some(5), None, "");
        check(80, Some(3 * 24), None, "");
        check(80, Some(5 * 24), None, "unattended warning automation web-01/www:");
        // The window of a short life is short.
    }

    #[test]
    fn what_nobody_is_seen_to_renew_is_not_called_good() {
        check(80, None, None, "unattended info automation web-01/www:");
        check(29, None, None, "unattended info automation web-01/www:");
    }

    #[test]
    fn who_renewed_in_time_is_not_alarmed_about() {
        // It ended ten days after this one began.
        check(80, None, Some(0), "unattended info ok web-01/www:");
        // That one had ended, or was renewed by hand long before.
        check(80, None, Some(-15), "unattended info automation web-01/www:");
        check(80, None, Some(70), "unattended info automation web-01/www:");
    }

    #[test]
    fn a_turn_that_passed_is_worth_an_alarm() {
        check(20, None, None, "unattended warning automation web-01/www: renew web-01/www");
        check(20, None, Some(-70), "unattended warning automation web-01/www: renew web-01/www");
        check(20, Some(5), None, "");
    }

    #[test]
    fn clients_have_timers_of_their_own() {
        let it = place("www", signed(leaf("www", &["www.example.net"], 90, 80)));
        super::super::sample::check([host("web-01", vec![it])], "");
    }
}
