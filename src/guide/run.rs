//! A guided run: what it is about, what was answered, what was done.

use uuid::Uuid;

use crate::fleet::{HostName, Moment};
use crate::text::SafeText;

/// A guided run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its identity, by which somebody else goes on with it.
    pub id: Uuid,
    /// What was asked for: a domain name, a lineage, `host/lineage` or a filter.
    pub about: String,
    /// When it was begun.
    pub opened: Moment,
    /// By whom.
    pub by: SafeText,
    /// What was answered, oldest first.
    pub answers: Vec<Given>,
    /// What was done, oldest first, as the audit log has it.
    pub done: Vec<Done>,
    /// When it was closed.
    pub ended: Option<Moment>,
}

/// An answer to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// When.
    pub at: Moment,
    /// By whom.
    pub who: SafeText,
    /// The step, as in [`super::ALL`].
    pub step: String,
    /// What the step was about, of several of its kind.
    pub about: String,
    /// The answer.
    pub answer: Answer,
    /// Why, where that was asked for.
    pub reason: Option<String>,
}

/// What somebody answers to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It was read, or done.
    Yes,
    /// It is left out, for a reason.
    Skip,
    /// Another way is taken, for something is in the way of this one.
    Other,
    /// The step before once more.
    Back,
}

impl Answer {
    /// Every answer that is kept.
    pub const ALL: [Self; 4] = [Self::Yes, Self::Skip, Self::Other, Self::Back];

    /// Its word, in the file of a run and in the audit log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Skip => "skip",
            Self::Other => "other",
            Self::Back => "back",
        }
    }
}

/// An action that was performed in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its identity in the audit log.
    pub op: Option<Uuid>,
    /// When it was begun.
    pub at: Moment,
    /// The action.
    pub action: String,
    /// The host.
    pub host: HostName,
    /// The lineage.
    pub place: Option<String>,
    /// What was chosen about it: names and values.
    pub chosen: Vec<(String, String)>,
    /// What became of it.
    pub became: Became,
    /// The name of the cause, where it failed for one that is known.
    pub cause: Option<String>,
    /// What happened, in one line.
    pub summary: SafeText,
}

/// What became of an action, as far as the next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Done and proven.
    Done,
    /// It failed.
    Failed,
    /// Neither: it was not begun, was stopped, or nobody can tell.
    Open,
}

impl Run {
    /// A run that begins.
    pub fn new(id: Uuid, about: &str, by: &str, now: Moment) -> Self {
        Self {
            id,
            about: about.to_owned(),
            opened: now,
            by: SafeText::new(by),
            answers: Vec::new(),
            done: Vec::new(),
            ended: None,
        }
    }

    /// The answers that count: those that `back` took back are left out.
    pub fn standing(&self) -> Vec<&Given> {
        let mut standing = Vec::new();
        for it in &self.answers {
            if it.answer == Answer::Back {
                standing.pop();
            } else {
                standing.push(it);
            }
        }
        standing
    }

    /// Whether there is a step to go back to.
    pub fn can_go_back(&self) -> bool {
        !self.standing().is_empty()
    }

    /// Whether a step has its answer.
    pub(super) fn is_past(&self, step: &str, about: &str) -> bool {
        self.standing().iter().any(|it| it.step == step && it.about == about)
    }

    /// Whether a step was left out.
    pub(super) fn is_skipped(&self, step: &str, about: &str) -> bool {
        self.has_answer(Answer::Skip, step, about)
    }

    /// Whether a step has that answer.
    pub(super) fn has_answer(&self, answer: Answer, step: &str, about: &str) -> bool {
        let is_it = |it: &Given| it.step == step && it.about == about && it.answer == answer;
        self.standing().into_iter().any(is_it)
    }

    /// How often an action failed at a place, whatever was chosen.
    pub(super) fn failures(&self, action: &str, host: &HostName, place: Option<&str>) -> usize {
        self.of(action, host, place).filter(|it| it.became == Became::Failed).count()
    }

    /// What was done of an action at a place.
    pub(super) fn of<'r>(
        &'r self,
        action: &'r str,
        host: &'r HostName,
        place: Option<&'r str>,
    ) -> impl Iterator<Item = &'r Done> {
        self.done.iter().filter(move |it| {
            it.action == action && it.host == *host && it.place.as_deref() == place
        })
    }

    /// The run as the command line takes it up.
    pub fn resume(&self) -> String {
        format!("certdeck emergency --resume {}", self.id)
    }
}

impl Done {
    /// Where it was done: `host/lineage`, or the host.
    pub fn target(&self) -> String {
        match &self.place {
            Some(place) => format!("{}/{place}", self.host),
            None => self.host.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(step: &str, answer: Answer) -> Given {
        Given {
            at: Moment::default(),
            who: SafeText::new("ada"),
            step: step.to_owned(),
            about: String::new(),
            answer,
            reason: None,
        }
    }

    #[test]
    fn back_takes_back_the_last_answer_and_no_more() {
        let mut run = Run::new(Uuid::nil(), "www.example.net", "ada", Moment::default());
        run.answers.push(given("certificate", Answer::Yes));
        run.answers.push(given("cause", Answer::Skip));
        assert!(run.is_past("cause", "") && run.is_skipped("cause", ""));
        run.answers.push(given("extent", Answer::Back));
        assert!(run.is_past("certificate", "") && !run.is_past("cause", ""));
        run.answers.push(given("cause", Answer::Back));
        run.answers.push(given("certificate", Answer::Back));
        assert!(!run.can_go_back() && !run.is_past("certificate", ""));
    }
}
