//! `certdeck audit`: what was done, by whom, and whether the record of it is as it was written.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser};

use super::{Context, Exit, Failure, jobs, open, print};
use crate::audit::export::{Actions, FORMATS};
use crate::audit::read::{self, Record};
use crate::audit::verify::{self, State, Testimony, Verified, Witness};
use crate::audit::{self, Selection};
use crate::fleet::{Moment, seconds};
use crate::text::SafeText;

/// What was done, by whom, and whether the log of it is as it was written
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
  certdeck audit list --since 2h --host web-01
  certdeck audit show 4127
  certdeck audit verify
  certdeck audit verify --witness
  certdeck audit export --format markdown --since 2026-11-23T02:00:00Z

Exit codes of `verify`: 0 good, 2 a torn tail only, 3 tampered, 4 truncated, 5 unknown version,
6 good with open intents. Of the others: 0 done, 2 no such record, 3 to 5 as above.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print one line per record
    List {
        #[command(flatten)]
        filter: Filter,
        /// The format
        #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
        format: String,
    },
    /// Print a record, what belongs to it, and what was printed then
    Show {
        /// The number of the record
        seq: u64,
    },
    /// Check every byte of the log
    Verify {
        /// Compare with what hosts have kept: the hosts of the inventory are asked, or a file has
        /// lines of NAME SEQ HASH; `-` is stdin
        #[arg(long, value_name = "FILE", num_args = 0..=1)]
        #[expect(clippy::option_option, reason = "an option whose value may be left out")]
        witness: Option<Option<PathBuf>>,
    },
    /// Write records for other programs and for people
    Export {
        #[command(flatten)]
        filter: Filter,
        /// The format
        #[arg(long, value_name = "FORMAT", value_parser = formats())]
        format: String,
    },
    /// Begin a new log in the place of a damaged one, which is kept aside as it is
    Fork {
        /// Why; it stands in the first record of the new log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Default, clap::Args)]
struct Filter {
    /// Not before: 2026-11-23T02:00:00Z, 2026-11-23, or how long ago: 2h, 3d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only what was done on this host
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Only this: renew, rollback, host-key, …
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// Only what they did: anna@laptop, or a part of it
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,
    /// Only the action of this identity, or what was done in that guided run; its beginning is enough
    #[arg(long, value_name = "ID")]
    op: Option<String>,
}

pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        None => list(&Filter::default(), "text", context),
        Some(Command::List { filter, format }) => list(&filter, &format, context),
        Some(Command::Show { seq }) => show(seq, context),
        Some(Command::Verify { witness: None }) => verify(context),
        Some(Command::Verify { witness: Some(Some(path)) }) => {
            compare(&witnesses(&open::text(&path)?)?, context)
        }
        Some(Command::Verify { witness: Some(None) }) => {
            compare(&jobs::witnesses(&records(context).0, context)?, context)
        }
        Some(Command::Export { filter, format }) => export(&filter, &format, context),
        Some(Command::Fork { reason }) => fork(&reason, context),
    }
}

fn list(filter: &Filter, format: &str, context: &Context) -> Result<Exit, Failure> {
    if format == "json" {
        return export(filter, format, context);
    }
    let (records, ended) = records(context);
    let chosen = filter.selection(context)?.choose(&records);
    let actions = Actions::of(&records);
    print(|out| chosen.iter().try_for_each(|it| line(it, &actions, out)))?;
    ended
}

fn export(filter: &Filter, format: &str, context: &Context) -> Result<Exit, Failure> {
    let Some(format) = FORMATS.iter().find(|it| it.name == format) else {
        return Err(Failure::say(Exit::BadRequest, format!("there is no format `{format}`")));
    };
    let (records, ended) = records(context);
    let chosen = filter.selection(context)?.choose(&records);
    print(|out| (format.write)(&chosen, out))?;
    ended
}

fn show(seq: u64, context: &Context) -> Result<Exit, Failure> {
    let (records, ended) = records(context);
    let Some(record) = records.iter().find(|it| it.seq == seq) else {
        let last = records.last().map_or(0, |it| it.seq);
        ended?;
        let message = format!("there is no record {seq}; the last is {last}");
        return Err(Failure::say(Exit::BadRequest, message));
    };
    let verified = verify::verify(&context.paths.state);
    print(|out| {
        writeln!(out, "record   {seq}, {}", record.kind)?;
        writeln!(out, "time     {}", record.stamp())?;
        writeln!(out, "action   {}", record.op)?;
        writeln!(out, "hash     {}", record.hash().unwrap_or_default())?;
        writeln!(out, "chain    {}", chain(&verified))?;
        for (key, value) in &record.body {
            // An argv is a list of lists: one line for each command.
            match value.as_array() {
                Some(all) if all.iter().any(serde_json::Value::is_array) => {
                    for one in all {
                        writeln!(out, "  {key}: {}", SafeText::new(&one.to_string()))?;
                    }
                }
                _ => writeln!(out, "  {}: {}", SafeText::new(key), record.shown(key))?,
            }
        }
        let siblings: Vec<&Record> = records.iter().filter(|it| it.op == record.op).collect();
        if siblings.len() > 1 {
            writeln!(out, "\nThe records of this action:")?;
            let actions = Actions::of(&records);
            siblings.iter().try_for_each(|it| line(it, &actions, out))?;
        }
        for name in siblings.iter().filter_map(|it| it.text("output")) {
            output(name, context, out)?;
        }
        Ok(())
    })?;
    ended
}

/// What a command printed, by the hash that a record has of it.
fn output(name: &str, context: &Context, out: &mut dyn Write) -> io::Result<()> {
    let state = &context.paths.state;
    let Some(bytes) = read::output(state, name) else {
        let path = read::output_path(state, name);
        return writeln!(out, "\nThe output is gone or was changed: {}", path.display());
    };
    writeln!(out, "\nOutput ({} bytes):", bytes.len())?;
    for line in bytes.split(|it| *it == b'\n') {
        writeln!(out, "  {}", SafeText::from_bytes(line))?;
    }
    Ok(())
}

fn line(record: &Record, actions: &Actions<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:>6}  {}  {:9}  {:16}  {:18}  {}",
        record.seq,
        record.at,
        record.kind,
        or_dash(&actions.shown(record, "host")),
        or_dash(&actions.shown(record, "who")),
        record.summary()
    )
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn verify(context: &Context) -> Result<Exit, Failure> {
    let verified = verify::verify(&context.paths.state);
    print(|out| {
        writeln!(out, "{}", chain(&verified))?;
        match &verified.fault {
            Some((path, 0, what)) => writeln!(out, "{}: {what}", path.display()),
            Some((path, line, what)) => writeln!(out, "{}:{line}: {what}", path.display()),
            None => Ok(()),
        }
    })?;
    if verified.open > 0 {
        for record in read::open_intents(&records(context).0) {
            note(&format!("open: {} {} {}", record.seq, record.shown("host"), record.summary()))?;
        }
    }
    match verified.state {
        State::Tampered | State::Truncated => note(
            "hint: keep a copy of the folder; `certdeck audit fork --reason …` begins a new log",
        )?,
        State::Torn => note("hint: a crash does that; the next record says so in the log")?,
        _ => {}
    }
    Ok(Exit::Code(verified.state.code()))
}

/// How the log is, in one line.
fn chain(verified: &Verified) -> String {
    let plural = |count: u64, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    format!(
        "{}: {} in {}, {} open",
        verified.state.word(),
        plural(verified.records, "record"),
        plural(verified.segments as u64, "segment"),
        verified.open
    )
}

fn compare(witnesses: &[Witness], context: &Context) -> Result<Exit, Failure> {
    let verified = verify::verify(&context.paths.state);
    let (records, _) = records(context);
    let said = verify::compare(&records, witnesses);
    let mut state = verified.state;
    print(|out| {
        writeln!(out, "{}", chain(&verified))?;
        for (witness, testimony) in witnesses.iter().zip(&said) {
            let Witness { name, seq, .. } = witness;
            let name = SafeText::new(name);
            match testimony {
                Testimony::Agrees => continue,
                Testimony::Differs => writeln!(out, "{name}: record {seq} was another one")?,
                Testimony::Missing => writeln!(out, "{name}: record {seq} was there")?,
            }
            if state.is_sound() {
                let is_cut = *testimony == Testimony::Missing;
                state = if is_cut { State::Truncated } else { State::Tampered };
            }
        }
        let agree = said.iter().filter(|it| **it == Testimony::Agrees).count();
        writeln!(out, "{agree} of {} witnesses agree", said.len())
    })?;
    Ok(Exit::Code(state.code()))
}

fn witnesses(text: &str) -> Result<Vec<Witness>, Failure> {
    let parse = |(line, at): (&str, usize)| {
        let [name, seq, hash] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(at);
        };
        let seq = seq.parse().map_err(|_| at)?;
        Ok(Witness { name: name.to_owned(), seq, hash: hash.to_owned() })
    };
    let lines = text.lines().zip(1..).filter(|it| !it.0.trim().is_empty());
    lines
        .map(parse)
        .collect::<Result<_, usize>>()
        .map_err(|line| Failure::say(Exit::BadRequest, format!("line {line} is not NAME SEQ HASH")))
}

fn fork(reason: &str, context: &Context) -> Result<Exit, Failure> {
    let who = context.session("audit fork").who();
    let forked = audit::fork(&context.paths.state, context.clock, &who, reason);
    let (old, open) = forked.map_err(|it| Failure::new(exit(&it), it))?;
    note(&format!("the old log is kept in {}", old.display()))?;
    for op in open {
        note(&format!("open in the old log: {op}; `certdeck jobs show {op}` tells how it ended"))?;
    }
    Ok(Exit::Done)
}

/// Every good record, and how it ends where one is not.
fn records(context: &Context) -> (Vec<Record>, Result<Exit, Failure>) {
    let mut records = Vec::new();
    let read = read::scan(&context.paths.state, &mut |it| records.push(it));
    (records, read.map(|()| Exit::Done).map_err(|it| Failure::new(exit(&it), it)))
}

pub(super) fn exit(error: &audit::Error) -> Exit {
    match error {
        audit::Error::Tampered { .. } => Exit::Code(State::Tampered.code()),
        audit::Error::Truncated { .. } => Exit::Code(State::Truncated.code()),
        audit::Error::UnknownVersion { .. } => Exit::Code(State::UnknownVersion.code()),
        audit::Error::Fork => Exit::BadRequest,
        _ => Exit::AuditRefused,
    }
}

impl Filter {
    fn selection(&self, context: &Context) -> Result<Selection, Failure> {
        let time = |text: &Option<String>| {
            text.as_deref().map(|it| time(it, context.clock.now())).transpose()
        };
        Ok(Selection {
            since: time(&self.since)?,
            until: time(&self.until)?,
            host: self.host.clone(),
            action: self.action.clone(),
            actor: self.actor.clone(),
            ops: self.op.clone().into_iter().collect(),
            ..Selection::default()
        })
    }
}

pub(super) fn time(text: &str, now: Moment) -> Result<Moment, Failure> {
    let ago = || seconds(text).filter(|it| *it >= 0).map(|it| now.plus(-it));
    Moment::parse(text).or_else(ago).ok_or_else(|| {
        let message = format!("`{}` is not a time", SafeText::new(text));
        Failure::say(Exit::BadRequest, message)
            .with_hint("write 2026-11-23T03:12:44Z, 2026-11-23, or how long ago: 45m, 2h, 3d")
    })
}

fn formats() -> PossibleValuesParser {
    let formats = FORMATS.iter().map(|it| PossibleValue::new(it.name).help(it.about));
    formats.collect::<Vec<_>>().into()
}

fn note(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stderr(), "{text}").context("cannot write to stderr")?)
}
