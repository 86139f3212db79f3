//! `certdeck jobs`: what runs and what has run on the hosts, detached from any console.

mod clean;
mod follow;
mod list;
mod pause;

use std::collections::HashSet;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use futures_util::stream;
use uuid::Uuid;

use super::session::open_log;
use super::{Context, Exit, Failure, open, runtime, survey};
use crate::acme::Office;
use crate::audit::read::{Record, records};
use crate::audit::verify::Witness;
use crate::filter::Filter;
use crate::fleet::Unreached;
use crate::inventory::{Host, Inventory};
use crate::job::{Listed, State};
use crate::perform::{Tools, jobs};
use crate::remote::Sessions;
use crate::store::{Rollouts, Store};
use crate::text::SafeText;

/// List, follow and stop what runs on the hosts
///
/// Every change runs on its host as a job, which goes on when the connection breaks or the
/// console is closed. Jobs that were confirmed together are a roll-out: those that are not finished
/// stand first, with what remains of them. Without a command: list. The beginning of an ID is
/// enough if it is the only one that begins so.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  certdeck jobs
  certdeck jobs list group=production --format json
  certdeck jobs attach 0199e6f2-1c3d
  certdeck jobs pause 4f1c09      what runs of the roll-out ends, and nothing more begins
  certdeck jobs resume 4f1c09     it goes on; after a kill: certdeck run --resume 4f1c09
  certdeck jobs clean --older-than 30d

Exit codes: 0 done, 1 the job failed or nothing was done, 2 no such job or the request was wrong,
3 a host could not be asked, 74 the audit log refused. `attach` ends as the job did; interrupted,
it ends with 130 and the job goes on.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the jobs of every host, newest first
    List {
        /// Which hosts to ask, as in the console: fra, host:edge-*, group=prod
        #[arg(value_name = "FILTER")]
        filter: Vec<String>,
        /// The format
        #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
        format: String,
    },
    /// Print how a job is, and what it printed; of a roll-out, its waves and what became of each
    Show {
        /// The job, or the roll-out
        id: String,
    },
    /// Follow a job until it has ended
    Attach {
        /// The job
        id: String,
    },
    /// Ask a job to stop: SIGTERM, on which certbot takes back what is half done
    Stop {
        /// The job
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Let nothing more of a roll-out begin; what runs ends
    Pause {
        /// The roll-out
        id: String,
    },
    /// Let a paused roll-out go on where somebody is still at it
    Resume {
        /// The roll-out
        id: String,
    },
    /// Go on with a roll-out no more: what remains of it is not listed again
    Close {
        /// The roll-out
        id: String,
    },
    /// Remove the folders of old jobs from the hosts; never of those that run
    Clean {
        /// Which hosts, as in the console
        #[arg(value_name = "FILTER")]
        filter: Vec<String>,
        /// How old, as in 30d; at least 1d
        #[arg(long, value_name = "AGE", default_value = "30d")]
        older_than: String,
        /// Do not ask: how many are to be removed
        #[arg(long, value_name = "COUNT")]
        yes: Option<usize>,
    },
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let default = Command::List { filter: Vec::new(), format: "text".to_owned() };
    let command = args.command.as_ref().unwrap_or(&default);
    match command {
        // What is said about roll-outs is said on this machine, and no host is asked.
        Command::Pause { id } => pause::pause(id, context),
        Command::Resume { id } => pause::resume(id, context),
        Command::Close { id } => pause::close(id, context),
        Command::Show { id } if pause::show(id, context)? => Ok(Exit::Done),
        Command::Show { id } => at_hosts(context, async |desk| desk.show(id).await),
        Command::Attach { id } => at_hosts(context, async |desk| desk.attach(id).await),
        Command::Stop { id, yes } => at_hosts(context, async |desk| desk.stop(id, *yes).await),
        Command::List { filter, format } => {
            at_hosts(context, async |desk| desk.list(filter, format == "json").await)
        }
        Command::Clean { filter, older_than, yes } => {
            at_hosts(context, async |desk| desk.clean(filter, older_than, *yes).await)
        }
    }
}

/// Does something with a way to the hosts.
fn at_hosts(
    context: &Context,
    work: impl AsyncFnOnce(&Desk<'_>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let inventory = Arc::new(open::inventory(context)?);
    runtime()?.block_on(async {
        let sessions = survey::sessions(context, inventory.defaults.keep_warm)?;
        let desk = Desk {
            context,
            records: records(&context.paths.state).unwrap_or_default(),
            inventory,
            sessions: Arc::clone(&sessions),
        };
        let done = work(&desk).await;
        sessions.close().await;
        done
    })
}

/// What the hosts have kept of this log: each job names the record that it was begun with.
///
/// The jobs of others are of no use, as their records are in other logs; so are those from before
/// this log was begun.
pub(super) fn witnesses(records: &[Record], context: &Context) -> Result<Vec<Witness>, Failure> {
    let inventory = Arc::new(open::inventory(context)?);
    let began = records.first().map(|it| it.at).unwrap_or_default();
    let ours: HashSet<Uuid> = records.iter().map(|it| it.op).collect();
    let who = context.session("audit").who();
    runtime()?.block_on(async {
        let sessions = survey::sessions(context, inventory.defaults.keep_warm)?;
        let desk =
            Desk { context, records: Vec::new(), inventory, sessions: Arc::clone(&sessions) };
        let survey = desk.survey(desk.inventory.hosts.iter().collect()).await;
        for (host, why) in &survey.silent {
            note(&format!("{} was not asked: {}\n", host.name, why.text));
        }
        let is_ours = |job: &Listed| {
            let is_later = list::asked(job.op) >= began;
            ours.contains(&job.op) || (is_later && job.status.who.as_str() == who)
        };
        let found = survey.found.iter().filter(|it| is_ours(&it.job));
        let witnesses = found.filter_map(|Found { host, job }| {
            let (seq, hash) = job.status.witness.clone()?;
            Some(Witness { name: host.name.to_string(), seq, hash })
        });
        let witnesses = witnesses.collect();
        drop(survey);
        sessions.close().await;
        Ok(witnesses)
    })
}

/// What every command here needs.
struct Desk<'a> {
    context: &'a Context,
    inventory: Arc<Inventory>,
    sessions: Arc<Sessions>,
    /// What the audit log of this machine knows; nothing if it cannot be read.
    records: Vec<Record>,
}

/// A job and its host.
struct Found<'a> {
    host: &'a Host,
    job: Listed,
}

/// The jobs of some hosts, and the hosts that could not be asked.
#[derive(Default)]
struct Survey<'a> {
    found: Vec<Found<'a>>,
    silent: Vec<(&'a Host, Unreached)>,
}

impl Desk<'_> {
    /// The hosts that a filter may keep, by what was known of them last.
    fn hosts(&self, words: &[String]) -> Result<Vec<&Host>, Failure> {
        let filter: Filter = survey::filter(words, self.context)?;
        let mut fleet = self.inventory.fleet();
        Store::new(&self.context.paths.state).recall(&mut fleet).ok();
        let may_keep = |it: &&Host| fleet.host(&it.name).is_some_and(|it| filter.may_keep(it));
        Ok(self.inventory.hosts.iter().filter(may_keep).collect())
    }

    async fn survey<'a>(&'a self, hosts: Vec<&'a Host>) -> Survey<'a> {
        let at_once = self.inventory.defaults.concurrency.max(1);
        let asking =
            hosts.into_iter().map(async |host| (host, jobs::list(&self.sessions, host).await));
        let mut answers = stream::iter(asking).buffer_unordered(at_once);
        let mut survey = Survey::default();
        while let Some((host, answer)) = answers.next().await {
            match answer {
                Ok(jobs) => survey.found.extend(jobs.into_iter().map(|job| Found { host, job })),
                Err(why) => survey.silent.push((host, why)),
            }
        }
        survey.found.sort_by_key(|it| std::cmp::Reverse(it.job.op));
        survey.silent.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        survey
    }

    /// The one job whose identity begins so.
    async fn find(&self, id: &str) -> Result<Found<'_>, Failure> {
        let is_it = |op: Uuid| op.to_string().starts_with(&id.to_ascii_lowercase());
        let bad = |text: String| Failure::say(Exit::BadRequest, text);
        if id.is_empty() {
            return Err(bad("an ID is needed".to_owned()));
        }
        let told = self.records.iter().filter(|it| it.kind == "intent" && is_it(it.op));
        let told: Vec<_> = told.filter_map(|it| it.text("host")).collect();
        // What our own log knows need not be looked for everywhere.
        let hosts = self.inventory.hosts.iter();
        let hosts = match told.as_slice() {
            [host] => hosts.filter(|it| it.name.as_str() == *host).collect(),
            _ => hosts.collect(),
        };
        let Survey { found, silent } = self.survey(hosts).await;
        let mut found: Vec<_> = found.into_iter().filter(|it| is_it(it.job.op)).collect();
        match (found.len(), silent.as_slice()) {
            (1, _) => found.pop().ok_or_else(|| bad(String::new())),
            (0, []) => Err(bad(format!("there is no job {}", SafeText::new(id)))
                .with_hint("`certdeck jobs list` shows all; old ones may have been cleaned away")),
            (0, [(host, why), ..]) => {
                let text = format!("{}: {}", host.name, why.text);
                Err(Failure::say(Exit::Unknown, text).with_hint("the job may be there"))
            }
            (count, _) => {
                let names = found.iter().map(|it| format!("{} at {}", it.job.op, it.host.name));
                let failure = bad(format!("{count} jobs begin with {}", SafeText::new(id)));
                Err(names.take(5).fold(failure, Failure::with_hint))
            }
        }
    }

    fn tools(&self) -> Result<Tools, Failure> {
        let log = open_log(self.context)?;
        Ok(Tools {
            inventory: Arc::clone(&self.inventory),
            sessions: Arc::clone(&self.sessions),
            log: Arc::new(Mutex::new(log)),
            clock: self.context.clock,
            who: self.context.session("jobs").who(),
            office: Arc::new(Office::new(&self.context.paths.state, self.context.clock)),
            rollouts: Rollouts::new(&self.context.paths.state),
        })
    }
}

/// How a job is, in a word or a few.
fn state(job: &Listed) -> String {
    match &job.status.state {
        State::Absent => "gone".to_owned(),
        State::Busy { .. } => "was busy".to_owned(),
        State::Done(0) => "done".to_owned(),
        State::Done(code) => format!("failed ({code})"),
        State::Impossible(_) => "impossible".to_owned(),
        State::Interrupted { is_rebooted: true } => "lost in a boot".to_owned(),
        State::Interrupted { is_rebooted: false } => "interrupted".to_owned(),
        State::Running => "running".to_owned(),
        State::Stale => "was stale".to_owned(),
        State::Starting => "starting".to_owned(),
        State::Void => "ruled out".to_owned(),
    }
}

/// Asks on the terminal; nothing but exactly that answer is a yes.
fn is_typed(question: &str, wanted: &str) -> Result<bool, Failure> {
    note(&format!("{question} Type {wanted} to go on: "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == wanted)
}

fn is_asked() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn not_done(error: jobs::NotDone, host: &Host) -> Failure {
    match error {
        jobs::NotDone::NotAudited(error, is_done) => {
            let what = if is_done {
                "it was done, and its outcome is not on record"
            } else {
                "nothing was done"
            };
            Failure::new(Exit::AuditRefused, anyhow::Error::new(error).context(what))
        }
        jobs::NotDone::ReadOnly(group) => {
            let text = format!("{}: the group {group} is read-only", host.name);
            Failure::say(Exit::BadRequest, text)
        }
        jobs::NotDone::Unreached(why) => {
            let failure = Failure::say(Exit::Unknown, format!("{}: {}", host.name, why.text));
            match why.hint {
                Some(hint) => failure.with_hint(hint.to_string()),
                None => failure,
            }
        }
    }
}

/// Writes to stderr; if it is closed, nobody is there to be told.
fn note(text: &str) {
    io::stderr().write_all(text.as_bytes()).ok();
}
