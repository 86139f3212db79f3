//! `certdeck check`: one line and an exit code, as monitoring plugins have them (Monitoring
//! Plugins Development Guidelines).

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use super::survey::Survey;
use super::{Context, Exit, Failure, notice, print, survey};
use crate::diagnose::{self, Finding};
use crate::fleet::{HostName, Moment, Place, Severity, Verdict, human};
use crate::report::{Page, Report, Shown};

/// Read every host once and print one line for monitoring
///
/// A certificate is as bad as the worst that is found about it: critical, a warning, or fine. A
/// host that could not be read is unknown. Lists of verdicts change that. Critical comes before
/// warning, warning before unknown, unknown before ok.
///
/// With --places every certificate has a line and its own performance data, with the times at
/// which its renewal is due and overdue as thresholds.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// What to look at, as in the console: fra, state:due,overdue, left<7d, group=prod
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    /// Verdicts that are a warning whatever was found
    #[arg(long, value_name = "VERDICTS", value_delimiter = ',', value_parser = verdict)]
    warning: Vec<Verdict>,

    /// Verdicts that are critical whatever was found
    #[arg(long, value_name = "VERDICTS", value_delimiter = ',', value_parser = verdict)]
    critical: Vec<Verdict>,

    /// Verdicts that are critical, where nothing else is worth a word: for a pipeline
    #[arg(
        long,
        value_name = "VERDICTS",
        value_delimiter = ',',
        value_parser = verdict,
        conflicts_with_all = ["warning", "critical"]
    )]
    fail_on: Vec<Verdict>,

    /// A line for each certificate, and performance data of each
    #[arg(long)]
    places: bool,

    /// Print nothing if everything is fine: for cron, which mails what is printed
    #[arg(long, short)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  certdeck check
  certdeck check group=production --critical expired,overdue --warning due
  certdeck check --places host:edge-*
  certdeck check --quiet --fail-on expired,overdue,key,chain

Verdicts: ok, due, automation, clock, unknown, unreachable, staging, unloaded, drift, overdue,
name, chain, key, revoked, expired.

Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown. Whatever goes wrong in the program itself is 3.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let filter = survey::filter(&args.filter, context)?;
    let Survey { inventory, fleet, visited } = survey::survey(context, &filter)?;
    let now = context.clock.now();
    let diagnosis = diagnose::diagnose(&fleet, now);
    let page = Page::default();
    let report = Report { fleet: &fleet, diagnosis: &diagnosis, now, filter: &filter, page };
    let (state, text) = judge(&report, args);
    let is_silent = args.quiet && state == State::Ok;
    let said = if is_silent { Ok(Exit::Code(state.code())) } else { say(state, &text) };
    notice::critical(&diagnosis, &visited, &inventory, context);
    said
}

/// Says that it could not be told, whatever went wrong.
pub(super) fn unknown(failure: &Failure) -> Result<Exit, Failure> {
    match failure {
        // Nobody is left to tell.
        Failure::OutputClosed => Ok(Exit::Code(State::Unknown.code())),
        _ => say(State::Unknown, &failure.lines().join("\n").replace('|', "/")),
    }
}

/// What monitoring makes of a service, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl State {
    const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

fn say(state: State, text: &str) -> Result<Exit, Failure> {
    let exit = Exit::Code(state.code());
    match print(|out| writeln!(out, "CERTDECK {} - {text}", state.word())) {
        // The code is the answer; that nobody reads the words changes nothing.
        Ok(()) | Err(Failure::OutputClosed) => Ok(exit),
        Err(failure) => Err(failure),
    }
}

/// Something that is counted: a place, or a host of which no place is known.
struct Subject<'a> {
    host: &'a HostName,
    place: Option<&'a Place>,
    verdict: Verdict,
    state: State,
}

fn judge(report: &Report<'_>, args: &Args) -> (State, String) {
    let shown = report.shown();
    let subjects = subjects(&shown, args);
    if subjects.is_empty() {
        return (State::Unknown, "nothing matches".to_owned());
    }
    let state = subjects.iter().map(|it| it.state).max().unwrap_or(State::Unknown);
    let certificates = subjects.iter().filter(|it| it.place.is_some()).count();
    let hosts = shown.hosts.len();
    let mut text = format!(
        "{}{certificates} certificate{} on {hosts} host{}",
        counted(&subjects),
        if certificates == 1 { "" } else { "s" },
        if hosts == 1 { "" } else { "s" }
    );
    let mut bad: Vec<&Subject<'_>> = subjects.iter().filter(|it| it.state != State::Ok).collect();
    bad.sort_by_key(|it| std::cmp::Reverse(it.state));
    if let Some(worst) = bad.first() {
        let _ = write!(text, "; {}", cause(worst, &shown, report.now));
    }
    let _ = write!(text, " | {}", performance(&subjects, report));
    if args.places {
        for it in &subjects {
            text.extend(performance_of(it, report));
        }
    }
    let fine = subjects.iter().filter(|it| args.places && it.state == State::Ok);
    for it in bad.into_iter().chain(fine) {
        let _ = write!(text, "\n{}: {}", it.state.word(), sentence(it, &shown, report.now));
    }
    (state, text)
}

fn subjects<'a>(shown: &'a Shown<'a>, args: &Args) -> Vec<Subject<'a>> {
    let mut severities: HashMap<(&HostName, Option<&str>), Severity> = HashMap::new();
    for it in &shown.findings {
        let key = (&it.host, it.place.as_ref().map(AsRef::as_ref));
        let worst = severities.entry(key).or_insert(it.severity);
        *worst = it.severity.max(*worst);
    }
    let subject = |host, place: Option<&'a Place>, verdict| {
        let about = |place| severities.get(&(host, place)).copied();
        // What is wrong with a host is wrong with each of its places.
        let severity = about(None).max(place.and_then(|it| about(Some(it.name.as_str()))));
        Subject { host, place, verdict, state: args.state(verdict, severity) }
    };
    shown
        .hosts
        .iter()
        .flat_map(|it| {
            let name = &it.host.name;
            let alone = it.places.is_empty().then(|| subject(name, None, it.verdict));
            let places = it.places.iter().map(move |(place, verdict)| (*place, *verdict));
            let places: Vec<_> =
                places.map(|(place, verdict)| subject(name, Some(place), verdict)).collect();
            alone.into_iter().chain(places)
        })
        .collect()
}

impl Args {
    fn state(&self, verdict: Verdict, severity: Option<Severity>) -> State {
        if !self.fail_on.is_empty() {
            let is_one = self.fail_on.contains(&verdict);
            return if is_one { State::Critical } else { State::Ok };
        }
        if self.critical.contains(&verdict) {
            return State::Critical;
        }
        if self.warning.contains(&verdict) {
            return State::Warning;
        }
        match (verdict, severity) {
            (Verdict::Unreachable | Verdict::Unknown, _) => State::Unknown,
            (_, Some(Severity::Critical)) => State::Critical,
            (_, Some(Severity::Warning)) => State::Warning,
            (_, Some(Severity::Info) | None) => State::Ok,
        }
    }
}

/// As in `1 expired, 2 overdue of `; empty if everything is fine.
fn counted(subjects: &[Subject<'_>]) -> String {
    let mut counts: BTreeMap<std::cmp::Reverse<Verdict>, usize> = BTreeMap::new();
    for it in subjects.iter().filter(|it| it.state != State::Ok) {
        *counts.entry(std::cmp::Reverse(it.verdict)).or_default() += 1;
    }
    let counts: Vec<String> =
        counts.iter().map(|(verdict, count)| format!("{count} {}", verdict.0)).collect();
    if counts.is_empty() { String::new() } else { format!("{} of ", counts.join(", ")) }
}

/// What is wrong with a place or host and why, and at how many places it is the same.
fn cause(it: &Subject<'_>, shown: &Shown<'_>, now: Moment) -> String {
    let causes = diagnose::gather(&shown.findings);
    let told = told(it, shown);
    let is_told = |it: &Finding| told.is_some_and(|told| std::ptr::eq(told, it));
    let Some(cause) = causes.iter().find(|it| it.among(&shown.findings).any(is_told)) else {
        return sentence(it, shown, now);
    };
    let mut text = match cause.places(&shown.findings).len() {
        ..=1 => sentence(it, shown, now),
        many => format!("{}: {many} places", cause.headline(&shown.findings)),
    };
    let why = cause.cause.as_str().trim_end_matches('.');
    if !why.is_empty() {
        let _ = write!(text, " ({why})");
    }
    text.replace('|', "/")
}

/// The finding that says why the verdict is what it is.
fn told<'a>(it: &Subject<'_>, shown: &Shown<'a>) -> Option<&'a Finding> {
    let name = it.place.map(|it| &it.name);
    let mut found = shown.findings.iter().copied().filter(|found| {
        found.host == *it.host && found.place.as_ref().is_none_or(|it| Some(it) == name)
    });
    let first = found.clone().next();
    found.find(|found| found.verdict == it.verdict).or(first)
}

/// One line about a place or host; the character before performance data cannot be in it.
fn sentence(it: &Subject<'_>, shown: &Shown<'_>, now: Moment) -> String {
    let name = it.place.map(|it| &it.name);
    let leaf = it.place.and_then(Place::leaf);
    let summary = match (told(it, shown), leaf) {
        (Some(found), _) => found.summary.to_string(),
        (None, Some(leaf)) => format!("{}, {} left", it.verdict, human(leaf.left(now))),
        (None, None) => it.verdict.to_string(),
    };
    let text = match name {
        Some(name) => format!("{name} on {}: {summary}", it.host),
        None => format!("{}: {summary}", it.host),
    };
    text.replace('|', "/")
}

/// Labels, values and units as in the guidelines: counts, and the shortest time that is left.
fn performance(subjects: &[Subject<'_>], report: &Report<'_>) -> String {
    let count = |state| subjects.iter().filter(|it| it.state == state).count();
    let mut text = format!(
        "certificates={} critical={} warning={} unknown={}",
        subjects.iter().filter(|it| it.place.is_some()).count(),
        count(State::Critical),
        count(State::Warning),
        count(State::Unknown)
    );
    let left = subjects.iter().filter_map(|it| it.place?.leaf()).map(|it| it.left(report.now));
    if let Some(left) = left.min() {
        let _ = write!(text, " left={left}s");
    }
    text
}

/// How long the certificate of a place is still valid, with what is left when its renewal is due
/// and when it is overdue: below that it is a warning and critical.
fn performance_of(it: &Subject<'_>, report: &Report<'_>) -> Option<String> {
    let place = it.place?;
    let leaf = place.leaf()?;
    let [left, due, overdue] = [report.now, place.renewal_opens(leaf), leaf.renewal_closes()]
        .map(|it| leaf.not_after.since(it));
    // Within quotes a label takes everything but an equals sign; a quote is doubled. What parts
    // performance data from text cannot stand in it either.
    let label = format!("{}/{}", it.host, place.name);
    let label = label.replace(['=', '|'], "_").replace('\'', "''");
    Some(format!(" '{label}'={left}s;{due}:;{overdue}:"))
}

fn verdict(word: &str) -> Result<Verdict, String> {
    Verdict::ALL.into_iter().find(|it| it.word() == word).ok_or_else(|| "not a verdict".to_owned())
}
