//! A hook that the client will skip without a word.

use super::{Finding, Kind, Subject};
use crate::fleet::{Hook, Moment, Severity, Verdict};

pub(super) const KIND: Kind = Kind {
    name: "hook",
    about: "a hook is not executable",
    advice: "See what the hook does before it is made executable: somebody may have switched it off on purpose. What was renewed since is on disk and perhaps not loaded, so look at what is served, too. Do not call it with `|| true` at the end: that hides the commonest cause of outages.",
    is_about_reach: false,
    check,
};

fn check(subject: &Subject<'_>, _now: Moment) -> Option<Finding> {
    let place = subject.place?;
    let automation = subject.host.automation.iter().find(|it| it.source == place.source)?;
    let skipped = |it: &&Hook| !it.is_executable && !it.path.as_str().ends_with('~');
    let first = automation.hooks.iter().find(skipped)?;
    let found = Finding::new(
        subject,
        Verdict::Automation,
        Severity::Warning,
        format!("the {} hook {} is not executable", first.stage, first.path),
    )
    .of_host()
    .cause("certbot skips it silently: renewed certificates will not be loaded.");
    Some(automation.hooks.iter().filter(skipped).fold(found, |found, hook| {
        let remedy = subject.host_remedy("enable-hook").choose("hook", hook.path.as_str());
        found.evidence(format!("{}: mode {:04o}", hook.path, hook.mode)).remedy(remedy)
    }))
}
