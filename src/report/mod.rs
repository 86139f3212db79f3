//! What other programs and people read: one format per file, all from the same values.
//!
//! # Adding a format
//! 1. A file here with `KIND` and its `write`, with a snapshot test.
//! 2. Two lines below: `mod` and the entry in [`ALL`].

use std::io::{self, Write};

use crate::diagnose::Diagnosis;
use crate::filter::Filter;
use crate::fleet::{Fleet, Moment};

/// Every format, the default first.
pub static ALL: &[Kind] = &[];

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
}
