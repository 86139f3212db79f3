//! Which hosts and places to look at: one grammar for the console, the command line and the
//! inventory.

use crate::fleet::{Host, Moment, Place, Verdict};
use crate::spanned::Diagnostic;

/// A parsed filter. The empty filter keeps everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {}

/// What a filter decides about: a place, or a host of which no place is known.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The host.
    pub host: &'a Host,
    /// The place, if the host has any.
    pub place: Option<&'a Place>,
    /// Its verdict.
    pub verdict: Verdict,
    /// The moment of looking.
    pub now: Moment,
}

impl Filter {
    /// Reads a filter; a complaint points at the culprit.
    pub fn parse(_text: &str) -> Result<Self, Diagnostic> {
        todo!()
    }

    /// Whether the candidate is to be looked at.
    pub fn keeps(&self, _candidate: &Candidate<'_>) -> bool {
        todo!()
    }
}
