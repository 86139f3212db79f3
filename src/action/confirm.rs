//! From plans that somebody has seen to plans that may be performed. There is no other way.

use super::{Plan, Tier};
use crate::fleet::{Fleet, Moment};

/// Plans under review. They do not change any more; if the fleet does, they are stale.
#[derive(Debug)]
pub struct Review {
    plans: Vec<Plan>,
    reason: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Nothing.
    Nothing,
    /// A key.
    Key,
    /// This text.
    Type(String),
}

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Nothing was asked.
    Nothing,
    /// The key.
    Key,
    /// The text that was typed.
    Typed(&'a str),
    /// The value of `--yes`: the name of the one target, or the number of targets.
    Yes(&'a str),
}

/// Plans that may be performed. Only [`Review::confirm`] makes one.
#[derive(Debug)]
pub struct Confirmed {
    plans: Vec<Plan>,
    how: String,
    reason: Option<String>,
}

/// Why an answer is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotConfirmed {
    /// Something else was asked for.
    Wrong(Ask),
    /// What a plan was made from has changed; what, for people.
    Stale(String),
}

impl Review {
    /// Puts plans up for review, at least one.
    pub fn new(plans: Vec<Plan>) -> Self {
        Self { plans, reason: None }
    }

    /// Says why it is done, for the audit log.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// The plans.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// The tier of all of them together.
    pub fn tier(&self) -> Tier {
        let worst = self.plans.iter().map(|it| it.tier).max().unwrap_or(Tier::Safe);
        if self.plans.len() > 1 && worst > Tier::Safe { Tier::Many } else { worst }
    }

    /// What is asked for.
    pub fn ask(&self) -> Ask {
        match (self.tier(), self.plans.as_slice()) {
            (Tier::Safe, _) => Ask::Nothing,
            (Tier::Change, _) => Ask::Key,
            (_, [one]) => Ask::Type(one.name().to_owned()),
            (_, many) => {
                let action = many.first().map_or("", |it| it.action.name);
                Ask::Type(format!("{action} {}", many.len()))
            }
        }
    }

    /// Leaves out the plan at that place of the list, unless it is the last one.
    pub fn leave_out(&mut self, at: usize) {
        if self.plans.len() > 1 && at < self.plans.len() {
            self.plans.remove(at);
        }
    }

    /// What has changed since the plans were made, if anything has.
    pub fn stale(&self, fleet: &Fleet) -> Option<String> {
        let _ = fleet;
        todo!()
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// Gives the review back if the answer is not what was asked for, or if the plans are stale.
    pub fn confirm(
        self,
        answer: Answer<'_>,
        fleet: &Fleet,
        now: Moment,
    ) -> Result<Confirmed, (Box<Self>, NotConfirmed)> {
        let _ = (answer, fleet, now);
        todo!()
    }
}

impl Confirmed {
    /// The plans.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// How it was confirmed, for the audit log.
    pub fn how(&self) -> &str {
        &self.how
    }

    /// Why it is done.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}
