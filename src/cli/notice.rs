//! `certdeck notice`: the webhooks of the inventory, and what they were told. Also how commands
//! tell them something, without waiting for them.

use std::time::Duration;

use super::survey::note;
use super::{Context, Exit, Failure, log, open, print, runtime};
use crate::diagnose::Diagnosis;
use crate::fleet::{HostName, human};
use crate::inventory::{Inventory, Notice, Occasion};
use crate::notice::{Event, Notices};
use crate::text::SafeText;

/// Show the webhooks of the inventory, what they are still to be told, and try them
///
/// Without a command: list.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  certdeck notice
  certdeck notice test on-call
  certdeck notice send

Exit codes: 0 done, 1 a webhook did not take it, 2 no such webhook.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print every webhook, how the last notice went, and what waits
    List,
    /// Send a notice about nothing, and show what comes back
    Test {
        /// The `[[notice]]`; default: all of them
        name: Option<String>,
    },
    /// Send what waits, for a minute at the most
    Send,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    log::start(context);
    let inventory = open::inventory(context)?;
    let notices = of(&inventory, context);
    match &args.command {
        None | Some(Command::List) => list(&inventory, &notices, context),
        Some(Command::Test { name }) => test(name.as_deref(), &inventory, &notices),
        Some(Command::Send) => {
            runtime()?.block_on(notices.send(LONG));
            list(&inventory, &notices, context)?;
            Ok(if notices.pending().is_empty() { Exit::Done } else { Exit::Failed })
        }
    }
}

/// The webhooks of an inventory, and what they are still to be told.
pub(super) fn of(inventory: &Inventory, context: &Context) -> Notices {
    Notices::of(inventory, &context.paths.state, context.clock)
}

/// Tells webhooks what is critical on hosts that were looked at.
pub(super) fn critical(
    diagnosis: &Diagnosis,
    visited: &[HostName],
    inventory: &Inventory,
    context: &Context,
) {
    if inventory.notices.is_empty() {
        return;
    }
    let event = Event::critical(diagnosis, visited.iter().cloned());
    match runtime() {
        Ok(runtime) => {
            runtime.block_on(tell(&[event], inventory, context));
            // A program that prints a secret may hang.
            runtime.shutdown_background();
        }
        Err(_) => note("warning: webhooks are not told\n"),
    }
}

/// Tells webhooks what has happened, and what they could not be told before. A webhook that does
/// not answer keeps nobody waiting: what is not sent within a few seconds is sent the next time.
pub(super) async fn tell(events: &[Event], inventory: &Inventory, context: &Context) {
    if inventory.notices.is_empty() {
        return;
    }
    let notices = of(inventory, context);
    if let Err(error) = notices.tell(events) {
        note(&format!("warning: webhooks are not told: {error}\n"));
    }
    notices.send(SHORT).await;
    let left = notices.pending().len();
    if left > 0 {
        note(&format!("{left} notices to webhooks wait; `certdeck notice` shows why\n"));
    }
}

fn list(inventory: &Inventory, notices: &Notices, context: &Context) -> Result<Exit, Failure> {
    let (pending, now) = (notices.pending(), context.clock.now());
    print(|out| {
        if inventory.notices.is_empty() {
            writeln!(out, "the inventory has no [[notice]]")?;
        }
        for it in &inventory.notices {
            let on: Vec<_> = it.on.iter().copied().map(Occasion::name).collect();
            writeln!(out, "{}  {}", SafeText::new(&it.name), on.join(", "))?;
            match notices.last(&it.name) {
                None => writeln!(out, "  last     none yet")?,
                Some(last) => {
                    let ago = human(now.since(last.at).max(0));
                    writeln!(out, "  last     {} ({ago} ago): {}", last.at, last.text)?;
                }
            }
            for waiting in pending.iter().filter(|one| one.to == it.name) {
                let times = if waiting.tries == 1 { "once" } else { "times" };
                let tries = match waiting.tries {
                    0 => "not tried yet".to_owned(),
                    1 => format!("tried {times}"),
                    many => format!("tried {many} {times}"),
                };
                let (event, id) = (SafeText::new(&waiting.event), waiting.id);
                writeln!(out, "  waits    {event} of {}, {tries}  [{id}]", waiting.at)?;
            }
        }
        let is_known = |name: &str| inventory.notices.iter().any(|it| it.name == name);
        let others = pending.iter().filter(|it| !is_known(&it.to)).count();
        match others {
            0 => Ok(()),
            _ => writeln!(out, "{others} wait for webhooks that are not in this inventory"),
        }
    })?;
    Ok(Exit::Done)
}

fn test(name: Option<&str>, inventory: &Inventory, notices: &Notices) -> Result<Exit, Failure> {
    let chosen: Vec<&Notice> =
        inventory.notices.iter().filter(|it| name.is_none_or(|name| it.name == name)).collect();
    if chosen.is_empty() {
        let text = match name {
            Some(name) => format!("the inventory has no [[notice]] `{}`", SafeText::new(name)),
            None => "the inventory has no [[notice]]".to_owned(),
        };
        return Err(Failure::say(Exit::BadRequest, text)
            .with_hint("inventory.example.toml shows one; README, \"Notices\""));
    }
    let runtime = runtime()?;
    let mut exit = Exit::Done;
    for it in chosen {
        let answer = runtime.block_on(notices.test(it));
        print(|out| {
            let name = SafeText::new(&it.name);
            match &answer {
                Ok(answer) if answer.text.is_empty() => {
                    writeln!(out, "{name}: taken (HTTP {})", answer.status)
                }
                Ok(answer) => {
                    writeln!(out, "{name}: taken (HTTP {}): {}", answer.status, answer.text)
                }
                Err(trouble) => writeln!(out, "{name}: {}", trouble.text),
            }
        })?;
        if answer.is_err() {
            exit = Exit::Failed;
        }
    }
    runtime.shutdown_background();
    Ok(exit)
}

/// How long whoever has something else to do sends notices.
const SHORT: Duration = Duration::from_secs(5);
/// How long whoever has nothing else to do does.
const LONG: Duration = Duration::from_secs(60);
