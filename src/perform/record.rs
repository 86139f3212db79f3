//! What the audit log is told of plans and of what became of them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::case::{Case, chain, endpoint, leaf};
use super::{Ending, Report, Tools, ordered, owner};
use crate::action::{Command, Expect, Plan};
use crate::audit::{self, Log};
use crate::fleet::{Fingerprint, Place};
use crate::inventory;
use crate::text::SafeText;

/// The members of a record.
pub(super) type Body = Map<String, Value>;

/// What holds for every plan of a run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) id: Uuid,
    pub(super) how: String,
    pub(super) reason: Option<String>,
    /// The guided run that it is part of.
    pub(super) guide: Option<String>,
    pub(super) who: String,
}

/// Says something to the log on a thread that may wait for its lock and for the disk.
pub(super) async fn with_log<T: Send + 'static>(
    tools: &Tools,
    say: impl FnOnce(&mut Log) -> Result<T, audit::Error> + Send + 'static,
) -> Result<T, audit::Error> {
    let log = tools.log.clone();
    match spawn_blocking(move || say(&mut lock(&log))).await {
        Ok(said) => said,
        Err(broken) => Err(audit::Error::Write {
            path: "audit".into(),
            cause: std::io::Error::other(broken.to_string()),
        }),
    }
}

pub(super) fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    // A log that a panic left behind checks itself before it writes.
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is about to be done.
pub(super) fn intent(
    run: &Run,
    plan: &Plan,
    case: &Case,
    told: &inventory::Host,
    place: Option<&Place>,
) -> Body {
    let mut body = head(run, told);
    case.write(&mut body);
    let mut add = |key: &str, value: Value| body.insert(key.to_owned(), value);
    if let Some(leaf) = leaf(place) {
        add("names", leaf.names.iter().take(MAX_NAMES).map(ToString::to_string).collect());
    }
    // By which the same can be asked for again.
    let chosen: Body = plan.chosen.all().map(|(name, it)| (name.to_owned(), it.into())).collect();
    if !chosen.is_empty() {
        add("chosen", chosen.into());
    }
    if let Some(wanted) = &plan.wanted {
        add("orders", ordered::write(wanted));
    }
    if !plan.over.is_empty() {
        let over = plan.over.iter().take(MAX_LINES).map(|it| SafeText::new(it).to_string());
        add("over", over.collect());
    }
    add("argv", plan.commands.iter().map(|it| json!(it.argv)).collect());
    let env = plan.commands.iter().flat_map(|it| &it.env).map(|(name, _)| name.as_str());
    add("env", env.collect());
    if let Some(bring) = &plan.brings {
        add("from", bring.host.as_str().into());
        add("moves-key", bring.key.is_some().into());
    }
    if let Some(delivery) = &plan.delivers {
        add("store", delivery.store.as_str().into());
        add("path", delivery.path.as_str().into());
        add("chain", chain(place).iter().map(ToString::to_string).collect());
    }
    add("expect", expect(&plan.expect).into());
    add("plan", fingerprint_of(plan).to_string().into());
    body
}

/// What is about to be done by hand to a job: nothing that could run twice.
pub(super) fn errand(run: &Run, action: &str, told: &inventory::Host, jobs: &[Uuid]) -> Body {
    let mut body = head(run, told);
    let mut add = |key: &str, value: Value| body.insert(key.to_owned(), value);
    add("action", action.into());
    add("host", told.name.as_str().into());
    add("jobs", jobs.iter().take(MAX_NAMES).map(ToString::to_string).collect());
    add("jobs-count", jobs.len().into());
    body
}

fn head(run: &Run, told: &inventory::Host) -> Body {
    let mut body = Body::new();
    let mut add = |key: &str, value: Value| body.insert(key.to_owned(), value);
    add("run", run.id.to_string().into());
    add("who", run.who.as_str().into());
    add("address", told.address.as_str().into());
    add("confirmed", run.how.as_str().into());
    if let Some(reason) = &run.reason {
        add("reason", reason.as_str().into());
    }
    if let Some(guide) = &run.guide {
        add("guide", guide.as_str().into());
    }
    owner::sign(&mut body);
    body
}

/// What became of it. `output` is its SHA-256 and how many bytes there are, if any was kept.
pub(super) fn outcome(report: &Report, exit: Option<u8>, output: Option<(&str, usize)>) -> Body {
    let mut body = Body::new();
    let mut add = |key: &str, value: Value| body.insert(key.to_owned(), value);
    add("ending", report.ending.name().into());
    add("summary", report.summary.as_str().into());
    if let Some(exit) = exit {
        add("exit", exit.into());
    }
    if let Some(it) = &report.before {
        add("before", it.to_string().into());
    }
    if let Some(it) = &report.after {
        add("after", it.to_string().into());
    }
    if let Some((hash, bytes)) = output {
        add("output", hash.into());
        add("output-bytes", bytes.into());
    }
    if !report.state.is_empty() {
        let lines = report.state.iter().take(MAX_LINES);
        add("evidence", lines.map(ToString::to_string).collect());
    }
    if let Some(it) = &report.explanation {
        add("cause", it.name.into());
    }
    if !report.probes.is_empty() {
        let probes = report.probes.iter().take(MAX_LINES).map(|it| {
            json!({
                "name": it.name.as_str(),
                "from": it.vantage.name(),
                "address": it.address.as_str(),
                "leaf": it.served.as_ref().ok().map(|it| it.leaf.sha256.to_string()),
                "error": it.served.as_ref().err().map(ToString::to_string),
            })
        });
        add("wire", probes.collect());
    }
    body
}

impl Ending {
    /// The ending that the audit log has by that name.
    pub fn named(name: &str) -> Self {
        let all = [Self::Ok, Self::Failed, Self::Refused, Self::Cancelled];
        all.into_iter().find(|it| it.name() == name).unwrap_or(Self::Unknown)
    }

    /// Its name in the audit log and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Unknown | Self::NotAudited => "unknown",
        }
    }
}

fn expect(it: &Expect) -> String {
    match it {
        Expect::Anything => "anything".to_owned(),
        Expect::NoLineage => "no-lineage".to_owned(),
        Expect::Leaf(leaf) => format!("leaf {leaf}"),
    }
}

/// The hash of everything that was shown of a plan.
fn fingerprint_of(plan: &Plan) -> Fingerprint {
    let mut text = format!("{} {}\n", plan.action.name, plan.target());
    for (label, line) in plan.card() {
        text.extend([label, " ", &line, "\n"]);
    }
    for line in plan.commands.iter().map(Command::line) {
        text.extend([&line, "\n"]);
    }
    for it in &plan.endpoints {
        text.extend([&endpoint(it), "\n"]);
    }
    Fingerprint::of(text.as_bytes())
}

/// A record has 16 KiB.
const MAX_NAMES: usize = 50;
const MAX_LINES: usize = 20;
