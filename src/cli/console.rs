//! `certdeck`: the console.

use std::io::{self, IsTerminal as _};

use super::{Context, Exit, Failure};
use crate::tui::theme;

/// How the console looks and what it may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Options of the console")]
pub struct Options {
    /// The theme: auto, dark, light, mono or high-contrast
    #[arg(long, value_name = "NAME", value_parser = theme_name)]
    pub theme: Option<String>,

    /// Show other names for hosts and certificates, for screen sharing
    #[arg(long)]
    pub privacy: bool,

    /// Refuse every change until the console is closed
    #[arg(long)]
    pub read_only: bool,

    /// Draw progress without moving parts
    #[arg(long)]
    pub reduced_motion: bool,
}

pub(super) fn run(_options: &Options, context: &Context) -> Result<Exit, Failure> {
    check_terminal(context)?;
    Ok(Exit::Done)
}

/// The console starts only where somebody can see it.
pub(super) fn check_terminal(context: &Context) -> Result<(), Failure> {
    let fault = if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        "the console needs a terminal"
    } else if context.environment.is_dumb() {
        "the console needs a terminal that can move its cursor, and TERM is dumb"
    } else {
        return Ok(());
    };
    Err(Failure::say(Exit::BadRequest, fault)
        .with_hint("`certdeck scan` prints the same facts as text, JSON or CSV"))
}

fn theme_name(name: &str) -> Result<String, String> {
    let names: Vec<&str> = theme::ALL.iter().map(|it| it.name).collect();
    if name == AUTO || names.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(format!("expected one of {AUTO}, {}", names.join(", ")))
    }
}

/// The theme that follows the terminal.
pub(super) const AUTO: &str = "auto";
