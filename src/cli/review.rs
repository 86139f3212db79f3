//! `certdeck review`: the weekly look at the fleet, what is said about its findings, and that it is
//! done.

use std::collections::HashMap;
use std::fmt::Write as _;

use clap::builder::{PossibleValue, PossibleValuesParser};

use super::errand::say;
use super::session::{open_log, refused};
use super::survey::note;
use super::{Context, Exit, Failure, open, print, survey};
use crate::action::DRY_RUN;
use crate::audit::read;
use crate::diagnose::{Ack, AckKind, Diagnosis, Finding, FindingId, diagnose};
use crate::filter::Filter;
use crate::fleet::{DAY, Fleet, HostName, Moment, PlaceName, human, seconds};
use crate::report;
use crate::review::{Asked, Mark, Review, Since, Word};
use crate::store::Store;
use crate::text::SafeText;

/// What changed, what is overdue, what ends, and what will break when lifetimes get shorter
///
/// Every host is read first. The present is compared with the last review that was signed off;
/// where there is none before the date that is asked for, with the versions that hosts keep.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    /// Compare with that review instead of the last: its number, or the last one before a date:
    /// 2026-11-23, 2026-11-23T02:00:00Z, or how long ago: 7d, 2w
    #[arg(long, value_name = "MARK|DATE")]
    since: Option<String>,

    /// The format
    #[arg(long, value_name = "FORMAT", default_value = report::review::ALL[0].name, value_parser = formats())]
    format: String,

    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  certdeck review
  certdeck review --since 7d --format html > review.html
  certdeck review ack overdue@web-01/www.example.net --until 2w --reason 'moves on Monday'
  certdeck review snooze schedule@web-02 --until 2027-01-10 --reason 'rebuilt in January'
  certdeck review unack schedule@web-02
  certdeck review acks
  certdeck review sign-off --note 'all known'
  certdeck review marks

A FINDING is RULE@HOST/NAME, or RULE@HOST, as the review prints it. What is acknowledged or snoozed
is marked everywhere and hidden nowhere: verdicts and exit codes stay as they are. It counts no more
when its end has come, or when the finding gets worse.

Exit codes: 0 done, 2 the request or the inventory was wrong, 74 the audit log refused and nothing
was kept.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say that a finding is known and somebody is at it
    Ack(Say),
    /// Print what was said about findings
    Acks,
    /// Print the reviews that were signed off
    Marks,
    /// Sign off the review: the next one is compared with the fleet as it was read last
    SignOff {
        /// What is to be said of it
        #[arg(long, value_name = "TEXT")]
        note: String,
    },
    /// Put off a finding until a day
    Snooze(Say),
    /// Take back what was said about a finding
    Unack {
        /// RULE@HOST/NAME
        finding: String,
    },
}

#[derive(Debug, clap::Args)]
struct Say {
    /// RULE@HOST/NAME
    finding: String,
    /// Until when it counts, a year at the most: 2027-01-10, or for how long: 3d, 2w
    #[arg(long, value_name = "DATE")]
    until: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        None => review(args, context),
        Some(Command::Ack(it)) => acknowledge(it, AckKind::Acknowledged, context),
        Some(Command::Acks) => acks(context),
        Some(Command::Marks) => marks(context),
        Some(Command::SignOff { note }) => sign_off(note, context),
        Some(Command::Snooze(it)) => acknowledge(it, AckKind::Snoozed, context),
        Some(Command::Unack { finding }) => take_back(finding, context),
    }
}

fn review(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let kind = report::review::ALL.iter().find(|it| it.name == args.format).ok_or_else(|| {
        Failure::say(Exit::BadRequest, format!("there is no format `{}`", args.format))
    })?;
    let marks = store(context).marks()?;
    let since = since(args.since.as_deref(), &marks, context.clock.now())?;
    let survey::Survey { fleet, .. } = survey::survey(context, &Filter::default())?;
    let now = context.clock.now();
    let mut diagnosis = diagnose(&fleet, now);
    survey::acknowledge(context, &mut diagnosis, now);
    let review = of(&fleet, &diagnosis, since, now, context)?;
    print(|out| (kind.write)(&review, out))?;
    Ok(Exit::Done)
}

/// The review of a fleet, with what the inventory and the audit log have to do with it.
fn of(
    fleet: &Fleet,
    diagnosis: &Diagnosis,
    since: Since<'_>,
    now: Moment,
    context: &Context,
) -> Result<Review, Failure> {
    let inventory = open::inventory(context)?;
    let dry_runs = dry_runs(context);
    let issuers = &inventory.issuers;
    Ok(Review::of(&Asked { fleet, diagnosis, issuers, since, dry_runs: &dry_runs, now }))
}

/// With what is compared: with the last mark, with that of a number, or with the last one before a
/// date.
fn since<'m>(asked: Option<&str>, marks: &'m [Mark], now: Moment) -> Result<Since<'m>, Failure> {
    let Some(asked) = asked else { return Ok(marks.last().map_or(Since::Beginning, Since::Mark)) };
    if let Ok(number) = asked.parse::<u32>() {
        let mark = marks.iter().find(|it| it.number == number);
        return mark.map(Since::Mark).ok_or_else(|| {
            Failure::say(Exit::BadRequest, format!("no review {number} was signed off"))
                .with_hint("`certdeck review marks` prints those that were")
        });
    }
    let ago = || seconds(asked).filter(|it| *it >= 0).map(|it| now.plus(-it));
    let moment = Moment::parse(asked).or_else(ago).ok_or_else(|| {
        let text = format!("`{}` is neither a number nor a time", SafeText::new(asked));
        Failure::say(Exit::BadRequest, text)
            .with_hint("write the number of a review, 2026-11-23, or how long ago: 7d, 2w")
    })?;
    let before = marks.iter().rev().find(|it| it.at <= moment);
    Ok(before.map_or(Since::Archives(moment), Since::Mark))
}

fn acknowledge(said: &Say, kind: AckKind, context: &Context) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let until = until(&said.until, now)?;
    if said.reason.trim().is_empty() {
        return Err(Failure::say(Exit::BadRequest, "--reason is empty: say why"));
    }
    let (_, diagnosis) = known(context)?;
    let finding = find(&said.finding, &diagnosis)?;
    let who = context.session("review").who();
    let ack = Ack::of(finding, kind, (now, until), (&who, said.reason.trim()));
    keep(&Word::Ack(ack), context)
}

fn take_back(finding: &str, context: &Context) -> Result<Exit, Failure> {
    let acks = store(context).acks()?;
    let Some(ack) = acks.iter().find(|it| it.id.to_string() == finding.trim()) else {
        let text = format!("nothing was said about {}", SafeText::new(finding));
        let known = acks.iter().map(|it| it.id.to_string());
        return Err(listed(
            Failure::say(Exit::BadRequest, text),
            "what something was said about",
            known,
        ));
    };
    keep(&Word::TakeBack(ack.id.clone()), context)
}

fn sign_off(note: &str, context: &Context) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let (fleet, diagnosis) = known(context)?;
    let age = fleet.scanned_at.map_or(i64::MAX, |it| now.since(it));
    if age > FRESH {
        let text = format!("the fleet was read {} ago; nothing was signed off", human(age));
        return Err(Failure::say(Exit::BadRequest, text)
            .with_hint("`certdeck review` reads it, and shows what would be signed off"));
    }
    let marks = store(context).marks()?;
    let since = marks.last().map_or(Since::Beginning, Since::Mark);
    let review = of(&fleet, &diagnosis, since, now, context)?;
    let number = marks.last().map_or(0, |it| it.number) + 1;
    let who = context.session("review").who();
    let mark = Mark::of(&fleet, number, now, &who, note.trim());
    keep(&Word::SignOff(Box::new(mark), review.summary()), context)
}

fn acks(context: &Context) -> Result<Exit, Failure> {
    let now = context.clock.now();
    let acks = store(context).acks()?;
    let (_, diagnosis) = known(context)?;
    let mut text = String::new();
    for ack in &acks {
        let is_open = diagnosis.findings.iter().any(|it| it.id() == ack.id);
        let counts = diagnosis.findings.iter().any(|it| ack.holds(it, now));
        let state = match (ack.until <= now, is_open, counts) {
            (true, ..) => "ended",
            (_, false, _) => "gone",
            (_, _, false) => "worse",
            _ => "counts",
        };
        let _ = writeln!(text, "{state:<6}  {}  {ack}", ack.id);
    }
    if acks.is_empty() {
        text.push_str("nothing was said about any finding\n");
    }
    print(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

fn marks(context: &Context) -> Result<Exit, Failure> {
    let mut text = String::new();
    for mark in store(context).marks()? {
        let (hosts, places) = (mark.hosts.len(), mark.places.len());
        let Mark { number, at, who, note, .. } = &mark;
        let _ = writeln!(
            text,
            "{number:>4}  {at}  {who}  {hosts} hosts, {places} certificates: {note}"
        );
    }
    if text.is_empty() {
        text.push_str("no review was signed off yet\n");
    }
    print(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

/// Puts it on record and keeps it.
fn keep(word: &Word, context: &Context) -> Result<Exit, Failure> {
    let mut log = open_log(context)?;
    let who = context.session("review").who();
    match store(context).keep(&mut log, word, &who, CONFIRMED) {
        Ok(()) => say(&word.told()),
        Err(crate::store::Error::NotAudited(error)) => return Err(refused(error)),
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

/// The fleet as it was read last, and what is to be said of it.
fn known(context: &Context) -> Result<(Fleet, Diagnosis), Failure> {
    let mut fleet = open::inventory(context)?.fleet();
    let nothing = |why: &str| {
        Failure::say(Exit::BadRequest, format!("nothing is known of the fleet: {why}"))
            .with_hint("`certdeck review` reads it")
    };
    match store(context).recall(&mut fleet) {
        Ok(Some(_)) => {}
        Ok(None) => return Err(nothing("it was not read yet")),
        Err(error) => return Err(nothing(&error.to_string())),
    }
    let now = context.clock.now();
    let mut diagnosis = diagnose(&fleet, now);
    survey::acknowledge(context, &mut diagnosis, now);
    Ok((fleet, diagnosis))
}

/// The finding of that name, or which there are.
fn find<'d>(name: &str, diagnosis: &'d Diagnosis) -> Result<&'d Finding, Failure> {
    let id = FindingId::parse(name).ok_or_else(|| {
        let text = format!("`{}` is no finding", SafeText::new(name));
        Failure::say(Exit::BadRequest, text)
            .with_hint("write RULE@HOST/NAME, as in overdue@web-01/www")
    })?;
    diagnosis.findings.iter().find(|it| it.id() == id).ok_or_else(|| {
        let text = format!("there is no such finding: {}", SafeText::new(name));
        let at_host = diagnosis.findings.iter().filter(|it| it.host == id.host);
        let failure = Failure::say(Exit::BadRequest, text);
        listed(failure, "what was found there", at_host.map(|it| it.id().to_string()))
    })
}

/// Adds what could have been meant.
fn listed(failure: Failure, what: &str, names: impl Iterator<Item = String>) -> Failure {
    let mut names: Vec<_> = names.collect();
    let more = names.len().saturating_sub(FEW);
    names.truncate(FEW);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match names.as_slice() {
        [] => failure.with_hint(format!("{what}: nothing")),
        names => failure.with_hint(format!("{what}: {}{more}", names.join(", "))),
    }
}

fn until(text: &str, now: Moment) -> Result<Moment, Failure> {
    let length = || seconds(text).map(|it| now.plus(it));
    let until = Moment::parse(text).or_else(length).ok_or_else(|| {
        let text = format!("--until: `{}` is no time", SafeText::new(text));
        Failure::say(Exit::BadRequest, text).with_hint("write 2027-01-10, or for how long: 3d, 2w")
    })?;
    let left = until.since(now);
    if !(1..=YEAR).contains(&left) {
        let text = format!("--until: {until} is not within the next year");
        return Err(Failure::say(Exit::BadRequest, text));
    }
    Ok(until)
}

/// When the renewal of each place was tried with success, by the audit log.
fn dry_runs(context: &Context) -> HashMap<(HostName, PlaceName), Moment> {
    let mut records = Vec::new();
    let read = read::scan(&context.paths.state, &mut |it| {
        if it.is_end() || it.text("action") == Some(DRY_RUN) {
            records.push(it);
        }
    });
    if let Err(error) = read {
        note(&format!("warning: the audit log does not tell of all dry runs: {error}\n"));
    }
    read::last_done(&records, DRY_RUN)
}

fn store(context: &Context) -> Store {
    Store::new(&context.paths.state)
}

fn formats() -> PossibleValuesParser {
    let formats = report::review::ALL.iter().map(|it| PossibleValue::new(it.name).help(it.about));
    formats.collect::<Vec<_>>().into()
}

/// How it was confirmed, for the audit log.
const CONFIRMED: &str = "the command says it";
/// How old a scan may be that is signed off, in seconds.
const FRESH: i64 = DAY;
/// The longest that something counts that was said about a finding.
const YEAR: i64 = 366 * DAY;
/// So many findings are named where another was asked for.
const FEW: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[test]
    fn a_review_is_compared_with_what_was_asked_for() {
        let fleet = Fleet::default();
        let marks: Vec<_> = [(1, 14), (2, 7)]
            .map(|(number, days)| Mark::of(&fleet, number, NOW.plus(-days * DAY), "anna", ""))
            .to_vec();
        let told = |asked: Option<&str>| match since(asked, &marks, NOW) {
            Ok(Since::Mark(it)) => it.number.to_string(),
            Ok(Since::Archives(at)) => at.to_string(),
            Ok(Since::Beginning) => "beginning".to_owned(),
            Err(_) => "refused".to_owned(),
        };
        assert_eq!(told(None), "2");
        assert_eq!(told(Some("1")), "1");
        assert_eq!(told(Some("3")), "refused");
        assert_eq!(told(Some("8d")), "1");
        assert_eq!(told(Some("2026-11-20")), "2");
        assert_eq!(told(Some("2026-11-01")), "2026-11-01T00:00:00Z");
        assert_eq!(told(Some("last Monday")), "refused");
        assert!(matches!(since(None, &[], NOW), Ok(Since::Beginning)));
    }

    #[test]
    fn an_end_lies_ahead_and_not_too_far() {
        assert_eq!(until("2w", NOW).ok(), Some(NOW.plus(14 * DAY)));
        assert_eq!(until("2026-12-01", NOW).ok(), Moment::parse("2026-12-01"));
        for wrong in ["0s", "-3d", "2026-11-01", "2030-01-01", "soon", ""] {
            assert!(until(wrong, NOW).is_err(), "{wrong}");
        }
    }
}
