//! Jobs as they are on their hosts: listed, looked at, stopped, and cleaned away.

use serde_json::json;
use uuid::Uuid;

use super::case::Case;
use super::conclude::{refused, report};
use super::owner::UnderWay;
use super::record::{self, with_log};
use super::{Ending, Tools, follow};
use crate::acme::order::Kept;
use crate::audit::{self, Permit};
use crate::fleet::{DAY, Moment, Unreached};
use crate::inventory::{Host, Protect};
use crate::job::{self, Listed, Look, State};
use crate::remote::Sessions;

/// Folders of jobs are not cleaned away before they are older than this, in seconds: what has no
/// folder and is younger never began.
pub const OLD: i64 = DAY;

/// Why a job was not stopped, or jobs were not cleaned away.
#[derive(Debug)]
pub enum NotDone {
    /// The audit log refused; `true` if that was only after it was done.
    NotAudited(audit::Error, bool),
    /// The host is in this group, and nothing may be changed there.
    ReadOnly(String),
    /// The host cannot be reached.
    Unreached(Unreached),
}

/// Lists the jobs of a host, newest first.
pub async fn list(sessions: &Sessions, host: &Host) -> Result<Vec<Listed>, Unreached> {
    let nonce = follow::nonce();
    let answer = follow::answer(sessions, host, &job::list(&nonce)).await?;
    job::read_list(&answer, &nonce).map_err(follow::unread)
}

/// Looks at a job, with output from that byte on.
pub async fn look(
    sessions: &Sessions,
    host: &Host,
    op: Uuid,
    from: u64,
) -> Result<Look, Unreached> {
    follow::look(sessions, host, op, from).await
}

/// Asks a job to stop, and tells how it is right after. `how` is how that was confirmed. Where a
/// CA is still being asked, its order is stopped, and the job never begins.
pub async fn stop(tools: &Tools, host: &Host, op: Uuid, how: &str) -> Result<Look, NotDone> {
    let (permit, under_way) = begin(tools, "stop", host, &[op], how).await?;
    // An order of another machine is not here: its job never begins all the same.
    let is_ordering = Kept::ask_to_stop(&tools.office, op).unwrap_or(false);
    let look = follow::stop(&tools.sessions, host, op, &permit).await;
    let summary = match &look {
        _ if is_ordering => "its order was asked to stop",
        Ok(look) if look.status.is_stopped => "it was asked to stop",
        Ok(look) if look.status.state == State::Void => "it had not begun, and never will",
        Ok(_) => "it had ended before",
        Err(_) => "whether it was asked to stop is not known",
    };
    end(tools, permit, "stop", host, look.as_ref().map(|_| summary)).await?;
    drop(under_way);
    look.map_err(NotDone::Unreached)
}

/// Removes the folders of these jobs, but for those that run, and tells which.
pub async fn clean(
    tools: &Tools,
    host: &Host,
    ops: &[Uuid],
    how: &str,
) -> Result<Vec<Uuid>, NotDone> {
    let (permit, under_way) = begin(tools, "clean", host, ops, how).await?;
    let nonce = follow::nonce();
    let removed = send_clean(&tools.sessions, host, ops, &nonce, &permit).await;
    let summary = removed.as_ref().map(|it| format!("{} folders removed", it.len()));
    end(tools, permit, "clean", host, summary.as_deref().map_err(|it| *it)).await?;
    drop(under_way);
    removed.map_err(NotDone::Unreached)
}

/// Whether a job may be cleaned away: it has ended, or never will begin, and that is long ago.
pub fn is_old(job: &Listed, before: Moment) -> bool {
    let is_over = !matches!(job.status.state, State::Running | State::Starting);
    let begun = begun(job.op);
    is_over && job.status.ended.unwrap_or(begun).max(begun) < before
}

/// When an action was begun, by its identity.
pub(super) fn begun(op: Uuid) -> Moment {
    let (seconds, _) = op.get_timestamp().map_or((0, 0), |it| it.to_unix());
    Moment::from_unix(i64::try_from(seconds).unwrap_or(i64::MAX))
}

async fn send_clean(
    sessions: &Sessions,
    host: &Host,
    ops: &[Uuid],
    nonce: &crate::source::Nonce,
    _permit: &Permit,
) -> Result<Vec<Uuid>, Unreached> {
    let answer = follow::answer(sessions, host, &job::clean(ops, nonce)).await?;
    job::read_removed(&answer, nonce).map_err(follow::unread)
}

async fn begin(
    tools: &Tools,
    action: &str,
    host: &Host,
    jobs: &[Uuid],
    how: &str,
) -> Result<(Permit, UnderWay), NotDone> {
    let mut groups = tools.inventory.groups_of(host);
    if let Some(group) = groups.find(|it| it.protect == Protect::ReadOnly) {
        return Err(NotDone::ReadOnly(group.name.clone()));
    }
    let run = record::Run {
        id: Uuid::now_v7(),
        how: how.to_owned(),
        reason: None,
        guide: None,
        who: tools.who.clone(),
    };
    let body = record::errand(&run, action, host, jobs);
    let began = with_log(tools, move |log| UnderWay::begin(|| log.intent(&body))).await;
    began.map_err(|it| NotDone::NotAudited(it, false))
}

async fn end(
    tools: &Tools,
    permit: Permit,
    action: &str,
    host: &Host,
    done: Result<&str, &Unreached>,
) -> Result<(), NotDone> {
    let case = Case::errand(action, host);
    let report = match done {
        Ok(summary) => report(&case, Ending::Ok, summary, &[], None),
        Err(why) => refused(&case, why.text.as_str(), None),
    };
    let mut body = record::outcome(&report, None, None);
    if done.is_err() {
        // The answer is what is missing, not the deed.
        body.insert("ending".to_owned(), json!("unknown"));
        body.remove("evidence");
    }
    let written = with_log(tools, move |log| log.outcome(permit, &body)).await;
    written.map_err(|it| NotDone::NotAudited(it, true))
}
