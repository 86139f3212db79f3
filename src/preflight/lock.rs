//! Whether somebody else is at it: the client itself, or a job of ours.

use super::verdict::Tally;
use super::{Case, Client, Evidence, Kind, Outcome, Part, Verdict};
use crate::fleet::{HOUR, human};

pub(super) const KIND: Kind = Kind {
    name: "lock",
    about: "is nobody else at it: another run of the client, a job of certdeck?",
    needs: &[Part::Host],
    judge,
};

fn judge(case: &Case, evidence: &Evidence) -> Verdict {
    let host = &case.host.name;
    let sight = match &evidence.host {
        Ok(sight) => sight,
        Err(why) => return Verdict::unknown(why),
    };
    let mut tally = Tally::default();
    let client = match case.client {
        Client::OnHost(source) => source,
        Client::Us => "certbot",
    };
    let automation = case.host.automation.iter().find(|it| it.source == client);
    match automation.and_then(|it| it.lock.as_ref()) {
        Some(lock) => {
            let pid = lock.pid.map(|it| format!(" by process {it}")).unwrap_or_default();
            let holder = sight.holder.as_ref();
            let age = holder.and_then(|it| it.age);
            let since = age.map(|it| format!(", for {}", human(it.max(0)))).unwrap_or_default();
            let command = holder.map(|it| format!(": {}", it.command)).unwrap_or_default();
            // A client of the host is no hindrance to an order of ours.
            let outcome =
                if case.client == Client::Us { Outcome::Warning } else { Outcome::Failed };
            let fix = if age.is_some_and(|it| it > 2 * HOUR) {
                format!(
                    "it hangs: look at what it waits for, then end that process on {host}; never delete the lock while it runs"
                )
            } else {
                "wait until it has ended".to_owned()
            };
            tally.mend(outcome, format!("{} is held{pid}{since}{command}", lock.path), fix);
        }
        None => tally.add(Outcome::Ok, format!("{host}: nobody holds the lock of {client}")),
    }
    for (title, who, began) in &sight.jobs {
        let since = began.map(|it| format!(", for {}", human(case.now.since(it).max(0))));
        tally.mend(
            Outcome::Failed,
            format!("{host}: {who} is at it: {title}{}", since.unwrap_or_default()),
            "one change per host at a time: wait for it, or see `certdeck jobs`",
        );
    }
    tally.verdict("nobody else is at it")
}

#[cfg(test)]
mod tests {
    use super::super::host::{Holder, Sight};
    use super::super::sample::*;
    use super::*;
    use crate::fleet::Lock;
    use crate::text::SafeText;

    fn seen(sight: Sight) -> Evidence {
        Evidence { host: Ok(sight), ..Evidence::default() }
    }

    #[test]
    fn a_lock_is_told_with_who_holds_it_and_since_when() {
        let mut case = Case { client: Client::OnHost("certbot"), ..case() };
        judged(&KIND, &case, &seen(Sight::default()), Outcome::Ok, "nobody else is at it");
        let lock = Lock { path: SafeText::new("/etc/letsencrypt/.certbot.lock"), pid: Some(7) };
        automation_of(&mut case).lock = Some(lock);
        let holder = |age| {
            let command = SafeText::new("certbot renew");
            seen(Sight { holder: Some(Holder { age: Some(age), command }), ..Sight::default() })
        };
        judged(
            &KIND,
            &case,
            &holder(90),
            Outcome::Failed,
            "/etc/letsencrypt/.certbot.lock is held by process 7, for 1m: certbot renew",
        );
        assert!(KIND.judge(&case, &holder(9000)).fix[0].as_str().starts_with("it hangs"));
        case.client = Client::Us;
        assert_eq!(KIND.judge(&case, &holder(90)).outcome, Outcome::Warning);
    }

    #[test]
    fn a_job_of_somebody_else_is_in_the_way() {
        let job = (SafeText::new("renew www"), SafeText::new("ann@ops"), Some(NOW.plus(-120)));
        let sight = Sight { jobs: vec![job], ..Sight::default() };
        let text = "web-01: ann@ops is at it: renew www, for 2m";
        judged(&KIND, &case(), &seen(sight), Outcome::Failed, text);
    }
}
