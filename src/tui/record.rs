//! What ran on which host: the newest visits and jobs of this console.

use std::collections::VecDeque;
use std::time::Duration;

use uuid::Uuid;

use super::jobs::{JobId, Jobs, RunId, ending_word};
use crate::fleet::{HostName, Moment, Outcome, Visit};
use crate::perform::{Ending, Progress};
use crate::text::SafeText;

/// The newest visits and jobs.
#[derive(Debug, Default)]
pub struct Record {
    entries: VecDeque<Entry>,
}

/// One visit or job.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it ended; of a job, when it began.
    pub at: Moment,
    /// The host.
    pub host: HostName,
    /// What came of it.
    pub result: SafeText,
    /// Whether it went well.
    pub is_well: bool,
    /// How long it took.
    pub took: Duration,
    /// The job, if it was one: its identity, and the commands.
    pub job: Option<(Uuid, Vec<String>)>,
}

impl Record {
    /// Takes in a visit that ended.
    pub fn add(&mut self, visit: &Visit, took: Duration) {
        let (is_well, result) = match &visit.outcome {
            Outcome::Seen(seen) => {
                let (places, problems) = (seen.places.len(), seen.problems.len());
                let text =
                    format!("read: {}, {}", many(places, "certificate"), many(problems, "problem"));
                (true, SafeText::new(&text))
            }
            Outcome::Unreached(unreached) => (false, unreached.text.clone()),
        };
        let host = visit.host.clone();
        self.push(Entry { at: visit.at, host, result, is_well, took, job: None });
    }

    /// Takes in what a run tells of its jobs.
    pub fn follow(&mut self, jobs: &Jobs, run: RunId, progress: &Progress, now: Moment) {
        match progress {
            Progress::Began { at, op } => {
                let id = JobId::Job(run, *at);
                let Some((run, job)) = jobs.run(id).zip(jobs.job(id)) else { return };
                self.push(Entry {
                    at: now,
                    host: job.host.clone(),
                    result: SafeText::new(&format!(
                        "{} {}: begun",
                        run.action_of(job),
                        job.target()
                    )),
                    is_well: true,
                    took: Duration::ZERO,
                    job: Some((*op, job.commands.clone())),
                });
            }
            Progress::Ended { at, report } => {
                let Some(op) = jobs.job(JobId::Job(run, *at)).and_then(|it| it.op) else { return };
                let is_meant = |it: &&mut Entry| it.job.as_ref().is_some_and(|job| job.0 == op);
                if let Some(entry) = self.entries.iter_mut().find(is_meant) {
                    let word = ending_word(report.ending);
                    entry.result = SafeText::new(&format!("{word}: {}", report.summary));
                    entry.is_well = report.ending == Ending::Ok;
                    let took = now.since(entry.at).max(0);
                    entry.took = Duration::from_secs(took.unsigned_abs());
                }
            }
            Progress::Visited(visit) => self.add(visit, Duration::ZERO),
            _ => {}
        }
    }

    fn push(&mut self, entry: Entry) {
        self.entries.truncate(KEPT - 1);
        self.entries.push_front(entry);
    }

    /// The visits and jobs, newest first.
    pub fn entries(&self) -> &VecDeque<Entry> {
        &self.entries
    }
}

/// Some scans of a large fleet.
const KEPT: usize = 2000;

/// `1 problem`, `2 problems`.
fn many(count: usize, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}
