//! Whether the certificate will be renewed by itself the next time. No order fails for it; the
//! next emergency begins there.

use super::{Case, Client, Evidence, Kind, Outcome, Part, Verdict};
use crate::fleet::Scheduler;

pub(super) const KIND: Kind = Kind {
    name: "automation",
    about: "will it renew by itself the next time?",
    needs: &[Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let host = &case.host.name;
    let Client::OnHost(client) = case.client else {
        return Verdict::not_needed("certdeck renews it: `certdeck timer` prints what starts that");
    };
    if let Err(why) = &evidence.host {
        return Verdict::unknown(why);
    }
    let Some(it) = case.host.automation.iter().find(|it| it.source == client) else {
        return Verdict::unknown(format!("{host}: nothing is known of {client} there"));
    };
    if !it.is_installed {
        return Verdict::new(
            Outcome::Failed,
            format!("{host}: {client} is not installed any more"),
        )
        .fix("install it, or order by certdeck itself: --by certdeck of `issue`");
    }
    // What is not there yet is renewed by what renews everything.
    let armed = match &case.place {
        Some(place) => it.schedule.starting(place).next(),
        None => it.schedule.starting_all().next(),
    };
    match (armed, it.schedule.scheduler) {
        (Some(trigger), _) => {
            let next = trigger.next.map(|it| format!(", next {it}")).unwrap_or_default();
            let text = format!("{} starts {client}{next}", trigger.name);
            let failed = trigger.result.as_ref().filter(|it| it.as_str() != "success");
            match failed {
                Some(result) => Verdict::new(
                    Outcome::Warning,
                    format!("{text}; its last run ended with {result}"),
                ),
                None => Verdict::new(Outcome::Ok, text),
            }
        }
        (None, Scheduler::Unknown) => {
            Verdict::unknown(format!("{host}: what starts {client} there is not known"))
        }
        (None, _) => {
            let verdict =
                Verdict::new(Outcome::Warning, format!("{host}: nothing starts {client}"));
            let off = it.schedule.triggers.iter();
            off.fold(verdict, |verdict, it| verdict.evidence(format!("{}: {}", it.name, it.state)))
                .fix(format!("certdeck run enable-timer {host}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use super::*;
    use crate::fleet::Trigger;
    use crate::text::SafeText;

    #[test]
    fn something_starts_the_client_or_not() {
        let mut case = Case { client: Client::OnHost("certbot"), ..case() };
        let none = read();
        judged(&KIND, &case, &none, Outcome::Unknown, "web-01: nothing is known of certbot there");
        automation_of(&mut case);
        judged(&KIND, &case, &none, Outcome::Warning, "web-01: nothing starts certbot");
        let name = SafeText::new("certbot.timer");
        let trigger = Trigger { name, is_armed: true, ..Trigger::default() };
        automation_of(&mut case).schedule.triggers.push(trigger);
        judged(&KIND, &case, &none, Outcome::Ok, "certbot.timer starts certbot");
        let result = Some(SafeText::new("exit-code"));
        automation_of(&mut case).schedule.triggers[0].result = result;
        let text = "certbot.timer starts certbot; its last run ended with exit-code";
        judged(&KIND, &case, &none, Outcome::Warning, text);
        automation_of(&mut case).is_installed = false;
        let text = "web-01: certbot is not installed any more";
        judged(&KIND, &case, &none, Outcome::Failed, text);
    }
}
