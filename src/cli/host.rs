//! `certdeck host trust`: the first contact with a host.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Map, json};

use super::{Context, Exit};
use crate::audit;
use crate::fleet::Why;
use crate::inventory::{Connection, Host, Inventory};
use crate::remote::keys::{self, Offer};
use crate::remote::{Error, Fault, Sessions};
use crate::text::SafeText;

/// Trust the keys of hosts.
#[derive(Debug, Args)]
pub(super) struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show the key that a host offers, and trust it from now on.
    Trust {
        /// The host, as the inventory names it.
        name: String,
        /// Trust exactly the key with this fingerprint, without asking.
        #[arg(long, value_name = "SHA256:…")]
        yes: Option<String>,
    },
}

/// Runs the subcommand.
pub(super) async fn run(
    command: Command,
    inventory: &Inventory,
    sessions: &Sessions,
    context: &Context,
) -> anyhow::Result<Exit> {
    let Verb::Trust { name, yes } = command.verb;
    let Some(host) = inventory.host(&name) else {
        say(&format!("no host `{}` in the inventory", SafeText::new(&name)))?;
        return Ok(Exit::BadRequest);
    };
    if host.connection == Connection::Local {
        say(&format!("{}: it is this machine: nobody on the way has a key", host.name))?;
        return Ok(Exit::Done);
    }
    let exit = trust(host, yes.as_deref(), sessions, context).await;
    sessions.close().await;
    exit
}

async fn trust(
    host: &Host,
    yes: Option<&str>,
    sessions: &Sessions,
    context: &Context,
) -> anyhow::Result<Exit> {
    let mut is_asked = false;
    loop {
        let offer = match sessions.unknown_key(host).await {
            Ok(Some(offer)) => offer,
            Ok(None) if is_asked => return Ok(Exit::Done),
            Ok(None) => {
                say(&format!("{}: the key is known already", host.name))?;
                return Ok(Exit::Done);
            }
            Err(error) => return refuse(host, &error),
        };
        is_asked = true;
        let confirmed = match confirm(host, &offer, yes)? {
            Ok(how) => how,
            Err(exit) => return Ok(exit),
        };
        if let Err(error) = add(host, &offer, confirmed, context) {
            let Some(refused) = error.downcast_ref::<audit::Error>() else { return Err(error) };
            say(&format!("{}: nothing was changed: {refused}", host.name))?;
            return Ok(Exit::AuditRefused);
        }
        say(&format!("{}: added to {}", offer.known_as, offer.file.display()))?;
    }
}

/// Shows the key and asks, or compares. The outer error is about this terminal.
fn confirm(
    host: &Host,
    offer: &Offer,
    yes: Option<&str>,
) -> anyhow::Result<Result<&'static str, Exit>> {
    let Offer { name, kind, fingerprint, .. } = offer;
    let who = if *name == *host.name.as_str() { String::new() } else { format!(": {name}") };
    say(&format!("{}{who} offers {kind} {fingerprint}", host.name))?;
    match yes {
        Some(expected) if expected == fingerprint => return Ok(Ok("--yes with the fingerprint")),
        Some(expected) => {
            say(&format!("this is not {}; nothing was changed", SafeText::new(expected)))?;
            return Ok(Err(Exit::Failed));
        }
        None => {}
    }
    if !std::io::stdin().is_terminal() {
        say(
            "nothing was changed: compare this with what `ssh-keygen -lf` says on the host, then:",
        )?;
        say(&format!("  certdeck host trust {} --yes {fingerprint}", host.name))?;
        return Ok(Err(Exit::BadRequest));
    }
    let mut stderr = std::io::stderr();
    write!(stderr, "Is that what `ssh-keygen -lf` says on the host? Type yes to trust it: ")?;
    stderr.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        Ok(Ok("typed yes"))
    } else {
        say("nothing was changed")?;
        Ok(Err(Exit::Failed))
    }
}

fn add(host: &Host, offer: &Offer, confirmed: &str, context: &Context) -> anyhow::Result<()> {
    let mut log = audit::Log::open(&context.paths.state, context.clock)?;
    let record: Map<_, _> = [
        ("what", json!("host-key")),
        ("host", json!(host.name.as_str())),
        ("address", json!(offer.name.as_str())),
        ("known-as", json!(offer.known_as.as_str())),
        ("key", json!(offer.kind.as_str())),
        ("old", json!(null)),
        ("new", json!(offer.fingerprint)),
        ("file", json!(offer.file.display().to_string())),
        ("confirmed", json!(confirmed)),
        ("who", json!(context.session("host trust").who())),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let permit = log.change(&record)?;
    keys::trust(offer, &permit).with_context(|| format!("{}: the key was not added", host.name))
}

fn refuse(host: &Host, error: &Error) -> anyhow::Result<Exit> {
    let unreached = error.unreached(host);
    say(&format!("{}: {}", host.name, unreached.text))?;
    if let Some(hint) = &unreached.hint {
        say(&format!("  {hint}"))?;
    }
    if let Error::Connect { fault: Fault::ChangedKey, known_as, .. } = error {
        say(&format!("  once you are sure: ssh-keygen -R '{known_as}', then trust it again"))?;
    }
    Ok(if unreached.why == Why::ChangedKey { Exit::Failed } else { Exit::Unknown })
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{text}")?)
}
