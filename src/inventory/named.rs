//! What one table names of others: a name that there is, or a complaint.

use std::collections::BTreeSet;

use toml::Spanned;

use super::grammar::Checked;
use super::prune;
use crate::spanned::{Diagnostic, did_you_mean};

/// The names that the tables of one kind have.
pub(super) struct Named<'a> {
    /// The kind, with its article.
    what: (&'static str, &'static str),
    all: BTreeSet<&'a str>,
    /// Whether the syntax of the file is right: if it is not, nothing can be called missing.
    is_whole: bool,
}

impl<'a> Named<'a> {
    pub(super) fn new(
        what: (&'static str, &'static str),
        all: impl Iterator<Item = &'a String>,
        is_whole: bool,
    ) -> Self {
        Self { what, all: all.map(String::as_str).collect(), is_whole }
    }

    /// The name, if a table has it.
    pub(super) fn one<G>(
        &self,
        given: Option<&Spanned<Checked<G>>>,
        complaints: &mut Vec<Diagnostic>,
    ) -> Option<String> {
        let given = given?;
        let name = given.get_ref().as_str();
        if self.all.contains(name) {
            return Some(name.to_owned());
        }
        if self.is_whole {
            let is_short = complaints.len() < prune::MAX_COMPLAINTS;
            let known = self.all.iter().copied().take(if is_short { MAX_GUESSES } else { 0 });
            let (article, what) = self.what;
            let hint = match did_you_mean(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add {article} `[[{what}]]` with this name"),
            };
            let message = format!("there is no {what} `{name}`");
            complaints.push(Diagnostic::new(message, given.span()).with_hint(hint));
        }
        None
    }

    /// The names that tables have, each once.
    pub(super) fn each<G>(
        &self,
        given: &[Spanned<Checked<G>>],
        complaints: &mut Vec<Diagnostic>,
    ) -> Vec<String> {
        let mut names = Vec::new();
        for it in given {
            names.extend(self.one(Some(it), complaints).filter(|it| !names.contains(it)));
        }
        names
    }
}

/// The most names that a mistyped one is compared with, so that no file takes long to read.
const MAX_GUESSES: usize = 1000;
