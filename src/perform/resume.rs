//! Orders that somebody began and did not end: taken up where they were, by the same action, so
//! that one certificate comes of it at the most.

use serde_json::json;
use uuid::Uuid;

use super::case::Case;
use super::conclude;
use super::errand::{self, Errand};
use super::follow::{self, From, Lost};
use super::kept::KeptPlan;
use super::obtain::{NotObtained, obtain};
use super::record::{self, with_log};
use super::solve::{Answers, Precheck};
use super::{Ending, Report, Tools, csr, jobs, owner};
use crate::acme::order::{self, Kept, Passing};
use crate::action::DRY_RUN;
use crate::audit::read::Record;
use crate::audit::{self, Permit};
use crate::fleet::DAY;
use crate::inventory::Host;
use crate::job::{State, Status};
use crate::text::SafeText;

/// Goes on with the order of an action that has no outcome, up to its job on the host; the end of
/// that job is then judged as that of every other one. `None` where there is no order to go on
/// with, or its job has begun.
///
/// # Errors
/// In words, where it cannot be settled now.
pub(super) async fn take_up(
    tools: &Tools,
    told: &Host,
    intent: &Record,
    case: &Case,
) -> Result<Option<Report>, String> {
    let read = |is_rehearsal| Kept::read(&tools.office, intent.op, is_rehearsal);
    if case.action == DRY_RUN
        && let Some(kept) = read(true).map_err(|it| it.to_string())?
    {
        return cut_off(tools, intent, case, kept).await.map(Some);
    }
    let Some(kept) = read(false).map_err(|it| it.to_string())? else { return Ok(None) };
    let look = follow::look(&tools.sessions, told, intent.op, 0).await;
    let look =
        look.map_err(|it| format!("{} cannot be asked about its order: {}", told.name, it.text))?;
    if !matches!(look.status.state, State::Absent) {
        return Ok(None);
    }
    let plan = KeptPlan::read(&kept.job);
    let Some((plan, order)) = plan.and_then(|it| {
        let order = it.order()?;
        Some((it, order))
    }) else {
        return Ok(None);
    };
    let op = intent.op;
    let permit = permit(tools, op, "the order is taken up", &kept).await?;
    let is_old = tools.clock.now().since(intent.at) > OLDEST;
    if is_old {
        let mut left = kept;
        let not = super::obtain::give_up(tools, told, &order, &mut left, &permit).await;
        return Ok(Some(not_obtained(case, not)));
    }
    let obtained = obtain(tools, told, &order, &plan, &permit, &mut |_| ()).await;
    let chain = match obtained {
        Ok(chain) => chain,
        Err(not) => return Ok(Some(not_obtained(case, not))),
    };
    let Some(request) = plan.request(&permit) else { return Ok(None) };
    let request = crate::job::Request { input: Some(chain), ..request };
    let from = From::Start(&request, &permit);
    let followed = follow::follow(&tools.sessions, told, op, from, tools.clock, |_| ()).await;
    match followed {
        Ok(_) | Err(Lost::Vanished | Lost::NotBegun) => Ok(None),
        Err(Lost::Unreached(why)) => {
            Err(format!("{} was lost from sight while its job ran: {}", told.name, why.text))
        }
    }
}

/// Ends a rehearsal that somebody began and did not end: nothing would come of it but what was
/// known then. What answers challenges is taken away.
async fn cut_off(
    tools: &Tools,
    intent: &Record,
    case: &Case,
    mut kept: Kept,
) -> Result<Report, String> {
    let office = &*tools.office;
    let permit = permit(tools, intent.op, "what it left is taken away", &kept).await?;
    let mut answers = Answers::new(tools, &[], Precheck::No, &permit);
    let cleared = order::clear(office, &mut answers, &mut kept, &mut |_| ()).await;
    cleared.map_err(|it| it.to_string())?;
    let mut state = vec!["nothing was changed on the host"];
    if kept.placed.is_empty() {
        kept.forget(office).map_err(|it| it.to_string())?;
        Kept::release(office, intent.op);
    } else {
        state.push("what answered the CA is still in place: the next start tries again");
    }
    let summary = "it was cut off before the staging twin had answered";
    Ok(conclude::report(case, Ending::Cancelled, summary, &state, None))
}

/// The permit to go on with what somebody began.
async fn permit(tools: &Tools, op: Uuid, what: &str, kept: &Kept) -> Result<Permit, String> {
    let mut body = record::Body::new();
    body.insert("what".to_owned(), json!(what));
    body.insert("who".to_owned(), json!(tools.who));
    if let Some(url) = &kept.url {
        body.insert("order".to_owned(), json!(url));
    }
    owner::sign(&mut body);
    let permit = with_log(tools, move |log| log.take_up(op, &body)).await;
    permit.map_err(|it| format!("the audit log refused: {it}"))
}

/// Takes away what answered challenges of orders that have ended, where that could not be done
/// before: a host or a provider was away. Each is an action of its own in the log.
pub(super) async fn sweep(tools: &Tools) -> Result<(), audit::Error> {
    // This, too, may have been cut off the last time.
    with_log(tools, errand::settle).await?;
    let kept = Kept::all(&tools.office);
    if kept.is_empty() {
        return Ok(());
    }
    let open = with_log(tools, |log| log.open_intents()).await?;
    for (op, is_rehearsal) in kept {
        if open.iter().any(|it| it.op == op) {
            continue;
        }
        let Ok(Some(mut kept)) = Kept::read(&tools.office, op, is_rehearsal) else { continue };
        if kept.passing == Passing::Stopped && kept.placed.is_empty() {
            // Somebody may go on with it, for a while.
            if tools.clock.now().since(jobs::begun(op)) > OLDEST {
                kept.forget(&tools.office).ok();
            }
            continue;
        }
        let Ok(Some(_held)) = Kept::hold(&tools.office, op) else { continue };
        let mut body = record::Body::new();
        body.insert("action".to_owned(), json!("remove-challenges"));
        body.insert("who".to_owned(), json!(tools.who));
        body.insert("of".to_owned(), json!(op.to_string()));
        let errand = with_log(tools, move |log| Errand::begin(log, body)).await?;
        let mut answers = Answers::new(tools, &[], Precheck::No, errand.permit());
        // What cannot be written down is tried again the next time.
        order::clear(&tools.office, &mut answers, &mut kept, &mut |_| ()).await.ok();
        drop(answers);
        let is_clear = kept.placed.is_empty();
        let (ending, summary) = if is_clear {
            if kept.passing != Passing::Stopped {
                kept.forget(&tools.office).ok();
            }
            (Ending::Ok, "what had answered challenges is gone")
        } else {
            (Ending::Failed, "what had answered challenges is still there")
        };
        Kept::release(&tools.office, op);
        let summary = SafeText::new(summary);
        with_log(tools, move |log| errand.end(log, ending, &summary)).await?;
    }
    Ok(())
}

/// A report of an order of which no certificate came.
pub(super) fn not_obtained(case: &Case, not: NotObtained) -> Report {
    let mut state = vec!["nothing was changed on the host".to_owned()];
    state.extend(not.left);
    let state: Vec<&str> = state.iter().map(String::as_str).collect();
    conclude::report(case, not.ending, &not.summary, &state, Some(not.explanation))
}

/// Lets the host forget key and request of an order whose job did not come to its end, which takes
/// them away itself: nobody will ever use that copy of the key. The action has no outcome yet.
pub(super) async fn clear(tools: &Tools, told: &Host, op: Uuid, status: &Status) {
    if status.exit() == Some(0) {
        return;
    }
    let kept = Kept::read(&tools.office, op, false).ok().flatten();
    let Some(order) = kept.and_then(|it| KeptPlan::read(&it.job)?.order()) else { return };
    let mut body = record::Body::new();
    body.insert("what".to_owned(), json!("key and request of the order are removed"));
    body.insert("who".to_owned(), json!(tools.who));
    // A log that refuses now refuses the outcome as well, and that is told.
    if let Ok(permit) = with_log(tools, move |log| log.take_up(op, &body)).await {
        csr::forget(tools, told, &order.folder, &permit).await;
    }
}

/// Forgets the order of an action that has ended, unless something of it is still in place.
pub(super) fn forget(tools: &Tools, op: Uuid) {
    for is_rehearsal in [true, false] {
        if let Ok(Some(kept)) = Kept::read(&tools.office, op, is_rehearsal)
            && kept.placed.is_empty()
            && kept.passing != Passing::Stopped
        {
            // What is left of it is no secret, and is read by nobody.
            kept.forget(&tools.office).ok();
        }
    }
}

/// After so many seconds an order is not taken up any more: whoever wanted it has found another
/// way by then.
const OLDEST: i64 = DAY;
