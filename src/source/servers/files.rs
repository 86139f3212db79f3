//! The files of a server's configuration, as far as the host showed them.

use std::collections::HashMap;

use super::super::Section;
use super::super::found::{Found, problem};
use super::super::script::HEAD_BYTES;
use crate::fleet::{Load, Problem, ProblemKind};
use crate::text::SafeText;

/// What patterns fit, by the pattern as the host was asked.
pub(super) type Globs = HashMap<String, Vec<String>>;

/// Collects them from a section.
pub(super) fn globs(section: &Section<'_>) -> Globs {
    let lines = |body| -> Vec<_> {
        String::from_utf8_lossy(body)
            .lines()
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect()
    };
    section
        .with("glob")
        .map(|it| (String::from_utf8_lossy(it.key).into_owned(), lines(it.body)))
        .collect()
}

/// The files, and what is wrong with them.
#[derive(Debug)]
pub(super) struct Files<'a> {
    found: &'a Found<'a>,
    globs: &'a Globs,
    /// What could not be read.
    pub(super) problems: Vec<Problem>,
    /// The files that include each other down to the one that is read.
    open: Vec<String>,
    /// How many bytes may still be read: files include each other, over and over.
    left: usize,
}

impl<'a> Files<'a> {
    pub(super) fn new(found: &'a Found<'a>, globs: &'a Globs) -> Self {
        Self { found, globs, problems: Vec::new(), open: Vec::new(), left: MAX_BYTES }
    }

    /// Whether that file was read.
    pub(super) fn has(&self, path: &str) -> bool {
        self.found.file(path).is_some()
    }

    /// Whether a path is known. One in the folder where haproxy was started may not be: only root
    /// is told which that is.
    pub(super) fn is_known(&mut self, path: &str) -> bool {
        if path.starts_with('/') {
            return true;
        }
        let text = "lies in a folder that only root is told of";
        self.complain(problem(ProblemKind::Unreadable, text, path.as_bytes()));
        false
    }

    /// The text of a file that may include others, until [`Files::leave`].
    pub(super) fn enter(&mut self, path: &str) -> Option<String> {
        if self.open.iter().any(|it| it == path) {
            let text = "includes itself";
            self.complain(problem(ProblemKind::BrokenConf, text, path.as_bytes()));
            return None;
        }
        let text = self.text(path)?;
        self.open.push(path.to_owned());
        Some(text)
    }

    /// Ends the file that was entered last.
    pub(super) fn leave(&mut self) {
        self.open.pop();
    }

    /// The text of a file; if it cannot be read, that is a problem.
    pub(super) fn text(&mut self, path: &str) -> Option<String> {
        if !self.is_known(path) {
            return None;
        }
        let Some(bytes) = self.found.file(path) else {
            let why = self.found.why_not(path);
            self.complain(why);
            return None;
        };
        if bytes.len() >= HEAD_BYTES {
            self.complain(problem(
                ProblemKind::TooLarge,
                "is too large: only its beginning was read",
                path.as_bytes(),
            ));
        }
        let Some(left) = self.left.checked_sub(bytes.len() + 1) else {
            let text = "is included too often: not all of it was read";
            self.complain(problem(ProblemKind::TooLarge, text, path.as_bytes()));
            return None;
        };
        self.left = left;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The files that a pattern fits. What fits nothing is a problem only if it is no pattern.
    pub(super) fn fitting(&mut self, pattern: &str, is_needed: bool) -> Vec<String> {
        let Some(files) = self.globs.get(pattern) else {
            let text = "was not followed: what it includes is not known";
            self.complain(problem(ProblemKind::TooLarge, text, pattern.as_bytes()));
            return Vec::new();
        };
        if files.is_empty() && is_needed && !pattern.contains(['*', '?', '[']) {
            self.complain(self.found.why_not(pattern));
        }
        files.clone()
    }

    /// What is in a folder of certificates, or what stands for a file that is not there.
    pub(super) fn instead(&self, path: &str) -> Option<&'a [String]> {
        self.globs.get(path).map(Vec::as_slice)
    }

    pub(super) fn complain(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Far more than a host sends; the same file may be included by many.
const MAX_BYTES: usize = 32 << 20;

/// A host on which more is wrong has one problem.
const MAX_PROBLEMS: usize = 100;

/// A line of a file.
#[derive(Debug, Clone)]
pub(super) struct At {
    pub(super) file: std::rc::Rc<str>,
    pub(super) line: u32,
}

impl At {
    pub(super) fn load(&self, certificate: &str, key: Option<&str>) -> Load {
        Load {
            certificate: SafeText::new(certificate),
            key: key.map(SafeText::new),
            chain: None,
            told_at: SafeText::new(&format!("{}:{}", self.file, self.line)),
        }
    }
}

/// A path from the root.
pub(super) fn from(base: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") }
}

/// The folder that a file is in.
pub(super) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |it| it.0)
}
