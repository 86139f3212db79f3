//! Actions that were begun and of which nobody has written the end: what became of them.

use std::collections::HashMap;

use futures_util::future::join_all;
use serde_json::json;
use uuid::Uuid;

use super::case::Case;
use super::conclude::{self, conclude};
use super::deliver;
use super::follow::{self, From};
use super::jobs::OLD;
use super::judge::explanation;
use super::record::{self, with_log};
use super::{Ending, Report, Tools, owner, resume};
use crate::action::Promise;
use crate::audit;
use crate::audit::read::Record;
use crate::fleet::{HostName, Moment, human};
use crate::inventory::Host;
use crate::job::{Look, State};
use crate::text::SafeText;

/// An action of which the audit log has the intent and no outcome, and what became of it.
#[derive(Debug)]
pub struct Reconciled {
    /// The identity of the action.
    pub op: Uuid,
    /// The host.
    pub host: HostName,
    /// What became of it; `None` if it still runs or the host cannot be asked.
    pub report: Option<Report>,
    /// Whether it is known to go on, and will have an end without anybody's doing.
    pub is_running: bool,
    /// One line for people.
    pub text: SafeText,
}

/// Finds out what became of actions without an outcome, on these hosts or on all, and writes it
/// to the log. What somebody is still at is left to them.
///
/// # Errors
/// Where the log cannot be read or written.
pub async fn reconcile(
    tools: &Tools,
    only: Option<&[HostName]>,
) -> Result<Vec<Reconciled>, audit::Error> {
    let open = with_log(tools, |log| log.open_intents());
    let is_wanted = |intent: &Record| match (only, intent.text("host")) {
        (Some(only), Some(host)) => only.iter().any(|it| it.as_str() == host),
        (None, host) => host.is_some(),
        (Some(_), None) => false,
    };
    let mut by_host: HashMap<String, Vec<Record>> = HashMap::new();
    for intent in open.await?.into_iter().filter(is_wanted) {
        let host = intent.text("host").unwrap_or_default().to_owned();
        by_host.entry(host).or_default().push(intent);
    }
    // Hosts at the same time, and at each host one after the other.
    let settled = join_all(by_host.into_values().map(|intents| settle_all(tools, intents))).await;
    let mut all = Vec::new();
    for some in settled {
        all.extend(some?);
    }
    all.sort_by_key(|it| it.op);
    resume::sweep(tools).await?;
    Ok(all)
}

/// Hosts at which something is not settled, and what.
pub(super) fn unsettled(all: Vec<Reconciled>) -> HashMap<HostName, SafeText> {
    all.into_iter().filter(|it| it.report.is_none()).map(|it| (it.host, it.text)).collect()
}

async fn settle_all(tools: &Tools, intents: Vec<Record>) -> Result<Vec<Reconciled>, audit::Error> {
    let mut all = Vec::new();
    for intent in intents {
        let settled = settle(tools, &intent).await;
        let is_running = settled.as_ref().is_err_and(|it| it.is_running);
        let (report, text) = match settled {
            Ok((report, exit, output)) => {
                let text = format!("{} at {}: {}", title(&intent), host(&intent), report.summary);
                write(tools, &intent, &report, exit, output).await?;
                resume::forget(tools, intent.op);
                (Some(report), text)
            }
            Err(why) => (None, why.text),
        };
        all.push(Reconciled {
            op: intent.op,
            host: HostName::new(intent.text("host").unwrap_or_default()),
            report,
            is_running,
            text: SafeText::new(&text),
        });
    }
    Ok(all)
}

/// Why it cannot be told now what became of an action.
struct Unsettled {
    text: String,
    is_running: bool,
}

impl std::convert::From<String> for Unsettled {
    fn from(text: String) -> Self {
        Self { text, is_running: false }
    }
}

/// What became of it, with its exit code and its output; or why that cannot be told now.
async fn settle(
    tools: &Tools,
    intent: &Record,
) -> Result<(Report, Option<u8>, Vec<u8>), Unsettled> {
    let now = tools.clock.now();
    if owner::is_under_way(intent) {
        return Err(at_it(intent, now));
    }
    let told = tools.inventory.host(host(intent));
    let Some(told) = told else {
        let what = format!("{}, {}", title(intent), age(intent, now));
        let text = format!("{} is not in the inventory any more; open: {what}", host(intent));
        return Err(text.into());
    };
    let Some(case) = Case::of_intent(intent, told) else {
        return Ok((errand(intent, told), None, Vec::new()));
    };
    if let Promise::Delivered(leaf) = case.promise {
        return Ok((deliver::settle(tools, intent, &case, leaf).await, None, Vec::new()));
    }
    let away = |why: &SafeText| {
        format!(
            "{} cannot be asked what became of {}, {}: {why}",
            told.name,
            title(intent),
            age(intent, now)
        )
    };
    if let Some(report) = resume::take_up(tools, told, intent, &case).await? {
        return Ok((report, None, Vec::new()));
    }
    let look = look(tools, told, intent.op).await.map_err(|it| away(&it))?;
    match &look.status.state {
        State::Running | State::Starting => {
            return Err(at_it(intent, now));
        }
        // Its folder may have been there and gone again.
        State::Void if now.since(intent.at) > OLD && look.status.title.is_empty() => {
            return Ok((forgotten(&case), None, Vec::new()));
        }
        _ => {}
    }
    let ended = (&look.status, look.output.as_slice());
    let known = conclude::unknown(told);
    let report = conclude(tools, told, &case, known, ended, |_| ()).await;
    let report = report.map_err(|it| away(&it.text))?;
    let report = Report { op: Some(intent.op), ..report };
    resume::clear(tools, told, intent.op, &look.status).await;
    Ok((report, look.status.exit(), look.output))
}

/// That somebody is at it, and since when.
fn at_it(intent: &Record, now: Moment) -> Unsettled {
    let text = format!("{} is at it: {}, {}", who(intent), title(intent), age(intent, now));
    Unsettled { text, is_running: true }
}

/// A look at a job that makes sure that it never begins if it has not yet, with all its output.
async fn look(tools: &Tools, told: &Host, op: Uuid) -> Result<Look, SafeText> {
    let mut look = follow::look(&tools.sessions, told, op, 0).await.map_err(|it| it.text)?;
    if matches!(look.status.state, State::Absent | State::Starting) {
        look = follow::void(&tools.sessions, told, op).await.map_err(|it| it.text)?;
    }
    if matches!(look.status.state, State::Done(_) | State::Interrupted { .. }) {
        let from = From::Seen(Box::new(look));
        let all = follow::follow(&tools.sessions, told, op, from, tools.clock, |_| ()).await;
        let (status, output) = all.map_err(|_| SafeText::new("it was lost from sight"))?;
        return Ok(Look { status, output });
    }
    Ok(look)
}

async fn write(
    tools: &Tools,
    intent: &Record,
    report: &Report,
    exit: Option<u8>,
    output: Vec<u8>,
) -> Result<(), audit::Error> {
    let (op, report, run) = (intent.op, report.clone(), intent.text("run").map(str::to_owned));
    let who = tools.who.clone();
    let at = with_log(tools, move |log| {
        let kept = (!output.is_empty()).then(|| log.keep(&output).ok()).flatten();
        let output = kept.as_deref().map(|it| (it, output.len()));
        let mut body = record::outcome(&report, exit, output);
        body.insert("who".to_owned(), json!(who));
        if let Some(run) = run {
            body.insert("run".to_owned(), json!(run));
        }
        log.reconcile(op, &body)
    });
    at.await
}

/// A stop or a removal of which nobody knows whether it was sent: both can be done again.
fn errand(intent: &Record, told: &Host) -> Report {
    let case = Case::errand(intent.text("action").unwrap_or("something"), told);
    let summary = "whether it was sent is not known; it can be done again";
    conclude::report(&case, Ending::Cancelled, summary, &[], None)
}

fn forgotten(case: &Case) -> Report {
    let why = explanation(
        "forgotten",
        "the host has no folder of the job: it never began, or somebody has removed the folder",
        "see what is on disk now, and plan from there",
    );
    let summary = "nobody can tell what became of it: the host keeps nothing of it";
    conclude::report(case, Ending::Unknown, summary, &[], Some(why))
}

fn host(intent: &Record) -> &str {
    intent.text("host").unwrap_or("an unknown host")
}

fn who(intent: &Record) -> &str {
    intent.text("who").unwrap_or("somebody")
}

fn title(intent: &Record) -> String {
    let action = intent.text("action").unwrap_or("something");
    intent.text("lineage").map_or_else(|| action.to_owned(), |it| format!("{action} {it}"))
}

fn age(intent: &Record, now: Moment) -> String {
    format!("since {} ({} ago)", intent.at, human(now.since(intent.at).max(0)))
}
