//! A step: what is asked, what it would do, and what to think of it.

use super::Kind;
use crate::action::Plan;
use crate::preflight::Wanted;
use crate::text::SafeText;

/// A step of a guided run, as data: the same for the console, for plain prompts, for the log.
#[derive(Debug, Clone)]
pub struct Step {
    /// What kind of step it is.
    pub kind: &'static Kind,
    /// What it is about, of several of its kind: a command without its program, as a rule.
    pub about: String,
    /// What is seen, line by line; what belongs to the line before is indented.
    pub tells: Vec<SafeText>,
    /// Why this one, now.
    pub why: SafeText,
    /// The exact commands.
    pub commands: Vec<SafeText>,
    /// What happens, and what it costs, line by line.
    pub effects: Vec<SafeText>,
    /// What should be seen afterwards.
    pub expect: SafeText,
    /// What to do if it is not.
    pub if_not: SafeText,
    /// How it is undone.
    pub undo: SafeText,
    /// What `y` does.
    pub does: Does,
    /// What `y` means here, in a few words.
    pub yes: &'static str,
}

/// What a step does when it is answered with yes.
#[derive(Debug, Clone)]
pub enum Does {
    /// Nothing: it has been read.
    Look,
    /// These plans are put up for review.
    Change(Vec<Plan>),
    /// What the CA will look at is looked at first; see [`super::Looked`].
    Check(Wanted),
    /// Nothing yet: that look is under way.
    Wait,
    /// Nothing yet: something has to be mended first. It can be skipped, for a reason.
    Blocked,
    /// Something is in the way of it, and it is left for another way. It can be skipped, for a
    /// reason: then it is done all the same.
    Other,
    /// The run is closed.
    End,
}

/// Where a kind of step stands in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It has its answer.
    Done,
    /// It is the current one.
    Here,
    /// It was passed, for there was nothing to do.
    NotNeeded,
    /// It was left out, for a reason.
    Skipped,
    /// It may come.
    ToCome,
}

impl Step {
    /// A step that is only read.
    pub(super) fn look(kind: &'static Kind) -> Self {
        Self {
            kind,
            about: String::new(),
            tells: Vec::new(),
            why: SafeText::new(kind.why),
            commands: Vec::new(),
            effects: Vec::new(),
            expect: SafeText::default(),
            if_not: SafeText::default(),
            undo: SafeText::new("nothing is changed by this step"),
            does: Does::Look,
            yes: "go on",
        }
    }

    /// Tells a line of what is seen.
    #[must_use]
    pub(super) fn tell(mut self, line: impl AsRef<str>) -> Self {
        self.tells.push(SafeText::new(line.as_ref()));
        self
    }

    /// Tells lines of what is seen.
    #[must_use]
    pub(super) fn tell_all(mut self, lines: impl IntoIterator<Item = SafeText>) -> Self {
        self.tells.extend(lines);
        self
    }

    /// Adds a command.
    #[must_use]
    pub(super) fn command(mut self, line: impl AsRef<str>) -> Self {
        // A command with a hundred targets is longer than any text of a host, and must be whole.
        self.commands.push(SafeText::capped(line.as_ref(), MAX_COMMAND));
        self
    }

    /// Says what should be seen afterwards, and what to do if it is not.
    #[must_use]
    pub(super) fn expect(mut self, expect: impl AsRef<str>, if_not: impl AsRef<str>) -> Self {
        self.expect = SafeText::new(expect.as_ref());
        self.if_not = SafeText::new(if_not.as_ref());
        self
    }

    /// Everything but the heading, line by line, each under its label; what is seen has none.
    pub fn lines(&self) -> Vec<(&'static str, SafeText)> {
        let of = |label, lines: &[SafeText]| -> Vec<_> {
            lines.iter().map(|it| (label, it.clone())).collect()
        };
        let one = |label, line: &SafeText| of(label, std::slice::from_ref(line));
        let mut all = [
            of("", &self.tells),
            one("Why", &self.why),
            of("Command", &self.commands),
            of("Effect", &self.effects),
            one("Expect", &self.expect),
            one("If not", &self.if_not),
            one("Undo", &self.undo),
        ]
        .concat();
        all.retain(|it| !it.1.is_empty());
        all
    }

    /// The plans that it would put up for review.
    pub fn plans(&self) -> &[Plan] {
        match &self.does {
            Does::Change(plans) => plans,
            _ => &[],
        }
    }
}

const MAX_COMMAND: usize = 32 * 1024;
