//! The client has been at work for hours.

use super::{Finding, Kind, Subject};
use crate::fleet::{HOUR, Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "lock",
    about: "the client has held its lock for hours",
    advice: "Look at the process before ending it: a hook that waits for input or a DNS plugin that waits for a record is the usual reason. Never delete the lock file while a process holds it. Once it has ended, every later run can renew again.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let automation = subject.host.automation.iter().find(|it| it.source == place.source)?;
    let lock = automation.lock.as_ref()?;
    // When it was taken is not known; the log ends with what the client did last.
    let quiet = now.since(automation.last_run?);
    if quiet < LONG {
        return None;
    }
    let pid = lock.pid.map(|it| format!(" by process {it}")).unwrap_or_default();
    Some(
        Finding::new(
            subject,
            Verdict::Automation,
            Severity::Warning,
            format!(
                "{} is held{pid}, and {} logged nothing for {}",
                lock.path,
                automation.source,
                human(quiet)
            ),
        )
        .of_host()
        .evidence(format!("{}: locked{pid}", lock.path))
        .cause("Another run hangs, and no run can renew while it does."),
    )
}

/// No run takes as long, in seconds: certbot waits for up to eight minutes before it begins, and
/// DNS plugins for some minutes for each name.
const LONG: i64 = 2 * HOUR;

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{HOUR, Lock};
    use crate::text::SafeText;

    #[test]
    fn a_run_that_hangs_is_told_from_one_at_work() {
        let mut it =
            host("web-01", vec![place("www", signed(leaf("www", &["www.example.net"], 90, 80)))]);
        let path = SafeText::new("/etc/letsencrypt/.certbot.lock");
        it.automation[0].lock = Some(Lock { path, pid: Some(812) });
        it.automation[0].last_run = Some(NOW.plus(-HOUR));
        check([it.clone()], "");
        it.automation[0].last_run = Some(NOW.plus(-5 * HOUR));
        check([it], "lock warning automation web-01:");
    }
}
