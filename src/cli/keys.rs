//! `certdeck keys`: what the keys of the console do.

use super::{Context, Exit, Failure, print};
use crate::tui::keys::{Keymap, table};

/// Print what the keys of the console do
///
/// They are changed in the table [keys] of config.toml, by the names in the second column.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (keymap, conflicts) = Keymap::new(&context.config.keys);
    if !conflicts.is_empty() {
        return Err(Failure::say(Exit::BadRequest, conflicts.join("\n")));
    }
    print(|out| {
        let mut place = None;
        for it in table() {
            if place.replace(it.place) != Some(it.place) {
                writeln!(out, "{}", it.place.title())?;
            }
            writeln!(out, "  {:22} {:18} {}", keymap.keys(it.command), it.name, it.help)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}
