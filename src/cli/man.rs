//! `certdeck man`: the manual page, every subcommand included.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::{Arguments, Exit, Failure, print};

/// Print the manual page
///
/// Read it with `certdeck man | man -l -`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> Result<Exit, Failure> {
    let mut command = Arguments::command();
    command.build();
    print(|out| write(&command, out))?;
    Ok(Exit::Done)
}

/// One page: the sections of the program, then one heading for each subcommand. A page of its own
/// for each would have to be installed to be found.
fn write(command: &Command, out: &mut dyn Write) -> io::Result<()> {
    let page = Man::new(command.clone());
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    for subcommand in visible(command) {
        write_subcommand(subcommand, "certdeck", out)?;
    }
    page.render_extra_section(out)?;
    page.render_version_section(out)
}

fn write_subcommand(command: &Command, parent: &str, out: &mut dyn Write) -> io::Result<()> {
    let name = format!("{parent} {}", command.get_name());
    writeln!(out, ".SH \"{}\"", name.to_uppercase())?;
    let mut text = Vec::new();
    let page = Man::new(command.clone());
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.get_after_help().is_some() {
        page.render_extra_section(&mut text)?;
    }
    // Below a heading of its own, the sections of a subcommand are one step down.
    for line in String::from_utf8_lossy(&text).lines() {
        match line.strip_prefix(".SH ") {
            Some(title) => writeln!(out, ".SS {title}")?,
            None => writeln!(out, "{line}")?,
        }
    }
    visible(command).try_for_each(|it| write_subcommand(it, &name, out))
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help")
}
