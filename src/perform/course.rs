//! A roll-out while it goes on: what becomes of its targets is kept at once, so that whoever comes
//! after a kill knows what remains. The audit log has the truth of what was done; this has what
//! was still to be done.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::again::{chosen, ends};
use super::judge::NEVER_BEGAN;
use super::{Ending, Tools};
use crate::action::{Confirmed, Plan};
use crate::audit::read::Record;
use crate::fleet::DAY;
use crate::rollout::{Became, Paused, Rollout, Target, Wave};
use crate::store::{Held, Trouble};
use crate::text::SafeText;

/// What is kept of a run while it goes on; nothing of a run that is no roll-out.
#[derive(Debug, Clone)]
pub(super) struct Course {
    held: Option<Arc<Held<Rollout>>>,
    tools: Tools,
}

/// Whether the next wave may begin.
#[derive(Debug)]
pub(super) enum Go {
    /// It may.
    On,
    /// Somebody wants it to wait.
    Wait(Paused),
    /// What happens cannot be kept any more, and why.
    Stop(SafeText),
    /// Somebody else goes on with it.
    Over(SafeText),
}

impl Course {
    /// Writes down what is to be done, before anything is. A single plan is no roll-out; what
    /// timers and guides do is taken up by them.
    pub(super) async fn begin(
        tools: &Tools,
        run: Uuid,
        confirmed: &Confirmed,
        waves: &[Wave],
        held: Option<Held<Rollout>>,
    ) -> Result<Self, SafeText> {
        let plans = confirmed.plans().to_vec();
        let is_free = confirmed.is_standing() || confirmed.guide().is_some();
        if held.is_none() && (is_free || plans.len() < 2) {
            return Ok(Self { held: None, tools: tools.clone() });
        }
        let (now, who, waves) = (tools.clock.now(), tools.who.clone(), waves.to_vec());
        let (rollouts, reason) = (tools.rollouts.clone(), confirmed.reason().map(str::to_owned));
        let keep = move || {
            if let Some(held) = held {
                held.change(|it| {
                    it.arrange(&plans, &waves);
                    // Whoever goes on with it does not want it to wait.
                    (it.paused, it.ended) = (None, None);
                })?;
                return Ok(held);
            }
            // What has ended long ago stands in the audit log.
            rollouts.sweep(|it| it.is_over() && now.since(it.opened) > OLDEST);
            let mut rollout = Rollout::new(run, &plans, reason.as_deref(), &who, now);
            rollout.arrange(&plans, &waves);
            rollouts.begin(&rollout, &who, now)
        };
        let held = blocking(keep).await.map_err(|it| SafeText::of_error(&it))?;
        Ok(Self { held: Some(Arc::new(held)), tools: tools.clone() })
    }

    /// The identity of what is kept.
    pub(super) fn id(&self) -> Option<Uuid> {
        self.held.as_ref().map(|it| it.id())
    }

    /// Whether the next wave may begin.
    pub(super) async fn go(&self) -> Go {
        let Some(held) = self.held.clone() else { return Go::On };
        match blocking(move || held.look()).await {
            Ok(rollout) => rollout.paused.map_or(Go::On, Go::Wait),
            Err(it @ Trouble::TakenOver(_)) => Go::Over(SafeText::of_error(&it)),
            Err(it) => {
                Go::Stop(SafeText::new(&format!("it cannot be kept: {}", SafeText::of_error(&it))))
            }
        }
    }

    /// Why nothing more may begin from here, also of a wave that is under way: somebody else goes
    /// on with it.
    pub(super) async fn over(&self) -> Option<SafeText> {
        match self.go().await {
            Go::Over(why) => Some(why),
            Go::On | Go::Stop(_) | Go::Wait(_) => None,
        }
    }

    /// The intent of a plan is on record.
    pub(super) async fn began(&self, plan: &Plan, op: Uuid) {
        self.note(plan, Became::Running, Some(op)).await;
    }

    /// A plan has ended.
    pub(super) async fn ended(&self, plan: &Plan, ending: Ending, op: Option<Uuid>) {
        // What is not on record is as the log has it, which has no end of it.
        if ending != Ending::NotAudited {
            self.note(plan, ending.became(), op).await;
        }
    }

    /// Nothing more will be done now.
    pub(super) async fn close(&self) {
        let now = self.tools.clock.now();
        self.change(move |it| it.ended = (it.tally().remain() == 0).then_some(now)).await;
    }

    async fn note(&self, plan: &Plan, became: Became, op: Option<Uuid>) {
        let plan = plan.clone();
        let note = move |it: &mut Rollout| {
            if let Some(target) = it.target_of(&plan) {
                (target.became, target.op) = (became, op.or(target.op));
            }
        };
        self.change(note).await;
    }

    async fn change(&self, change: impl FnOnce(&mut Rollout) + Send + 'static) {
        let Some(held) = self.held.clone() else { return };
        // What cannot be kept keeps the next wave from beginning, and the log has it.
        blocking(move || held.change(change)).await.ok();
    }
}

/// Takes from the audit log what became of the targets of a roll-out. Where the log has something
/// to say it is right: also of what was done to a target since by another run of the same.
///
/// Reconcile first, so that what was running when a program died has an end.
pub fn learn(rollout: &mut Rollout, records: &[Record]) {
    let (ends, id) = (ends(records), rollout.id.to_string());
    let wanted = rollout.request();
    let key = |it: &Target| (it.host.to_string(), it.lineage.clone());
    let mut at = HashMap::new();
    for (place, it) in rollout.targets.iter().enumerate() {
        at.entry(key(it)).or_insert(place);
    }
    let mut seen: Vec<Option<(Became, Uuid)>> = vec![None; rollout.targets.len()];
    for it in records.iter().filter(|it| it.kind == "intent") {
        if it.text("action") != Some(&rollout.action) {
            continue;
        }
        let is_own = it.text("run") == Some(&id);
        let is_same = || {
            it.at >= rollout.opened && wanted.as_ref().is_some_and(|wanted| chosen(it) == wanted.1)
        };
        let became = became(ends.get(&it.op).copied());
        // Others may do the same meanwhile; that they failed says nothing about this one.
        if !is_own && (became != Became::Done || !is_same()) {
            continue;
        }
        let Some(host) = it.text("host") else { continue };
        let key = (host.to_owned(), it.text("lineage").map(str::to_owned));
        let Some(known) = at.get(&key).and_then(|at| seen.get_mut(*at)) else { continue };
        if !matches!(known, Some((Became::Done, _))) {
            *known = Some((became, it.op));
        }
    }
    for (target, seen) in rollout.targets.iter_mut().zip(seen) {
        match (seen, target.became) {
            // It was left out on purpose after it had failed.
            (Some((Became::Waiting | Became::Failed | Became::Unknown, _)), Became::Skipped) => {}
            (Some((became, op)), _) => (target.became, target.op) = (became, Some(op)),
            // Its intent was on record before this was written: the log has been lost.
            (None, Became::Running) => target.became = Became::Unknown,
            (None, _) => {}
        }
    }
}

/// What became of an action, by its end.
fn became(end: Option<&Record>) -> Became {
    let Some(end) = end else { return Became::Running };
    // Whoever was to tell its host to begin was killed before.
    let is_void = end.kind == "reconcile" && end.text("cause") == Some(NEVER_BEGAN);
    if is_void || end.body.get(BEGUN) == Some(&false.into()) {
        return Became::Waiting;
    }
    Ending::named(end.text("ending").unwrap_or_default()).became()
}

impl Ending {
    /// What has become of a target of a roll-out that ended so.
    pub const fn became(self) -> Became {
        match self {
            Self::Ok => Became::Done,
            Self::Failed | Self::Refused | Self::Cancelled => Became::Failed,
            Self::Unknown | Self::NotAudited => Became::Unknown,
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Trouble> {
    let broken = |it: tokio::task::JoinError| Trouble::File {
        path: "rollouts".into(),
        source: std::io::Error::other(it.to_string()),
    };
    spawn_blocking(work).await.unwrap_or_else(|it| Err(broken(it)))
}

/// In the outcome of a plan that was left to the next run: that it was not begun.
pub(super) const BEGUN: &str = "begun";

/// Roll-outs that have ended are kept for so many seconds.
const OLDEST: i64 = 30 * DAY;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fleet::{HostName, Moment};

    const NOW: Moment = Moment::from_unix(1_795_403_564);
    const ID: Uuid = Uuid::from_u128(7);

    /// A roll-out of forced renewals of `www` at these hosts, as its file has them.
    fn rollout(targets: &[(&str, Became)]) -> Rollout {
        let target = |(host, became): &(&str, Became)| Target {
            host: HostName::new(host),
            lineage: Some("www".to_owned()),
            wave: 1,
            became: *became,
            op: None,
        };
        Rollout {
            action: "force-renew".to_owned(),
            targets: targets.iter().map(target).collect(),
            ..Rollout::new(ID, &[], None, "ada@bastion", NOW)
        }
    }

    fn record(op: u128, at: Moment, kind: &str, body: Value) -> Record {
        let Value::Object(body) = body else { panic!() };
        let (op, kind) = (Uuid::from_u128(op), kind.to_owned());
        Record { seq: 1, at, op, kind, body, line: String::new() }
    }

    fn intent(op: u128, run: Uuid, host: &str, after: i64) -> Record {
        let body = json!({"run": run.to_string(), "action": "force-renew", "host": host,
            "lineage": "www"});
        record(op, NOW.plus(after), "intent", body)
    }

    fn end(op: u128, kind: &str, ending: &str) -> Record {
        record(op, NOW, kind, json!({ "ending": ending }))
    }

    #[track_caller]
    fn check(kept: Became, records: &[Record], expect: Became) {
        let mut it = rollout(&[("a", kept)]);
        learn(&mut it, records);
        assert_eq!(it.targets[0].became, expect, "{kept:?}");
    }

    #[test]
    fn the_audit_log_is_right() {
        use Became::{Done, Failed, Running, Skipped, Unknown, Waiting};
        let other = Uuid::from_u128(8);
        let own = |ending: &str| [intent(1, ID, "a", 1), end(1, "outcome", ending)];
        let theirs = |ending, after| [intent(1, other, "a", after), end(1, "outcome", ending)];
        // It was killed before it wrote anything, or after the log had it.
        check(Waiting, &[], Waiting);
        check(Waiting, &[intent(1, ID, "a", 1)], Running);
        check(Waiting, &own("ok"), Done);
        check(Running, &own("ok"), Done);
        check(Running, &[intent(1, ID, "a", 1), end(1, "reconcile", "ok")], Done);
        for ending in ["failed", "refused", "cancelled"] {
            check(Running, &own(ending), Failed);
        }
        check(Running, &own("unknown"), Unknown);
        check(Running, &[], Unknown);
        check(Done, &own("failed"), Failed);
        check(Skipped, &own("failed"), Skipped);
        // Left to the next wave that never came.
        let left = json!({"ending": "cancelled", "begun": false});
        check(Waiting, &[intent(1, ID, "a", 1), record(1, NOW, "outcome", left)], Waiting);
        let void = json!({"ending": "refused", "cause": "never-began"});
        check(Running, &[intent(1, ID, "a", 1), record(1, NOW, "reconcile", void)], Waiting);
        // Somebody else did the same since; before, or in vain, says nothing.
        check(Failed, &theirs("ok", 60), Done);
        check(Waiting, &theirs("ok", 60), Done);
        check(Waiting, &theirs("ok", -60), Waiting);
        check(Waiting, &theirs("failed", 60), Waiting);
        // Of several tries the last counts, but what is done stays done.
        let again = [intent(2, ID, "a", 9), end(2, "outcome", "failed")];
        check(Waiting, &[own("failed"), again.clone()].concat(), Failed);
        check(Waiting, &[own("ok"), again].concat(), Done);
    }

    #[test]
    fn another_choice_is_another_thing() {
        let mut theirs = intent(1, Uuid::from_u128(8), "a", 60);
        theirs.body.insert("action".to_owned(), "rollback".into());
        theirs.body.insert("chosen".to_owned(), json!({"to": "2"}));
        let records = [theirs, end(1, "outcome", "ok")];
        for (to, expect) in [("3", Became::Waiting), ("2", Became::Done)] {
            let mut it = rollout(&[("a", Became::Waiting)]);
            it.action = "rollback".to_owned();
            it.chosen = vec![("to".to_owned(), to.to_owned())];
            learn(&mut it, &records);
            assert_eq!(it.targets[0].became, expect, "{to}");
        }
    }
}
