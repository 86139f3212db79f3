//! What other programs and people read: one format per file, all from the same values.
//!
//! # Adding a format
//! 1. A file here with `KIND` and its `write`, with a snapshot test.
//! 2. Two lines below: `mod` and the entry in [`ALL`].

pub mod alerts;
pub mod budget;
mod csv;
pub mod dashboard;
pub mod incident;
mod json;
pub mod plan;
pub mod preflight;
pub mod prometheus;
pub mod review;
mod text;

use std::collections::HashSet;
use std::io::{self, Write};

use crate::diagnose::{Diagnosis, Finding};
use crate::filter::{Candidate, Filter};
use crate::fleet::{Fleet, Host, HostName, Moment, Place, Verdict};

/// Every format, the default first.
pub static ALL: &[Kind] = &[text::KIND, json::KIND, csv::KIND, prometheus::KIND];

/// What the rest of the program knows about a format.
#[derive(Debug)]
pub struct Kind {
    /// The value of `--format`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Writes the whole report.
    pub write: fn(&Report<'_>, &mut dyn Write) -> io::Result<()>,
}

/// What a report is about: the hosts and places that a filter left of a fleet.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The fleet after the scan.
    pub fleet: &'a Fleet,
    /// What was found wrong with what is shown.
    pub diagnosis: &'a Diagnosis,
    /// The moment of the report.
    pub now: Moment,
    /// Which places are in it.
    pub filter: &'a Filter,
    /// What it is written on, where that matters.
    pub page: Page,
}

/// What a report for people is written on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Page {
    /// How wide it is; `None` is as wide as it takes.
    pub columns: Option<usize>,
    /// Whether it takes colours.
    pub is_colored: bool,
    /// Whether it takes ASCII only.
    pub is_ascii: bool,
}

/// What the filter left.
#[derive(Debug, Clone)]
pub struct Shown<'a> {
    /// The hosts, by name.
    pub hosts: Vec<ShownHost<'a>>,
    /// The findings about them, worst first.
    pub findings: Vec<&'a Finding>,
}

/// A host and those of its places that the filter left.
#[derive(Debug, Clone)]
pub struct ShownHost<'a> {
    /// The host.
    pub host: &'a Host,
    /// The worst of its places, or its own where it has none.
    pub verdict: Verdict,
    /// The places, by name.
    pub places: Vec<(&'a Place, Verdict)>,
}

impl<'a> Report<'a> {
    /// Applies the filter.
    pub fn shown(&self) -> Shown<'a> {
        let hosts = self.hosts();
        let places: HashSet<(&HostName, &str)> = hosts
            .iter()
            .flat_map(|it| it.places.iter().map(|(place, _)| (&it.host.name, place.name.as_str())))
            .collect();
        let names: HashSet<&HostName> = hosts.iter().map(|it| &it.host.name).collect();
        let is_shown = |it: &&Finding| match &it.place {
            Some(place) => places.contains(&(&it.host, place.as_str())),
            None => names.contains(&it.host),
        };
        Shown { findings: self.diagnosis.findings.iter().filter(is_shown).collect(), hosts }
    }

    fn hosts(&self) -> Vec<ShownHost<'a>> {
        let mut verdicts = self.diagnosis.places.iter().copied();
        let mut shown = Vec::new();
        for (host, verdict) in self.fleet.hosts().zip(self.diagnosis.hosts.iter().copied()) {
            let keeps = |place, verdict| {
                self.filter.keeps(&Candidate { host, place, verdict, now: self.now })
            };
            let places: Vec<(&Place, Verdict)> = host
                .places
                .iter()
                .map(|it| (it, verdicts.next().unwrap_or(Verdict::Unknown)))
                .filter(|(place, verdict)| keeps(Some(place), *verdict))
                .collect();
            if !places.is_empty() || (host.places.is_empty() && keeps(None, verdict)) {
                shown.push(ShownHost { host, verdict, places });
            }
        }
        shown
    }
}

#[cfg(test)]
mod sample;
