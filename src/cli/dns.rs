//! `certdeck dns`: the providers that prove control of names in the DNS, and what was left there.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::errand::{self, Errand, say};
use super::{Context, Exit, Failure, open, print, runtime};
use crate::acme::desk::{Desk, Error, Record};
use crate::audit::Permit;
use crate::dns::{self, Spot};
use crate::inventory::{DnsZone, Inventory};
use crate::perform::Ending;
use crate::store::Store;
use crate::text::SafeText;

/// List the DNS providers, try one, and clear up challenges that were left behind
///
/// Without a command: list the providers of the inventory.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  certdeck dns
  certdeck dns check www.example.net
  certdeck dns check www.example.net --write
  certdeck dns orphans
  certdeck dns remove www.example.net VALUE --yes www.example.net

Exit codes: 0 done, 1 the DNS or the provider refused, 2 no such provider or the request was
wrong, 3 something could not be asked, 74 the audit log refused.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print every provider of the inventory, or every kind there is
    List {
        /// The kinds that an inventory may name, with their keys and secrets
        #[arg(long)]
        kinds: bool,
    },
    /// See whether control of a name could be proven in the DNS
    ///
    /// Finds where the challenge of the name really lies, and whether the secret of the provider
    /// works. With --write, a random value is written beside what is there, waited for at every
    /// authoritative server, and removed again: what an order does.
    Check {
        /// The name, of a wildcard with or without its star
        name: String,
        /// Write, see and remove a random value
        #[arg(long)]
        write: bool,
    },
    /// Print values of challenges that are still in the DNS
    ///
    /// Of every name in the last known certificates whose zone a provider of the inventory
    /// writes. What an order under way needs is not among them.
    Orphans {
        /// Names beside those in the last known certificates
        names: Vec<String>,
        /// The format
        #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = ["text", "json"])]
        format: String,
    },
    /// Remove one value of a challenge
    Remove {
        /// The name whose challenge it is
        name: String,
        /// The value, as `orphans` prints it
        value: String,
        /// Do not ask: the name
        #[arg(long, value_name = "NAME")]
        yes: Option<String>,
    },
}

pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    if let Some(Command::List { kinds: true }) = args.command {
        return print_kinds();
    }
    let inventory = open::inventory(context)?;
    let run = async {
        match args.command {
            None | Some(Command::List { .. }) => list(&inventory),
            Some(Command::Check { name, write }) => check(&inventory, &name, write, context).await,
            Some(Command::Orphans { names, format }) => {
                orphans(&inventory, names, &format, context).await
            }
            Some(Command::Remove { name, value, yes }) => {
                remove(&inventory, &name, &value, yes.as_deref(), context).await
            }
        }
    };
    runtime()?.block_on(run)
}

fn list(inventory: &Inventory) -> Result<Exit, Failure> {
    if inventory.dns.is_empty() {
        return Err(Failure::say(Exit::BadRequest, "the inventory names no DNS provider")
            .with_hint("`certdeck dns list --kinds` prints what a [[dns]] can be"));
    }
    let width = inventory.dns.iter().map(|it| it.name.chars().count()).max().unwrap_or_default();
    print(|out| {
        for told in &inventory.dns {
            let zones =
                if told.zones.is_empty() { "any zone".into() } else { told.zones.join(", ") };
            let line = format!("{:width$}  {}  {zones}", told.name, told.kind);
            writeln!(out, "{}", SafeText::new(&line))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn print_kinds() -> Result<Exit, Failure> {
    print(|out| {
        for kind in dns::kinds() {
            writeln!(out, "{:<14} {}", kind.name, kind.about)?;
            if !kind.needs.is_empty() {
                writeln!(out, "{:14} needs {}", "", kind.needs.join(", "))?;
            }
            if !kind.takes.is_empty() {
                writeln!(out, "{:14} takes {}", "", kind.takes.join(", "))?;
            }
            match kind.secret {
                dns::Wanted::Perhaps(what) => {
                    writeln!(out, "{:14} secret, if any: {what}", "")?;
                }
                dns::Wanted::Text(what) => writeln!(out, "{:14} secret: {what}", "")?,
                dns::Wanted::Parts(parts) => {
                    writeln!(
                        out,
                        "{:14} secret: lines `name = value` of {}",
                        "",
                        parts.join(", ")
                    )?;
                }
            }
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

async fn check(
    inventory: &Inventory,
    name: &str,
    is_writing: bool,
    context: &Context,
) -> Result<Exit, Failure> {
    let desk = open_for(inventory, name).await?;
    // As long as the digest that a challenge has there, and drawn as randomly.
    let value = [Uuid::new_v4(), Uuid::new_v4()].map(|it| it.simple().to_string()).concat();
    let value = format!("certdeck-probe-{}", value.get(..28).unwrap_or_default());
    let spot = desk.locate(&Record::of(name, &value)).await.map_err(failure)?;
    let mut said =
        vec![format!("{} is written by {} in the zone {}", spot.owner, desk.name(), spot.zone)];
    let present = desk.list(&spot).await.map_err(failure)?;
    said.push(match present.len() {
        0 => "no value is there".to_owned(),
        count => format!("values that are there: {count}"),
    });
    match desk.resolver().caa(name).await {
        Ok(caa) => match &caa.at {
            None => said.push("CAA: none, every CA may issue".to_owned()),
            Some(at) => {
                let lines: Vec<_> = caa.lines().iter().map(ToString::to_string).collect();
                said.push(format!("CAA of {at}: {}", lines.join(", ")));
            }
        },
        // A CA that gets no answer there does not issue (RFC 8659, section 5.1).
        Err(error) => said.push(format!("CAA: {error}; CAs will refuse")),
    }
    print(|out| said.iter().try_for_each(|it| writeln!(out, "{}", SafeText::new(it))))?;
    if !is_writing {
        say("nothing was written: --write tries that, too");
        return Ok(Exit::Done);
    }
    let body = body("dns-check", &spot, "typed --write", context);
    let errand = Errand::begin(body, desk.guard(), context)?;
    let done = probe(&desk, &spot, errand.permit()).await;
    finish(errand, done)
}

/// Writes, sees and removes; what was written is removed whatever becomes of the wait, Ctrl-C
/// included.
async fn probe(desk: &Desk, spot: &Spot, permit: &Permit) -> Result<SafeText, Error> {
    let spots = std::slice::from_ref(spot);
    let tell = |step: crate::acme::Step| {
        say(step.text.as_str());
    };
    let seen = match desk.add(spot, permit).await {
        Ok(()) => tokio::select! {
            seen = desk.wait(spots, tell) => seen.map(|()| "seen everywhere"),
            _ = tokio::signal::ctrl_c() => Ok("not waited for"),
        },
        Err(error) => Err(error),
    };
    let gone = desk.remove(spot, permit).await;
    let text = if desk.forgets() { "and removed" } else { "and stays until it is pushed out" };
    let seen = seen?;
    gone?;
    Ok(SafeText::new(&format!("a value was written, {seen} {text}")))
}

async fn remove(
    inventory: &Inventory,
    name: &str,
    value: &str,
    yes: Option<&str>,
    context: &Context,
) -> Result<Exit, Failure> {
    let desk = open_for(inventory, name).await?;
    let spot = desk.locate(&Record::of(name, value)).await.map_err(failure)?;
    if !desk.forgets() {
        let text = format!("dns {}: what it has written cannot be removed", desk.name());
        return Err(Failure::say(Exit::BadRequest, text).with_hint("the next values push it out"));
    }
    if !desk.list(&spot).await.map_err(failure)?.contains(&spot.value) {
        say(&format!("{} has no such value; nothing was changed", spot.owner));
        return Ok(Exit::Done);
    }
    if in_use(context).iter().any(|it| it.contains(&spot.value)) {
        let text = format!("{}: an order under way needs this value", spot.owner);
        return Err(Failure::say(Exit::BadRequest, text)
            .with_hint("let it end, or end it: `certdeck jobs`"));
    }
    let warning = format!("dns-remove: {} loses the value {}", spot.owner, spot.value);
    let Some(confirmed) = errand::confirm(&warning, ("name", name), yes)? else {
        say("nothing was changed");
        return Ok(Exit::Failed);
    };
    let body = body("dns-remove", &spot, confirmed, context);
    let errand = Errand::begin(body, desk.guard(), context)?;
    let done = desk.remove(&spot, errand.permit()).await;
    let text = format!("{}: the value is removed", spot.owner);
    finish(errand, done.map(|()| SafeText::new(&text)))
}

async fn orphans(
    inventory: &Inventory,
    names: Vec<String>,
    format: &str,
    context: &Context,
) -> Result<Exit, Failure> {
    let mut fleet = inventory.fleet();
    // Without a snapshot, the names that were typed are looked at.
    Store::new(&context.paths.state).recall(&mut fleet).ok();
    let mut wanted: BTreeSet<String> = names.into_iter().collect();
    for (_, place) in fleet.places() {
        let names = place.leaf().map(|it| &it.names);
        wanted.extend(names.into_iter().flatten().map(ToString::to_string));
    }
    let in_use = in_use(context);
    let mut seen = BTreeSet::new();
    let (mut found, mut troubles) = (Vec::new(), BTreeSet::new());
    for name in &wanted {
        let Some(told) = inventory.dns_of(name) else { continue };
        match left_at(told, name).await {
            Ok(spots) => found.extend(
                spots
                    .into_iter()
                    .filter(|it| {
                        let is_needed = in_use.iter().any(|text| text.contains(&it.value));
                        !is_needed && seen.insert((it.owner.clone(), it.value.clone()))
                    })
                    .map(|it| (name.trim_start_matches("*.").to_owned(), it)),
            ),
            // The same of many names is told once.
            Err(error) => drop(troubles.insert((error.to_string(), error.hint()))),
        }
    }
    for (trouble, hint) in &troubles {
        say(trouble);
        say(&format!("  {hint}"));
    }
    if format == "json" {
        let rows = found.iter().map(|(name, it)| {
            json!({ "name": name, "dns": it.desk, "owner": it.owner, "zone": it.zone, "value": it.value })
        });
        let rows: Vec<_> = rows.collect();
        print(|out| writeln!(out, "{:#}", json!({ "orphans": rows })))?;
    } else if found.is_empty() {
        let more = if troubles.is_empty() { "" } else { " where it could be looked" };
        say(&format!("no challenge was left behind{more}"));
    } else {
        print(|out| {
            found.iter().try_for_each(|(name, it)| {
                let line = format!("{name}  {}  {}  {}", it.desk, it.owner, it.value);
                writeln!(out, "{}", SafeText::new(&line))
            })
        })?;
        say("`certdeck dns remove NAME VALUE` removes one");
    }
    Ok(if troubles.is_empty() { Exit::Done } else { Exit::Unknown })
}

/// The values at the challenge of a name that look like those of challenges.
async fn left_at(told: &DnsZone, name: &str) -> Result<Vec<Spot>, Error> {
    let desk = Desk::open(told).await?;
    let spot = desk.locate(&Record::of(name, "")).await?;
    desk.left_at(&spot).await
}

/// The files of orders that have begun, which hold every value that is needed yet.
fn in_use(context: &Context) -> Vec<String> {
    let folder = std::fs::read_dir(context.paths.state.join("orders"));
    let files = folder.into_iter().flatten().filter_map(|it| it.ok().map(|it| it.path()));
    files.filter_map(|it| open::text(&it).ok()).collect()
}

async fn open_for(inventory: &Inventory, name: &str) -> Result<Desk, Failure> {
    let Some(told) = inventory.dns_of(name) else {
        let text = format!("no [[dns]] of the inventory writes the zone of {name}");
        return Err(Failure::say(Exit::BadRequest, text)
            .with_hint("add the zone to the `zones` of the [[dns]] that does"));
    };
    Desk::open(told).await.map_err(failure)
}

fn body(action: &str, spot: &Spot, confirmed: &str, context: &Context) -> Map<String, Value> {
    [
        ("action", json!(action)),
        ("dns", json!(spot.desk)),
        ("owner", json!(spot.owner)),
        ("zone", json!(spot.zone)),
        ("value", json!(spot.value)),
        ("who", json!(context.session("dns").who())),
        ("confirmed", json!(confirmed)),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// Writes down what became of it, and says so.
fn finish(errand: Errand, done: Result<SafeText, Error>) -> Result<Exit, Failure> {
    let (ending, summary) = match &done {
        Ok(said) => (Ending::Ok, said.clone()),
        Err(error) => (Ending::Failed, SafeText::new(&error.to_string())),
    };
    errand.end(ending, &summary)?;
    let said = done.map_err(failure)?;
    print(|out| writeln!(out, "{said}"))?;
    Ok(Exit::Done)
}

fn failure(error: Error) -> Failure {
    let exit = match &error {
        Error::Secret(_) | Error::Elsewhere { .. } => Exit::BadRequest,
        Error::Question { .. } => Exit::Unknown,
        Error::Provider { .. } | Error::Unseen { .. } => Exit::Failed,
    };
    let hint = error.hint();
    Failure::new(exit, error).with_hint(hint)
}
