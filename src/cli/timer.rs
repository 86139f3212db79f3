//! `certdeck timer`: what makes renewals run without a daemon, printed for the system that runs
//! it. Changes nothing.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{Context, Exit, Failure, print};
use crate::source::quote;

/// Print what runs `renew due --unattended` twice a day: a systemd timer, or a line of cron
///
/// It changes nothing: save what it prints, and switch it on as it says.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// A line for crontab(5) instead of units of systemd
    #[arg(long)]
    cron: bool,

    /// Units for this user's own systemd instead of the system's
    #[arg(long, conflicts_with = "cron")]
    user: bool,
}

const EXAMPLES: &str = "\
Examples:
  certdeck timer            units, with how to install them
  certdeck timer --cron     a line for `crontab -e`

Lineages that became due together are renewed one by one all the same: each has its own moment in
its window, and no run asks a CA for more than it allows.";

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let program = std::env::current_exe()?;
    let command = Command {
        program: &program,
        inventory: &std::path::absolute(&context.paths.inventory)?,
        state: &std::path::absolute(&context.paths.state)?,
    };
    let text = if args.cron { command.cron() } else { command.units(args.user) };
    print(|out| out.write_all(text.as_bytes()))?;
    Ok(Exit::Done)
}

/// What is run.
struct Command<'a> {
    program: &'a Path,
    inventory: &'a Path,
    state: &'a Path,
}

impl Command<'_> {
    fn cron(&self) -> String {
        let Self { program, inventory, state } = self;
        let [program, inventory, state] = [program, inventory, state].map(|it| {
            // A percent sign ends the command there (crontab(5)).
            quote(&it.to_string_lossy()).replace('%', "\\%")
        });
        let minute = self.minute();
        format!(
            "# Renews what certdeck has ordered, twice a day; add it with `crontab -e`.\n\
             {minute} 5,17 * * * CERTDECK_STATE_DIR={state} {program} --inventory {inventory} run \
             renew due --unattended --spread 30m\n"
        )
    }

    fn units(&self, is_user: bool) -> String {
        let Self { program, inventory, state } = self;
        let [program, inventory, state] =
            [program, inventory, state].map(|it| systemd(&it.to_string_lossy()));
        let (folder, control, target) = if is_user {
            ("~/.config/systemd/user", "systemctl --user", "default.target")
        } else {
            ("/etc/systemd/system", "systemctl", "network-online.target")
        };
        let linger = if is_user {
            "# A user's timers run without a login only after: loginctl enable-linger\n"
        } else {
            ""
        };
        format!(
            "# Save the first part as {folder}/certdeck-renew.service, the second as\n\
             # {folder}/certdeck-renew.timer, then:\n\
             #   {control} daemon-reload && {control} enable --now certdeck-renew.timer\n\
             {linger}\n\
             # certdeck-renew.service\n\
             [Unit]\n\
             Description=Renew what certdeck has ordered\n\
             After={target}\n\
             \n\
             [Service]\n\
             Type=oneshot\n\
             Environment={}\n\
             ExecStart={program} --inventory {inventory} run renew due --unattended\n\
             # What it has begun on this machine goes on without it, as elsewhere.\n\
             KillMode=process\n\
             \n\
             # certdeck-renew.timer\n\
             [Unit]\n\
             Description=Renew what certdeck has ordered, twice a day\n\
             \n\
             [Timer]\n\
             OnCalendar=*-*-* 05,17:00:00\n\
             RandomizedDelaySec=1h\n\
             Persistent=true\n\
             \n\
             [Install]\n\
             WantedBy=timers.target\n",
            format_args!("\"CERTDECK_STATE_DIR={}\"", state.trim_matches('"')),
        )
    }

    /// The same at every print, and another one on every machine.
    fn minute(&self) -> u8 {
        let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
        let mut hasher = Sha256::new();
        hasher.update(machine);
        hasher.update(self.state.as_os_str().as_encoded_bytes());
        hasher.finalize().first().copied().unwrap_or_default() % 60
    }
}

/// A word as systemd.service(5) reads it: quoted, with its own signs doubled.
pub(super) fn systemd(text: &str) -> String {
    let text =
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn command() -> Command<'static> {
        Command {
            program: Path::new("/opt/100% right/certdeck"),
            inventory: Path::new("/etc/certdeck's/inventory.toml"),
            state: Path::new("/var/lib/certdeck"),
        }
    }

    #[test]
    fn units_say_how_they_are_installed() {
        assert_snapshot!(command().units(false));
        assert!(command().units(true).contains("enable-linger"));
    }

    #[test]
    fn cron_gets_one_line() {
        let text = command().cron();
        let line = text.lines().nth(1).unwrap();
        let (minute, rest) = line.split_once(' ').unwrap();
        assert!(minute.parse::<u8>().unwrap() < 60);
        assert_snapshot!(rest, @r"5,17 * * * CERTDECK_STATE_DIR='/var/lib/certdeck' '/opt/100\% right/certdeck' --inventory '/etc/certdeck'\''s/inventory.toml' run renew due --unattended --spread 30m");
    }
}
