//! Reviews, for a wiki, a browser, a spreadsheet and programs: one format per file, all from the
//! same value.
//!
//! # Adding a format
//! 1. A file here with `KIND` and its `write`, with a snapshot test.
//! 2. Two lines below: `mod` and the entry in [`ALL`].

mod csv;
mod html;
mod json;
mod md;
#[cfg(test)]
mod sample;
mod timeline;

use std::io::{self, Write};

use crate::review::Review;

/// Every format, the default first.
pub static ALL: &[Kind] = &[md::KIND, html::KIND, csv::KIND, json::KIND];

/// What the rest of the program knows about a format.
#[derive(Debug)]
pub struct Kind {
    /// The value of `--format`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Writes the whole review.
    pub write: fn(&Review, &mut dyn Write) -> io::Result<()>,
}
