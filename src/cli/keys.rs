//! `certdeck keys`: what the keys of the console do.

use super::{Context, Exit, Failure};

/// Print what the keys of the console do
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, _context: &Context) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
