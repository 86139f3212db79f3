//! The last dry run failed, and nothing has gone well since.

use super::{Finding, Kind, Subject};
use crate::fleet::{Moment, Severity, Verdict, human};

pub(super) const KIND: Kind = Kind {
    name: "dry-run",
    about: "the last dry run failed",
    advice: "A dry run that fails tells today what the next renewal will tell when it matters. Read the client's log of that run, mend the cause, and try again. A dry run that works is no proof of the hooks: deploy hooks are skipped, and another account is used.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, now: Moment) -> Option<Finding> {
    let renewal = subject.place?.renewal.as_ref()?;
    let run = renewal.last_dry_run.filter(|it| !it.is_ok)?;
    // A failure of the renewal itself says more, and a success since says the opposite.
    if renewal.last_failure.is_some() || renewal.last_success.is_some_and(|it| it > run.at) {
        return None;
    }
    Some(
        Finding::new(
            subject,
            Verdict::Ok,
            Severity::Info,
            format!("the last dry run failed, {} ago", human(now.since(run.at))),
        )
        .evidence(format!("the client's log: a dry run at {} did not go well", run.at))
        .cause("The next renewal may fail in the same way.")
        .remedies(&["dry-run"]),
    )
}

#[cfg(test)]
mod tests {
    use super::super::sample::*;
    use crate::fleet::{DAY, DryRun};

    #[test]
    fn a_failed_dry_run_is_worth_a_line() {
        let mut it = place("www", signed(leaf("www", &["www.example.net"], 90, 80)));
        let renewal = it.renewal.as_mut().unwrap();
        renewal.last_dry_run = Some(DryRun { at: NOW.plus(-DAY), is_ok: false });
        check([host("web-01", vec![it.clone()])], "dry-run info ok web-01/www: dry-run web-01/www");
        it.renewal.as_mut().unwrap().last_success = Some(NOW);
        check([host("web-01", vec![it])], "");
    }
}
