//! `certdeck run`: does what `certdeck plan` shows, after the same confirmation as in the
//! console.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use rustix::termios::QueueSelector;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::plan::{FORMATS, recalled};
use super::progress::Told;
use super::request::{Name, Planned, Request, Targets};
use super::rollout::{self, Resume, Taken};
use super::session::{self, open_log, refused};
use super::survey::{self, Signals, note};
use super::unattended::Choice;
use super::{Context, Exit, Failure, notice, open, outcome, print, progress, unattended};
use crate::action::{self, Answer, Ask, Chosen, Confirmed, Find, NotConfirmed, Review};
use crate::audit::Log;
use crate::fleet::{Fleet, HostName};
use crate::inventory::Inventory;
use crate::perform::{self, Run, Tools};
use crate::report::plan::{Plans, write_card};
use crate::rollout::Tally;
use crate::store::Store;
use crate::text::SafeText;

/// Do what `plan` shows: review, confirmation, audit log, proof
///
/// The hosts are read first, and plans are shown before anything is asked. On a terminal the same
/// is asked as in the console; without one, --yes has to be given. Everything is written to the
/// audit log before it is done. Jobs go on on their hosts if this program is ended.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    request: Option<Request>,

    #[command(flatten)]
    resume: Resume,

    /// Confirm: the lineage (or host) of the one target, or the number of targets
    #[arg(long, value_name = "NAME|COUNT", global = true)]
    yes: Option<String>,

    /// Why it is done, for the audit log
    #[arg(long, value_name = "TEXT", global = true)]
    reason: Option<String>,

    /// Take the targets that did not end well in an earlier run: its identity, or that of one of
    /// its jobs
    #[arg(long, value_name = "OP", global = true)]
    failed_of: Option<Uuid>,

    /// From a timer, with nobody there: renew what is due and was ordered by certdeck itself, each
    /// at its own turn within its window, and as much as the CA allows; only for `renew`
    #[arg(long, global = true, conflicts_with_all = ["yes", "failed_of"])]
    unattended: bool,

    /// With --unattended: begin after a random part of this time, as in 1h
    #[arg(long, value_name = "LENGTH", global = true, requires = "unattended", value_parser = length)]
    spread: Option<Duration>,

    /// Go on without the targets that are refused
    #[arg(long, global = true)]
    skip_refused: bool,

    /// The format of the results: text or json
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        default_value = "text",
        value_parser = FORMATS,
        hide_possible_values = true
    )]
    format: String,
}

const EXAMPLES: &str = "\
Examples:
  certdeck run dry-run web-01/www.example.net
  certdeck run force-renew web-01/www.example.net --yes www.example.net --reason 'key was leaked'
  certdeck run renew 'state:due group=edge' --skip-refused --yes 7
  certdeck run renew --failed-of 0193a1b2-… --yes 2
  certdeck run --resume 4f1c09           what remains of a roll-out; `certdeck jobs` lists them
  certdeck run --resume 4f1c09 --retry-failed --yes 3
  certdeck run renew due --unattended    from cron or a timer; `certdeck timer` prints one

Several targets are a roll-out: a canary, then waves, one change per host at a time, and nothing more
once one has failed. What becomes of each is kept at once: after a kill or a dropped line anybody on
this machine goes on with --resume, after a fresh look, plan and confirmation.

Results go to stdout, everything else to stderr. Exit codes: 0 done and proven, 1 something failed,
was refused or was stopped, 2 the request was wrong or not confirmed, 3 the outcome is not known,
74 the audit log refused. Interrupted: 130; jobs that were begun go on.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if let Some(id) = &args.resume.id {
        return resume(args, id, context);
    }
    let Some(request) = &args.request else {
        return Err(Failure::say(Exit::BadRequest, "run what?").with_hint(
            "give an action and targets, or --resume ID; `certdeck run --help` lists all",
        ));
    };
    let _alone = if args.unattended {
        if request.kind.name != action::RENEW {
            let text = format!("`{}` does not run unattended", request.kind.name);
            return Err(Failure::say(Exit::BadRequest, text)
                .with_hint("only `renew` does; confirm others with --yes"));
        }
        let alone = unattended::alone(context)?;
        if alone.is_none() {
            note("another unattended run is at it; this one leaves it alone\n");
            return Ok(Exit::Done);
        }
        alone
    } else {
        None
    };
    let inventory = Arc::new(open::inventory(context)?);
    let mut request = request.clone();
    let (log, targets) = match args.failed_of {
        None => {
            let targets = Targets::read(&request, &inventory, context)?;
            (open_log(context)?, targets)
        }
        Some(op) => {
            let log = open_log(context)?;
            let targets = again(&mut request, &log, op)?;
            (log, targets)
        }
    };
    session::attend("run", context, (inventory, log), async |tools| {
        Desk { args, request, context, tools, targets, taken: None }.work().await
    })
}

/// Goes on with a roll-out.
fn resume(args: &Args, id: &str, context: &Context) -> Result<Exit, Failure> {
    if args.request.is_some() {
        let text = "a roll-out knows its action and targets; give no others with --resume";
        return Err(Failure::say(Exit::BadRequest, text));
    }
    let inventory = Arc::new(open::inventory(context)?);
    let log = open_log(context)?;
    let taken = Taken::up(id, args.resume.take_over, context)?;
    let request = taken.request()?;
    let targets = Targets::of(taken.names());
    session::attend("run", context, (inventory, log), async |tools| {
        Desk { args, request, context, tools, targets, taken: Some(taken) }.work().await
    })
}

/// The targets of an earlier run that did not end well. What was chosen then is chosen again,
/// unless something is chosen now.
fn again(request: &mut Request, log: &Log, op: Uuid) -> Result<Targets, Failure> {
    let bad = |text: String| Err(Failure::say(Exit::BadRequest, text));
    if !request.targets.is_empty() {
        return bad("--failed-of names the targets; give no others".to_owned());
    }
    let all = perform::failed_of(&log.records().map_err(refused)?, op);
    let name = request.kind.name;
    let (all, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.action == name);
    let Some(first) = all.first() else {
        return bad(match others.first().map(|it| SafeText::new(&it.action)) {
            Some(other) => format!("what is left to do of {op} is `{other}`, not `{name}`"),
            None => format!("nothing is left to do of {op}: no such run, or all of it went well"),
        });
    };
    // Deliveries to several stores have nothing in common: all stores of a host are asked again,
    // which writes nothing twice.
    let is_common = all.iter().all(|it| it.chosen == first.chosen);
    if request.chosen == Chosen::default() && is_common {
        request.chosen = first.chosen.clone();
    }
    let name = |it: perform::Again| -> Name { (it.host, it.lineage) };
    Ok(Targets::of(all.into_iter().map(name).collect()))
}

/// How many plans are shown in full before a question would scroll away; `plan` shows all.
const CARDS: usize = 3;

/// So often it is looked whether what runs has ended.
const SETTLING: Duration = Duration::from_secs(2);

/// All that a run needs, once the log is open.
struct Desk<'a> {
    args: &'a Args,
    request: Request,
    context: &'a Context,
    tools: Tools,
    targets: Targets,
    /// The roll-out that is gone on with.
    taken: Option<Taken>,
}

impl Desk<'_> {
    async fn work(mut self) -> Result<Exit, Failure> {
        let mut signals = Signals::catch()?;
        if let Some(spread) = self.args.spread {
            unattended::spread(spread, &mut signals).await?;
        }
        let mut fleet = recalled(&self.tools.inventory, self.context);
        let mut hosts = self.targets.hosts(&fleet, &self.request);
        self.settle(&hosts, &mut signals).await?;
        if let Some(mut taken) = self.taken.take() {
            let left = taken.left(&self.tools, self.args.resume.retry_failed)?;
            note(&taken.line());
            if left.is_empty() {
                return Ok(taken.put_back());
            }
            self.targets = Targets::of(left);
            hosts = self.targets.hosts(&fleet, &self.request);
            self.taken = Some(taken);
        }
        let Tools { inventory, sessions, .. } = &self.tools;
        survey::look(self.context, inventory, sessions, &mut fleet, hosts, &mut signals).await?;
        if self.args.unattended {
            survey::say(&survey::learn(self.context, inventory, &mut fleet).await);
        }
        // The snapshot is a memory, not a record: nothing depends on it.
        Store::new(&self.context.paths.state).save(&fleet).ok();

        let mut is_unknown = false;
        let mut due = None;
        let review = if self.args.unattended {
            let mut chosen = self.due(&fleet);
            is_unknown = chosen.is_unknown;
            let plans = std::mem::take(&mut chosen.plans);
            if plans.is_empty() {
                note("nothing is to be renewed now, nor delivered\n");
                unattended::keep(self.context, &Told::default(), 0);
                self.tell(&chosen, &fleet).await;
                return Ok(if is_unknown { Exit::Unknown } else { Exit::Done });
            }
            due = Some(chosen);
            Review::new(plans).because(self.args.reason.clone())
        } else {
            let Some(review) = self.review(&fleet)? else { return Ok(Exit::BadRequest) };
            review
        };
        let (first, rest) = review.plans().split_at(review.plans().len().min(CARDS));
        for plan in first {
            let mut card = Vec::new();
            write_card(plan, &mut card)?;
            note(&String::from_utf8_lossy(&card));
        }
        for plan in rest {
            note(&format!("likewise  {}\n", SafeText::new(&plan.target())));
        }
        let confirmed = self.confirm(review, &fleet, &mut signals).await?;
        let plans = confirmed.plans().to_vec();
        let (mut run, beside) = match self.taken.take() {
            None => (Run::start(self.tools.clone(), confirmed), Tally::default()),
            Some(taken) => taken.go_on(&self.tools, confirmed)?,
        };
        let mut told = progress::follow_rest(&mut run, &plans, beside, &mut signals).await;
        let id = run.id();
        // Whoever was to be asked for it is not at it any more.
        drop(run);
        // Who shares a key with whom is known from here on.
        for visit in told.take_visits() {
            fleet.apply(visit);
        }
        Store::new(&self.context.paths.state).save(&fleet).ok();
        let outcomes = told.outcomes(&plans);
        let rollout = self.tools.rollouts.get(id).ok();
        let kept = rollout.as_ref().map(|it| &it.run);
        print(|out| match self.args.format.as_str() {
            "json" => outcome::write_json(self.request.kind.name, &outcomes, kept, out),
            _ => outcomes.iter().try_for_each(|it| it.write(out)),
        })?;
        if let Some(chosen) = &due {
            told.say_left();
            unattended::keep(self.context, &told, plans.len());
            self.tell(chosen, &fleet).await;
        }
        if let Some(kept) = kept {
            note(&rollout::summary(kept));
        } else if let Some(op) = told.left_to_do() {
            let action = self.request.kind.name;
            note(&format!(
                "hint: `certdeck run {action} --failed-of {op}` takes up what is left\n"
            ));
        }
        Ok(match told.exit() {
            Exit::Done if is_unknown => Exit::Unknown,
            exit => exit,
        })
    }

    /// Finds out what became of what is not settled from before: it decides what is there now. Of a
    /// roll-out nothing more begins before what was begun has its end.
    async fn settle(&self, hosts: &[HostName], signals: &mut Signals) -> Result<(), Failure> {
        let mut told = BTreeSet::new();
        loop {
            let open = perform::reconcile(&self.tools, Some(hosts)).await.map_err(refused)?;
            for it in open.iter().filter(|it| told.insert((it.op, it.text.clone()))) {
                note(&format!("from before: {} [{}]\n", it.text, it.op));
            }
            if self.taken.is_none() || !open.iter().any(|it| it.is_running) {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(SETTLING) => {}
                number = signals.next() => {
                    let text = "it was waited for what still runs; nothing was changed";
                    return Err(Failure::say(Exit::Code(128 + number), text));
                }
            }
        }
    }

    /// Tells webhooks what fails again and again.
    async fn tell(&self, chosen: &Choice, fleet: &Fleet) {
        let inventory = &self.tools.inventory;
        let history = survey::history(self.context, inventory, fleet);
        let event = chosen.exhausted(&history, self.context.clock.now());
        notice::tell(&[event], inventory, self.context).await;
    }

    /// The plans of an unattended run: what is due, whose turn it is, and what the CA allows now.
    fn due(&self, fleet: &Fleet) -> Choice {
        let now = self.context.clock.now();
        let inventory: &Inventory = &self.tools.inventory;
        let names = self.targets.names(fleet, self.request.kind, now);
        let history = &survey::history(self.context, inventory, fleet);
        let find = Find { inventory, fleet, history, now };
        let mut chosen = unattended::choose(&self.request, &names, find);
        let hosts = self.targets.hosts(fleet, &self.request);
        unattended::add_lagging(&mut chosen, &hosts, find);
        for line in &chosen.left {
            note(&format!("{line}\n"));
        }
        chosen
    }

    /// The plans, if nothing is refused or what is may be left out.
    fn review(&self, fleet: &Fleet) -> Result<Option<Review>, Failure> {
        let now = self.context.clock.now();
        let request = &self.request;
        let names = self.targets.names(fleet, request.kind, now);
        let inventory: &Inventory = &self.tools.inventory;
        let history = &survey::history(self.context, inventory, fleet);
        let planned = request.plan(&names, Find { inventory, fleet, history, now })?;
        let exit = planned.exit();
        let Planned { plans, refused } = planned;
        let shown = Plans { action: request.kind, review: None, waves: &[], refused: &refused };
        let mut lines = Vec::new();
        shown.write_refused(&mut lines)?;
        note(&String::from_utf8_lossy(&lines));
        if refused.is_empty() || (self.args.skip_refused && !plans.is_empty()) {
            return Ok(Some(Review::new(plans).because(self.reason())));
        }
        let all = plans.len() + refused.len();
        let text = format!(
            "{} of {all} targets {} refused; nothing was changed",
            refused.len(),
            if refused.len() == 1 { "was" } else { "were" }
        );
        let failure = Failure::say(exit, text);
        Err(if plans.is_empty() {
            failure
        } else {
            failure.with_hint("--skip-refused goes on without them")
        })
    }

    /// Why it is done: as is said now, or as was said when it was begun.
    fn reason(&self) -> Option<String> {
        let before = self.taken.as_ref().and_then(Taken::reason);
        self.args.reason.clone().or(before)
    }

    /// Asks what the console would ask.
    async fn confirm(
        &self,
        review: Review,
        fleet: &Fleet,
        signals: &mut Signals,
    ) -> Result<Confirmed, Failure> {
        let kind = self.request.kind;
        let yes =
            Plans { action: kind, review: Some(&review), waves: &[], refused: &[] }.yes_word();
        let ask = review.ask();
        let line = match (&self.args.yes, &ask) {
            _ if self.args.unattended => String::new(),
            (Some(_), _) | (None, Ask::Nothing) => String::new(),
            (None, ask) => asked(ask, &yes, signals).await?,
        };
        let answer = match (&self.args.yes, &ask) {
            _ if self.args.unattended => Answer::Standing,
            (Some(yes), _) => Answer::Yes(yes),
            (None, Ask::Key) if line == "y" => Answer::Key,
            (None, Ask::Type(_)) => Answer::Typed(&line),
            (None, Ask::Key | Ask::Nothing) => Answer::Nothing,
        };
        let confirmed = review.confirm(answer, fleet, self.context.clock.now());
        confirmed.map_err(|(_, why)| match why {
            NotConfirmed::Stale(what) => {
                Failure::say(Exit::Failed, format!("the plan is stale: {what}"))
            }
            NotConfirmed::Wrong(_) if self.args.yes.is_some() => {
                let text = "--yes does not name what would be done; nothing was changed";
                Failure::say(Exit::BadRequest, text).with_hint(format!("it would be --yes {yes}"))
            }
            NotConfirmed::Wrong(_) => {
                Failure::say(Exit::BadRequest, "not confirmed; nothing was changed")
            }
        })
    }
}

/// Asks on the terminal, and waits for a line or a signal.
async fn asked(ask: &Ask, yes: &str, signals: &mut Signals) -> Result<String, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let text = "nobody is there to be asked; nothing was changed";
        return Err(Failure::say(Exit::BadRequest, text)
            .with_hint(format!("look at it with `certdeck plan`, then give --yes {yes}")));
    }
    let what = match ask {
        Ask::Type(text) => SafeText::new(text),
        Ask::Key | Ask::Nothing => SafeText::new("y"),
    };
    note(&format!("Type {what} to go on, anything else keeps all as it is: "));
    // What was typed before it was asked is no answer.
    rustix::termios::tcflush(io::stdin(), QueueSelector::IFlush).ok();
    let (tell, told) = oneshot::channel();
    // Not a task of the runtime, which would wait for the line after a signal, too.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map(|_| line);
        // Nobody listens after a signal.
        tell.send(read).ok();
    });
    tokio::select! {
        line = told => Ok(line??.trim_end_matches(['\n', '\r']).to_owned()),
        number = signals.next() => {
            note("\n");
            Err(Failure::say(Exit::Code(128 + number), "not confirmed; nothing was changed"))
        }
    }
}

fn length(text: &str) -> Result<Duration, String> {
    let seconds = crate::fleet::seconds(text).and_then(|it| u64::try_from(it).ok());
    let seconds = seconds.filter(|it| *it <= 86_400);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "expected a length of time up to a day, as in 1h".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    /// What `clap` says of a line; nothing if it is taken.
    fn refusal(line: &str) -> String {
        let command = Args::augment_args(clap::Command::new("run"));
        let words = ["run"].into_iter().chain(line.split_whitespace());
        command.try_get_matches_from(words).err().map(|it| it.to_string()).unwrap_or_default()
    }

    /// What goes on with a roll-out is refused with what does not, and not passed over.
    #[test]
    fn options_of_a_resumed_roll_out_are_for_nothing_else() {
        let op = "0193a1b2-0000-7000-8000-000000000001";
        for option in ["--retry-failed", "--take-over"] {
            assert_eq!(refusal(&format!("--resume 4f1c09 {option}")), "");
            for other in [format!("--failed-of {op}"), "--unattended".to_owned(), String::new()] {
                let refusal = refusal(&format!("{option} {other}"));
                assert!(
                    refusal.contains(option) || refusal.contains("--resume"),
                    "{option} {other}"
                );
            }
        }
    }
}
