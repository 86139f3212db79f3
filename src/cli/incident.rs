//! `certdeck incident`: the hand-over of an incident, from the audit log.

use std::fmt::Write as _;

use clap::builder::{PossibleValue, PossibleValuesParser};

use super::{Context, Exit, Failure, audit, open, print, survey};
use crate::audit::{Extract, Selection};
use crate::diagnose;
use crate::filter::{Candidate, Filter};
use crate::fleet::{Fleet, Host, HostName, Verdict};
use crate::report::incident::{FORMATS, Incident};
use crate::store::Store;
use crate::text::SafeText;

/// Write the hand-over of an incident: what the audit log holds of it, ready to be gone on with
///
/// A status for the chat, the timeline, what failed, what is open, and headings for what only
/// people know. Everything comes from the audit log; the inventory adds whom to ask. Without
/// options, it is about the last day.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// From when on: 2026-11-23T02:00:00Z, 2026-11-23, how long ago as in 3h, or the number of a
    /// record
    #[arg(long, value_name = "TIME|SEQ")]
    since: Option<String>,

    /// Until when, likewise
    #[arg(long, value_name = "TIME|SEQ")]
    until: Option<String>,

    /// Only the actions of these identities, or with these beginnings
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    op: Vec<String>,

    /// Only what was done at these places, as in the console: host:edge-*, group=prod
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    /// The format
    #[arg(long, value_name = "FORMAT", default_value = "md", value_parser = formats())]
    format: String,
}

const EXAMPLES: &str = "\
Examples:
  certdeck incident > hand-over.md
  certdeck incident --since 3h group=edge
  certdeck incident --since 2026-11-23T02:00:00Z --until 2026-11-23T05:00:00Z
  certdeck incident --since 4127 --format json | jq .open
  certdeck incident --op 0193a1b2-… --op 0193a1b3-…

A filter is about hosts and places as they are known now. What was changed on no host (accounts,
settings) is left out with one.

Exit codes: 0 written, 2 the request was wrong, 3 to 5 the log is damaged, as `audit verify` has
it: what is good of it is written all the same.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let format = FORMATS.iter().find(|it| it.name == args.format).ok_or_else(|| {
        Failure::say(Exit::BadRequest, format!("there is no format `{}`", args.format))
    })?;
    let filter = survey::filter(&args.filter, context)?;
    let (selection, asked) = args.selection(&filter, context)?;
    // The log tells what was done, whatever became of the inventory since.
    let fleet = match open::inventory(context) {
        Ok(inventory) => inventory.fleet(),
        Err(_) if filter.is_empty() => Fleet::new([]),
        Err(failure) => return Err(failure),
    };
    let state = &context.paths.state;
    let mut extract = Extract::read(state, &selection);
    if !filter.is_empty() {
        let kept = Kept::new(&filter, fleet.clone(), context);
        extract = extract.narrow(|host, lineage| kept.has(host, lineage));
    }
    let extract = extract.with_tails(state);
    let now = context.clock.now();
    let incident = Incident { extract: &extract, asked: &asked, fleet: &fleet, now };
    print(|out| (format.write)(&incident, out))?;
    match extract.problem {
        None => Ok(Exit::Done),
        Some(problem) => Err(Failure::new(audit::exit(&problem), problem)
            .with_hint("what is good of the log is written; `certdeck audit verify` tells more")),
    }
}

impl Args {
    /// Which records, and what was asked for in words.
    fn selection(
        &self,
        filter: &Filter,
        context: &Context,
    ) -> Result<(Selection, String), Failure> {
        let mut selection = Selection { ops: self.op.clone(), ..Selection::default() };
        let mut asked = String::new();
        let is_open = self.since.is_none() && self.op.is_empty();
        let since = self.since.as_deref().or_else(|| is_open.then_some(USUAL));
        if let Some(text) = since {
            match text.parse() {
                Ok(seq) => selection.first = Some(seq),
                Err(_) => selection.since = Some(audit::time(text, context.clock.now())?),
            }
            let _ = match selection.since {
                Some(moment) => write!(asked, "since {moment}"),
                None => write!(asked, "from record {text}"),
            };
        }
        if let Some(text) = self.until.as_deref() {
            match text.parse() {
                Ok(seq) => selection.last = Some(seq),
                Err(_) => selection.until = Some(audit::time(text, context.clock.now())?),
            }
            let _ = match selection.until {
                Some(moment) => write!(asked, " until {moment}"),
                None => write!(asked, " up to record {text}"),
            };
        }
        for op in &self.op {
            let _ = write!(asked, " action {op}");
        }
        if !filter.is_empty() {
            let _ = write!(asked, " where {filter}");
        }
        Ok((selection, SafeText::new(asked.trim_start()).to_string()))
    }
}

/// The places that a filter keeps, as they are known now.
struct Kept<'a> {
    filter: &'a Filter,
    fleet: Fleet,
    verdicts: diagnose::Diagnosis,
    context: &'a Context,
}

impl<'a> Kept<'a> {
    fn new(filter: &'a Filter, mut fleet: Fleet, context: &'a Context) -> Self {
        // Without a snapshot, hosts are known by their names and groups.
        Store::new(&context.paths.state).recall(&mut fleet).ok();
        let verdicts = diagnose::diagnose(&fleet, context.clock.now());
        Self { filter, fleet, verdicts, context }
    }

    fn has(&self, host: &str, lineage: Option<&str>) -> bool {
        let name = HostName::new(host);
        let now = self.context.clock.now();
        // One that is not in the inventory any more has at least its name.
        let bare = Host::new(name.clone(), host, &[]);
        let known = self.fleet.host(&name).unwrap_or(&bare);
        let mut places =
            self.fleet.places().zip(&self.verdicts.places).filter(|((host, place), _)| {
                host.name == name && lineage.is_none_or(|it| place.name.as_str() == it)
            });
        let keeps =
            |place, verdict| self.filter.keeps(&Candidate { host: known, place, verdict, now });
        match lineage {
            // What was done to a host was done to all that is on it.
            None => {
                keeps(None, Verdict::Unknown)
                    || places.any(|((_, place), verdict)| keeps(Some(place), *verdict))
            }
            Some(_) => match places.next() {
                Some(((_, place), verdict)) => keeps(Some(place), *verdict),
                None => keeps(None, Verdict::Unknown),
            },
        }
    }
}

fn formats() -> PossibleValuesParser {
    let formats = FORMATS.iter().map(|it| PossibleValue::new(it.name).help(it.about));
    formats.collect::<Vec<_>>().into()
}

/// How far back it looks if nothing is said.
const USUAL: &str = "24h";
