//! `certdeck doctor`: what on this machine would stand in the way. Looks only, and asks no host.

use std::io::{self, IsTerminal as _};
use std::os::unix::ffi::OsStrExt as _;

use super::{Context, Exit, Failure, open, paths, print};
use crate::fleet::DAY;
use crate::inventory::{Become, Connection, Host, Inventory};
use crate::remote::client::{self, Agent};
use crate::source::Client;
use crate::store::Store;
use crate::tui::theme::Depth;

/// Check this machine: ssh client, keys, folders, terminal, inventory
///
/// Only looks, and asks no host. Of ssh nothing is looked at where every host is this machine
/// itself. Exit codes: 0 nothing failed, 1 something did.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_args: &Args, context: &Context) -> Result<Exit, Failure> {
    let read = open::inventory(context);
    let hosts = read.as_ref().map(|it| it.hosts.as_slice()).unwrap_or_default();
    let (local, far): (Vec<_>, Vec<_>) =
        hosts.iter().partition(|it| it.connection == Connection::Local);
    let mut checks = Vec::new();
    // Where nobody is known yet, somebody far away may be meant.
    if local.is_empty() || !far.is_empty() {
        checks.extend([
            ("ssh client", ssh()),
            ("ssh agent", agent(context)),
            ("known hosts", known_hosts(context)),
            ("sockets", sockets(context)),
        ]);
    }
    if !local.is_empty() {
        checks.push(("as a host", here(&local, context)));
    }
    checks.extend([
        ("state", state(context)),
        ("terminal", terminal(context)),
        ("inventory", inventory(&read, context)),
        ("renewals", renewals(context)),
    ]);
    print(|out| {
        for (name, Look { grade, text, hint }) in &checks {
            writeln!(out, "{:4}  {name:11}  {text}", grade.word())?;
            if let Some(hint) = hint {
                writeln!(out, "{:19}{hint}", "")?;
            }
        }
        Ok(())
    })?;
    let is_failed = checks.iter().any(|(_, it)| it.grade == Grade::Fail);
    Ok(if is_failed { Exit::Failed } else { Exit::Done })
}

/// What came of one check.
struct Look {
    grade: Grade,
    text: String,
    hint: Option<String>,
}

/// From good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Ok,
    Warn,
    Fail,
}

impl Grade {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

fn ok(text: impl Into<String>) -> Look {
    Look { grade: Grade::Ok, text: text.into(), hint: None }
}

fn warn(text: impl Into<String>, hint: impl Into<String>) -> Look {
    Look { grade: Grade::Warn, text: text.into(), hint: Some(hint.into()) }
}

fn fail(text: impl Into<String>, hint: impl Into<String>) -> Look {
    Look { grade: Grade::Fail, text: text.into(), hint: Some(hint.into()) }
}

fn ssh() -> Look {
    let version = match client::version() {
        Ok(it) => it,
        Err(error) => {
            return fail(format!("ssh does not start: {error}"), "install openssh-client");
        }
    };
    let text = version.to_string();
    match client::parse_version(&text) {
        Some(it) if it >= OLDEST => ok(text),
        Some(_) => fail(text, format!("OpenSSH {}.{} or later is needed", OLDEST.0, OLDEST.1)),
        None => warn(text, "certdeck is only tried with the client of OpenSSH"),
    }
}

/// `StrictHostKeyChecking`, `ControlMaster` and `ssh -G` are older; `KnownHostsCommand` and the
/// sftp protocol are not used. 8.4 is what the oldest supported Debian had.
const OLDEST: (u32, u32) = (8, 4);

fn agent(context: &Context) -> Look {
    let hint = "without an agent, ssh needs a key file without a passphrase: nobody can be asked";
    if context.environment.agent.is_none() {
        return warn("SSH_AUTH_SOCK is not set", hint);
    }
    match client::agent() {
        Ok(Agent::Keys(0)) => warn("it holds no keys", "ssh-add"),
        Ok(Agent::Keys(1)) => ok("1 key"),
        Ok(Agent::Keys(count)) => ok(format!("{count} keys")),
        Ok(Agent::Silent) => warn("nothing answers at SSH_AUTH_SOCK", hint),
        Err(error) => warn(format!("ssh-add does not start: {error}"), "install openssh-client"),
    }
}

fn known_hosts(context: &Context) -> Look {
    let hint = "certdeck host trust NAME looks at a host's key and adds it";
    let path = match client::known_hosts(context.paths.ssh_config.as_deref()) {
        Ok(Some(path)) => path,
        Ok(None) => return warn("ssh does not tell where it keeps the keys of hosts", hint),
        Err(error) => {
            return fail(format!("ssh does not start: {error}"), "install openssh-client");
        }
    };
    match open::text_if_any(&path) {
        Err(failure) => fail(failure.lines().join("; "), "make it readable for you"),
        Ok(None) => warn(format!("there is no {}", path.display()), hint),
        Ok(Some(text)) => {
            let is_key = |it: &&str| !it.trim().is_empty() && !it.trim_start().starts_with('#');
            ok(format!("{} lines in {}", text.lines().filter(is_key).count(), path.display()))
        }
    }
}

fn sockets(context: &Context) -> Look {
    let path = &context.paths.runtime;
    let text = path.display().to_string();
    if path.as_os_str().as_bytes().len() > LONGEST {
        return fail(
            format!("{text}: too long for the name of a socket"),
            "set XDG_RUNTIME_DIR to a shorter folder",
        );
    }
    match path.symlink_metadata() {
        Err(it) if it.kind() == io::ErrorKind::NotFound => ok(format!("{text} (made when needed)")),
        Err(error) => fail(format!("{text}: {error}"), "set XDG_RUNTIME_DIR to a folder of yours"),
        Ok(found) => match paths::intruder(&found) {
            None => ok(text),
            Some(fault) => fail(format!("{text}: {fault}"), "remove it; certdeck makes a new one"),
        },
    }
}

/// The name of a socket has at most 107 bytes (unix(7)); ssh adds 17 of its own to a control
/// path while it makes one, and the names below the folder take up to 30.
const LONGEST: usize = 107 - 17 - 30;

/// What this machine needs to be a host as others are.
fn here(hosts: &[&Host], context: &Context) -> Look {
    let is_any = |is: fn(&Host) -> bool| hosts.iter().any(|it| is(it));
    let has_cluster = is_any(|it| {
        let mut clients = it.sources.iter().filter_map(|it| it.client());
        clients.any(|it| matches!(it, Client::CertManager { .. }))
    });
    let becomes = is_any(|it| it.r#become == Become::Sudo);
    let needed = [("kubectl", has_cluster), ("sudo", becomes)];
    let needed = needed.into_iter().filter_map(|(program, is_needed)| is_needed.then_some(program));
    let is_missing = |it: &&str| !context.environment.variables.find(it);
    let missing: Vec<_> = needed.chain(TO_CHANGE.iter().copied()).filter(is_missing).collect();
    if missing.is_empty() {
        return ok("what is needed to read and to change it is there");
    }
    let missing = missing.join(", ");
    warn(format!("there is no {missing}"), "install it, or see that PATH leads to it")
}

/// What jobs need, beside a shell.
const TO_CHANGE: &[&str] = &["base64", "flock", "mkfifo", "setsid", "sha256sum"];

fn state(context: &Context) -> Look {
    let path = &context.paths.state;
    let text = path.display().to_string();
    let hint = "set CERTDECK_STATE_DIR to a folder of yours";
    // The folder itself need not be there, but whatever is above it must let us make it.
    let Some(there) = path.ancestors().find(|it| it.exists()) else {
        return fail(format!("{text}: nothing of it is there"), hint);
    };
    match rustix::fs::access(there, rustix::fs::Access::WRITE_OK) {
        Ok(()) if there == path => ok(text),
        Ok(()) => ok(format!("{text} (made when needed)")),
        Err(error) => fail(format!("{}: {error}", there.display()), hint),
    }
}

fn terminal(context: &Context) -> Look {
    let out = io::stdout();
    let Some(size) = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten()
    else {
        return ok("stdout is not one; the console needs it");
    };
    let colors = match context.depth {
        Depth::True => "24-bit colours",
        Depth::Ansi16 => "16 colours",
        Depth::None => "no colours",
    };
    let characters = if context.is_ascii { "ASCII" } else { "UTF-8" };
    let text = format!("{} x {}, {colors}, {characters}", size.ws_col, size.ws_row);
    if context.environment.is_dumb() {
        return warn(text, "TERM=dumb cannot move its cursor: use `certdeck scan`");
    }
    if size.ws_col < 60 || size.ws_row < 14 {
        return warn(text, "the console needs 60 x 14");
    }
    match context.depth {
        Depth::Ansi16 => {
            warn(text, "COLORTERM=truecolor, if the terminal has them, for all colours")
        }
        _ => ok(text),
    }
}

/// Whether what certdeck has ordered is renewed with nobody there.
fn renewals(context: &Context) -> Look {
    let Some(last) = Store::new(&context.paths.state).unattended() else {
        return ok(
            "no unattended run from this machine yet; `certdeck timer` prints what starts them",
        );
    };
    let text = format!(
        "the last unattended run was at {}: {} of {} went well",
        last.at, last.done, last.begun
    );
    let is_old = context.clock.now().since(last.at) > 2 * DAY;
    if is_old {
        return warn(text, "it should run twice a day: see what became of its timer");
    }
    if last.done < last.begun {
        return warn(text, "`certdeck audit list` tells what failed, and why");
    }
    ok(text)
}

fn inventory(read: &Result<Inventory, Failure>, context: &Context) -> Look {
    match read {
        Ok(it) => {
            let path = context.paths.inventory.display();
            let plural = if it.hosts.len() == 1 { "" } else { "s" };
            ok(format!("{} host{plural} in {path}", it.hosts.len()))
        }
        Err(Failure::Complaints(_)) => fail(
            format!("something is wrong in {}", context.paths.inventory.display()),
            "certdeck inventory check",
        ),
        Err(failure) => fail(failure.lines().join("; "), "certdeck demo needs no inventory"),
    }
}
