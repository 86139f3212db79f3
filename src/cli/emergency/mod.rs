//! `certdeck emergency`: the guided emergency renewal.

mod lines;
mod list;
mod plain;
mod words;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use uuid::Uuid;

use super::session::{self, open_log};
use super::survey::{self, Signals};
use super::{Context, Exit, Failure, Options, console, open, plan, runtime};
#[cfg(feature = "practice")]
use crate::drill::Drill;
use crate::fleet::Moment;
use crate::guide::{Run, Scene};
use crate::inventory::Inventory;
use crate::perform::Tools;
use crate::store::{Held, Runs, Trouble};
use crate::text::SafeText;

/// From "the site is down" to proof on every node, step by step
///
/// Says whether it is the certificate at all, which cause, and how wide; offers what mends it, the
/// cheapest first; orders a new one only if nothing else helps, at one place first; and proves it
/// on the wire. Each step says why, what exactly it runs, what to expect, and how it is undone.
/// Nothing is changed that was not reviewed and confirmed.
///
/// Every answer is kept at once: after a dropped line anybody on this machine goes on with
/// --resume, and nothing is done twice.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What is down: a domain name, a lineage, HOST/LINEAGE, or a filter as for `scan`
    #[arg(value_name = "NAME", required_unless_present_any = ["resume", "list"])]
    name: Option<String>,

    /// Ask and tell line by line, with no cursor movement: for serial consoles, screen readers and
    /// dumb terminals
    #[arg(long)]
    plain: bool,

    /// Go on with a run: its identity, or the beginning or end of it
    #[arg(long, value_name = "ID", conflicts_with = "name")]
    resume: Option<String>,

    /// With --resume: take the run over from somebody who is still at it
    #[arg(long, requires = "resume")]
    take_over: bool,

    /// List the runs that are open
    #[arg(long, conflicts_with_all = ["name", "resume"])]
    list: bool,
}

const EXAMPLES: &str = "\
Examples:
  certdeck emergency www.example.net           what is wrong with it, and what mends it
  certdeck emergency web-01/shop --plain       one place, with plain prompts
  certdeck emergency --list                    the runs that are open, and who is at them
  certdeck emergency --resume 4f1c09           go on with one

Before an order the checks of `certdeck preflight` are run; what fails blocks it. There y takes
another way, if there is one, and skip orders all the same.

Answers to plain prompts: y does what the step says, n looks again, skip leaves it out for a reason
that is recorded, back shows the step before, quit leaves the run open, ? explains. The end of the
input is quit.

Exit codes: 0 done and proven, 1 a step failed or the run was left open, 2 the request was wrong,
3 it could not be told, 74 the audit log refused.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.list {
        return list::run(context);
    }
    if !args.plain && console::check_terminal(context).is_ok() {
        return on_console(args, context);
    }
    let inventory = Arc::new(open::inventory(context)?);
    let log = open_log(context)?;
    session::attend("emergency", context, (inventory, log), async |tools| {
        walk(args, context, tools).await
    })
}

/// The same in the console.
fn on_console(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let inventory = open::inventory(context)?;
    let (runs, who) = (Runs::new(&context.paths.state), context.session("emergency").who());
    let now = context.clock.now();
    let guide = if let Some(id) = &args.resume {
        let (run, held) = take_up(&runs, id, args.take_over, (&who, now))?;
        still_open(&run)?;
        (run, Some(held))
    } else {
        (Run::new(Uuid::now_v7(), args.name.as_deref().unwrap_or_default(), &who, now), None)
    };
    let options = Options::default();
    let with = console::With { guide: Some(guide), ..console::With::default() };
    let left = runtime()?.block_on(console::open_console(&options, context, inventory, with))?;
    Ok(Exit::Code(left.ending.code()))
}

/// A drill with plain prompts: the guided run that it is about.
#[cfg(feature = "practice")]
pub(super) fn practise(context: &Context, drill: &mut Drill) -> Result<Exit, Failure> {
    let inventory = Arc::new(open::inventory(context)?);
    let log = open_log(context)?;
    session::attend("practice", context, (inventory, log), async |tools| {
        let signals = Signals::catch()?;
        let runs = Runs::new(&context.paths.state);
        let now = context.clock.now();
        let run = Run::new(Uuid::now_v7(), drill.task.about, &tools.who, now);
        let fleet = plan::recalled(&tools.inventory, context);
        let lines = lines::Lines::read(signals, io::stdin().is_terminal());
        let guide = plain::Guide::new(context, tools, run, fleet, lines);
        guide.for_practice(drill).walk(&runs, None).await
    })
}

async fn walk(args: &Args, context: &Context, tools: Tools) -> Result<Exit, Failure> {
    let signals = Signals::catch()?;
    let runs = Runs::new(&context.paths.state);
    let (run, held) = if let Some(id) = &args.resume {
        let (run, held) = take_up(&runs, id, args.take_over, (&tools.who, context.clock.now()))?;
        (run, Some(held))
    } else {
        let name = args.name.as_deref().unwrap_or_default();
        (Run::new(Uuid::now_v7(), name, &tools.who, context.clock.now()), None)
    };
    still_open(&run)?;
    let fleet = plan::recalled(&tools.inventory, context);
    let is_terminal = io::stdin().is_terminal();
    plain::Guide::new(context, tools, run, fleet, lines::Lines::read(signals, is_terminal))
        .walk(&runs, held)
        .await
}

/// Refuses a run that is closed.
fn still_open(run: &Run) -> Result<(), Failure> {
    if run.ended.is_none() {
        return Ok(());
    }
    let text = format!("the run about {} is closed", SafeText::new(&run.about));
    Err(Failure::say(Exit::BadRequest, text)
        .with_hint(format!("`certdeck audit list --op {}` shows what was done", run.id)))
}

/// Takes up a run that was begun before.
fn take_up(
    runs: &Runs,
    id: &str,
    is_over: bool,
    (who, now): (&str, Moment),
) -> Result<(Run, Held<Run>), Failure> {
    let id = runs.find(id).map_err(not_taken)?;
    let taken = runs.take(id, who, now, is_over);
    let (kept, held) = taken.map_err(not_taken)?;
    Ok((kept.run, held))
}

/// Why a run is not taken up, and what to do instead.
fn not_taken(trouble: Trouble) -> Failure {
    let hint = match &trouble {
        Trouble::Busy(_) => {
            Some("agree with them, then add --take-over: they can do nothing more from there")
        }
        Trouble::TakenOver(_) => {
            Some("nothing more is done from here; `certdeck emergency --list` shows who is at it")
        }
        Trouble::Left | Trouble::Unknown { .. } | Trouble::Ambiguous { .. } => {
            Some("`certdeck emergency --list` shows the runs that are open")
        }
        Trouble::Damaged { .. } => Some(
            "what was done is in the audit log; begin another run: what is mended already is not done again",
        ),
        Trouble::File { .. } => None,
    };
    session::not_taken(trouble, hint)
}

/// Nothing that is known bears the name, and nothing is kept by it as a filter.
fn nothing(run: &Run, inventory: &Inventory, context: &Context) -> Failure {
    if let Err(complaint) = survey::filter(std::slice::from_ref(&run.about), context) {
        return complaint;
    }
    let hosts = inventory.hosts.len();
    survey::nothing(&run.about, inventory).with_hint(format!(
        "{hosts} hosts were asked: no certificate, no server and no [[host.endpoint]] has that name"
    ))
}

/// Whether it is known what the run is about.
fn is_known(scene: &Scene<'_>) -> bool {
    !scene.case().is_empty()
}
