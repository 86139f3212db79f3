//! A job on its host, from its start to its end, over connections that may break.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::audit::Permit;
use crate::fleet::Unreached;
use crate::inventory::Host;
use crate::job::{self, Look, State, Status};
use crate::remote::{Limits, Sessions};
use crate::source::{Incomplete, Nonce};
use crate::text::SafeText;
use uuid::Uuid;

/// How a look at a job went wrong.
#[derive(Debug)]
pub(super) enum Lost {
    /// The host cannot be reached, or what it says cannot be read.
    Unreached(Unreached),
    /// It was there, and is not any more: somebody has removed its folder.
    Vanished,
}

/// Starts a job. The intent is on record: that is what the permit says.
pub(super) async fn start(
    sessions: &Sessions,
    host: &Host,
    request: &job::Request,
    permit: &Permit,
) -> Result<Look, Unreached> {
    debug_assert_eq!(request.op, permit.op());
    let nonce = nonce();
    ask(sessions, host, &job::start(request, &nonce), &nonce).await
}

/// Asks a job to stop. The intent is on record.
pub(super) async fn stop(
    sessions: &Sessions,
    host: &Host,
    op: Uuid,
    _permit: &Permit,
) -> Result<Look, Unreached> {
    let nonce = nonce();
    ask(sessions, host, &job::stop(op, &nonce), &nonce).await
}

/// Rules that a job never begins, unless it has: part of what its own intent says.
pub(super) async fn void(sessions: &Sessions, host: &Host, op: Uuid) -> Result<Look, Unreached> {
    let nonce = nonce();
    ask(sessions, host, &job::void(op, &nonce), &nonce).await
}

/// Looks at a job.
pub(super) async fn look(
    sessions: &Sessions,
    host: &Host,
    op: Uuid,
    from: u64,
) -> Result<Look, Unreached> {
    let nonce = nonce();
    ask(sessions, host, &job::look(op, from, &nonce), &nonce).await
}

/// Follows a job until it has ended. `first` is the answer to its start, if one came.
///
/// Never starts it again: what cannot be seen to have begun in time is ruled out, and then it
/// never will.
pub(super) async fn follow(
    sessions: &Sessions,
    host: &Host,
    op: Uuid,
    first: Option<Look>,
    mut tell: impl FnMut(Result<&Look, &Unreached>),
) -> Result<(Status, Vec<u8>), Lost> {
    let mut output = Vec::new();
    let mut pause = SHORTEST;
    let mut seen_at = Instant::now();
    let begin = Instant::now();
    let mut has_begun = false;
    let mut next = first;
    loop {
        let is_late = !has_begun && begin.elapsed() > BEGIN_PATIENCE;
        let look = match next.take() {
            Some(look) => Ok(look),
            None if is_late => void(sessions, host, op).await,
            None => look(sessions, host, op, output.len() as u64).await,
        };
        match look {
            Ok(look) => {
                tell(Ok(&look));
                seen_at = Instant::now();
                has_begun |= is_begun(&look.status.state);
                let is_more = take_in(&mut output, &look);
                match look.status.state {
                    State::Running if is_more => pause = Duration::ZERO,
                    State::Running => pause = (pause * 3 / 2).clamp(SHORTEST, LONGEST),
                    State::Absent if has_begun => return Err(Lost::Vanished),
                    // The start may be on its way still, so this is no answer yet.
                    State::Absent | State::Starting => pause = SHORTEST,
                    _ if is_more => pause = Duration::ZERO,
                    _ => return Ok((look.status, output)),
                }
            }
            Err(why) => {
                tell(Err(&why));
                if seen_at.elapsed() > CONTACT_PATIENCE {
                    return Err(Lost::Unreached(why));
                }
                pause = (pause * 2).clamp(RETRY_SHORTEST, RETRY_LONGEST);
            }
        }
        sleep(pause).await;
    }
}

/// Adds new output; whether there is more to come at once.
fn take_in(output: &mut Vec<u8>, look: &Look) -> bool {
    let room = MAX_OUTPUT.saturating_sub(output.len());
    let new = look.output.get(..room).unwrap_or(&look.output);
    output.extend_from_slice(new);
    // Only whole portions count, so that a host cannot keep us busy with single bytes.
    new.len() >= job::OUTPUT_BYTES && output.len() < MAX_OUTPUT
}

fn is_begun(state: &State) -> bool {
    !matches!(state, State::Absent | State::Starting | State::Impossible(_))
}

async fn ask(
    sessions: &Sessions,
    host: &Host,
    script: &str,
    nonce: &Nonce,
) -> Result<Look, Unreached> {
    let answer = answer(sessions, host, script).await?;
    job::read(&answer, nonce).map_err(unread)
}

pub(super) async fn answer(
    sessions: &Sessions,
    host: &Host,
    script: &str,
) -> Result<Vec<u8>, Unreached> {
    let limits = Limits { time: host.scan_timeout, cap: job::ANSWER_CAP };
    let answer = sessions.visit(host, script, limits).await;
    answer.map(|it| it.bytes).map_err(|it| it.unreached(host))
}

pub(super) fn unread(incomplete: Incomplete) -> Unreached {
    let why = match incomplete {
        Incomplete::NeverOpened => crate::fleet::Why::NoShell,
        Incomplete::CutShort => crate::fleet::Why::CutShort,
    };
    Unreached { why, text: SafeText::new(&incomplete.to_string()), hint: None }
}

pub(super) fn nonce() -> Nonce {
    Nonce::new(Uuid::new_v4().into_bytes())
}

/// How soon a job is looked at again at first, and at the most.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(2);

/// The same while the host cannot be reached.
const RETRY_SHORTEST: Duration = Duration::from_millis(500);
const RETRY_LONGEST: Duration = Duration::from_secs(15);

/// How long a job may take to begin before it is ruled that it never will.
const BEGIN_PATIENCE: Duration = Duration::from_secs(20);

/// How long a host may be out of sight before its job is left to a later reconciliation.
const CONTACT_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How much output is kept: more than a job keeps.
const MAX_OUTPUT: usize = 2 * 1024 * 1024;
