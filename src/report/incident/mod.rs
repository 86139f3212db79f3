//! The hand-over of an incident: what the audit log holds of a span of time, as a text that people
//! go on writing, as a few lines for a chat, and for programs. It tells what is in the log, and
//! what people have to add is left empty.

mod json;
mod markdown;
mod story;

use std::io::{self, Write};

use crate::audit::Extract;
use crate::fleet::{Fleet, Group, Moment};

use story::Story;

/// What a hand-over is made of.
#[derive(Debug, Clone, Copy)]
pub struct Incident<'a> {
    /// The records.
    pub extract: &'a Extract,
    /// What was asked for, in words: `since 2026-11-23T02:00:00Z`.
    pub asked: &'a str,
    /// The hosts of the inventory and their groups, for whom to ask. Nothing else of it is told.
    pub fleet: &'a Fleet,
    /// The moment of writing.
    pub now: Moment,
}

/// A form of the hand-over.
#[derive(Debug)]
pub struct Format {
    /// The value of `--format`.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Writes it.
    pub write: fn(&Incident<'_>, &mut dyn Write) -> io::Result<()>,
}

/// Every form, the default first.
pub static FORMATS: &[Format] = &[
    Format {
        name: "md",
        about: "a timeline and the draft of a post-mortem, in Markdown",
        write: |it, out| markdown::write(&Story::of(it), out),
    },
    Format {
        name: "json",
        about: "the same for programs",
        write: |it, out| json::write(&Story::of(it), out),
    },
];

impl Incident<'_> {
    /// What is to be told now, in a few lines that can be pasted into a chat.
    pub fn status(&self) -> Vec<String> {
        Story::of(self).status()
    }

    /// The groups of the hosts that were touched, of which somebody is known to ask.
    pub fn groups(&self) -> Vec<&Group> {
        Story::of(self).groups
    }
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
