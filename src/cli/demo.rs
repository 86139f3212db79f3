//! `certdeck demo`: everything that certdeck does, on the embedded practice fleet.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use super::{Context, Exit, Failure, Options, Paths, console, open, runtime};
use crate::clock::Clock;
use crate::fleet::Moment;
use crate::practice::{ALL, Practice, run_certbot, run_nginx};

/// The console on a practice fleet
///
/// The hosts are SSH servers inside this program, on loopback, reached through your ssh like any
/// others. They are gone when it ends. Nothing of yours is read or changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many hosts
    #[arg(
        long,
        value_name = "N",
        default_value_t = u16::try_from(ALL.len()).unwrap_or(u16::MAX),
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    hosts: u16,

    /// Keep the fleet running without the console, and print how to reach it
    #[arg(long)]
    serve: bool,

    #[command(flatten)]
    console: Options,
}

/// Runs certbot or nginx of a practice host, if that is what was typed, as nobody but the hosts
/// does: `certdeck practice-certbot ROOT TIME ARGUMENT…`, `certdeck practice-nginx ROOT ARGUMENT…`.
/// They are no subcommands, or shells would offer them. Neither the settings nor the inventory of
/// this machine are looked at.
pub(super) fn run_as_host(typed: &[OsString]) -> Option<Exit> {
    let [_, command, root, arguments @ ..] = typed else { return None };
    let root = Path::new(root);
    match (command.to_str()?, arguments) {
        ("practice-certbot", [time, arguments @ ..]) => {
            let now = Moment::from_unix(time.to_str()?.parse().ok()?);
            Some(Exit::Code(run_certbot(root, now, arguments)))
        }
        ("practice-nginx", arguments) => Some(Exit::Code(run_nginx(root, arguments))),
        _ => None,
    }
}

pub(super) fn run(args: &Args, before: Options, context: Context) -> Result<Exit, Failure> {
    let options = args.console.clone().or(before);
    if !args.serve {
        console::check_terminal(&context)?;
    }
    runtime()?.block_on(async {
        let practice = prepare(args, context.clock).await?;
        if args.serve {
            serve(&practice, &mut io::stdout()).await?;
            return Ok(Exit::Done);
        }
        let context = Context { paths: paths(&practice), ..context };
        let inventory = open::inventory(&context)?;
        let with = console::With::default();
        let left = console::open_console(&options, &context, inventory, with).await?;
        Ok(Exit::Code(left.ending.code()))
    })
}

/// Starts the fleet that was asked for.
async fn prepare(args: &Args, clock: Clock) -> anyhow::Result<Practice> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    Ok(Practice::start(args.hosts.into(), clock.now(), program).await?)
}

/// Where things are kept for as long as the fleet runs: in its own folder, so that neither the
/// snapshot nor the audit log of real hosts ever hears of it.
pub(super) fn paths(practice: &Practice) -> Paths {
    let folder = practice.folder();
    Paths {
        inventory: practice.inventory_path().to_owned(),
        config: folder.join("config"),
        state: folder.join("state"),
        runtime: folder.join("run"),
        ssh_config: Some(practice.ssh_config().to_owned()),
    }
}

/// Says how to reach the fleet, and keeps it running until somebody ends it.
async fn serve(practice: &Practice, out: &mut dyn Write) -> anyhow::Result<()> {
    let wait_for = |kind| signal(kind).context("cannot wait for signals");
    // Before anything is printed: whoever reads it may send the signal at once.
    let mut interrupt = wait_for(SignalKind::interrupt())?;
    let mut terminate = wait_for(SignalKind::terminate())?;
    let mut hangup = wait_for(SignalKind::hangup())?;
    tell(practice, out).context("cannot write to stdout")?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}

fn tell(practice: &Practice, out: &mut dyn Write) -> io::Result<()> {
    let hosts = practice.hosts();
    let first = hosts.first().map_or("HOST", |it| it.name.as_str());
    let show = |path: &Path| path.display().to_string();
    let paths = paths(practice);
    writeln!(out, "{} hosts run until Ctrl-C. In another shell:\n", hosts.len())?;
    write_exports(&paths, out)?;
    writeln!(out, "  certdeck scan\n")?;
    writeln!(out, "  ssh -F {} {first} certbot --version", show(practice.ssh_config()))?;
    out.flush()
}

/// How another shell comes to use the fleet.
pub(super) fn write_exports(paths: &Paths, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "  export CERTDECK_INVENTORY={}", paths.inventory.display())?;
    if let Some(config) = &paths.ssh_config {
        writeln!(out, "  export CERTDECK_SSH_CONFIG={}", config.display())?;
    }
    writeln!(out, "  export CERTDECK_STATE_DIR={}", paths.state.display())
}
