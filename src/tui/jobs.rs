//! What is being changed, and what was: the runs of this console, and actions of others that the
//! audit log has no outcome of. Values only.

use uuid::Uuid;

use super::book::Record;
use super::output::Output;
use super::request::{Request, Wanted};
use super::rollouts::Standing;
use crate::action::Plan;
use crate::fleet::{HostName, Moment, PlaceName, Weight};
use crate::job;
use crate::perform::{Ending, Progress, Reconciled, Report};
use crate::text::SafeText;

/// The identity of a run in this console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(u64);

/// A line of the list of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobId {
    /// A run of more than one job.
    Run(RunId),
    /// A job, as its run and its place in it.
    Job(RunId, usize),
}

/// All runs, the newest first.
#[derive(Debug, Default)]
pub struct Jobs {
    runs: Vec<RunView>,
    begun: u64,
}

/// Jobs that were confirmed together.
#[derive(Debug)]
pub struct RunView {
    /// Its identity.
    pub id: RunId,
    /// The name of the action.
    pub action: String,
    /// What was asked for; `None` if somebody else did.
    pub request: Option<Request>,
    /// The wave that is under way, and of how many.
    pub wave: Option<(usize, usize)>,
    /// How it stands, if it is a roll-out with which somebody can go on.
    pub rollout: Option<Standing>,
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// One job.
#[derive(Debug)]
pub struct Job {
    /// The host.
    pub host: HostName,
    /// The lineage, if it is about one.
    pub place: Option<PlaceName>,
    /// The identity of the action, once it is on record.
    pub op: Option<Uuid>,
    /// By what it is asked for again, where it follows from another job of its run.
    pub follows: Option<Request>,
    /// What runs on the host.
    pub commands: Vec<String>,
    /// How far it is.
    pub state: State,
    /// When it was confirmed, or when the log says that it was.
    pub asked: Moment,
    /// When it began, if it has and if that is known.
    pub begun: Option<Moment>,
    /// When it ended or was given up, if it has and if that is known.
    pub ended: Option<Moment>,
    /// What it printed.
    pub output: Output,
    /// What became of it.
    pub report: Option<Box<Report>>,
    /// What the audit log, or whoever looked at it later, says of it.
    pub told: Option<SafeText>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its wave has not come.
    Waiting,
    /// Its intent is on record.
    Starting,
    /// A CA is asked for what it brings to its host.
    Ordering,
    /// It runs.
    Running,
    /// It was asked to stop and still runs.
    Stopping,
    /// Its host cannot be reached now; it goes on there.
    Lost(SafeText),
    /// The audit log has it without an outcome, and nobody looks at it from here.
    Open,
    /// It has ended.
    Ended(Ending),
    /// It was not begun.
    NotBegun(SafeText),
}

impl Jobs {
    /// Begins a run of these plans.
    pub fn begin(&mut self, request: Request, plans: &[Plan], now: Moment) -> RunId {
        // What is gone on with stands in the list once.
        if let Some(id) = request.rollout {
            self.retain(|it| it.resumable() != Some(id));
        }
        let jobs = plans.iter().map(|it| Job::of(it, now));
        let (action, jobs) = (request.kind.name.to_owned(), jobs.collect());
        self.add(action, Some(request), jobs)
    }

    /// Takes in an action that the log has no outcome of, unless it is known already.
    pub fn learn_open(
        &mut self,
        action: &str,
        op: Uuid,
        at: (HostName, Option<PlaceName>),
        asked: Moment,
    ) {
        if self.runs.iter().flat_map(|it| &it.jobs).any(|it| it.op == Some(op)) {
            return;
        }
        let (host, place) = at;
        let job = Job {
            host,
            place,
            op: Some(op),
            follows: None,
            commands: Vec::new(),
            state: State::Open,
            asked,
            begun: Some(asked),
            ended: None,
            output: Output::default(),
            report: None,
            told: None,
        };
        self.add(action.to_owned(), None, vec![job]);
    }

    pub(super) fn add(
        &mut self,
        action: String,
        request: Option<Request>,
        jobs: Vec<Job>,
    ) -> RunId {
        self.begun += 1;
        let id = RunId(self.begun);
        self.runs.insert(0, RunView { id, action, request, wave: None, rollout: None, jobs });
        // What has ended long ago stands in the audit log.
        let over = self.runs.iter().rposition(|it| it.jobs.iter().all(Job::is_over));
        if let Some(over) = over.filter(|_| self.runs.len() > MAX_RUNS) {
            self.runs.remove(over);
        }
        id
    }

    /// Takes in what a run tells; what it says of a host that was visited is for the fleet.
    pub fn take(&mut self, run: RunId, progress: &mut Progress, now: Moment) {
        if let Progress::Began { op, .. } = progress {
            // The log may have been read between the record and this word of it.
            self.runs.retain(|it| it.id == run || it.jobs.iter().all(|it| it.op != Some(*op)));
        }
        let Some(run) = self.runs.iter_mut().find(|it| it.id == run) else { return };
        match progress {
            Progress::Wave(number, of) => run.wave = Some((*number, *of)),
            Progress::Visited(_) => {}
            Progress::Follows { plan, .. } => {
                let job = Job::of(plan, now);
                let again = Request::at(plan.action, vec![job.wanted()], plan.chosen.clone());
                run.jobs.push(Job { follows: Some(again), ..job });
            }
            Progress::Kept(id) => run.rollout = Some(Standing::here(*id)),
            Progress::Pause(pause) => {
                if let Some(it) = &mut run.rollout {
                    it.pause(pause);
                }
            }
            Progress::Ordering { at, step } => {
                if let Some(job) = run.jobs.get_mut(*at) {
                    job.begun.get_or_insert(now);
                    job.state = State::Ordering;
                    job.output.say(step.text.clone());
                }
            }
            Progress::Began { at, op } => {
                if let Some(job) = run.jobs.get_mut(*at) {
                    job.op = Some(*op);
                    job.begun.get_or_insert(now);
                    job.state = State::Starting;
                }
            }
            Progress::Looked { at, look } => {
                if let Some(job) = run.jobs.get_mut(*at) {
                    job.look(look);
                }
            }
            Progress::Lost { at, why } => {
                if let Some(job) = run.jobs.get_mut(*at) {
                    job.state = State::Lost(why.clone());
                }
            }
            Progress::Ended { at, report } => {
                if let Some(job) = run.jobs.get_mut(*at) {
                    job.end(report.clone(), now);
                }
            }
            Progress::NotBegun { at, why } => {
                if let Some(job) = run.jobs.get_mut(*at) {
                    job.state = State::NotBegun(why.clone());
                    job.ended = Some(now);
                }
            }
        }
    }

    /// Takes in what was found out about an action without an outcome.
    pub fn reconcile(&mut self, found: Reconciled, now: Moment) {
        let Some(job) = self.job_of(found.op) else { return };
        job.told = Some(found.text);
        if let Some(report) = found.report {
            job.end(Box::new(report), now);
        }
    }

    /// Takes in how the audit log says that open actions have ended.
    pub fn settle<'b>(&mut self, end_of: impl Fn(Uuid) -> Option<&'b Record>) {
        for job in self.runs.iter_mut().flat_map(|it| &mut it.jobs) {
            let is_open = job.state == State::Open;
            if let Some(end) = job.op.filter(|_| is_open).and_then(&end_of) {
                job.state = State::Ended(Ending::named(end.text("ending").unwrap_or_default()));
                job.ended = Some(end.at);
                job.told = end.text("summary").map(SafeText::new);
            }
        }
    }

    /// Why what has not begun of a run waits.
    pub fn hold(&mut self, run: RunId, why: &SafeText) {
        let Some(run) = self.run_mut(run) else { return };
        for job in run.jobs.iter_mut().filter(|it| it.state == State::Waiting) {
            job.told = Some(why.clone());
        }
    }

    /// Nobody looks at a run any more: what was begun and has not ended is open.
    /// Tells whether it was a roll-out.
    pub fn leave(&mut self, run: RunId) -> bool {
        let Some(run) = self.run_mut(run) else { return false };
        let is_own = run.is_own();
        if let Some(it) = &mut run.rollout {
            it.at_it = None;
        }
        for job in run.jobs.iter_mut().filter(|it| !it.is_over()) {
            match job.op {
                Some(_) => job.state = State::Open,
                None if is_own => {
                    job.state = State::NotBegun(SafeText::new("nothing of it was begun"));
                }
                // It waits for whoever goes on with the roll-out.
                None => {}
            }
        }
        run.rollout.is_some()
    }

    /// Takes in how a job is that somebody else has started.
    pub fn watch(&mut self, op: Uuid, seen: &Result<job::Look, SafeText>) {
        match (self.job_of(op), seen) {
            (Some(job), Ok(look)) => job.look(look),
            (Some(job), Err(why)) => job.state = State::Lost(why.clone()),
            (None, _) => {}
        }
    }

    /// Nobody looks at that job any more.
    pub fn unwatch(&mut self, op: Uuid) {
        if let Some(job) = self.job_of(op).filter(|it| !it.is_over()) {
            job.state = State::Open;
        }
    }

    fn job_of(&mut self, op: Uuid) -> Option<&mut Job> {
        self.runs.iter_mut().flat_map(|it| &mut it.jobs).find(|it| it.op == Some(op))
    }

    pub(super) fn retain(&mut self, is_kept: impl Fn(&RunView) -> bool) {
        self.runs.retain(is_kept);
    }

    pub(super) fn run_mut(&mut self, id: RunId) -> Option<&mut RunView> {
        self.runs.iter_mut().find(|it| it.id == id)
    }

    pub(super) fn runs_mut(&mut self) -> impl Iterator<Item = &mut RunView> {
        self.runs.iter_mut()
    }

    pub(super) fn rollout_mut(&mut self, id: Uuid) -> Option<&mut RunView> {
        self.runs_mut().find(|it| it.rollout.as_ref().is_some_and(|it| it.id == id))
    }

    /// The runs, the newest first.
    pub fn runs(&self) -> &[RunView] {
        &self.runs
    }

    /// The lines of the list: each job, and above the jobs of a run of many, the run.
    pub fn lines(&self) -> Vec<JobId> {
        let mut lines = Vec::new();
        for run in &self.runs {
            if run.jobs.len() > 1 {
                lines.push(JobId::Run(run.id));
            }
            lines.extend((0..run.jobs.len()).map(|at| JobId::Job(run.id, at)));
        }
        lines
    }

    /// The run of a line.
    pub fn run(&self, id: JobId) -> Option<&RunView> {
        let (JobId::Run(run) | JobId::Job(run, _)) = id;
        self.runs.iter().find(|it| it.id == run)
    }

    /// The job of a line, if it is one.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        let JobId::Job(_, at) = id else { return None };
        self.run(id)?.jobs.get(at)
    }

    /// The same, to be changed.
    pub fn job_mut(&mut self, id: JobId) -> Option<&mut Job> {
        let JobId::Job(run, at) = id else { return None };
        self.runs.iter_mut().find(|it| it.id == run)?.jobs.get_mut(at)
    }

    /// The jobs of this console that have not ended.
    pub fn running(&self) -> impl Iterator<Item = (&RunView, &Job)> {
        // What waits in a roll-out that nobody here is at does not run.
        let own = self.runs.iter().filter(|it| it.is_own());
        let all = own.flat_map(|run| run.jobs.iter().map(move |job| (run, job)));
        all.filter(|(_, job)| !job.is_over() && job.state != State::Open)
    }

    /// What is being changed at a host now.
    pub fn at_host(&self, host: &HostName) -> Option<(&RunView, &Job)> {
        self.running().find(|(_, job)| job.host == *host)
    }

    /// What is to be asked for to do again what did not go well in the run of that line.
    pub fn again(&self, id: JobId) -> Option<Request> {
        let run = self.run(id)?;
        let job = self.job(id);
        if let Some((job, again)) = job.and_then(|it| Some((it, it.follows.as_ref()?))) {
            return job.has_failed().then(|| again.clone());
        }
        let request = run.request.as_ref()?;
        let rollout = run.resumable().filter(|_| matches!(id, JobId::Run(_)));
        let has_failed =
            |it: &&Job| (rollout.is_some() && it.state == State::Waiting) || it.has_failed();
        let only = job.map(|it| (it.host.clone(), it.place.clone()));
        let jobs = run.asked().filter(has_failed);
        let jobs = jobs.filter(|it| {
            only.as_ref().is_none_or(|(host, place)| it.host == *host && it.place == *place)
        });
        let targets: Vec<_> = jobs.map(Job::wanted).collect();
        let request = || {
            let request = Request::at(request.kind, targets.clone(), request.chosen.clone());
            Request { rollout, ..request }
        };
        (!targets.is_empty()).then(request)
    }
}

impl RunView {
    /// Those that were asked for, without those that follow from them.
    pub fn asked(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|it| it.follows.is_none())
    }

    /// The name of the action of one of its jobs.
    pub fn action_of<'a>(&'a self, job: &'a Job) -> &'a str {
        job.follows.as_ref().map_or(&self.action, |it| it.kind.name)
    }

    /// How many of its jobs are so, for the states that any is in.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for job in &self.jobs {
            let word = job.state.word();
            match counts.iter_mut().find(|it| it.0 == word) {
                Some(count) => count.1 += 1,
                None => counts.push((word, 1)),
            }
        }
        counts
    }

    /// The worst of its jobs.
    pub fn weight(&self) -> Weight {
        self.jobs.iter().map(|it| it.state.weight()).max().unwrap_or(Weight::Fine)
    }

    /// Which wave is under way, in words.
    pub fn wave_words(&self) -> Option<String> {
        let (number, of) = self.wave.filter(|_| self.asked().count() > 1)?;
        let what = if number == 1 { ", the canary" } else { "" };
        let over = if self.jobs.iter().all(Job::is_over) { " was the last" } else { "" };
        Some(format!("wave {number} of {of}{what}{over}"))
    }
}

impl Job {
    /// A job of that plan, which has not begun.
    fn of(plan: &Plan, now: Moment) -> Self {
        Self {
            host: plan.host.clone(),
            place: plan.place.clone(),
            op: None,
            follows: None,
            commands: plan.commands.iter().map(crate::action::Command::brief).collect(),
            state: State::Waiting,
            asked: now,
            begun: None,
            ended: None,
            output: Output::default(),
            report: None,
            told: None,
        }
    }

    /// Whether it did not come to a good end.
    fn has_failed(&self) -> bool {
        matches!(self.state, State::NotBegun(_))
            || matches!(self.state, State::Ended(ending) if ending != Ending::Ok)
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ended(_) | State::NotBegun(_))
    }

    /// `lineage on host`, or the host.
    pub fn target(&self) -> String {
        match &self.place {
            Some(place) => format!("{place} on {}", self.host),
            None => self.host.to_string(),
        }
    }

    /// How long it has taken, in seconds; `None` if it has not begun, or if that is not known.
    pub fn elapsed(&self, now: Moment) -> Option<i64> {
        let until = if self.is_over() { self.ended? } else { now };
        Some(until.since(self.begun?).max(0))
    }

    /// What is to be said of it in a line.
    pub fn remark(&self) -> SafeText {
        match (&self.state, &self.report) {
            (State::Ended(_), Some(report)) => report.summary.clone(),
            (State::Lost(why) | State::NotBegun(why), _) => why.clone(),
            (State::Open | State::Waiting | State::Ended(_), None) if self.told.is_some() => {
                self.told.clone().unwrap_or_default()
            }
            (State::Open, _) => SafeText::new("begun by another run; enter looks at it"),
            _ => self.output.last().cloned().unwrap_or_default(),
        }
    }

    fn wanted(&self) -> Wanted {
        let lineage = self.place.as_ref().map(ToString::to_string);
        Wanted { host: self.host.clone(), lineage, is_hidden: false }
    }

    fn look(&mut self, look: &job::Look) {
        self.output.take(&look.output);
        self.state = match look.status.state {
            job::State::Absent | job::State::Starting => State::Starting,
            _ if look.status.is_stopped => State::Stopping,
            _ => State::Running,
        };
    }

    fn end(&mut self, report: Box<Report>, now: Moment) {
        self.op = self.op.or(report.op);
        self.state = State::Ended(report.ending);
        self.ended = Some(now);
        self.output.end();
        if self.output.is_empty() {
            self.output.lines.clone_from(&report.tail);
        }
        self.report = Some(report);
    }
}

impl State {
    /// One or two words.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ordering => "ordering",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Lost(_) => "no contact",
            Self::Open => "open",
            Self::NotBegun(_) => "not begun",
            Self::Ended(ending) => ending_word(*ending),
        }
    }

    /// How bad it is.
    pub fn weight(&self) -> Weight {
        match self {
            Self::Waiting | Self::Starting | Self::Ordering | Self::Running => Weight::Fine,
            Self::Stopping | Self::NotBegun(_) => Weight::Due,
            Self::Lost(_) | Self::Open => Weight::Unknown,
            Self::Ended(ending) => ending_weight(*ending),
        }
    }
}

/// An ending in one or two words.
pub const fn ending_word(ending: Ending) -> &'static str {
    match ending {
        Ending::Ok => "ok",
        Ending::Failed => "failed",
        Ending::Refused => "refused",
        Ending::Cancelled => "stopped",
        Ending::Unknown => "unknown",
        Ending::NotAudited => "no record",
    }
}

/// How bad an ending is.
pub const fn ending_weight(ending: Ending) -> Weight {
    match ending {
        Ending::Ok => Weight::Fine,
        Ending::Refused | Ending::Cancelled => Weight::Due,
        Ending::Unknown => Weight::Unknown,
        Ending::NotAudited => Weight::Wrong,
        Ending::Failed => Weight::Expired,
    }
}

/// How many runs are kept; more only while all of them run.
const MAX_RUNS: usize = 200;
