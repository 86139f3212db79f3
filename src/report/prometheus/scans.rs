//! Metrics of the scan itself, and of what belongs to no host.

use super::{Metric, Value};
use crate::fleet::Reach;

pub(super) const EXPIRY: Metric = Metric {
    name: "certdeck_other_expiry_timestamp_seconds",
    help: "When something else ends that the inventory names: a token, a domain.",
    labels: &["name"],
    collect: |scanned, samples| {
        for it in &scanned.report.fleet.expiries {
            samples.moment(&[it.name.as_str()], it.on);
        }
    },
};

pub(super) const BUDGET_LEFT: Metric = Metric {
    name: "certdeck_budget_left",
    help: "How much of a limit of a CA is left, as far as it is known here.",
    labels: BUDGET,
    collect: |scanned, samples| {
        for it in &scanned.beside.rooms {
            samples.number(&[it.issuer.as_str(), it.limit], it.left);
        }
    },
};

pub(super) const BUDGET_SIZE: Metric = Metric {
    name: "certdeck_budget_size",
    help: "How much a limit of a CA allows at the most.",
    labels: BUDGET,
    collect: |scanned, samples| {
        for it in &scanned.beside.rooms {
            samples.number(&[it.issuer.as_str(), it.limit], it.size);
        }
    },
};

pub(super) const HOSTS: Metric = Metric {
    name: "certdeck_scan_hosts",
    help: "How many hosts could be read by the last scan, could not, or were never tried.",
    labels: &["reach"],
    collect: |scanned, samples| {
        let of = |hosts: fn(&Reach) -> bool| {
            let all = scanned.shown.hosts.iter().filter(|it| hosts(&it.host.reach));
            i64::try_from(all.count()).unwrap_or(i64::MAX)
        };
        samples.number(&["up"], of(|it| *it == Reach::Up));
        samples.number(&["down"], of(|it| matches!(it, Reach::Down(_))));
        samples.number(&["never"], of(|it| *it == Reach::Never));
    },
};

pub(super) const ENDED: Metric = Metric {
    name: "certdeck_scan_timestamp_seconds",
    help: "When the scan ended.",
    labels: &[],
    collect: |scanned, samples| {
        if let Some(at) = scanned.report.fleet.scanned_at {
            samples.moment(&[], at);
        }
    },
};

pub(super) const TOOK: Metric = Metric {
    name: "certdeck_scan_duration_seconds",
    help: "How long the scan took.",
    labels: &[],
    collect: |scanned, samples| {
        if let Some(took) = scanned.beside.took {
            samples.add(&[], Value::Span(took));
        }
    },
};

pub(super) const INTERVAL: Metric = Metric {
    name: "certdeck_scan_interval_seconds",
    help: "How often a scan begins; absent where it was asked for once.",
    labels: &[],
    collect: |scanned, samples| {
        if let Some(every) = scanned.beside.every {
            samples.add(&[], Value::Span(every));
        }
    },
};

pub(super) const BUILD: Metric = Metric {
    name: "certdeck_build_info",
    help: "The version of the program; always 1.",
    labels: &["version"],
    collect: |_, samples| samples.number(&[env!("CARGO_PKG_VERSION")], 1),
};

const BUDGET: &[&str] = &["issuer", "limit"];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::sample;
    use super::super::tests::samples;
    use super::super::{Beside, Room};
    use super::*;
    use crate::text::SafeText;

    #[test]
    fn what_is_known_beside_the_fleet_is_told_and_nothing_else() {
        let (fleet, diagnosis) = (sample::fleet(), sample::diagnosis());
        let of = |metric, beside: &Beside| samples(&fleet, &diagnosis, "", metric, beside);
        let none = Beside::default();
        for metric in [&TOOK, &INTERVAL, &BUDGET_LEFT, &BUDGET_SIZE] {
            assert!(of(metric, &none).is_empty(), "{}", metric.name);
        }
        let issuer = SafeText::new("letsencrypt");
        let some = Beside {
            took: Some(Duration::from_millis(1250)),
            every: Some(Duration::from_secs(300)),
            rooms: vec![Room { issuer, limit: "orders", left: 299, size: 300 }],
            ..none
        };
        assert_eq!(of(&TOOK, &some), ["1.25"]);
        assert_eq!(of(&INTERVAL, &some), ["300"]);
        let labels = r#"{issuer="letsencrypt",limit="orders"}"#;
        assert_eq!(of(&BUDGET_LEFT, &some), [format!("{labels} 299")]);
        assert_eq!(of(&BUDGET_SIZE, &some), [format!("{labels} 300")]);
    }

    #[test]
    fn hosts_are_counted_by_whether_they_could_be_read() {
        let all = samples(&sample::fleet(), &sample::diagnosis(), "", &HOSTS, &Beside::default());
        assert_eq!(all, [r#"{reach="down"} 1"#, r#"{reach="never"} 1"#, r#"{reach="up"} 1"#]);
    }
}
