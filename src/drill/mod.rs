//! Drills: an emergency to practise on hosts that are not real. What is to be solved, how far
//! somebody has come, and what it was worth. Knows nothing of how the trouble is made.

mod score;

use crate::action::Find;
use crate::audit::read::Record;
use crate::fleet::{HostName, Moment};
use crate::guide::{Proof, Run, Scene};

pub use score::{Item, Score};

/// What is to be solved.
#[derive(Debug)]
pub struct Task {
    /// Its name, which tells what is wrong.
    pub name: &'static str,
    /// What the pager says, which does not.
    pub page: &'static str,
    /// What it is about, as a guided run takes it.
    pub about: &'static str,
    /// The true cause: a rule of [`crate::diagnose::ALL`].
    pub cause: &'static str,
    /// From vague to plain.
    pub hints: [&'static str; 3],
    /// How many orders are needed at least.
    pub orders: usize,
    /// What makes it no better, or costs what was not needed.
    pub wrong: &'static [Wrong],
    /// What to take along.
    pub lesson: &'static str,
}

/// An action that is wrong here.
#[derive(Debug)]
pub struct Wrong {
    /// Its name, as in [`crate::action::ALL`].
    pub action: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A task that somebody is at.
#[derive(Debug, Clone)]
pub struct Drill {
    /// What is to be solved.
    pub task: &'static Task,
    /// What chance picked it by, where nobody asked for it by its name.
    pub seed: Option<u64>,
    /// When it began.
    pub begun: Moment,
    /// When the cause was looked at.
    pub cause_at: Option<Moment>,
    /// When everything was proven to be well.
    pub solved_at: Option<Moment>,
    /// When it was given up.
    pub given_up_at: Option<Moment>,
    /// How many hints were asked for.
    pub hints: usize,
    /// The hosts that it is about, once they are known.
    pub hosts: Vec<HostName>,
    /// Whether the trouble has been seen: before that, nothing is known and nothing is solved.
    is_seen: bool,
}

impl Drill {
    /// A drill that begins.
    pub fn new(task: &'static Task, seed: Option<u64>, now: Moment) -> Self {
        Self {
            task,
            seed,
            begun: now,
            cause_at: None,
            solved_at: None,
            given_up_at: None,
            hints: 0,
            hosts: Vec::new(),
            is_seen: false,
        }
    }

    /// What it may be called before its end: what chance picked has no name until then.
    pub fn title(&self) -> &'static str {
        if self.seed.is_some() && !self.is_over() { "a drill" } else { self.task.name }
    }

    /// Looks at what is known of the fleet; whether it is solved by that.
    pub fn look(&mut self, find: Find<'_>) -> bool {
        if self.is_over() {
            return false;
        }
        let run = Run::new(uuid::Uuid::nil(), self.task.about, "", find.now);
        let scene = Scene::new(find, &run);
        for host in scene.case().hosts() {
            if !self.hosts.contains(&host) {
                self.hosts.push(host);
            }
        }
        // What clients get is right, and what made it wrong is gone.
        let is_well = scene.proof() == Proof::Proven && !scene.says(self.task.cause);
        self.is_seen |= scene.is_read() && !is_well;
        if self.is_seen && is_well {
            self.solved_at = Some(find.now);
        }
        self.solved_at.is_some()
    }

    /// Takes in that somebody looks at what was found by these rules.
    pub fn opened(&mut self, rules: &[&str], now: Moment) {
        if self.cause_at.is_none() && rules.contains(&self.task.cause) {
            self.cause_at = Some(now);
        }
    }

    /// Ends it unsolved.
    pub fn give_up(&mut self, now: Moment) {
        if !self.is_over() {
            self.given_up_at = Some(now);
        }
    }

    /// Whether it was solved or given up.
    pub fn is_over(&self) -> bool {
        self.ended_at().is_some()
    }

    /// When it was solved or given up.
    pub fn ended_at(&self) -> Option<Moment> {
        self.solved_at.or(self.given_up_at)
    }

    /// The next hint, if there is one left.
    pub fn hint(&mut self) -> Option<&'static str> {
        let hint = *self.task.hints.get(self.hints)?;
        if !self.is_over() {
            self.hints += 1;
        }
        Some(hint)
    }

    /// The hints so far.
    pub fn told(&self) -> impl Iterator<Item = &'static str> {
        self.task.hints.iter().take(self.hints).copied()
    }

    /// What it is worth now, by what the audit log of the drill has.
    pub fn score(&self, records: &[Record], now: Moment) -> Score {
        Score::of(self, records, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) static TASK: Task = Task {
        name: "not-reloaded",
        page: "www.example.net is down",
        about: "www.example.net",
        cause: "unloaded",
        hints: ["look", "look there", "reload"],
        orders: 0,
        wrong: &[Wrong { action: "force-renew", why: "nothing had to be ordered" }],
        lesson: "reload",
    };

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[test]
    fn hints_come_one_by_one_and_end() {
        let mut drill = Drill::new(&TASK, None, NOW);
        assert_eq!(drill.hint(), Some("look"));
        assert_eq!(drill.told().collect::<Vec<_>>(), ["look"]);
        assert_eq!((drill.hint(), drill.hint()), (Some("look there"), Some("reload")));
        assert_eq!((drill.hint(), drill.hints), (None, 3));
    }

    #[test]
    fn what_chance_picked_has_no_name_before_its_end() {
        let mut drill = Drill::new(&TASK, Some(7), NOW);
        assert_eq!(drill.title(), "a drill");
        drill.solved_at = Some(NOW);
        assert_eq!(drill.title(), "not-reloaded");
        assert_eq!(Drill::new(&TASK, None, NOW).title(), "not-reloaded");
    }
}
