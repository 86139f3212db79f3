//! What nobody looks after: hosts without an owner, and places whose renewal was not tried for long.

use std::collections::HashMap;

use crate::diagnose;
use crate::fleet::{DAY, Fleet, Host, HostName, Moment, PlaceName};

/// What nobody looks after.
#[derive(Debug, Clone, Default)]
pub struct Neglect {
    /// The hosts of which no group says who owns them, with their places.
    pub unowned: Vec<(HostName, usize)>,
    /// The places whose renewal was not tried for a month.
    pub dry_runs: Vec<DryRunAge>,
}

/// A place and when its renewal was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRunAge {
    /// The host.
    pub host: HostName,
    /// The place.
    pub place: PlaceName,
    /// The last dry run that went well; `None` if none is on record.
    pub last: Option<Moment>,
}

impl DryRunAge {
    /// `web-01/www.example.net`
    pub fn at(&self) -> String {
        diagnose::at(&self.host, Some(&self.place))
    }
}

impl Neglect {
    /// What nobody looks after in this fleet.
    pub(super) fn of(
        fleet: &Fleet,
        dry_runs: &HashMap<(HostName, PlaceName), Moment>,
        now: Moment,
    ) -> Self {
        let is_owned = |host: &&Host| {
            let owners = fleet.groups.iter().filter(|it| it.owner.is_some());
            owners.into_iter().any(|it| host.groups.contains(&it.name))
        };
        let unowned = fleet.hosts().filter(|it| !is_owned(it));
        let unowned = unowned.map(|it| (it.name.clone(), it.places.len())).collect();
        let mut old = Vec::new();
        for (host, place) in fleet.places() {
            let renewal = place.renewal.as_ref().filter(|it| it.is_enabled);
            let Some(renewal) = renewal.filter(|_| DRY.contains(&place.source)) else { continue };
            let logged = renewal.last_dry_run.filter(|it| it.is_ok).map(|it| it.at);
            let key = (host.name.clone(), place.name.clone());
            let last = logged.max(dry_runs.get(&key).copied());
            if last.is_none_or(|it| now.since(it) > MONTH) {
                old.push(DryRunAge { host: key.0, place: key.1, last });
            }
        }
        old.sort_by(|a, b| (a.last, &a.host, &a.place).cmp(&(b.last, &b.host, &b.place)));
        Self { unowned, dry_runs: old }
    }
}

/// The clients with which a renewal can be tried without one; of the second the audit log tells.
const DRY: [&str; 2] = ["certbot", "certdeck"];
/// How long a dry run tells something, in seconds.
const MONTH: i64 = 30 * DAY;

#[cfg(test)]
mod tests {
    use super::super::sample::{NOW, fleet, host, leaf, place};
    use super::*;
    use crate::fleet::{DryRun, Group};
    use crate::source;
    use crate::text::SafeText;

    #[test]
    fn whoever_has_no_owner_is_named() {
        let group = |name: &str, owner: Option<&str>| Group {
            name: name.to_owned(),
            owner: owner.map(SafeText::new),
            runbook: None,
        };
        let with = |name, groups: &[&str]| Host {
            groups: groups.iter().map(ToString::to_string).collect(),
            ..host(name, vec![])
        };
        let mut known = fleet([
            with("web-01", &["edge"]),
            with("web-02", &["production"]),
            with("web-03", &["edge", "production"]),
            with("web-04", &[]),
        ]);
        known.groups = vec![group("edge", None), group("production", Some("edge team"))];
        let found = Neglect::of(&known, &HashMap::new(), NOW);
        let names: Vec<_> = found.unowned.iter().map(|it| it.0.as_str()).collect();
        assert_eq!(names, ["web-01", "web-04"]);
    }

    #[test]
    fn dry_runs_count_for_a_month_wherever_they_are_on_record() {
        let with = |name: &str, days: Option<i64>, is_ok| {
            let mut it = place(name, leaf(name, &["www.example.net"], 90, 80));
            let run = days.map(|it| DryRun { at: NOW.plus(-it * DAY), is_ok });
            it.renewal.as_mut().unwrap().last_dry_run = run;
            it
        };
        let places = vec![
            with("failed", Some(1), false),
            with("fresh", Some(29), true),
            with("never", None, true),
            with("old", Some(31), true),
            with("told", None, true),
        ];
        let known = fleet([host("web-01", places)]);
        let told = (HostName::new("web-01"), SafeText::new("told"));
        let log = [(told, NOW.plus(-DAY))].into_iter().collect();
        let old = Neglect::of(&known, &log, NOW).dry_runs;
        let names: Vec<_> = old.iter().map(DryRunAge::at).collect();
        assert_eq!(names, ["web-01/failed", "web-01/never", "web-01/old"]);
    }

    #[test]
    fn clients_are_those_that_there_are() {
        assert!(DRY.iter().all(|it| source::ALL.iter().any(|kind| kind.name == *it)));
    }
}
