//! `certdeck practice`: an emergency to practise.

mod results;

use anyhow::Context as _;
use uuid::Uuid;

use super::demo::{paths, write_exports};
use super::{Context, Exit, Failure, Options, console, emergency, open, print, runtime};
use crate::audit::read::records;
use crate::drill::{Drill, Score};
use crate::practice::{Practice, drill};
use crate::store::{Practised, Store};
use crate::text::SafeText;

/// An emergency to practise, on hosts that are not real
///
/// A small fleet of SSH servers inside this program, of which one is in trouble. A page says what
/// users say; the console and the guide are the same as in production. What is done is scored from
/// an audit log of its own: the cause before any change, proof on every node, no order too many, no
/// wrong move, few hints. Nothing of yours is read or changed; only the result is kept, so that a
/// team sees who practised what and when.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Which drill, as in --list; without, chance picks one and tells its name at the end
    #[arg(value_name = "DRILL", conflicts_with_all = ["list", "results"])]
    drill: Option<String>,

    /// What chance picks by: the same number is the same drill
    #[arg(long, value_name = "N", conflicts_with_all = ["drill", "list", "results"])]
    seed: Option<u64>,

    /// Ask and tell line by line, with no cursor movement; `hint` is an answer to every question
    #[arg(long, conflicts_with_all = ["list", "results"])]
    plain: bool,

    /// List the drills: their names tell what is wrong
    #[arg(long, conflicts_with = "results")]
    list: bool,

    /// Who practised what, when, and what it was worth
    #[arg(long)]
    results: bool,

    /// The format of the results: text or json
    #[arg(
        long,
        value_name = "FORMAT",
        requires = "results",
        default_value = "text",
        value_parser = ["text", "json"],
        hide_possible_values = true
    )]
    format: String,

    #[command(flatten)]
    console: Options,
}

const EXAMPLES: &str = "\
Examples:
  certdeck practice                       one that chance picks; its name is told at the end
  certdeck practice --seed 7              the same again, for a colleague
  certdeck practice not-reloaded          a certain one
  certdeck practice rate-limited --plain  with plain prompts
  certdeck practice --list
  certdeck practice --results             who practised what, and when

Points: 30 for the cause, if it was looked at before the first change; 70 for the proof. Less 15 for
each order too many, 20 for each wrong move, 10 for each hint, and 1 for each minute after the first
ten. The cause counts as looked at when it was opened (f, Enter), or the certificate or host that it
is about, or when the guide's step about it was answered.

Exit codes: 0 solved, 1 not solved, 2 the request was wrong.";

pub(super) fn run(args: &Args, before: Options, context: Context) -> Result<Exit, Failure> {
    if args.list {
        return list();
    }
    if args.results {
        return results::run(&args.format, &context);
    }
    let (kind, seed) = chosen(args)?;
    if !args.plain {
        console::check_terminal(&context)
            .map_err(|it| it.with_hint("`certdeck practice --plain` asks line by line"))?;
    }
    let store = Store::new(&context.paths.state);
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    let now = context.clock.now();
    let practice = runtime()?.block_on(Practice::start_drill(kind, now, program));
    let practice = practice.map_err(anyhow::Error::from)?;
    let context = Context { paths: paths(&practice), ..context };
    let mut drill = Drill::new(&kind.task, seed, context.clock.now());
    let exit = if args.plain {
        on_prompts(&context, &mut drill)?
    } else {
        let options = args.console.clone().or(before);
        on_console(&options, &context, &mut drill)?
    };
    drill.give_up(context.clock.now());
    let records = records(&context.paths.state).map_err(anyhow::Error::from)?;
    let score = drill.score(&records, context.clock.now());
    let kept = store.keep_practised(&result(&context, &drill, &score));
    print(|out| {
        writeln!(out, "PRACTICE: nothing of this was real.")?;
        score.lines().iter().try_for_each(|it| writeln!(out, "{it}"))?;
        match seed {
            Some(seed) => writeln!(out, "the same again: certdeck practice --seed {seed}"),
            None => Ok(()),
        }
    })?;
    kept.map_err(anyhow::Error::from).context("the result was not kept")?;
    Ok(match exit {
        Exit::Code(code @ 1..) => Exit::Code(code),
        _ if score.is_solved => Exit::Done,
        _ => Exit::Failed,
    })
}

fn list() -> Result<Exit, Failure> {
    print(|out| {
        drill::ALL.iter().try_for_each(|it| writeln!(out, "{:22}{}", it.task.name, it.task.page))
    })?;
    Ok(Exit::Done)
}

/// The drill that is meant, and what chance picked it by.
fn chosen(args: &Args) -> Result<(&'static drill::Kind, Option<u64>), Failure> {
    if let Some(name) = &args.drill {
        let known = drill::named(name).map(|it| (it, None));
        return known.ok_or_else(|| {
            let text = format!("there is no drill `{}`", SafeText::new(name));
            Failure::say(Exit::BadRequest, text).with_hint("`certdeck practice --list` shows them")
        });
    }
    // A number that can be read out to a colleague.
    let chance = || u64::try_from(Uuid::new_v4().as_u128() % 10_000).unwrap_or_default();
    let seed = args.seed.unwrap_or_else(chance);
    let kind = drill::picked(seed);
    let none = || Failure::say(Exit::BadRequest, "there is no drill");
    kind.map(|it| (it, Some(seed))).ok_or_else(none)
}

fn on_console(options: &Options, context: &Context, drill: &mut Drill) -> Result<Exit, Failure> {
    let inventory = open::inventory(context)?;
    let with = console::With { drill: Some(drill.clone()), ..console::With::default() };
    let left = runtime()?.block_on(console::open_console(options, context, inventory, with))?;
    if let Some(it) = left.drill {
        *drill = it;
    }
    Ok(Exit::Code(left.ending.code()))
}

fn on_prompts(context: &Context, drill: &mut Drill) -> Result<Exit, Failure> {
    print(|out| {
        writeln!(out, "PRACTICE: nothing here is real.\n\n  {}\n", drill.task.page)?;
        writeln!(
            out,
            "Find the cause, mend it, prove it on every node. `hint` gives a hint, for 10"
        )?;
        writeln!(
            out,
            "points; `quit` gives up. In another shell the same hosts are reached with\n"
        )?;
        write_exports(&context.paths, out)?;
        writeln!(out)
    })?;
    emergency::practise(context, drill)
}

fn result(context: &Context, drill: &Drill, score: &Score) -> Practised {
    Practised {
        at: drill.ended_at().unwrap_or_else(|| context.clock.now()),
        who: SafeText::new(&context.session("practice").who()),
        drill: SafeText::new(score.name),
        seed: drill.seed,
        is_solved: score.is_solved,
        points: score.points,
        to_cause: score.to_cause,
        to_proof: score.to_proof,
        orders: (score.orders, score.least),
        hints: score.hints,
        wrong: score.wrong.clone(),
    }
}
