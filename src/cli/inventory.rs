//! `certdeck inventory`: check it, make one from what another program knows, describe it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::PossibleValue;

use super::{Context, Exit, Failure, open, print};
use crate::inventory::{Inventory, import, schema};
use crate::text::SafeText;

/// Check the inventory, make one from other files, describe it to an editor
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  certdeck inventory check
  certdeck inventory import ssh-config ~/.ssh/config > inventory.toml
  ansible-inventory --list | certdeck inventory import ansible -
  certdeck inventory schema > inventory.schema.json";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say everything that is wrong with the inventory, at once (the default)
    Check {
        /// Another file than the usual one; `-` is stdin
        file: Option<PathBuf>,
    },
    /// Print an inventory made from the hosts that another program knows
    Import {
        /// What the file is
        #[arg(value_parser = formats())]
        format: String,
        /// The file; `-` is stdin
        file: PathBuf,
    },
    /// Print the JSON Schema of the inventory, for editors
    Schema,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    match &args.command {
        None => check(&context.paths.inventory, context),
        Some(Command::Check { file }) => {
            check(file.as_deref().unwrap_or(&context.paths.inventory), context)
        }
        Some(Command::Import { format, file }) => {
            let text = open::text(file)?;
            let Some(kind) = import::ALL.iter().find(|it| it.name == format) else {
                return Err(Failure::say(Exit::BadRequest, format!("unknown format {format}")));
            };
            let imported = (kind.read)(&text);
            tell(&imported, file, &mut io::stderr().lock()).context("cannot write to stderr")?;
            if imported.hosts.is_empty() {
                let message = format!("no host was found in {}", file.display());
                return Err(Failure::say(Exit::BadRequest, message));
            }
            print(|out| out.write_all(import::write(&imported).as_bytes()))?;
            Ok(Exit::Done)
        }
        Some(Command::Schema) => {
            print(|out| writeln!(out, "{:#}", schema()))?;
            Ok(Exit::Done)
        }
    }
}

fn check(path: &Path, context: &Context) -> Result<Exit, Failure> {
    let inventory = open::inventory_at(path, context.is_colored)?;
    print(|out| writeln!(out, "{}: {}", path.display(), summary(&inventory)))?;
    Ok(Exit::Done)
}

/// What an inventory holds, as in `24 hosts, 3 groups`.
fn summary(inventory: &Inventory) -> String {
    let Inventory { groups, hosts, issuers, dns, fleets, hooks, notices, expiries, .. } = inventory;
    let counts = [
        (groups.len(), "group", "groups"),
        (hosts.iter().map(|it| it.told_sources).sum(), "source", "sources"),
        (hosts.iter().map(|it| it.endpoints.len()).sum(), "endpoint", "endpoints"),
        (issuers.len(), "issuer", "issuers"),
        (dns.len(), "DNS provider", "DNS providers"),
        (fleets.len(), "fleet elsewhere", "fleets elsewhere"),
        (hooks.len(), "hook", "hooks"),
        (inventory.secret_stores.len(), "store of secrets", "stores of secrets"),
        (notices.len(), "webhook", "webhooks"),
        (expiries.len(), "other expiry", "other expiries"),
    ];
    let count = |(number, one, many)| format!("{number} {}", if number == 1 { one } else { many });
    let others = counts.into_iter().filter(|it| it.0 > 0).map(count);
    let hosts = count((hosts.len(), "host", "hosts"));
    std::iter::once(hosts).chain(others).collect::<Vec<_>>().join(", ")
}

/// Says what was left out of an import, and how much was not.
fn tell(imported: &import::Imported, path: &Path, err: &mut dyn Write) -> io::Result<()> {
    let path = SafeText::new(&path.display().to_string());
    for skipped in &imported.skipped {
        writeln!(err, "{path}: {skipped}")?;
    }
    let (hosts, skipped) = (imported.hosts.len(), imported.skipped.len());
    writeln!(err, "{path}: hosts imported: {hosts}, notes: {skipped}")
}

fn formats() -> clap::builder::PossibleValuesParser {
    let value = |it: &import::Kind| PossibleValue::new(it.name).help(it.about);
    import::ALL.iter().map(value).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::read;

    #[test]
    fn a_summary_names_what_is_there() {
        let (inventory, complaints) = read(include_str!("../../inventory.example.toml"));
        assert_eq!(complaints, []);
        assert_eq!(
            summary(&inventory),
            "4 hosts, 2 groups, 9 sources, 2 endpoints, 3 issuers, 6 DNS providers, 1 fleet \
             elsewhere, 1 hook, 3 stores of secrets, 1 webhook, 2 other expiries"
        );
        assert_eq!(summary(&Inventory::default()), "0 hosts");
    }

    #[test]
    fn what_was_left_out_is_told() {
        let kind = import::ALL.iter().find(|it| it.name == "ssh-config").unwrap();
        let imported = (kind.read)("Host a\nHost *\x1b\n");
        let mut err = Vec::new();
        tell(&imported, Path::new("config"), &mut err).unwrap();
        assert_eq!(
            String::from_utf8(err).unwrap(),
            "config: line 2: `*^[` is a pattern, not a host\n\
             config: hosts imported: 1, notes: 1\n"
        );
    }
}
