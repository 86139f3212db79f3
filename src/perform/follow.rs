//! A job on its host, from its start to its end, over connections that may break.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::audit::Permit;
use crate::clock::Clock;
use crate::fleet::Unreached;
use crate::inventory::Host;
use crate::job::{self, Look, State, Status};
use crate::remote::{Limits, Sessions};
use crate::source::{Incomplete, Nonce};
use crate::text::SafeText;
use uuid::Uuid;
use zeroize::Zeroizing;

/// How a look at a job went wrong.
#[derive(Debug)]
pub(super) enum Lost {
    /// The host cannot be reached, or what it says cannot be read.
    Unreached(Unreached),
    /// The host was told to begin it as long as there was patience for it, and did not.
    NotBegun,
    /// It was there, and is not any more: somebody has removed its folder.
    Vanished,
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

/// Where following a job begins.
#[derive(Debug)]
pub(super) enum From<'a> {
    /// At its start. The intent is on record: that is what the permit says.
    Start(&'a job::Request, &'a Permit),
    /// At what was seen of it.
    Seen(Box<Look>),
}

/// Follows a job until it has ended.
///
/// As long as nobody has seen it begin, the same start is sent: the host begins it once, however
/// often it is told to, so an answer that was lost on the way is no reason to give it up. Whether
/// what never was seen to begin never will is for the reconciliation to rule.
pub(super) async fn follow(
    sessions: &Sessions,
    host: &Host,
    op: Uuid,
    from: From<'_>,
    clock: Clock,
    mut tell: impl FnMut(Result<&Look, &Unreached>),
) -> Result<(Status, Vec<u8>), Lost> {
    let mut output = Vec::new();
    let mut pause = SHORTEST;
    let mut seen_at = Instant::now();
    let begin = clock.now();
    let (request, mut next) = match from {
        From::Start(request, permit) => {
            debug_assert_eq!(op, permit.op());
            (Some(request), None)
        }
        From::Seen(look) => (None, Some(*look)),
    };
    let mut has_begun = false;
    loop {
        let nonce = nonce();
        let look = match (next.take(), request) {
            (Some(look), _) => Ok(look),
            (None, Some(request)) if !has_begun => {
                // By the clock on the wall: a machine that has slept for a month must not start
                // what somebody has cleaned away meanwhile.
                if clock.now().since(begin) > START_PATIENCE {
                    return Err(Lost::NotBegun);
                }
                // It may hold a key.
                let text = Zeroizing::new(job::start(request, &nonce));
                ask(sessions, host, &text, &nonce).await
            }
            _ => look(sessions, host, op, output.len() as u64).await,
        };
        match look {
            Ok(look) => {
                tell(Ok(&look));
                seen_at = Instant::now();
                let was_begun = has_begun;
                has_begun |= is_begun(&look.status.state);
                let is_more = take_in(&mut output, &look);
                match look.status.state {
                    State::Absent if was_begun => return Err(Lost::Vanished),
                    State::Running if is_more || !was_begun => pause = Duration::ZERO,
                    State::Running => pause = (pause * 3 / 2).clamp(SHORTEST, LONGEST),
                    State::Absent | State::Starting => pause = (pause * 3 / 2).min(LONGEST),
                    // The answer to a start tells no output.
                    _ if is_more || !was_begun && look.status.printed > 0 => pause = Duration::ZERO,
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

/// For how many seconds a host is told to begin a job. Less than the age at which folders may be
/// cleaned away.
const START_PATIENCE: i64 = 15 * 60;

/// How long a host may be out of sight before its job is left to a later reconciliation.
const CONTACT_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How much output is kept: more than a job keeps.
const MAX_OUTPUT: usize = 2 * 1024 * 1024;
