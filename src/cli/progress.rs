//! What a run tells while it goes on: live output on stderr, and what became of each plan.

use std::fmt::Write as _;

use uuid::Uuid;

use super::Exit;
use super::outcome::{Outcome, word};
use super::survey::{Signals, note};
use crate::action::Plan;
use crate::fleet::Visit;
use crate::perform::{Ending, Pause, Progress, Report, Run};
use crate::rollout::{Became, Tally};
use crate::text::SafeText;

/// What became of every plan.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Those that were asked for, and behind them those that follow.
    ends: Vec<End>,
    /// What else there is of the roll-out.
    beside: Tally,
    /// What hosts looked like when they were looked at meanwhile.
    visits: Vec<Visit>,
    /// The number of the signal that ended the wait.
    signal: Option<u8>,
}

/// How far a plan is.
#[derive(Debug, Default)]
struct End {
    /// What it is and the identity of what it follows from, if it was not asked for itself.
    follows: Option<(Plan, Option<Uuid>)>,
    op: Option<Uuid>,
    report: Option<Box<Report>>,
    not_begun: Option<SafeText>,
    /// Whether a CA is being asked, and the host has not been told to begin yet.
    is_ordering: bool,
    /// Output without the end of its line.
    rest: Vec<u8>,
}

/// Tells what happens until everything has ended, or a signal asks to leave.
pub(super) async fn follow(run: &mut Run, plans: &[Plan], signals: &mut Signals) -> Told {
    follow_rest(run, plans, Tally::default(), signals).await
}

/// The same of what remains of a roll-out, of which there is something else.
pub(super) async fn follow_rest(
    run: &mut Run,
    plans: &[Plan],
    beside: Tally,
    signals: &mut Signals,
) -> Told {
    let ends = plans.iter().map(|_| End::default()).collect();
    let mut told = Told { ends, beside, ..Told::default() };
    loop {
        tokio::select! {
            progress = run.next() => match progress {
                Some(it) => told.take_in(it, plans),
                None => break,
            },
            number = signals.next() => {
                // Whoever asks again does not wait.
                let is_first = told.signal.replace(number).is_none();
                if is_first && told.ordering().next().is_some() {
                    run.wind_up(told.ordering());
                    note(STOPPING);
                }
                if !is_first {
                    told.leave(plans);
                    break;
                }
            }
        }
        if told.signal.is_some() && told.ordering().next().is_none() {
            told.leave(plans);
            break;
        }
    }
    told
}

impl Told {
    fn take_in(&mut self, progress: Progress, plans: &[Plan]) {
        match progress {
            Progress::Wave(_, 1) => {}
            Progress::Kept(id) => {
                note(&format!("roll-out {id}; `certdeck jobs pause {id}` makes it wait\n"));
            }
            Progress::Visited(visit) => self.visits.push(visit),
            Progress::Wave(1, all) => note(&format!("wave 1 of {all}, the canary\n")),
            Progress::Wave(number, all) => note(&format!("wave {number} of {all}\n")),
            Progress::Began { at, op } => {
                note(&format!("{}: begun as job {op}\n", self.title(at, plans)));
                if let Some(end) = self.ends.get_mut(at) {
                    end.op = Some(op);
                }
            }
            Progress::Ordering { at, step } => {
                if let Some(end) = self.ends.get_mut(at) {
                    end.is_ordering = true;
                }
                note(&format!("{}: {}\n", self.title(at, plans), step.text));
            }
            Progress::Looked { at, look } => {
                if let (Some(end), Some(plan)) = (self.ends.get_mut(at), plans.get(at)) {
                    end.is_ordering = false;
                    end.rest.extend(&look.output);
                    end.print(plan, false);
                }
            }
            Progress::Lost { at, why } => {
                let title = self.title(at, plans);
                note(&format!("{title}: lost from sight, the job goes on there: {why}\n"));
            }
            Progress::Follows { of, plan, .. } => {
                let of = self.ends.get(of).and_then(|it| it.op);
                self.ends.push(End { follows: Some((*plan, of)), ..End::default() });
            }
            Progress::Ended { at, report } => {
                let title = self.title(at, plans);
                if let Some(end) = self.ends.get_mut(at) {
                    if let Some(plan) = plans.get(at) {
                        end.print(plan, true);
                    }
                    note(&format!("{title}: {}\n", word(&report)));
                    end.report = Some(report);
                }
                if self.is_many() {
                    note(&format!("{}\n", self.tally()));
                }
            }
            Progress::Pause(Pause::Asked(who)) => {
                note(&format!("{who} wants it to wait: what runs ends, and nothing more begins\n"));
            }
            Progress::Pause(Pause::Reached(who)) => {
                note(&format!("it waits, as {who} wants it: {}\n", self.tally()));
            }
            Progress::Pause(Pause::Over) => note("it goes on\n"),
            Progress::NotBegun { at, why } => {
                if let Some(end) = self.ends.get_mut(at) {
                    end.not_begun = Some(why);
                }
            }
        }
    }

    /// The target of a plan; of one that follows, with what is done.
    fn title(&self, at: usize, plans: &[Plan]) -> SafeText {
        let follows = self.ends.get(at).and_then(|it| it.follows.as_ref());
        SafeText::new(&match (follows, plans.get(at)) {
            (Some((plan, _)), _) => format!("{}: {}", plan.target(), plan.action.name),
            (None, Some(plan)) => plan.target(),
            (None, None) => String::new(),
        })
    }

    /// Each with its plan.
    fn all<'a>(&'a self, plans: &'a [Plan]) -> impl Iterator<Item = (&'a End, &'a Plan)> {
        let plan = |at: usize, end: &'a End| {
            end.follows.as_ref().map(|it| &it.0).or_else(|| plans.get(at))
        };
        self.ends.iter().enumerate().filter_map(move |(at, end)| Some((end, plan(at, end)?)))
    }

    /// Those that were asked for.
    fn asked(&self) -> impl Iterator<Item = &End> {
        self.ends.iter().filter(|it| it.follows.is_none())
    }

    /// Whether there is more than one target.
    fn is_many(&self) -> bool {
        self.asked().count() > 1 || self.beside != Tally::default()
    }

    /// How many targets are how far.
    fn tally(&self) -> Tally {
        let mut tally = self.beside;
        self.asked().for_each(|it| tally.count(it.became()));
        tally
    }

    /// The actions for which a CA is being asked.
    fn ordering(&self) -> impl Iterator<Item = Uuid> {
        let ordering = self.ends.iter().filter(|it| it.is_ordering && it.report.is_none());
        ordering.filter_map(|it| it.op)
    }

    /// Says what goes on without us.
    fn leave(&self, plans: &[Plan]) {
        if self.ends.iter().all(|it| it.report.is_some()) {
            return;
        }
        let mut text = String::from("\n");
        for (at, (end, plan)) in self.all(plans).enumerate() {
            let target = self.title(at, plans);
            match (end.op, &end.report) {
                (_, Some(_)) => {}
                (Some(op), None) if plan.delivers.is_some() => {
                    let _ = writeln!(
                        text,
                        "{target}: {op} stops here; the next run or console sees what the store holds"
                    );
                }
                (Some(op), None) if end.is_ordering => {
                    let _ = writeln!(
                        text,
                        "{target}: order {op} stops here; the next run or console goes on with it"
                    );
                }
                (Some(op), None) => {
                    let _ = writeln!(text, "{target}: job {op} goes on at {}", plan.host);
                }
                (None, None) => {
                    let _ = writeln!(text, "{target}: not begun");
                }
            }
        }
        text.push_str("hint: `certdeck jobs` shows jobs; the next run or console writes down how they ended\n");
        note(&text);
    }

    /// What became of each plan.
    pub(super) fn outcomes<'a>(&'a self, plans: &'a [Plan]) -> Vec<Outcome<'a>> {
        let outcome = |(end, plan): (&'a End, &'a Plan)| {
            let report = match (&end.report, &end.not_begun) {
                (Some(report), _) => Ok(&**report),
                (None, Some(why)) => Err(why),
                // Left before it had ended.
                (None, None) => return None,
            };
            let of = end.follows.as_ref().and_then(|it| it.1);
            Some(Outcome { plan, of, report })
        };
        self.all(plans).filter_map(outcome).collect()
    }

    /// Says how many were left out for the same reason.
    pub(super) fn say_left(&self) {
        let mut whys: Vec<(&SafeText, usize)> = Vec::new();
        for why in self.asked().filter_map(|it| it.not_begun.as_ref()) {
            match whys.iter_mut().find(|it| it.0 == why) {
                Some((_, count)) => *count += 1,
                None => whys.push((why, 1)),
            }
        }
        for (why, count) in whys {
            let plural = if count == 1 { "" } else { "s" };
            note(&format!("{why}, {count} lineage{plural} left for the next run\n"));
        }
    }

    /// Of a run of several plans that was not finished, one of its jobs.
    pub(super) fn left_to_do(&self) -> Option<Uuid> {
        let is_left = self.asked().any(|it| it.not_begun.is_some());
        self.asked().find_map(|it| it.op).filter(|_| is_left)
    }

    /// Hands over what hosts looked like, in the order in which they were looked at.
    pub(super) fn take_visits(&mut self) -> Vec<Visit> {
        std::mem::take(&mut self.visits)
    }

    /// How many of those that were asked for ended well.
    pub(super) fn done(&self) -> usize {
        let reports = self.asked().filter_map(|it| it.report.as_ref());
        reports.filter(|it| it.ending == Ending::Ok).count()
    }

    /// How the program ends.
    pub(super) fn exit(&self) -> Exit {
        if let Some(number) = self.signal {
            return Exit::Code(128 + number);
        }
        let endings = || self.ends.iter().map(|it| it.report.as_ref().map(|it| it.ending));
        if endings().any(|it| it == Some(Ending::NotAudited)) {
            Exit::AuditRefused
        } else if endings().any(|it| !matches!(it, Some(Ending::Ok | Ending::Unknown))) {
            Exit::Failed
        } else if endings().any(|it| it == Some(Ending::Unknown)) {
            Exit::Unknown
        } else {
            Exit::Done
        }
    }
}

impl End {
    fn became(&self) -> Became {
        match (&self.report, self.op) {
            (Some(report), _) => report.ending.became(),
            (None, Some(_)) => Became::Running,
            (None, None) => Became::Waiting,
        }
    }

    /// Prints what is there of output, line by line; what has no end yet only if nothing follows.
    fn print(&mut self, plan: &Plan, is_all: bool) {
        let end = match self.rest.iter().rposition(|it| *it == b'\n') {
            Some(at) => at + 1,
            None if is_all || self.rest.len() > MAX_LINE => self.rest.len(),
            None => return,
        };
        let rest = self.rest.split_off(end.min(self.rest.len()));
        let whole = std::mem::replace(&mut self.rest, rest);
        let mut text = String::new();
        for line in whole.split_inclusive(|it| *it == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let _ = writeln!(text, "{} | {}", plan.host, SafeText::from_bytes(line));
        }
        note(&text);
        if is_all && !self.rest.is_empty() {
            self.print(plan, is_all);
        }
    }
}

const STOPPING: &str =
    "\nstopping: what answers the CA is taken away first; once more leaves at once\n";

/// A line that is longer than anybody reads is shown in parts.
const MAX_LINE: usize = 8 * 1024;
