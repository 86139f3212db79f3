//! Metrics in the text format of Prometheus: for `scan`, a listener, or a textfile collector.
//!
//! # Adding a metric
//! 1. An entry in the file that it belongs to: its name in base units, its labels, its samples.
//! 2. A line in [`ALL`], and one in README.md. Names and labels stay for ever.

mod beside;
mod budget;
mod exposition;
mod failures;
mod hosts;
mod places;
mod probes;
mod scans;

use std::io::{self, Write};

use super::{Kind, Report, Shown};

pub use beside::{Attempt, Beside, Room};
pub use exposition::Exposition;

use exposition::{Samples, Value};

pub(super) const KIND: Kind = Kind { name: "prometheus", about: "metrics, for monitoring", write };

/// Every metric, in the order in which they are written.
pub static ALL: &[Metric] = &[
    places::EXPIRY,
    failures::RENEWAL_FAILURE,
    places::NOT_AFTER,
    places::NOT_BEFORE,
    places::INFO,
    places::LIVED,
    places::CHAIN_NOT_AFTER,
    probes::NOT_AFTER,
    probes::UP,
    places::RENEWAL_DUE,
    places::RENEWAL_OVERDUE,
    places::DRY_RUN,
    places::DRY_RUN_SUCCESS,
    places::VERDICT,
    places::FINDING,
    places::KNOWN,
    hosts::AUTOMATION_ARMED,
    hosts::AUTOMATION_RUN,
    hosts::UP,
    hosts::SEEN,
    hosts::CLOCK,
    hosts::INFO,
    scans::EXPIRY,
    scans::BUDGET_LEFT,
    scans::BUDGET_SIZE,
    budget::LEFT,
    budget::SIZE,
    budget::FREE,
    scans::HOSTS,
    scans::ENDED,
    scans::TOOK,
    scans::INTERVAL,
    scans::BUILD,
];

/// What the rest of the program knows about a metric; all of them are gauges.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// One line for people.
    pub help: &'static str,
    /// The labels that every sample of it has.
    pub labels: &'static [&'static str],
    collect: fn(&Scanned<'_>, &mut Samples<'_>),
}

/// What a scan saw, and what is known beside it.
#[derive(Debug)]
pub struct Scanned<'a> {
    report: Report<'a>,
    shown: Shown<'a>,
    beside: &'a Beside,
}

impl<'a> Scanned<'a> {
    /// What the filter of a report leaves, with what is known beside it.
    pub fn new(report: &Report<'a>, beside: &'a Beside) -> Self {
        Self { report: *report, shown: report.shown(), beside }
    }
}

fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let beside = Beside::default();
    Exposition::of(&Scanned::new(report, &beside)).write(report.now, out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Page, sample};
    use super::*;
    use crate::diagnose::Diagnosis;
    use crate::filter::Filter;
    use crate::fleet::{Fleet, Moment};

    /// The samples of one metric of a fleet, without its name.
    pub(super) fn samples(
        fleet: &Fleet,
        diagnosis: &Diagnosis,
        filter: &str,
        metric: &Metric,
        beside: &Beside,
    ) -> Vec<String> {
        let filter = Filter::parse(filter).unwrap();
        let (now, page) = (sample::NOW, Page::default());
        let report = Report { fleet, diagnosis, now, filter: &filter, page };
        let text = Exposition::of(&Scanned::new(&report, beside)).bytes(now);
        let text = String::from_utf8(text).unwrap();
        let of_it = text.lines().filter_map(|it| it.strip_prefix(metric.name));
        of_it.filter(|it| it.starts_with(['{', ' '])).map(|it| it.trim().to_owned()).collect()
    }

    #[test]
    fn metrics_stand_in_the_order_of_their_labels() {
        insta::assert_snapshot!(sample::write(&KIND, Page::default()));
    }

    #[test]
    fn the_same_scan_gives_the_same_bytes() {
        let text = sample::write(&KIND, Page::default());
        assert_eq!(text, sample::write(&KIND, Page::default()));
        for family in text.split("# HELP ").skip(1) {
            let samples: Vec<_> = family.lines().skip(2).collect();
            assert!(samples.is_sorted(), "{family}");
        }
    }

    /// Prometheus, "Metric and label naming": one prefix, base units, no colons.
    #[test]
    fn names_keep_to_the_conventions() {
        let mut names = BTreeSet::new();
        for Metric { name, help, labels, .. } in ALL {
            assert!(names.insert(name), "{name} stands there twice");
            assert!(name.starts_with("certdeck_") || name.starts_with("cert_"), "{name}");
            let is_plain = |it: &str| it.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
            assert!(is_plain(name), "{name}");
            assert!(labels.iter().all(|it| is_plain(it) || *it == "sha256"), "{name}: {labels:?}");
            assert!(help.ends_with('.') && !help.contains(['\\', '\n']), "{name}: {help}");
            assert!(!name.ends_with("_total") && !name.ends_with("_count"), "{name} is a gauge");
        }
    }

    #[test]
    fn nothing_that_a_host_says_breaks_a_line() {
        let mut fleet = sample::fleet();
        let hostile = "a\"} 1\ncert_expiry_seconds{domain=\"b\\\u{202e}\u{1b}[2J";
        let mut host = fleet.hosts().next().unwrap().clone();
        host.places = vec![sample::place(hostile, -1000, 1000)];
        fleet.recall(host);
        let diagnosis = crate::diagnose::diagnose(&fleet, sample::NOW);
        let beside = Beside::default();
        let lines = samples(&fleet, &diagnosis, "", &places::EXPIRY, &beside);
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in lines {
            assert!(line.starts_with("{domain=") && line.ends_with("\"} 1000"), "{line}");
            assert!(
                line.contains(r#"a\"} 1^Jcert_expiry_seconds{domain=\"b\\<U+202E>^[[2J"#),
                "{line}"
            );
        }
    }

    #[test]
    fn what_counts_down_goes_on_after_the_scan() {
        let (fleet, diagnosis) = (sample::fleet(), sample::diagnosis());
        let filter = Filter::default();
        let (now, page) = (sample::NOW, Page::default());
        let report = Report { fleet: &fleet, diagnosis: &diagnosis, now, filter: &filter, page };
        let beside = Beside::default();
        let made = Exposition::of(&Scanned::new(&report, &beside));
        let left = |at: Moment| {
            let text = String::from_utf8(made.bytes(at)).unwrap();
            let line = text.lines().find(|it| it.contains("{domain=\"shop.example.net\"")).unwrap();
            line.rsplit(' ').next().unwrap().parse::<i64>().unwrap()
        };
        assert_eq!(left(now) - left(now.plus(7)), 7);
    }
}
