//! Which names could not be renewed the last time, and why. That a certificate is served proves
//! nothing of its renewal, so 0 is told only where something on record went well.

use std::collections::HashMap;

use super::{Attempt, Metric};
use crate::explain;
use crate::fleet::{Place, ProblemKind};

pub(super) const RENEWAL_FAILURE: Metric = Metric {
    name: "cert_renewal_failure",
    help: "1 for why a name could not be renewed the last time; 0 with the reason none if it could.",
    labels: &["domain", "reason"],
    collect: |scanned, samples| {
        let attempts: HashMap<_, _> = scanned
            .beside
            .attempts
            .iter()
            .map(|it| ((it.host.as_str(), it.place.as_str()), it))
            .collect();
        for (host, place) in scanned.places() {
            let Some(leaf) = place.leaf() else { continue };
            let own = attempts.get(&(host, place.name.as_str())).copied();
            let Renewed { reasons, is_proven } = Renewed::of(place, own);
            for name in &leaf.names {
                for reason in &reasons {
                    samples.number(&[name.as_str(), reason], 1);
                }
                if reasons.is_empty() && is_proven {
                    samples.number(&[name.as_str(), NONE], 0);
                }
            }
        }
    },
};

/// How the last renewals of a place went.
struct Renewed {
    /// Why they failed: names of [`explain`], of which there are few.
    reasons: Vec<&'static str>,
    /// Whether one on record went well.
    is_proven: bool,
}

impl Renewed {
    fn of(place: &Place, own: Option<&Attempt>) -> Self {
        let mut reasons = Vec::new();
        let mut is_proven = false;
        if place.problems.iter().any(|it| it.kind == ProblemKind::BrokenConf) {
            reasons.push("broken-conf");
        }
        if let Some(renewal) = &place.renewal {
            is_proven |= renewal.last_success.is_some();
            if let Some(failure) = &renewal.last_failure {
                let known = explain::certbot(failure.text.as_str());
                reasons.push(known.map_or(OTHER, |it| it.name));
            }
            // Whether a hook works that somebody has changed since shows only once it runs.
            if let Some(failed) = renewal.failed_hook.as_ref().filter(|it| !it.is_changed()) {
                let name = format!("{}-hook", failed.stage);
                reasons.push(explain::named(&name).unwrap_or(OTHER));
            }
            if let Some(run) = renewal.last_dry_run {
                let is_over = renewal.last_success.is_some_and(|it| it > run.at);
                is_proven |= run.is_ok;
                if !run.is_ok && !is_over {
                    reasons.push(DRY_RUN);
                }
            }
        }
        if let Some(own) = own {
            match own.failure {
                Some(reason) if !is_overtaken(own, place) => reasons.push(reason),
                Some(_) => {}
                None => is_proven = true,
            }
        }
        Self { reasons, is_proven }
    }
}

/// Whether something newer came after a failure of ours, by whatever way.
fn is_overtaken(own: &Attempt, place: &Place) -> bool {
    let success = place.renewal.as_ref().and_then(|it| it.last_success);
    let begun = place.layers.disk.as_ref().map(|it| it.chain.leaf.not_before);
    success.max(begun).is_some_and(|it| it > own.at)
}

/// The reason of what did not fail.
const NONE: &str = "none";
/// The reason of what failed in a way that nobody has explained yet.
const OTHER: &str = "other";
/// The reason where only a dry run failed.
const DRY_RUN: &str = "dry-run";

#[cfg(test)]
mod tests {
    use super::super::super::sample::{self, NOW};
    use super::super::Beside;
    use super::super::tests::samples;
    use super::*;
    use crate::fleet::{DAY, DryRun, FailedHook, Failure, HookStage, HostName, Problem, Renewal};
    use crate::text::SafeText;

    /// What is told of the first name of a place that is renewed like this.
    #[track_caller]
    fn check(renewal: Renewal, own: &[Option<&'static str>], expected: &[&str]) {
        let mut fleet = sample::fleet();
        let mut host = fleet.hosts().next().unwrap().clone();
        host.places.truncate(1);
        host.places[0].renewal = Some(renewal);
        let name = host.places[0].name.clone();
        fleet.recall(host);
        let attempt = |failure| Attempt {
            host: HostName::new("edge-ams-1"),
            place: name.clone(),
            at: NOW.plus(-DAY),
            failure,
        };
        let beside =
            Beside { attempts: own.iter().copied().map(attempt).collect(), ..Beside::default() };
        let diagnosis = crate::diagnose::diagnose(&fleet, NOW);
        let told = samples(&fleet, &diagnosis, "", &RENEWAL_FAILURE, &beside);
        let of_first =
            told.iter().filter_map(|it| it.strip_prefix("{domain=\"legacy.example.org\","));
        assert_eq!(of_first.collect::<Vec<_>>(), expected);
        assert_eq!(told.len(), 2 * expected.len());
    }

    fn failed(text: &str) -> Renewal {
        let failure = Failure { at: Some(NOW), text: SafeText::new(text) };
        Renewal { last_failure: Some(failure), ..Renewal::default() }
    }

    #[test]
    fn why_a_renewal_failed_has_one_of_few_names() {
        let limit = "too many failed authorizations (5) for \"x\" in the last 1h0m0s";
        check(failed(limit), &[], &[r#"reason="limit-failures"} 1"#]);
        check(failed("KeyError: 'x'"), &[], &[r#"reason="other"} 1"#]);
        let hook = |changed| Renewal {
            failed_hook: Some(FailedHook {
                at: Some(NOW.plus(-DAY)),
                stage: HookStage::Deploy,
                command: None,
                code: 1,
                changed,
            }),
            ..Renewal::default()
        };
        check(hook(None), &[], &[r#"reason="deploy-hook"} 1"#]);
        check(hook(Some(NOW)), &[], &[]);
    }

    #[test]
    fn nothing_is_told_of_what_nobody_knows() {
        check(Renewal::default(), &[], &[]);
        let went_well = Renewal { last_success: Some(NOW), ..Renewal::default() };
        check(went_well, &[], &[r#"reason="none"} 0"#]);
    }

    #[test]
    fn a_dry_run_counts_until_a_renewal_goes_well() {
        let run = |is_ok| Some(DryRun { at: NOW.plus(-DAY), is_ok });
        let ran = |is_ok| Renewal { last_dry_run: run(is_ok), ..Renewal::default() };
        check(ran(true), &[], &[r#"reason="none"} 0"#]);
        check(ran(false), &[], &[r#"reason="dry-run"} 1"#]);
        let since = Renewal { last_success: Some(NOW), ..ran(false) };
        check(since, &[], &[r#"reason="none"} 0"#]);
    }

    #[test]
    fn attempts_of_our_own_count_until_something_newer_is_there() {
        let none = Renewal::default;
        check(none(), &[Some("txt-record")], &[r#"reason="txt-record"} 1"#]);
        check(none(), &[None], &[r#"reason="none"} 0"#]);
        let since = Renewal { last_success: Some(NOW), ..none() };
        check(since, &[Some("txt-record")], &[r#"reason="none"} 0"#]);
    }

    #[test]
    fn a_configuration_that_is_broken_cannot_renew() {
        let mut fleet = sample::fleet();
        let mut host = fleet.hosts().next().unwrap().clone();
        let kind = ProblemKind::BrokenConf;
        let problem = Problem { kind, text: SafeText::new("x"), path: None };
        host.places[0].problems.push(problem);
        fleet.recall(host);
        let told = samples(&fleet, &sample::diagnosis(), "", &RENEWAL_FAILURE, &Beside::default());
        assert!(told.iter().all(|it| it.ends_with(r#"reason="broken-conf"} 1"#)), "{told:?}");
        assert_eq!(told.len(), 2);
    }
}
