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
/// What somebody has acknowledged or snoozed (`certdeck review ack`) does not count until then, and
/// is told of: how many, and what was said about it.
///
/// With --places every certificate has a line and its own performance data, with the times at
/// which its renewal is due and overdue as thresholds.
#[derive(Debug, Default, clap::Args)]
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

    /// Count what is acknowledged or snoozed as well
    #[arg(long)]
    with_acknowledged: bool,

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
  certdeck check --with-acknowledged    as if nobody had said that it is known

Verdicts: ok, due, automation, clock, unknown, unreachable, staging, unloaded, drift, overdue,
name, chain, key, revoked, expired.

Exit codes: 0 ok, 1 warning, 2 critical, 3 unknown. Whatever goes wrong in the program itself is 3.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let filter = survey::filter(&args.filter, context)?;
    let Survey { inventory, fleet, visited } = survey::survey(context, &filter)?;
    let now = context.clock.now();
    let mut diagnosis = diagnose::diagnose(&fleet, now);
    survey::acknowledge(context, &mut diagnosis, now);
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
    /// The worst of what counts about it.
    verdict: Verdict,
    state: State,
    /// What counts about it, worst first.
    open: Vec<&'a Finding>,
    /// What makes it worse, and does not count because somebody knows of it.
    known: Option<&'a Finding>,
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
    let known = shown.findings.iter().filter(|it| !args.counts(it));
    let known = known.filter(|it| it.severity > Severity::Info).count();
    if known > 0 {
        let _ = write!(text, ", {known} finding{} acknowledged", if known == 1 { "" } else { "s" });
    }
    let mut bad: Vec<&Subject<'_>> = subjects.iter().filter(|it| it.state != State::Ok).collect();
    bad.sort_by_key(|it| std::cmp::Reverse(it.state));
    let open: Vec<_> = shown.findings.iter().copied().filter(|it| args.counts(it)).collect();
    if let Some(worst) = bad.first() {
        let _ = write!(text, "; {}", cause(worst, &open, report.now));
    }
    let _ = write!(text, " | {} acknowledged={known}", performance(&subjects, report));
    if args.places {
        for it in &subjects {
            text.extend(performance_of(it, report));
        }
    }
    let is_told = |it: &&Subject<'_>| args.places || it.known.is_some();
    let fine = subjects.iter().filter(|it| it.state == State::Ok).filter(is_told);
    for it in bad.into_iter().chain(fine) {
        let _ = write!(text, "\n{}: {}", it.state.word(), sentence(it, report.now));
    }
    (state, text)
}

fn subjects<'a>(shown: &Shown<'a>, args: &Args) -> Vec<Subject<'a>> {
    let mut found: HashMap<(&HostName, Option<&str>), Vec<usize>> = HashMap::new();
    for (at, it) in shown.findings.iter().enumerate() {
        let key = (&it.host, it.place.as_ref().map(AsRef::as_ref));
        found.entry(key).or_default().push(at);
    }
    let subject = |host: &'a HostName, place: Option<&'a Place>, verdict| {
        // What is wrong with a host is wrong with each of its places.
        let name = place.map(|it| it.name.as_str());
        let keys = [Some((host, None)), name.map(|it| (host, Some(it)))];
        let mut about: Vec<_> =
            keys.iter().flatten().filter_map(|it| found.get(it)).flatten().collect();
        about.sort_unstable();
        let about = about.into_iter().filter_map(|at| shown.findings.get(*at).copied());
        let (open, known): (Vec<_>, Vec<_>) = about.partition(|it| args.counts(it));
        args.subject(host, place, verdict, open, &known)
    };
    shown
        .hosts
        .iter()
        .flat_map(|it| {
            let name = &it.host.name;
            let alone = it.places.is_empty().then(|| subject(name, None, it.verdict));
            let places = it.places.iter().map(|(place, verdict)| (*place, *verdict));
            let places: Vec<_> =
                places.map(|(place, verdict)| subject(name, Some(place), verdict)).collect();
            alone.into_iter().chain(places)
        })
        .collect()
}

impl Args {
    /// Whether a finding counts: somebody who knows of it need not be told again.
    fn counts(&self, it: &Finding) -> bool {
        self.with_acknowledged || it.ack.is_none()
    }

    /// What to make of a place or host by what counts about it, and what it would be besides.
    fn subject<'a>(
        &self,
        host: &'a HostName,
        place: Option<&'a Place>,
        whole: Verdict,
        open: Vec<&'a Finding>,
        known: &[&'a Finding],
    ) -> Subject<'a> {
        let worst = |all: &[&Finding]| all.iter().map(|it| it.severity).max();
        // Where the worst that is found is known, the worst of the rest is the verdict.
        let is_of = |all: &[&Finding]| all.iter().any(|it| it.verdict == whole);
        let rest = || open.iter().map(|it| it.verdict).filter(|it| *it < whole).max();
        let verdict =
            if is_of(known) && !is_of(&open) { rest().unwrap_or(Verdict::Ok) } else { whole };
        // What is wrong with its host is told where nothing is wrong with the place itself.
        let told = match verdict {
            Verdict::Ok => open.iter().map(|it| it.verdict).max().unwrap_or(verdict),
            _ => verdict,
        };
        let state = self.state(verdict, told, worst(&open));
        let is_worse = self.state(whole, whole, worst(&open).max(worst(known))) > state;
        let known = known.first().copied().filter(|_| is_worse);
        Subject { host, place, verdict: told, state, open, known }
    }

    fn state(&self, verdict: Verdict, told: Verdict, severity: Option<Severity>) -> State {
        if !self.fail_on.is_empty() {
            let is_one = self.fail_on.contains(&told);
            return if is_one { State::Critical } else { State::Ok };
        }
        if self.critical.contains(&told) {
            return State::Critical;
        }
        if self.warning.contains(&told) {
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
fn cause(it: &Subject<'_>, open: &[&Finding], now: Moment) -> String {
    let causes = diagnose::gather(open);
    let told = told(it);
    let is_told = |it: &Finding| told.is_some_and(|told| std::ptr::eq(told, it));
    let Some(cause) = causes.iter().find(|it| it.among(open).any(is_told)) else {
        return sentence(it, now);
    };
    let mut text = match cause.places(open).len() {
        ..=1 => sentence(it, now),
        many => format!("{}: {many} places", cause.headline(open)),
    };
    let why = cause.cause.as_str().trim_end_matches('.');
    if !why.is_empty() {
        let _ = write!(text, " ({why})");
    }
    text.replace('|', "/")
}

/// The finding that says why the verdict is what it is.
fn told<'a>(it: &Subject<'a>) -> Option<&'a Finding> {
    let of_verdict = it.open.iter().find(|found| found.verdict == it.verdict);
    of_verdict.or_else(|| it.open.first()).copied()
}

/// One line about a place or host, and what somebody has said about the rest; the character before
/// performance data cannot be in it.
fn sentence(it: &Subject<'_>, now: Moment) -> String {
    let name = it.place.map(|it| &it.name);
    let leaf = it.place.and_then(Place::leaf);
    let known = it.known.and_then(|known| Some((known, known.ack.as_ref()?)));
    let summary = match (told(it), known, leaf) {
        (_, Some((known, ack)), _) if it.state == State::Ok => {
            format!("{} ({ack})", known.summary)
        }
        (Some(found), ..) => found.summary.to_string(),
        (None, _, Some(leaf)) => format!("{}, {} left", it.verdict, human(leaf.left(now))),
        (None, _, None) => it.verdict.to_string(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::{Ack, AckKind};
    use crate::text::SafeText;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// A finding that somebody may have snoozed.
    fn finding(verdict: Verdict, severity: Severity, is_known: bool) -> Finding {
        let summary = SafeText::new("found");
        let mut found = Finding::bare(HostName::new("a"), None, verdict, severity, summary);
        if is_known {
            let until = (NOW, NOW.plus(60));
            found.ack = Some(Ack::of(&found, AckKind::Snoozed, until, ("anna", "known")));
        }
        found
    }

    /// What is found, worst first, each with whether somebody knows of it: the verdict that is left,
    /// what to make of it, and whether something is left out.
    #[track_caller]
    fn check(found: &[(Verdict, Severity, bool)], args: &Args, expect: (Verdict, State, bool)) {
        let host = HostName::new("a");
        let found: Vec<_> = found.iter().map(|it| finding(it.0, it.1, it.2)).collect();
        let whole = found.iter().map(|it| it.verdict).max().unwrap_or(Verdict::Ok);
        let (open, known): (Vec<_>, Vec<_>) = found.iter().partition(|it| args.counts(it));
        let it = args.subject(&host, None, whole, open, &known);
        assert_eq!((it.verdict, it.state, it.known.is_some()), expect, "{found:?}");
        let said = sentence(&it, NOW);
        let is_told = said.contains("(snoozed by anna until ") && said.contains(": known)");
        assert_eq!(is_told, it.known.is_some() && it.state == State::Ok, "{said}");
    }

    #[test]
    fn what_somebody_knows_of_does_not_count() {
        use Severity::{Critical, Info, Warning};
        use State::Ok as Fine;
        let args = Args::default();
        check(&[], &args, (Verdict::Ok, Fine, false));
        let expired = |is_known| (Verdict::Expired, Critical, is_known);
        let chain = |is_known| (Verdict::Chain, Warning, is_known);
        let due = |is_known| (Verdict::Due, Info, is_known);
        check(&[expired(false)], &args, (Verdict::Expired, State::Critical, false));
        check(&[expired(true)], &args, (Verdict::Ok, Fine, true));
        check(&[expired(true), due(false)], &args, (Verdict::Due, Fine, true));
        check(&[expired(true), chain(false)], &args, (Verdict::Chain, State::Warning, true));
        check(&[expired(false), chain(true)], &args, (Verdict::Expired, State::Critical, false));
        check(&[expired(true), expired(false)], &args, (Verdict::Expired, State::Critical, false));
        // What was no failure before is none that is left out.
        check(&[due(true)], &args, (Verdict::Ok, Fine, false));
        let down = |is_known| (Verdict::Unreachable, Warning, is_known);
        check(&[down(false)], &args, (Verdict::Unreachable, State::Unknown, false));
        check(&[down(true)], &args, (Verdict::Ok, Fine, true));

        let args = Args { fail_on: vec![Verdict::Expired], ..Args::default() };
        check(&[expired(true), chain(false)], &args, (Verdict::Chain, Fine, true));
        let args = Args { critical: vec![Verdict::Due], ..Args::default() };
        check(&[due(true)], &args, (Verdict::Ok, Fine, true));
        let args = Args { with_acknowledged: true, ..Args::default() };
        check(&[expired(true)], &args, (Verdict::Expired, State::Critical, false));
    }

    /// A certificate that is fine was counted as `ok` among what is wrong, and `--fail-on` let its
    /// host pass.
    #[test]
    fn what_is_wrong_with_a_host_is_told_of_places_that_are_fine() {
        let host = HostName::new("a");
        let found = finding(Verdict::Unknown, Severity::Critical, false);
        let subject = |args: &Args, open| args.subject(&host, None, Verdict::Ok, open, &[]);
        let it = subject(&Args::default(), vec![&found]);
        assert_eq!((it.verdict, it.state), (Verdict::Unknown, State::Critical));
        assert_eq!(counted(&[it]), "1 unknown of ");
        let args = Args { fail_on: vec![Verdict::Unknown], ..Args::default() };
        assert_eq!(subject(&args, vec![&found]).state, State::Critical);
        assert_eq!(subject(&args, Vec::new()).state, State::Ok);
    }
}
