//! A hook failed when the client last ran it.

use super::{Finding, Kind, Subject};
use crate::fleet::{HookStage, Moment, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "hook-failed",
    about: "a hook failed when it last ran",
    advice: "certbot goes on and ends with 0 where a deploy hook fails, so that nobody is told. Read what the hook printed, mend it, and run the hook alone: no order is needed for that. Do not renew to try it, and do not end it with `|| true`.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let failed = place.renewal.as_ref()?.failed_hook.as_ref()?;
    let which = failed.command.as_ref().map_or_else(String::new, |it| format!(" {it}"));
    let summary = format!("the {} hook{which} failed with exit code {}", failed.stage, failed.code);
    let when = failed.at.map_or_else(|| "at an unknown time".to_owned(), |it| format!("at {it}"));
    let cause = match failed.stage {
        HookStage::Deploy => {
            "The certificate came, and what should have happened to it afterwards did not."
        }
        HookStage::Pre => "What should have made the renewal possible did not happen.",
        HookStage::Post => "What should have been put back after the renewal was not.",
    };
    // Whether it works now shows only once it runs.
    let (verdict, severity) = if failed.is_changed() {
        (Verdict::Ok, Severity::Info)
    } else {
        (Verdict::Automation, Severity::Warning)
    };
    let mut found = Finding::new(subject, verdict, severity, &summary)
        .evidence(format!("the client's log, {when}: exit code {}{which}", failed.code))
        .cause(cause)
        .shared(summary);
    if let Some(changed) = failed.changed.filter(|_| failed.is_changed()) {
        found = found.evidence(format!("it was changed since, at {changed}"));
    }
    if let Some(failure) = place.last_failure() {
        found = found.evidence(format!("the client's log: {}", failure.text));
    }
    let is_deploy = failed.stage == HookStage::Deploy;
    Some(if is_deploy { found.remedies(&["hook"]) } else { found })
}

/// Whether a hook that should have told the servers is known to have failed at this place.
pub(super) fn is_known(subject: &Subject<'_>) -> bool {
    let renewal = subject.place.and_then(|it| it.renewal.as_ref());
    renewal.and_then(|it| it.failed_hook.as_ref()).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{ConfHook, FailedHook, Failure, HookStage};
    use crate::text::SafeText;

    #[test]
    fn a_hook_that_failed_is_run_again() {
        let mut it = place("www", signed(leaf("www", &["www.example.net"], 90, 80)));
        let renewal = it.renewal.as_mut().unwrap();
        let command = SafeText::new("systemctl reload nginx");
        renewal.hooks.push(ConfHook { stage: HookStage::Deploy, command: command.clone() });
        renewal.failed_hook = Some(FailedHook {
            at: Some(NOW),
            stage: HookStage::Deploy,
            command: Some(command),
            code: 1,
            changed: None,
        });
        // The same failure in other words is no second finding.
        let text = SafeText::new("Hook 'deploy-hook' reported error code 1");
        renewal.last_failure = Some(Failure { at: None, text });
        check(
            [host("web-01", vec![it.clone()])],
            "hook-failed warning automation web-01/www: hook web-01/www",
        );
        let hook = it.renewal.as_mut().and_then(|it| it.failed_hook.as_mut()).unwrap();
        hook.changed = Some(NOW.plus(1));
        check([host("web-01", vec![it])], "hook-failed info ok web-01/www: hook web-01/www");
    }
}
