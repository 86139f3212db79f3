//! `certdeck completions`: what a shell needs to complete commands and options.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Arguments, Exit, Failure, print};

/// Print completions for a shell
///
/// Put them where the shell looks for them, for example:
///   certdeck completions bash > ~/.local/share/bash-completion/completions/certdeck
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "certdeck", &mut script);
    print(|out| out.write_all(&script))?;
    Ok(Exit::Done)
}
