//! `certdeck jobs pause`, `resume`, `close`, and `show` of a roll-out.

use std::io::{self, Write};

use super::note;
use crate::audit::read::records;
use crate::cli::rollout::{lines, not_taken};
use crate::cli::{Context, Exit, Failure, print};
use crate::perform;
use crate::rollout::{Paused, Rollout};
use crate::store::{Kept, Rollouts};
use crate::text::SafeText;

/// Lets nothing more of a roll-out begin, wherever somebody is at it.
pub(super) fn pause(id: &str, context: &Context) -> Result<Exit, Failure> {
    let (rollouts, kept) = find(id, context)?;
    if !kept.holder.as_ref().is_some_and(|it| it.is_there) {
        return Err(nobody(&kept.run, "nothing of it begins now"));
    }
    let who = SafeText::new(&context.session("jobs").who());
    let paused = Paused { who, since: context.clock.now() };
    let kept = rollouts.change(kept.run.id, |it| it.paused = Some(paused)).map_err(not_taken)?;
    let (tally, id) = (kept.run.tally(), kept.run.id);
    print(|out| writeln!(out, "what runs ends, and nothing more begins: {tally}"))?;
    note(&format!("hint: `certdeck jobs resume {id}` lets it go on\n"));
    Ok(Exit::Done)
}

/// Lets a roll-out go on where somebody is at it.
pub(super) fn resume(id: &str, context: &Context) -> Result<Exit, Failure> {
    let (rollouts, kept) = find(id, context)?;
    if !kept.holder.as_ref().is_some_and(|it| it.is_there) {
        return Err(nobody(&kept.run, "nobody is there to go on with it"));
    }
    if kept.run.paused.is_none() {
        return Err(Failure::say(Exit::BadRequest, "it does not wait: somebody is at it"));
    }
    let kept = rollouts.change(kept.run.id, |it| it.paused = None).map_err(not_taken)?;
    print(|out| writeln!(out, "it goes on: {}", kept.run.tally()))?;
    Ok(Exit::Done)
}

/// Lists a roll-out no more among those that are not finished.
pub(super) fn close(id: &str, context: &Context) -> Result<Exit, Failure> {
    let (rollouts, kept) = find(id, context)?;
    if let Some(ended) = kept.run.ended {
        let tally = kept.run.tally();
        print(|out| writeln!(out, "it is over since {ended}: {tally}"))?;
        return Ok(Exit::Done);
    }
    let now = context.clock.now();
    let who = context.session("jobs").who();
    let (_, held) = rollouts.take(kept.run.id, &who, now, false).map_err(not_taken)?;
    let closing = |it: &mut Rollout| {
        it.targets.clone_from(&kept.run.targets);
        it.ended = Some(now);
    };
    let closed = held.change(closing).map_err(not_taken)?;
    print(|out| writeln!(out, "closed: {}", closed.tally()))?;
    Ok(Exit::Done)
}

/// Shows the roll-out of that identity; `false` if there is none.
pub(super) fn show(id: &str, context: &Context) -> Result<bool, Failure> {
    let Ok((_, kept)) = find(id, context) else { return Ok(false) };
    print(|out| {
        out.write_all(lines(&kept, context.clock.now()).as_bytes())?;
        targets(&kept.run, out)
    })?;
    Ok(true)
}

fn targets(rollout: &Rollout, out: &mut dyn Write) -> io::Result<()> {
    let mut all: Vec<_> = rollout.targets.iter().collect();
    all.sort_by_key(|it| it.wave);
    let mut wave = 0;
    for it in all {
        if it.wave != wave {
            wave = it.wave;
            writeln!(out, "wave {wave}{}", if wave == 1 { ", the canary" } else { "" })?;
        }
        let op = it.op.map(|it| format!("  [{it}]")).unwrap_or_default();
        writeln!(out, "  {:<8} {}{op}", it.became.word(), it.name())?;
    }
    Ok(())
}

/// A roll-out as the audit log has it.
fn find(id: &str, context: &Context) -> Result<(Rollouts, Kept<Rollout>), Failure> {
    let rollouts = Rollouts::new(&context.paths.state);
    let id = rollouts.find(id).map_err(not_taken)?;
    let mut kept = rollouts.get(id).map_err(not_taken)?;
    // A log that cannot be read leaves what was kept.
    perform::learn(&mut kept.run, &records(&context.paths.state).unwrap_or_default());
    Ok((rollouts, kept))
}

fn nobody(rollout: &Rollout, what: &str) -> Failure {
    let failure = Failure::say(Exit::BadRequest, format!("nobody is at it, {what}"));
    if rollout.is_over() {
        return failure.with_hint(format!("it is over: {}", rollout.tally()));
    }
    failure.with_hint(format!("`{}` goes on with it: {}", rollout.resume(), rollout.tally()))
}
