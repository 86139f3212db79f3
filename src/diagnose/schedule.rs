//! Nothing on the host will start the renewal.

use super::{Finding, Kind, Subject};
use crate::fleet::{Automation, Moment, Schedule, Scheduler, Severity, Trigger, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "schedule",
    about: "no timer or cron line starts the renewal",
    advice: "Enabling the timer costs nothing and mends the next renewal; what is due now needs `renew` besides. See why it is off: a rebuilt image without cron, or somebody who masked it in an incident and forgot. One timer is enough: two clients that renew the same names use up the limit.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let automation = subject.host.automation.iter().find(|it| it.source == place.source)?;
    let schedule = &automation.schedule;
    if schedule.starting(place).next().is_some() {
        return None;
    }
    if schedule.triggers.iter().any(|it| it.is_armed) {
        return place
            .renewal
            .as_ref()
            .filter(|it| it.is_enabled)
            .map(|_| passed(subject, schedule));
    }
    match (schedule.scheduler, schedule.triggers.first()) {
        (Scheduler::Unknown, _) => None,
        // In a container somebody outside may well renew; that nothing inside does is worth a
        // line, but no alarm.
        (Scheduler::None, _) => Some(
            finding(
                subject,
                automation,
                Verdict::Ok,
                Severity::Info,
                "no scheduler runs on this host",
            )
            .cause("Whatever renews here is started from outside of the host."),
        ),
        (_, None) if !automation.is_installed => Some(
            finding(
                subject,
                automation,
                Verdict::Ok,
                Severity::Info,
                &format!(
                    "{} is not installed and nothing here starts a renewal",
                    automation.source
                ),
            )
            .cause("Certificates are brought here from elsewhere, or by hand."),
        ),
        (_, None) => Some(
            finding(
                subject,
                automation,
                Verdict::Automation,
                Severity::Warning,
                &format!("no timer or cron line starts {}", automation.source),
            )
            .cause("Nothing will renew the certificates of this host.")
            .remedy(subject.host_remedy("enable-timer").choose("write-unit", "yes")),
        ),
        (_, Some(trigger)) => Some(
            finding(
                subject,
                automation,
                Verdict::Automation,
                Severity::Warning,
                &format!("{} is {}", trigger.name, trigger.state),
            )
            .cause("The timer exists, but it will not fire.")
            .remedies(&["enable-timer"]),
        ),
    }
}

/// What starts the client renews others by their names, and not this place.
fn passed(subject: &Subject<'_>, schedule: &Schedule) -> Finding {
    let armed = || schedule.triggers.iter().filter(|it| it.is_armed);
    let first = armed().next().map(|it| it.name.to_string()).unwrap_or_default();
    let found = Finding::new(
        subject,
        Verdict::Automation,
        Severity::Warning,
        format!("{first} renews other certificates, and nothing this one"),
    )
    .cause("The command names what it renews, and leaves this one out.");
    let found = armed().fold(found, |found, it| {
        let only: Vec<_> = it.only.iter().map(ToString::to_string).collect();
        found.evidence(format!("{}: renews only {}", it.name, only.join(", ")))
    });
    let is_off = |it: &Trigger| {
        !it.is_armed && it.only.is_empty() && it.name.as_str().strip_suffix(".timer").is_some()
    };
    let remedy = subject.host_remedy("enable-timer");
    let has_timer = schedule.triggers.iter().any(is_off);
    found.remedy(if has_timer { remedy } else { remedy.choose("write-unit", "yes") })
}

/// Why nothing starts a renewal of the place, if that is so.
pub(super) fn why_not(subject: &Subject<'_>) -> Option<String> {
    let place = subject.place?;
    let automation = subject.host.automation.iter().find(|it| it.source == place.source)?;
    let Schedule { scheduler, triggers } = &automation.schedule;
    if *scheduler == Scheduler::Unknown || automation.schedule.starting(place).next().is_some() {
        return None;
    }
    Some(match triggers.iter().find(|it| it.is_armed).or_else(|| triggers.first()) {
        Some(it) if it.is_armed => format!("{} renews others only", it.name),
        Some(it) => format!("{} is {}", it.name, it.state),
        None => format!("no timer or cron line starts {}", automation.source),
    })
}

fn finding(
    subject: &Subject<'_>,
    automation: &Automation,
    verdict: Verdict,
    severity: Severity,
    summary: &str,
) -> Finding {
    let about = |it: &Trigger| {
        let last = it.last.map_or_else(|| "never".to_owned(), |it| it.to_string());
        format!("{}: {}, last run {last}", it.name, it.state)
    };
    let found = Finding::new(subject, verdict, severity, summary).of_host();
    automation.schedule.triggers.iter().fold(found, |it, trigger| it.evidence(about(trigger)))
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{Scope, Trigger};
    use crate::text::SafeText;

    #[test]
    fn what_is_overdue_because_nothing_starts_it_says_so() {
        let mut it =
            host("web-01", vec![place("www", signed(leaf("www", &["www.example.net"], 90, 5)))]);
        let trigger = &mut it.automation[0].schedule.triggers[0];
        trigger.is_armed = false;
        trigger.state = SafeText::new("masked");
        let found = found([it]);
        assert_eq!(
            told(&found),
            "overdue critical overdue web-01/www: dry-run web-01/www; renew web-01/www\nschedule warning automation web-01: enable-timer web-01"
        );
        assert!(found[0].cause.as_str().contains("certbot.timer is masked"), "{found:?}");
    }
    #[test]
    fn a_line_for_one_lineage_renews_no_other() {
        let chain = |name| signed(leaf(name, &[name], 90, 80));
        let places = ["a.test", "b.test"].map(|it| place(it, chain(it)));
        let mut it = host("web-01", places.into());
        let trigger = &mut it.automation[0].schedule.triggers[0];
        trigger.name = SafeText::new("/etc/cron.d/le:3");
        trigger.only = vec![Scope::Lineage(SafeText::new("a.test"))];
        let passed = "schedule warning automation web-01/b.test: enable-timer web-01";
        check([it.clone()], &format!("{passed} --write-unit yes"));
        let off = Trigger { name: SafeText::new("certbot.timer"), ..Trigger::default() };
        it.automation[0].schedule.triggers.push(off);
        check([it.clone()], passed);
        it.automation[0].schedule.triggers[1].is_armed = true;
        check([it.clone()], "");
        it.automation[0].schedule.triggers.truncate(1);
        let names = ["a.test", "b.test"].map(|it| Scope::Name(SafeText::new(it)));
        it.automation[0].schedule.triggers[0].only = names.into();
        check([it.clone()], "");
        it.automation[0].schedule.triggers[0].only.truncate(1);
        check([it], &format!("{passed} --write-unit yes"));
    }
}
