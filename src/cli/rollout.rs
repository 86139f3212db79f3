//! Roll-outs that were begun before: taken up, told of, and what goes wrong with that.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::request::{Name, Request};
use super::session::{self, refused};
use super::survey::note;
use super::{Context, Exit, Failure};
use crate::action::Confirmed;
use crate::audit::read::Record;
use crate::fleet::{Moment, human};
use crate::perform::{self, Run, Tools};
use crate::rollout::{Became, Rollout, Tally, Target};
use crate::store::{Held, Kept, Rollouts, Trouble};
use crate::text::SafeText;

/// How a roll-out is gone on with.
#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    /// Go on with a roll-out that was left or has failed: its identity, or the beginning or end of
    /// it; what is done stays done
    #[arg(id = "resume", long = "resume", value_name = "ID", conflicts_with_all = ["failed_of", "unattended"])]
    pub(super) id: Option<String>,

    /// With --resume: try what failed again, too
    // Also told apart: clap asks for nothing that what is given rules out.
    #[arg(long, requires = "resume", conflicts_with_all = ["failed_of", "unattended"])]
    pub(super) retry_failed: bool,

    /// With --resume: take the roll-out over from somebody who is still at it
    #[arg(long, requires = "resume", conflicts_with_all = ["failed_of", "unattended"])]
    pub(super) take_over: bool,
}

/// A roll-out that this process goes on with.
#[derive(Debug)]
pub(super) struct Taken {
    rollout: Rollout,
    held: Held<Rollout>,
    /// What is to be done now.
    left: Vec<Name>,
}

impl Taken {
    /// Takes it up, unless somebody is at it or it is closed.
    pub(super) fn up(id: &str, is_over: bool, context: &Context) -> Result<Self, Failure> {
        let rollouts = Rollouts::new(&context.paths.state);
        let id = rollouts.find(id).map_err(not_taken)?;
        let (who, now) = (context.session("run").who(), context.clock.now());
        let (kept, held) = rollouts.take(id, &who, now, is_over).map_err(not_taken)?;
        let rollout = kept.run;
        if let Some(ended) = rollout.ended.filter(|_| rollout.tally().remain() > 0) {
            let text = format!("the roll-out was closed at {ended}: {}", rollout.tally());
            return Err(Failure::say(Exit::BadRequest, text).with_hint(format!(
                "`certdeck jobs show {id}` lists its targets; begin another run"
            )));
        }
        Ok(Self { rollout, held, left: Vec::new() })
    }

    /// What is done in it.
    pub(super) fn request(&self) -> Result<Request, Failure> {
        let Some((kind, chosen)) = self.rollout.request() else {
            let action = SafeText::new(&self.rollout.action);
            let text = format!("this version of certdeck knows no action `{action}`");
            return Err(Failure::say(Exit::BadRequest, text)
                .with_hint("go on with the version that began it"));
        };
        Ok(Request { kind, chosen, targets: Vec::new() })
    }

    /// Every target that is not done.
    pub(super) fn names(&self) -> Vec<Name> {
        let is_open = |became| !matches!(became, Became::Done | Became::Skipped);
        let open = self.rollout.targets.iter().filter(|it| is_open(it.became));
        open.map(|it| (it.host.clone(), it.lineage.clone())).collect()
    }

    /// What was said when it was begun.
    pub(super) fn reason(&self) -> Option<String> {
        self.rollout.reason.clone()
    }

    /// Takes from the audit log how far it is, and tells what is to be done now.
    pub(super) fn left(&mut self, tools: &Tools, with_failed: bool) -> Result<Vec<Name>, Failure> {
        let records = {
            let log = tools.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            log.records().map_err(refused)?
        };
        let now = tools.clock.now();
        let learn = |it: &mut Rollout| {
            perform::learn(it, &records);
            // Whoever goes on with it does not want it to wait.
            it.paused = None;
            it.ended = (it.tally().remain() == 0).then_some(now);
        };
        self.rollout = self.held.change(learn).map_err(not_taken)?;
        let left = self.rollout.left(with_failed);
        self.left = left.map(|it| (it.host.clone(), it.lineage.clone())).collect();
        Ok(self.left.clone())
    }

    /// How far it is, in a line.
    pub(super) fn line(&self) -> String {
        let it = &self.rollout;
        let action = SafeText::new(&it.action);
        format!("roll-out of {action}, begun at {} by {}: {}\n", it.opened, it.by, it.tally())
    }

    /// Nothing is to be done now: says why, and how the program ends.
    pub(super) fn put_back(self) -> Exit {
        let tally = self.rollout.tally();
        let (exit, text) = if tally.remain() == 0 {
            (Exit::Done, "nothing remains to be done".to_owned())
        } else if tally.running > 0 {
            let text = "what was begun has no end yet: `certdeck jobs list` shows what runs where";
            (Exit::Unknown, text.to_owned())
        } else {
            let resume = self.rollout.resume();
            (Exit::Failed, format!("nothing waits; `{resume}` tries again what failed"))
        };
        note(&format!("{text}\n"));
        exit
    }

    /// Does what was confirmed of it, and tells how far the rest of it is. What was to be done and
    /// was refused is left out for good.
    pub(super) fn go_on(
        self,
        tools: &Tools,
        confirmed: Confirmed,
    ) -> Result<(Run, Tally), Failure> {
        let Self { held, left, .. } = self;
        let plans = confirmed.plans();
        let is_planned = |it: &Target| {
            plans.iter().any(|plan| it.is(&plan.host, plan.place.as_ref().map(SafeText::as_str)))
        };
        let is_left =
            |it: &Target| left.iter().any(|(host, lineage)| it.is(host, lineage.as_deref()));
        let skip = |rollout: &mut Rollout| {
            for it in rollout.targets.iter_mut().filter(|it| is_left(it) && !is_planned(it)) {
                it.became = Became::Skipped;
            }
        };
        let rollout = held.change(skip).map_err(not_taken)?;
        let mut beside = Tally::default();
        let others = rollout.targets.iter().filter(|it| !is_planned(it));
        others.for_each(|it| beside.count(it.became));
        Ok((Run::resume(tools.clone(), confirmed, held), beside))
    }
}

/// What remains after somebody was at it, in a line, and how to go on.
pub(super) fn summary(rollout: &Rollout) -> String {
    let (tally, resume) = (rollout.tally(), rollout.resume());
    let hint = match tally {
        it if it.remain() == 0 => String::new(),
        it if it.waiting > 0 && it.failed + it.unknown > 0 => {
            format!("; `{resume}` goes on, with --retry-failed also with what failed")
        }
        _ => format!("; `{resume}` goes on"),
    };
    format!("{tally}{hint}\n")
}

/// Those that are not over, as the audit log has them.
pub(super) fn open(rollouts: &Rollouts, records: &[Record]) -> Vec<Kept<Rollout>> {
    let mut all = rollouts.all();
    all.retain_mut(|it| {
        let is_open = it.run.ended.is_none();
        if is_open {
            perform::learn(&mut it.run, records);
        }
        is_open && !it.run.is_over()
    });
    all
}

/// A roll-out in a few lines: how far it is, who is at it, how to go on.
pub(super) fn lines(kept: &Kept<Rollout>, now: Moment) -> String {
    let it = &kept.run;
    let (action, age) = (SafeText::new(&it.action), human(now.since(it.opened).max(0)));
    let (wave, waves) = it.wave();
    let mut text = format!("roll-out of {action}, begun {age} ago by {}: {}", it.by, it.tally());
    let _ = write!(text, "; wave {wave} of {waves}\n  {}\n", standing(kept));
    text
}

/// Who is at it, or how somebody gets to be.
fn standing(kept: &Kept<Rollout>) -> String {
    let (it, id) = (&kept.run, kept.run.id);
    match (&kept.holder, &it.paused) {
        (Some(holder), Some(by)) if holder.is_there => {
            format!("{} wants it to wait, since {}; `certdeck jobs resume {id}`", by.who, by.since)
        }
        (Some(holder), None) if holder.is_there => {
            format!("{} is at it, since {}; `certdeck jobs pause {id}`", holder.who, holder.since)
        }
        _ if it.is_over() => format!("nobody is at it; {id}"),
        _ => format!("nobody is at it; `{}`", it.resume()),
    }
}

/// A roll-out for programs. Keys are added, never renamed.
pub(super) fn value(it: &Rollout) -> Value {
    let tally = it.tally();
    let (wave, waves) = it.wave();
    json!({
        "id": it.id.to_string(),
        "action": it.action,
        "opened": it.opened.to_string(),
        "by": it.by.as_str(),
        "paused-by": it.paused.as_ref().map(|it| it.who.as_str()),
        "ended": it.ended.map(|it| it.to_string()),
        "wave": wave,
        "waves": waves,
        "done": tally.done,
        "failed": tally.failed,
        "unknown": tally.unknown,
        "running": tally.running,
        "waiting": tally.waiting,
        "skipped": tally.skipped,
        "targets": it.targets.iter().map(|it| json!({
            "host": it.host.as_str(),
            "lineage": it.lineage,
            "wave": it.wave,
            "became": it.became.word(),
            "op": it.op.map(|it| it.to_string()),
        })).collect::<Vec<_>>(),
    })
}

/// Why a roll-out is not taken up, and what to do instead.
pub(super) fn not_taken(trouble: Trouble) -> Failure {
    let hint = match &trouble {
        Trouble::Busy(_) => Some(
            "`certdeck jobs pause ID` makes it wait; where nobody can get at them any more, \
             --take-over: they begin nothing more from there",
        ),
        Trouble::TakenOver(_) => Some("nothing more is begun from here; `certdeck jobs` lists it"),
        Trouble::Left | Trouble::Unknown { .. } | Trouble::Ambiguous { .. } => {
            Some("`certdeck jobs` lists the roll-outs that are not finished")
        }
        Trouble::Damaged { .. } => Some(
            "what was done is in the audit log: `certdeck run ACTION --failed-of ID` takes up what \
             has failed or was left",
        ),
        Trouble::File { .. } => None,
    };
    session::not_taken(trouble, hint)
}
