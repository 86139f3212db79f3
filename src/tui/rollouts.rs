//! Roll-outs as the console knows them: its own, those of others, and those that were left. Values
//! only.

use std::collections::HashMap;

use uuid::Uuid;

use super::jobs::{Job, Jobs, RunView, State};
use super::output::Output;
use super::request::{Request, Wanted};
use crate::fleet::Moment;
use crate::perform::{Ending, Pause};
use crate::rollout::{Became, Rollout, Tally, Target};
use crate::store::Kept;
use crate::text::SafeText;

/// How a roll-out stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its identity.
    pub id: Uuid,
    /// Who is at it, if anybody is.
    pub at_it: Option<AtIt>,
    /// Who wants what remains to wait, if anybody does.
    pub paused: Option<SafeText>,
    /// How many targets are how far; `None` until that was read.
    pub tally: Option<Tally>,
    /// How the command line goes on with it.
    pub resume: String,
    /// Whether it was begun or gone on with from this console, which then knows more of it than
    /// what is kept.
    pub is_own: bool,
}

/// When actions began, and when they ended if they have, by the audit log.
pub type Times = HashMap<Uuid, (Moment, Option<Moment>)>;

/// Who is at a roll-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AtIt {
    /// This console.
    Here,
    /// Somebody else.
    There(SafeText),
}

impl Standing {
    /// That of a roll-out which this console has begun.
    pub fn here(id: Uuid) -> Self {
        let resume = format!("certdeck run --resume {id}");
        Self { id, at_it: Some(AtIt::Here), paused: None, tally: None, resume, is_own: true }
    }

    /// What remains, and who could change that, in words.
    pub fn words(&self) -> String {
        let tally = self.tally.map(|it| it.to_string()).unwrap_or_default();
        let who = match (&self.at_it, &self.paused) {
            (Some(_), Some(who)) => format!("waits, as {who} wants it"),
            (Some(AtIt::There(who)), None) => format!("{who} is at it"),
            (Some(AtIt::Here), None) => String::new(),
            (None, _) => "nobody is at it".to_owned(),
        };
        let gap = if tally.is_empty() || who.is_empty() { "" } else { "; " };
        format!("{tally}{gap}{who}")
    }

    /// Takes in that somebody wants what remains to wait, or not any more.
    pub fn pause(&mut self, pause: &Pause) {
        self.paused = match pause {
            Pause::Asked(who) | Pause::Reached(who) => Some(who.clone()),
            Pause::Over => None,
        };
    }

    fn of(kept: &Kept<Rollout>) -> Self {
        let holder = kept.holder.as_ref().filter(|it| it.is_there);
        Self {
            id: kept.run.id,
            at_it: holder.map(|it| AtIt::There(it.who.clone())),
            paused: kept.run.paused.as_ref().map(|it| it.who.clone()),
            tally: Some(kept.run.tally()),
            resume: kept.run.resume(),
            is_own: false,
        }
    }

    /// The same, with what was known of it before it was read.
    fn after(self, known: &Self) -> Self {
        match (&known.at_it, &self.at_it) {
            (Some(AtIt::Here), _) => Self { at_it: Some(AtIt::Here), is_own: true, ..self },
            // Somebody else has taken it up.
            (_, Some(_)) => self,
            (_, None) => Self { is_own: known.is_own, ..self },
        }
    }
}

impl Jobs {
    /// Takes in the roll-outs that are kept, and the times of their actions; tells of one that
    /// nobody is at and that was not known yet.
    pub fn learn_rollouts(&mut self, all: &[Kept<Rollout>], times: &Times) -> Option<SafeText> {
        let mut left = None;
        let is_kept =
            |known: &Standing| all.iter().any(|it| it.run.id == known.id && !it.run.is_over());
        // What is over is in the audit log, but for what was begun from here.
        self.retain(|it| it.is_own() || it.rollout.as_ref().is_none_or(is_kept));
        for run in self.runs_mut().filter(|it| it.jobs.iter().all(Job::is_over)) {
            run.rollout.take_if(|it| !is_kept(it));
        }
        for kept in all {
            let (rollout, standing) = (&kept.run, Standing::of(kept));
            let jobs = jobs(rollout, times);
            if let Some(run) = self.rollout_mut(rollout.id) {
                run.rollout = run.rollout.take().map(|known| standing.after(&known));
                if !run.is_own() {
                    run.renew(jobs);
                }
            } else if !rollout.is_over() {
                if standing.at_it.is_none() {
                    let text = format!("a roll-out of {} was left: ", rollout.action);
                    left = Some(SafeText::new(&(text + &standing.words())));
                }
                let run = self.add(rollout.action.clone(), request(rollout), jobs);
                if let Some(run) = self.run_mut(run) {
                    run.rollout = Some(standing);
                }
            }
        }
        // What the log has no outcome of stands in its roll-out.
        let ops: Vec<Uuid> =
            all.iter().flat_map(|it| &it.run.targets).filter_map(|it| it.op).collect();
        self.retain(|it| {
            let is_lone = it.rollout.is_none() && it.request.is_none();
            !is_lone || !it.jobs.iter().any(|job| job.op.is_some_and(|op| ops.contains(&op)))
        });
        left
    }
}

impl RunView {
    /// Whether it was begun from this console, which knows more of it than what is kept.
    pub fn is_own(&self) -> bool {
        self.rollout.as_ref().is_none_or(|it| it.is_own)
    }

    /// Whether somebody is at it who tells of its jobs.
    pub fn is_attended(&self) -> bool {
        self.rollout.as_ref().is_some_and(|it| it.at_it.is_some())
    }

    /// Takes in its jobs as they are kept, but for what was looked at from here.
    fn renew(&mut self, jobs: Vec<Job>) {
        let mut known = std::mem::replace(&mut self.jobs, jobs);
        let is_begun = |it: &&mut Job| it.op.is_some() && it.state != State::Waiting;
        for job in self.jobs.iter_mut().filter(is_begun) {
            let is_better =
                |it: &Job| it.op == job.op && (it.report.is_some() || job.state == State::Open);
            if let Some(at) = known.iter().position(is_better) {
                *job = known.swap_remove(at);
            }
        }
    }

    /// The roll-out that this is, if somebody may go on with it from here.
    pub fn resumable(&self) -> Option<Uuid> {
        self.rollout.as_ref().filter(|it| it.at_it.is_none()).map(|it| it.id)
    }
}

fn jobs(rollout: &Rollout, times: &Times) -> Vec<Job> {
    let mut targets: Vec<&Target> = rollout.targets.iter().collect();
    targets.sort_by_key(|it| it.wave);
    let job = |it: &Target| {
        let state = match it.became {
            Became::Waiting => State::Waiting,
            Became::Running => State::Open,
            Became::Done => State::Ended(Ending::Ok),
            Became::Failed => State::Ended(Ending::Failed),
            Became::Unknown => State::Ended(Ending::Unknown),
            Became::Skipped => State::NotBegun(SafeText::new("it was left out")),
        };
        let what = match it.wave {
            1 => "wave 1, the canary".to_owned(),
            wave => format!("wave {wave}"),
        };
        let time = it.op.filter(|_| it.became != Became::Waiting).and_then(|op| times.get(&op));
        Job {
            host: it.host.clone(),
            place: it.lineage.as_deref().map(SafeText::new),
            op: it.op,
            follows: None,
            commands: Vec::new(),
            state,
            asked: rollout.opened,
            begun: time.map(|it| it.0),
            ended: time.and_then(|it| it.1),
            output: Output::default(),
            report: None,
            told: Some(SafeText::new(&what)),
        }
    };
    targets.into_iter().map(job).collect()
}

/// What is to be asked for to go on.
fn request(rollout: &Rollout) -> Option<Request> {
    let (kind, chosen) = rollout.request()?;
    let wanted = |it: &Target| Wanted {
        host: it.host.clone(),
        lineage: it.lineage.clone(),
        is_hidden: false,
    };
    Some(Request::at(kind, rollout.targets.iter().map(wanted).collect(), chosen))
}
