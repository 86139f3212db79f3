//! `certdeck preflight`: whether a CA would issue, before anybody asks it.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::plan::{FORMATS, recalled};
use super::request::places_of;
use super::session::{self, open_log, refused};
use super::survey::{self, Signals, note};
use super::{Context, Exit, Failure, open, print};
use crate::action::Chosen;
use crate::filter::{self, Filter};
use crate::fleet::{Fleet, Host, HostName, Place};
use crate::inventory::Inventory;
use crate::perform::preflight::{Preflight, Progress};
use crate::perform::{self, Tools};
use crate::preflight::{ALL, Kind, Outcome, Refusal, Verdict, Wanted};
use crate::report::preflight::{Checks, Preflights};
use crate::store::Store;
use crate::text::SafeText;

/// See whether a CA would issue, before it is asked
///
/// Mirrors what the CA will look at for the names of a certificate: where they lead, what their
/// zones say, whether a file or a record is found, and whether the host is ready for it. A random
/// file is placed and a random record is written for a moment, where names are proven so: both are
/// in the audit log, and go again. Everything else only looks.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// HOST/LINEAGE, the name of a lineage, a domain name, or a filter, as in 'state:due'
    #[arg(value_name = "NAME", required = true)]
    targets: Vec<String>,

    /// Other names than the lineage has, with commas between them: what `issue --names` takes
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    names: Vec<String>,

    /// Who would order: certbot or certdeck, as `issue --by` takes it; whoever has the lineage
    #[arg(long, value_name = "WHOM")]
    by: Option<String>,

    /// From whom: an `[[issuer]]` of the inventory, or the URL of a directory that a client of the
    /// host orders from; the CA of the lineage, or that of the host
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,

    /// By what it would be proven, as `issue --authenticator` takes it
    #[arg(long, value_name = "METHOD")]
    authenticator: Option<String>,

    /// The folder that is served at port 80, for webroot
    #[arg(long, value_name = "FOLDER")]
    webroot: Option<String>,

    /// Place nothing anywhere: what that would show is then unknown
    #[arg(long)]
    read_only: bool,

    /// Print the evidence of what is good, too
    #[arg(long)]
    evidence: bool,

    /// The format: text or json
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        value_parser = FORMATS,
        hide_possible_values = true
    )]
    format: String,
}

const EXAMPLES: &str = "\
Examples:
  certdeck preflight web-01/www.example.net
  certdeck preflight www.example.net --format json
  certdeck preflight web-01/shop --names shop.example.net,example.net
  certdeck preflight web-01/shop --by certdeck --issuer backup
  certdeck preflight 'state:due,overdue group=edge' --read-only

Exit codes: 0 nothing is in the way (there may be warnings), 1 a check failed, 2 the request was
wrong, 3 something could not be told, 74 the audit log refused.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let inventory = Arc::new(open::inventory(context)?);
    let words = args.targets.iter().map(|it| Word::read(it, &inventory, context));
    let words: Vec<Word> = words.collect::<Result<_, _>>()?;
    let log = open_log(context)?;
    session::attend("preflight", context, (inventory, log), async |tools| {
        check(args, context, tools, words).await
    })
}

async fn check(
    args: &Args,
    context: &Context,
    tools: Tools,
    words: Vec<Word>,
) -> Result<Exit, Failure> {
    let mut signals = Signals::catch()?;
    let mut fleet = recalled(&tools.inventory, context);
    if !args.read_only {
        // What was cut off before goes first, wherever it lies.
        perform::reconcile(&tools, Some(&[])).await.map_err(refused)?;
    }
    // Of hosts that nobody has looked at yet it is not known what they have, nor what they are.
    let is_known = words.iter().all(|it| it.is_exact() || !it.wanted(&fleet, context).is_empty());
    let is_new = |it: &&Host| !is_known || it.tried_at.is_none();
    let hosts = fleet.hosts().filter(is_new).map(|it| it.name.clone()).collect();
    let Tools { inventory, sessions, .. } = &tools;
    survey::look(context, inventory, sessions, &mut fleet, hosts, &mut signals).await?;
    let mut wanted: Vec<(HostName, Option<String>)> = Vec::new();
    for (word, text) in words.iter().zip(&args.targets) {
        let found = word.wanted(&fleet, context);
        if found.is_empty() {
            return Err(survey::nothing(text, &tools.inventory));
        }
        wanted.extend(found.into_iter().filter(|it| !wanted.contains(it)).collect::<Vec<_>>());
    }
    let chosen = chosen(args);
    let wanted: Vec<Wanted> = wanted
        .into_iter()
        .map(|(host, lineage)| Wanted { host, lineage, chosen: chosen.clone() })
        .collect();
    let read_only = args.read_only.then(|| SafeText::new("--read-only"));
    let targets: Vec<String> = wanted.iter().map(target).collect();
    let mut preflight = Preflight::start(tools, fleet.clone(), wanted, read_only);
    let mut told = Told::new(targets);
    let signal = tokio::select! {
        () = told.follow(&mut preflight, &mut fleet) => None,
        number = signals.next() => Some(number),
    };
    told.clear();
    if let Some(number) = signal {
        note("stopped: what was placed is being taken away\n");
        preflight.stop();
        // Whatever is left then goes when certdeck starts the next time.
        timeout(PATIENCE, told.follow(&mut preflight, &mut fleet)).await.ok();
        return Ok(Exit::Code(128 + number));
    }
    // The snapshot is a memory, not a record: nothing depends on it.
    Store::new(&context.paths.state).save(&fleet).ok();
    let all = told.checks();
    let shown = Preflights { all: &all, is_whole: args.evidence };
    print(|out| match args.format.as_str() {
        "json" => shown.write_json(out),
        _ => shown.write_text(out),
    })?;
    Ok(exit(&all))
}

/// How it would be ordered, as far as it was said.
fn chosen(args: &Args) -> Chosen {
    let mut chosen = Chosen::default();
    chosen.set("names", args.names.join(","));
    let more = [
        ("by", &args.by),
        ("issuer", &args.issuer),
        ("authenticator", &args.authenticator),
        ("webroot", &args.webroot),
    ];
    for (name, value) in more {
        chosen.set(name, value.clone().unwrap_or_default());
    }
    chosen
}

/// What is refused was asked for wrongly; what failed outweighs what is not known.
fn exit(all: &[Checks]) -> Exit {
    if all.iter().any(|it| it.case.is_err()) {
        return Exit::BadRequest;
    }
    match all.iter().map(Checks::outcome).max() {
        Some(Outcome::Failed) => Exit::Failed,
        Some(Outcome::Unknown) | None => Exit::Unknown,
        Some(_) => Exit::Done,
    }
}

fn target(it: &Wanted) -> String {
    match &it.lineage {
        Some(lineage) => format!("{}/{lineage}", it.host),
        None => it.host.to_string(),
    }
}

/// What a word of the command line means.
enum Word {
    /// A lineage by its host and name, which need not exist yet.
    Exact(HostName, String),
    /// Whatever it names; else what it keeps as a filter.
    Meant(String, Filter),
}

impl Word {
    fn read(word: &str, inventory: &Inventory, context: &Context) -> Result<Self, Failure> {
        if let Some((host, lineage)) = word.split_once('/')
            && let Some(host) = inventory.host(host)
            && !lineage.is_empty()
        {
            return Ok(Self::Exact(host.name.clone(), lineage.to_owned()));
        }
        let filter = survey::filter(&[word.to_owned()], context)?;
        Ok(Self::Meant(word.to_owned(), filter))
    }

    const fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(..))
    }

    /// What it means in a fleet.
    fn wanted(&self, fleet: &Fleet, context: &Context) -> Vec<(HostName, Option<String>)> {
        let (word, filter) = match self {
            Self::Exact(host, lineage) => return vec![(host.clone(), Some(lineage.clone()))],
            Self::Meant(word, filter) => (word, filter),
        };
        let mut found = places_named(word, fleet);
        if found.is_empty() {
            let kept = places_of(filter, fleet, context.clock.now());
            found = kept.into_iter().filter(|it| it.1.is_some()).collect();
        }
        // The same name of two clients is one target.
        found.dedup();
        found
    }
}

/// The lineages that a word names. An order is for one lineage: those that are called so are meant
/// before those that cover the name, and these before those that only should.
fn places_named(word: &str, fleet: &Fleet) -> Vec<(HostName, Option<String>)> {
    let found = filter::named(word, fleet).into_iter();
    let found: Vec<_> = found.filter_map(|(host, place)| Some((host, place?))).collect();
    let ranks: [fn(&Place, &str) -> bool; 3] = [
        |place, word| place.name == word,
        |place, word| place.leaf().is_some_and(|it| it.covers(word)),
        |_, _| true,
    ];
    let first = ranks.into_iter().find(|is_it| found.iter().any(|it| is_it(it.1, word)));
    let meant = found.iter().filter(|it| first.is_some_and(|is_it| is_it(it.1, word)));
    meant.map(|(host, place)| (host.name.clone(), Some(place.name.to_string()))).collect()
}

/// What was told so far, and the line on a terminal that says how far it is.
struct Told {
    all: Vec<One>,
    is_shown: bool,
}

struct One {
    target: String,
    case: Option<Result<Box<crate::preflight::Case>, Refusal>>,
    verdicts: Vec<(&'static Kind, Verdict)>,
}

impl Told {
    fn new(targets: Vec<String>) -> Self {
        let one = |target| One { target, case: None, verdicts: Vec::new() };
        Self { all: targets.into_iter().map(one).collect(), is_shown: io::stderr().is_terminal() }
    }

    async fn follow(&mut self, preflight: &mut Preflight, fleet: &mut Fleet) {
        while let Some(progress) = preflight.next().await {
            match progress {
                Progress::Began { at, case } => {
                    if let Some(one) = self.all.get_mut(at) {
                        one.case = Some(Ok(case));
                    }
                }
                Progress::Checked { at, kind, verdict } => {
                    if let Some(one) = self.all.get_mut(at) {
                        one.verdicts.push((kind, verdict));
                    }
                }
                Progress::Refused { at, refusal } => {
                    if let Some(one) = self.all.get_mut(at) {
                        one.case = Some(Err(refusal));
                    }
                }
                Progress::Ended { .. } => {}
                Progress::Visited(visit) => fleet.apply(visit),
            }
            self.draw();
        }
    }

    fn draw(&self) {
        if self.is_shown {
            let mut text = self.text();
            text.truncate(text.char_indices().nth(79).map_or(text.len(), |it| it.0));
            note(&format!("\r{text}\x1b[K"));
        }
    }

    fn clear(&self) {
        if self.is_shown {
            note("\r\x1b[K");
        }
    }

    fn text(&self) -> String {
        let done: usize = self.all.iter().map(|it| it.verdicts.len()).sum();
        let text = format!("{done} of {} checks", self.all.len() * ALL.len());
        let [one] = self.all.as_slice() else { return text };
        let done: BTreeSet<_> = one.verdicts.iter().map(|it| it.0.name).collect();
        let open: Vec<_> = ALL.iter().map(|it| it.name).filter(|it| !done.contains(it)).collect();
        if open.is_empty() { text } else { format!("{text}, waiting for {}", open.join(", ")) }
    }

    /// All of it, the checks in their order.
    fn checks(self) -> Vec<Checks> {
        let place = |kind: &Kind| ALL.iter().position(|it| it.name == kind.name);
        let lost = || Refusal {
            text: SafeText::new("it was not looked at"),
            hint: SafeText::new("look again"),
        };
        let checks = |it: One| {
            let mut verdicts = it.verdicts;
            verdicts.sort_by_key(|it| place(it.0));
            Checks { target: it.target, case: it.case.unwrap_or_else(|| Err(lost())), verdicts }
        };
        self.all.into_iter().map(checks).collect()
    }
}

/// For taking away what was placed.
const PATIENCE: Duration = Duration::from_secs(30);
