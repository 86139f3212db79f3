//! The command line: one file per subcommand. Alone turns errors into text and exit codes.

mod audit;
mod budget;
mod check;
mod completions;
mod config;
mod console;
mod dashboard;
#[cfg(feature = "practice")]
mod demo;
mod dns;
mod doctor;
mod emergency;
mod environment;
mod errand;
mod export;
mod host;
mod incident;
mod inventory;
mod issuer;
mod jobs;
mod keys;
mod log;
mod man;
mod notice;
mod open;
mod outcome;
mod paths;
mod plan;
#[cfg(feature = "practice")]
mod practice;
mod preflight;
mod progress;
mod request;
mod review;
mod rollout;
mod rules;
mod run;
mod scan;
mod session;
mod survey;
mod timer;
mod unattended;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use tokio::runtime::Runtime;

pub use config::Config;
pub use console::Options;
pub use environment::Environment;
pub use paths::Paths;

use crate::clock::Clock;
use crate::fleet::Moment;
use crate::text::SafeText;
use crate::tui::theme::Depth;

/// One timeline of everything that expires on a fleet of hosts, over SSH.
///
/// Without a command, the console opens.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_override_self = true)]
pub struct Arguments {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    console: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  certdeck demo                          the console on a practice fleet; needs no servers
  certdeck practice                      an emergency to practise, on hosts that are not real
  certdeck                               the console on your inventory
  certdeck scan --format json            everything, for programs
  certdeck scan 'state:expired,overdue'  what is wrong now
  certdeck check group=production        one line for monitoring

Exit codes: 0 done, 1 a finding is critical, 2 the request was wrong, 3 something could not be
told (a host could not be read). `check` has those of monitoring plugins.";

/// In the help, the options that every command takes stand below its own.
const SHARED: usize = 100;

/// What every subcommand takes.
#[derive(Debug, clap::Args)]
struct Shared {
    /// The inventory [default: inventory.toml in the folder of settings]
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "CERTDECK_INVENTORY",
        hide_env_values = true,
        display_order = SHARED
    )]
    inventory: Option<PathBuf>,

    /// When to use colours
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        hide_possible_values = true,
        display_order = SHARED
    )]
    color: When,

    /// Draw with ASCII characters only
    #[arg(long, global = true, display_order = SHARED)]
    ascii: bool,

    /// A clock that stands still, for tests and pictures.
    #[arg(long, global = true, hide = true, value_name = "RFC3339", value_parser = moment)]
    now: Option<Moment>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal that has them, unless `NO_COLOR` is set.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "practice")]
    Demo(demo::Args),
    #[cfg(feature = "practice")]
    Practice(practice::Args),
    Scan(scan::Args),
    Check(check::Args),
    Export(export::Args),
    Rules(rules::Args),
    Dashboard(dashboard::Args),
    Review(review::Args),
    Audit(audit::Args),
    Plan(plan::Args),
    Preflight(preflight::Args),
    Run(run::Args),
    Budget(budget::Args),
    Inventory(inventory::Args),
    Host(host::Command),
    Issuer(issuer::Args),
    Dns(dns::Args),
    Jobs(jobs::Args),
    Incident(incident::Args),
    Notice(notice::Args),
    Timer(timer::Args),
    Emergency(emergency::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    Man(man::Args),
    Keys(keys::Args),
}

/// What every subcommand is given.
#[derive(Debug)]
pub struct Context {
    /// The time.
    pub clock: Clock,
    /// Where things are kept on this machine.
    pub paths: Paths,
    /// Whether stderr takes colours.
    pub is_colored: bool,
    /// How many colours stdout takes.
    pub depth: Depth,
    /// Whether to draw with ASCII characters only.
    pub is_ascii: bool,
    /// What the environment says.
    pub environment: Environment,
    /// What the settings say.
    pub config: Config,
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done and proven: 0.
    Done,
    /// A step failed or a finding is critical: 1.
    Failed,
    /// The request itself was wrong: 2.
    BadRequest,
    /// It could not be told: 3.
    Unknown,
    /// The audit log refused: 74, `EX_IOERR` of sysexits.h.
    AuditRefused,
    /// A monitoring plugin's own code, or 128 and the number of the signal that ended a wait.
    Code(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::BadRequest => 2,
            Exit::Unknown => 3,
            Exit::AuditRefused => 74,
            Exit::Code(code) => code,
        })
    }
}

/// Why a subcommand cannot go on.
#[derive(Debug)]
pub enum Failure {
    /// What is wrong in a file that a person wrote, drawn with carets.
    Complaints(String),
    /// Nobody reads what we print: a success without a word, as with `certdeck scan | head`.
    OutputClosed,
    /// Anything else.
    Refused {
        /// How the program ends.
        exit: Exit,
        /// What happened.
        error: anyhow::Error,
        /// What to try, line by line.
        hints: Vec<String>,
    },
}

impl Failure {
    /// A failure with a way to end.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self::Refused { exit, error: error.into(), hints: Vec::new() }
    }

    /// A failure in one sentence.
    pub fn say(exit: Exit, message: impl Into<String>) -> Self {
        Self::new(exit, anyhow::Error::msg(message.into()))
    }

    /// Adds a line that says what to try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        if let Self::Refused { hints, .. } = &mut self {
            hints.push(hint.into());
        }
        self
    }

    /// What happened, line by line, made safe: names from outside may stand in it.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::OutputClosed => Vec::new(),
            // Drawn from the operator's own file, by a crate that spells controls out.
            Self::Complaints(drawn) => drawn.lines().map(str::to_owned).collect(),
            Self::Refused { error, .. } => {
                format!("{error:#}").lines().map(|it| SafeText::new(it).to_string()).collect()
            }
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Failed, error)
    }
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    #[cfg(feature = "practice")]
    if let Some(exit) = demo::run_as_host(&typed) {
        return exit.into();
    }
    let ended = match Arguments::try_parse_from(&typed) {
        Ok(it) if matches!(it.command, Some(Command::Check(_))) => {
            dispatch(it).or_else(|failure| check::unknown(&failure))
        }
        Ok(it) => dispatch(it),
        Err(error) => usage(&error, &typed),
    };
    ended.unwrap_or_else(|failure| complain(&failure)).into()
}

fn dispatch(arguments: Arguments) -> Result<Exit, Failure> {
    let Arguments { shared, console, command } = arguments;
    let context = Context::find(&shared)?;
    let Some(command) = command else { return console::run(&console, &context) };
    if console != Options::default() && !command.is_console() {
        return Err(Failure::say(Exit::BadRequest, "this command takes no options of the console")
            .with_hint("`certdeck --help` shows which options every command takes"));
    }
    match command {
        Command::Audit(args) => audit::run(args, &context),
        Command::Budget(args) => budget::run(&args, &context),
        Command::Check(args) => check::run(&args, &context),
        Command::Completions(args) => completions::run(&args),
        Command::Dashboard(args) => dashboard::run(&args),
        #[cfg(feature = "practice")]
        Command::Demo(args) => demo::run(&args, console, context),
        Command::Emergency(args) => emergency::run(&args, &context),
        Command::Doctor(args) => doctor::run(&args, &context),
        Command::Export(args) => export::run(&args, &context),
        Command::Incident(args) => incident::run(&args, &context),
        Command::Host(args) => {
            let inventory = open::inventory(&context)?;
            runtime()?.block_on(async {
                let sessions = survey::sessions(&context, 0)?;
                Ok(host::run(args, &inventory, &sessions, &context).await?)
            })
        }
        Command::Inventory(args) => inventory::run(&args, &context),
        Command::Issuer(args) => issuer::run(args, &context),
        Command::Dns(args) => dns::run(args, &context),
        Command::Jobs(args) => jobs::run(&args, &context),
        Command::Timer(args) => timer::run(&args, &context),
        Command::Keys(args) => keys::run(&args, &context),
        Command::Man(args) => man::run(&args),
        Command::Notice(args) => notice::run(&args, &context),
        #[cfg(feature = "practice")]
        Command::Practice(args) => practice::run(&args, console, context),
        Command::Plan(args) => plan::run(&args, &context),
        Command::Preflight(args) => preflight::run(&args, &context),
        Command::Review(args) => review::run(&args, &context),
        Command::Rules(args) => rules::run(&args),
        Command::Run(args) => run::run(&args, &context),
        Command::Scan(args) => scan::run(&args, &context),
    }
}

impl Command {
    /// Whether it opens the console.
    const fn is_console(&self) -> bool {
        match self {
            #[cfg(feature = "practice")]
            Self::Demo(_) | Self::Practice(_) => true,
            _ => false,
        }
    }
}

impl Context {
    fn find(shared: &Shared) -> Result<Self, Failure> {
        let environment = Environment::read();
        let paths = Paths::find(&environment, shared.inventory.as_deref())?;
        let stderr = io::stderr().is_terminal();
        let is_colored = environment.depth(shared.color, stderr) != Depth::None;
        let config = Config::read(&paths.config, is_colored)?;
        Ok(Self {
            clock: shared.now.map_or_else(Clock::default, Clock::fixed),
            is_colored,
            depth: environment.depth(shared.color, io::stdout().is_terminal()),
            is_ascii: shared.ascii || config.ascii || !environment.is_unicode(),
            paths,
            environment,
            config,
        })
    }
}

/// What clap has to say: help and the version are successes, anything else a wrong request.
fn usage(error: &clap::Error, typed: &[OsString]) -> Result<Exit, Failure> {
    if !error.use_stderr() {
        return print(|out| write!(out, "{}", error.render())).map(|()| Exit::Done);
    }
    let half = Arguments::command().ignore_errors(true).try_get_matches_from(typed);
    if half.is_ok_and(|it| it.subcommand_name() == Some("check")) {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return check::unknown(&Failure::say(Exit::BadRequest, first));
    }
    // Nobody is left to tell if stderr is closed.
    error.print().ok();
    Ok(Exit::BadRequest)
}

/// Writes a failure to stderr, and says how the program ends.
fn complain(failure: &Failure) -> Exit {
    let mut lines = failure.lines();
    let exit = match failure {
        Failure::OutputClosed => Exit::Done,
        Failure::Complaints(_) => Exit::BadRequest,
        Failure::Refused { exit, hints, .. } => {
            if let Some(first) = lines.first_mut() {
                first.insert_str(0, "error: ");
            }
            lines.extend(hints.iter().map(|it| format!("hint: {it}")));
            *exit
        }
    };
    let text: String = lines.into_iter().map(|it| it + "\n").collect();
    // Nobody is left to tell if stderr is closed.
    io::stderr().write_all(text.as_bytes()).ok();
    exit
}

/// Writes to stdout; a reader that has gone away ends the program quietly.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(it) if is_closed(&it) => {
            // What is still in the buffer has no reader either.
            drop(out.into_parts());
            Err(Failure::OutputClosed)
        }
        written => Ok(written.context("cannot write to stdout")?),
    }
}

/// Whether nobody reads any more. The writer of CSV wraps what it was told, and hides its kind.
fn is_closed(error: &io::Error) -> bool {
    let wrapped = error.get_ref().and_then(|it| it.downcast_ref::<csv::Error>());
    match wrapped.map(csv::Error::kind) {
        Some(csv::ErrorKind::Io(it)) => it.kind() == io::ErrorKind::BrokenPipe,
        _ => error.kind() == io::ErrorKind::BrokenPipe,
    }
}

/// The threads that a command needs to wait for many hosts.
fn runtime() -> Result<Runtime, Failure> {
    Ok(Runtime::new().context("cannot start threads")?)
}

fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text).ok_or_else(|| "expected a time as in 2026-11-23T03:12:44Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_went_away_is_known_through_every_writer() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed(&gone()));
        assert!(is_closed(&io::Error::from(csv::Error::from(gone()))));
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(!is_closed(&io::Error::from(csv::Error::from(full))));
    }
}
