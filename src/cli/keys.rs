//! `certdeck keys`: what the keys of the console do.

use super::{Context, Exit, Failure, print};
use crate::tui::keys::{Keymap, Place, table};

/// Print what the keys of the console do
///
/// They are changed in the table `keys` of config.toml, by the names in the second column.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, context: &Context) -> Result<Exit, Failure> {
    let (keymap, conflicts) = Keymap::new(&context.config.keys);
    if !conflicts.is_empty() {
        return Err(Failure::say(Exit::BadRequest, conflicts.join("\n")));
    }
    let mut places: Vec<Place> = Vec::new();
    for it in table() {
        if !places.contains(&it.place) {
            places.push(it.place);
        }
    }
    print(|out| {
        for place in places {
            writeln!(out, "{}", place.title())?;
            for it in table().iter().filter(|it| it.place == place) {
                writeln!(out, "  {:20}  {:15}  {}", keymap.keys(it.command), it.name, it.help)?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}
