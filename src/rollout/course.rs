//! How far a roll-out is: its targets in their waves, and what has become of each.

use std::fmt;

use uuid::Uuid;

use super::Wave;
use crate::action::{self, Chosen, Kind, Plan};
use crate::fleet::{HostName, Moment};
use crate::text::SafeText;

/// One action at many targets, begun once and gone on with until nothing remains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Its identity, by which it is gone on with; every action of it bears it in the audit log.
    pub id: Uuid,
    /// The action, as in [`action::ALL`].
    pub action: String,
    /// What was chosen about it: names and values.
    pub chosen: Vec<(String, String)>,
    /// Why it is done.
    pub reason: Option<String>,
    /// When it was begun.
    pub opened: Moment,
    /// By whom.
    pub by: SafeText,
    /// Its targets, in the order in which they were asked for.
    pub targets: Vec<Target>,
    /// Who wants nothing more to begin, if somebody does.
    pub paused: Option<Paused>,
    /// When it had nothing left to do, or was closed.
    pub ended: Option<Moment>,
}

/// A target of a roll-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host.
    pub host: HostName,
    /// The lineage, if it is about one.
    pub lineage: Option<String>,
    /// Its wave, from 1; the first is the canary.
    pub wave: usize,
    /// What has become of it.
    pub became: Became,
    /// The identity of the last action at it.
    pub op: Option<Uuid>,
}

/// What has become of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Its wave has not come.
    Waiting,
    /// It has begun, and nobody has written its end.
    Running,
    /// Done and proven.
    Done,
    /// It failed, was refused or was stopped.
    Failed,
    /// Nobody can tell.
    Unknown,
    /// It was left out on purpose.
    Skipped,
}

/// That somebody wants nothing more to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// User and machine.
    pub who: SafeText,
    /// Since when.
    pub since: Moment,
}

/// How many targets are how far. Shown, it is what remains in words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Done and proven.
    pub done: usize,
    /// Failed, refused or stopped.
    pub failed: usize,
    /// Nobody can tell.
    pub unknown: usize,
    /// Begun without an end.
    pub running: usize,
    /// Not begun.
    pub waiting: usize,
    /// Left out on purpose.
    pub skipped: usize,
}

impl Rollout {
    /// A roll-out of these plans, of which nothing has begun.
    pub fn new(id: Uuid, plans: &[Plan], reason: Option<&str>, by: &str, now: Moment) -> Self {
        let first = plans.first();
        let chosen = first.into_iter().flat_map(|it| it.chosen.all());
        let target = |plan: &Plan| Target {
            host: plan.host.clone(),
            lineage: plan.place.as_ref().map(ToString::to_string),
            wave: 1,
            became: Became::Waiting,
            op: None,
        };
        Self {
            id,
            action: first.map(|it| it.action.name.to_owned()).unwrap_or_default(),
            chosen: chosen.map(|(name, it)| (name.to_owned(), it.to_owned())).collect(),
            reason: reason.map(str::to_owned),
            opened: now,
            by: SafeText::new(by),
            targets: plans.iter().map(target).collect(),
            paused: None,
            ended: None,
        }
    }

    /// Puts what is to be done now into its waves, which follow those that have begun. What is to
    /// be done again waits again.
    pub fn arrange(&mut self, plans: &[Plan], waves: &[Wave]) {
        let is_begun = |it: &&Target| it.became != Became::Waiting;
        let begun = self.targets.iter().filter(is_begun).map(|it| it.wave).max().unwrap_or(0);
        for (number, wave) in waves.iter().enumerate() {
            for plan in wave.0.iter().filter_map(|at| plans.get(*at)) {
                if let Some(target) = self.target_of(plan) {
                    (target.wave, target.became) = (begun + number + 1, Became::Waiting);
                }
            }
        }
    }

    /// The target of a plan.
    pub fn target_of(&mut self, plan: &Plan) -> Option<&mut Target> {
        let lineage = plan.place.as_ref().map(SafeText::as_str);
        self.targets.iter_mut().find(|it| it.is(&plan.host, lineage))
    }

    /// The action and what was chosen about it; `None` if this version has no such action.
    pub fn request(&self) -> Option<(&'static Kind, Chosen)> {
        let kind = action::named(&self.action)?;
        let value_of = |name: &str| {
            self.chosen.iter().find(|it| it.0 == name).map(|(_, value)| value.as_str())
        };
        Some((kind, Chosen::recalled(kind, value_of)))
    }

    /// How many targets are how far.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for it in &self.targets {
            tally.count(it.became);
        }
        tally
    }

    /// Whether nothing is left to do, or nobody goes on with it.
    pub fn is_over(&self) -> bool {
        self.ended.is_some() || self.tally().remain() == 0
    }

    /// The targets that are taken up when somebody goes on with it; with what has failed, if that
    /// is to be tried again.
    pub fn left(&self, with_failed: bool) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(move |it| match it.became {
            Became::Waiting => true,
            Became::Failed | Became::Unknown => with_failed,
            Became::Running | Became::Done | Became::Skipped => false,
        })
    }

    /// The wave that was begun last, and how many there are.
    pub fn wave(&self) -> (usize, usize) {
        let last = |it: &mut dyn Iterator<Item = &Target>| it.map(|it| it.wave).max().unwrap_or(0);
        let mut begun = self.targets.iter().filter(|it| it.became != Became::Waiting);
        (last(&mut begun), last(&mut self.targets.iter()))
    }

    /// How the command line goes on with what is left.
    pub fn resume(&self) -> String {
        let tally = self.tally();
        let is_stuck = tally.waiting == 0 && tally.failed + tally.unknown > 0;
        let more = if is_stuck { " --retry-failed" } else { "" };
        format!("certdeck run --resume {}{more}", self.id)
    }
}

impl Target {
    /// Whether it is that host and lineage.
    pub fn is(&self, host: &HostName, lineage: Option<&str>) -> bool {
        self.host == *host && self.lineage.as_deref() == lineage
    }

    /// `host/lineage`, or the host.
    pub fn name(&self) -> SafeText {
        SafeText::new(&match &self.lineage {
            Some(it) => format!("{}/{it}", self.host),
            None => self.host.to_string(),
        })
    }
}

impl Became {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Unknown, Self::Skipped];

    /// Its word, for people and in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

impl Tally {
    /// Counts one more.
    pub fn count(&mut self, became: Became) {
        let count = match became {
            Became::Waiting => &mut self.waiting,
            Became::Running => &mut self.running,
            Became::Done => &mut self.done,
            Became::Failed => &mut self.failed,
            Became::Unknown => &mut self.unknown,
            Became::Skipped => &mut self.skipped,
        };
        *count += 1;
    }

    /// How many are not done and were not left out.
    pub fn remain(&self) -> usize {
        self.failed + self.unknown + self.running + self.waiting
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} done", self.done)?;
        let rest = [
            (self.failed, "failed"),
            (self.unknown, "not known"),
            (self.running, "running"),
            (self.waiting, "wait"),
            (self.skipped, "left out"),
        ];
        for (count, word) in rest.into_iter().filter(|it| it.0 > 0) {
            write!(f, ", {count} {word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A roll-out of which each target is a letter: waiting, running, done, failed, unknown or
    /// skipped.
    fn rollout(letters: &str) -> Rollout {
        let became = |letter| Became::ALL.into_iter().find(|it| it.word().starts_with(letter));
        let target = |(at, letter)| Target {
            host: HostName::new(&format!("h{at}")),
            lineage: Some("www".to_owned()),
            wave: 1 + at / 2,
            became: became(letter).unwrap(),
            op: None,
        };
        Rollout {
            targets: letters.chars().enumerate().map(target).collect(),
            ..Rollout::new(Uuid::nil(), &[], None, "ada@bastion", Moment::default())
        }
    }

    #[test]
    fn what_remains_is_told_in_words() {
        let table = [
            ("", "0 done", 0, ""),
            ("dd", "2 done", 0, ""),
            ("dfwww", "1 done, 1 failed, 3 wait", 4, ""),
            ("dru", "1 done, 1 not known, 1 running", 2, " --retry-failed"),
            ("dfs", "1 done, 1 failed, 1 left out", 1, " --retry-failed"),
        ];
        for (letters, text, remain, more) in table {
            let it = rollout(letters);
            assert_eq!((it.tally().to_string().as_str(), it.tally().remain()), (text, remain));
            let resume = format!("certdeck run --resume {}{more}", Uuid::nil());
            assert_eq!(it.resume(), resume, "{letters}");
            assert_eq!(it.is_over(), remain == 0, "{letters}");
        }
    }

    #[test]
    fn what_failed_is_taken_up_only_if_that_is_meant() {
        let left = |letters: &str, with_failed| {
            let it = rollout(letters);
            it.left(with_failed).map(|it| it.host.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(left("drfuws", false), "h4");
        assert_eq!(left("drfuws", true), "h2 h3 h4");
        assert_eq!(left("dd", true), "");
    }

    #[test]
    fn a_roll_out_is_over_once_it_is_closed_whatever_remains() {
        let mut it = rollout("dfw");
        it.ended = Some(Moment::default());
        assert!(it.is_over());
    }

    #[test]
    fn the_wave_is_the_last_that_began() {
        assert_eq!(rollout("").wave(), (0, 0));
        assert_eq!(rollout("wwww").wave(), (0, 2));
        assert_eq!(rollout("ddfwww").wave(), (2, 3));
    }

    #[test]
    fn an_action_of_another_version_is_not_made_up() {
        let mut it = rollout("w");
        it.action = "teleport".to_owned();
        assert!(it.request().is_none());
        it.action = action::RENEW.to_owned();
        it.chosen = vec![("of-another-version".to_owned(), "x".to_owned())];
        assert!(it.request().is_some_and(|it| it.1 == Chosen::default()));
    }
}
