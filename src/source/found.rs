//! The files that a host showed: their bytes, or what is there instead.

use std::collections::HashMap;

use super::Section;
use super::script::split_word;
use crate::fleet::{Problem, ProblemKind};
use crate::text::SafeText;

/// What a fragment's `want` and `heads` told of files and folders.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    files: HashMap<&'a [u8], &'a [u8]>,
    states: HashMap<&'a [u8], &'a [u8]>,
    /// Folders in which nothing can be seen.
    closed: Vec<&'a [u8]>,
}

impl<'a> Found<'a> {
    /// Collects them from a section.
    pub(super) fn new(section: &Section<'a>) -> Self {
        let files = section.with("file").map(|it| (it.key, it.body)).collect();
        let states = section
            .with("state")
            .map(|it| split_word(it.key))
            .map(|(state, path)| (path, state))
            .collect();
        let closed =
            section.with("folder").filter_map(|it| it.key.strip_prefix(b"unreadable ")).collect();
        Self { files, states, closed }
    }

    /// The beginning of that file.
    pub(super) fn file(&self, path: &str) -> Option<&'a [u8]> {
        self.files.get(path.as_bytes()).copied()
    }

    /// Every file that was read.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.files.iter().map(|(path, body)| (*path, *body))
    }

    /// Whether the host told anything of it.
    pub(super) fn is_told(&self, path: &str) -> bool {
        let path = path.as_bytes();
        self.files.contains_key(path) || self.states.contains_key(path)
    }

    /// Everything that is there and is no file that can be read.
    pub(super) fn odd(&self) -> impl Iterator<Item = (&'a [u8], Problem)> {
        self.states.iter().map(|(path, state)| (*path, instead(state, path)))
    }

    /// Why that file was not read.
    pub(super) fn why_not(&self, path: &str) -> Problem {
        let path = path.as_bytes();
        let state = match self.states.get(path).copied() {
            Some(state) => state,
            None if self.closed.iter().any(|it| path.starts_with(it)) => b"unreadable",
            None => b"missing",
        };
        instead(state, path)
    }
}

/// Folders that cannot be listed.
pub(super) fn folders<'s>(section: &'s Section<'_>) -> impl Iterator<Item = Problem> + 's {
    section.with("folder").map(|it| {
        let (state, path) = split_word(it.key);
        match state {
            b"special" => problem(ProblemKind::NotAFile, "is no folder", path),
            _ => instead(state, path),
        }
    })
}

/// What is wrong with what is there instead of a file.
fn instead(state: &[u8], path: &[u8]) -> Problem {
    let (kind, text) = match state {
        b"broken" => (ProblemKind::BrokenLink, "is a link that leads nowhere"),
        b"folder" => (ProblemKind::NotAFile, "is a folder"),
        b"newline" => (ProblemKind::Unreadable, "has a line break in its name"),
        b"special" => (ProblemKind::NotAFile, "is a pipe, a device or a socket, not a file"),
        b"unreadable" => (ProblemKind::Unreadable, "cannot be read: no permission"),
        _ => (ProblemKind::Missing, "is missing"),
    };
    problem(kind, text, path)
}

/// Something wrong with the thing at that path; the text says what, after the path.
pub(super) fn problem(kind: ProblemKind, text: &str, path: &[u8]) -> Problem {
    let path = SafeText::from_bytes(path);
    Problem { kind, text: SafeText::new(&format!("{path} {text}")), path: Some(path) }
}
