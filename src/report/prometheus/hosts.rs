//! Metrics of hosts: whether they can be read, what renews there, whom to ask.

use super::Metric;
use crate::fleet::{Reach, Scheduler};
use crate::text::SafeText;

pub(super) const AUTOMATION_ARMED: Metric = Metric {
    name: "certdeck_automation_armed",
    help: "Whether a timer or a line of cron will start the client; absent where nobody can tell.",
    labels: CLIENT,
    collect: |scanned, samples| {
        for host in scanned.shown.hosts.iter().map(|it| it.host) {
            for it in &host.automation {
                // Where nothing is scheduled, whatever renews is outside of the host.
                if matches!(it.schedule.scheduler, Scheduler::Cron | Scheduler::Systemd) {
                    let is_armed = it.schedule.triggers.iter().any(|it| it.is_armed);
                    samples.number(&[host.name.as_str(), it.source], i64::from(is_armed));
                }
            }
        }
    },
};

pub(super) const AUTOMATION_RUN: Metric = Metric {
    name: "certdeck_automation_last_run_timestamp_seconds",
    help: "When the client last ran, by its log.",
    labels: CLIENT,
    collect: |scanned, samples| {
        for host in scanned.shown.hosts.iter().map(|it| it.host) {
            for it in &host.automation {
                if let Some(at) = it.last_run {
                    samples.moment(&[host.name.as_str(), it.source], at);
                }
            }
        }
    },
};

pub(super) const UP: Metric = Metric {
    name: "certdeck_host_up",
    help: "Whether the host could be read by the last scan.",
    labels: HOST,
    collect: |scanned, samples| {
        for host in scanned.shown.hosts.iter().map(|it| it.host) {
            samples.number(&[host.name.as_str()], i64::from(host.reach == Reach::Up));
        }
    },
};

pub(super) const SEEN: Metric = Metric {
    name: "certdeck_host_seen_timestamp_seconds",
    help: "When the host was last read: the age of everything that is told of it.",
    labels: HOST,
    collect: |scanned, samples| {
        for host in scanned.shown.hosts.iter().map(|it| it.host) {
            if let Some(at) = host.seen_at {
                samples.moment(&[host.name.as_str()], at);
            }
        }
    },
};

pub(super) const CLOCK: Metric = Metric {
    name: "certdeck_host_clock_offset_seconds",
    help: "The clock of the host minus ours.",
    labels: HOST,
    collect: |scanned, samples| {
        for host in scanned.shown.hosts.iter().map(|it| it.host) {
            if let Some(offset) = host.clock_offset {
                samples.number(&[host.name.as_str()], offset);
            }
        }
    },
};

pub(super) const INFO: Metric = Metric {
    name: "certdeck_host_info",
    help: "The groups of a host, whom to ask and where the runbook is; always 1.",
    labels: &["host", "groups", "owner", "runbook"],
    collect: |scanned, samples| {
        let all = &scanned.report.fleet.groups;
        for host in scanned.shown.hosts.iter().map(|it| it.host) {
            let groups =
                || host.groups.iter().filter_map(|name| all.iter().find(|it| it.name == *name));
            let text = |it: Option<&SafeText>| it.map_or_else(String::new, ToString::to_string);
            let owner = text(groups().find_map(|it| it.owner.as_ref()));
            let runbook = text(groups().find_map(|it| it.runbook.as_ref()));
            let labels = [host.name.as_str(), &host.groups.join(","), &owner, &runbook];
            samples.number(&labels, 1);
        }
    },
};

const HOST: &[&str] = &["host"];
const CLIENT: &[&str] = &["host", "source"];

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::super::Beside;
    use super::super::tests::samples;
    use super::*;
    use crate::fleet::{Automation, Group, Schedule, Trigger};

    #[test]
    fn the_first_group_that_says_so_tells_whom_to_ask() {
        let mut fleet = sample::fleet();
        let group = |name: &str, owner: Option<&str>, runbook: Option<&str>| Group {
            name: name.to_owned(),
            owner: owner.map(SafeText::new),
            runbook: runbook.map(SafeText::new),
        };
        fleet.groups = vec![
            group("other", Some("nobody"), None),
            group("production", Some("edge \"team\""), Some("https://wiki.example.net/tls")),
        ];
        let all = samples(&fleet, &sample::diagnosis(), "", &INFO, &Beside::default());
        assert_eq!(
            all.first().unwrap(),
            r#"{host="edge-ams-1",groups="production",owner="edge \"team\"",runbook="https://wiki.example.net/tls"} 1"#
        );
        assert_eq!(all.last().unwrap(), r#"{host="spare",groups="",owner="",runbook=""} 1"#);
    }

    #[test]
    fn a_timer_that_is_off_is_told_and_no_scheduler_is_not() {
        let told = |scheduler, armed: &[bool]| {
            let mut fleet = sample::fleet();
            let mut host = fleet.hosts().next().unwrap().clone();
            let trigger = |is_armed: &bool| Trigger { is_armed: *is_armed, ..Trigger::default() };
            let triggers = armed.iter().map(trigger).collect();
            host.automation = vec![Automation {
                source: "certbot",
                version: None,
                is_installed: true,
                program: None,
                schedule: Schedule { scheduler, triggers },
                hooks: Vec::new(),
                lock: None,
                last_run: None,
                unproven: Vec::new(),
            }];
            fleet.recall(host);
            samples(&fleet, &sample::diagnosis(), "", &AUTOMATION_ARMED, &Beside::default())
                .join("")
        };
        let labels = r#"{host="edge-ams-1",source="certbot"}"#;
        assert_eq!(told(Scheduler::Systemd, &[false, true]), format!("{labels} 1"));
        assert_eq!(told(Scheduler::Systemd, &[false]), format!("{labels} 0"));
        assert_eq!(told(Scheduler::Cron, &[]), format!("{labels} 0"));
        assert_eq!(told(Scheduler::None, &[]), "");
        assert_eq!(told(Scheduler::Unknown, &[]), "");
    }
}
