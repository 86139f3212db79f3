//! Builds the folders of all hosts, and the inventory that names them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::authority::{Authorities, Ca, ROOTS};
use super::ports::Ports;
use super::stage::{Manner, Shared, Stage};
use super::{CA, Error, HOSTS, certbot, programs, scenario};
use crate::fleet::{DAY, Moment};

/// A fleet that is to be built.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) hosts: Vec<Wanted>,
    /// What else expires: its name, and in how many days.
    pub(super) expiries: &'static [(&'static str, i64)],
}

/// A host that is to be built.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) groups: &'static [&'static str],
    /// What the inventory says of it, for people.
    pub(super) about: Option<&'static str>,
    pub(super) recipe: Recipe,
}

/// How a host is built.
#[derive(Debug, Clone, Copy)]
pub(super) enum Recipe {
    /// As nobody else is.
    Own(fn(&mut Stage<'_>) -> Result<(), Error>),
    /// As one of the crowd, with that number.
    Crowd(usize),
}

/// A host whose folder is written.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) name: String,
    pub(super) root: PathBuf,
    pub(super) manner: Manner,
    groups: &'static [&'static str],
    about: Option<&'static str>,
    inventory: String,
}

/// What all hosts have in common.
#[derive(Debug)]
pub(super) struct Ground<'a> {
    /// The folder of the fleet.
    pub(super) folder: &'a Path,
    /// This very program, which is certbot on the hosts.
    pub(super) program: &'a Path,
    /// The time of the fleet.
    pub(super) now: Moment,
    /// How far that is from the machine's clock, in seconds.
    pub(super) clock_offset: i64,
    /// Where hosts answer from outside.
    pub(super) ports: &'a Ports,
}

/// Builds these hosts, on as many threads as the machine has processors.
pub(super) fn all(ground: &Ground<'_>, hosts: &[Wanted]) -> Result<Vec<Built>, Error> {
    let authorities = &Authorities::new(ground.now).map_err(Error::Issue)?;
    authorities.keep(&ground.folder.join(CA))?;
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let share = hosts.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = hosts
            .chunks(share)
            .map(|hosts| {
                scope.spawn(move || {
                    let shared = Shared::default();
                    let one = |it| one(ground, it, authorities, &shared);
                    hosts.iter().map(one).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(hosts.len());
        for worker in workers {
            match worker.join() {
                Ok(built) => all.extend(built?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(all)
    })
}

fn one(
    ground: &Ground<'_>,
    wanted: &Wanted,
    authorities: &Authorities,
    shared: &Shared,
) -> Result<Built, Error> {
    let Wanted { name, groups, about, recipe } = wanted;
    let root = ground.folder.join(HOSTS).join(name);
    let mut stage = Stage::new(authorities, shared, ground, root);
    match recipe {
        Recipe::Own(build) => build(&mut stage)?,
        Recipe::Crowd(number) => scenario::crowd::build(&mut stage, *number)?,
    }
    programs::complete(&stage)?;
    let Stage { root, manner, inventory, .. } = stage;
    Ok(Built { name: name.clone(), root, manner, groups, about: *about, inventory })
}

/// The inventory of these hosts, and of what else expires around them.
pub(super) fn inventory(
    hosts: &[Built],
    expiries: &[(&str, i64)],
    folder: &Path,
    now: Moment,
) -> String {
    let roots = folder.join(CA).join(ROOTS);
    let mut text = HEAD.replace("ROOTS", &roots.display().to_string());
    for host in hosts {
        let groups: Vec<String> = host.groups.iter().map(|it| format!("\"{it}\"")).collect();
        let about = host.about.map_or_else(String::new, |it| format!("# {it}\n"));
        let _ = write!(
            text,
            "\n{about}[[host]]\nname = \"{}\"\ngroups = [{}]\n{}",
            host.name,
            groups.join(", "),
            host.inventory
        );
    }
    let _ = write!(
        text,
        r#"
[[issuer]]
name = "practice"
directory = "{}"
staging = "{}"

[[issuer]]
name = "rehearsal"
directory = "{}"

[[dns]]
name = "zone-main"
kind = "rfc2136"
zones = ["example.net"]
server = "127.0.0.1"
nameservers = ["127.0.0.1"]
key-name = "practice"
secret-file = "{}/tsig.key"

[[hook]]
name = "reload-nginx"
run = "nginx -t && systemctl reload nginx"
impact = "reload"

[[hook]]
name = "restart-postfix"
run = "systemctl restart postfix"
impact = "restart"
"#,
        certbot::directory(Ca::Public),
        certbot::directory(Ca::Staging),
        certbot::directory(Ca::Second),
        folder.display(),
    );
    for (name, days) in expiries {
        let date = now.plus(days * DAY).to_string();
        let date = date.get(..10).unwrap_or_default();
        let _ = write!(text, "\n[[expiry]]\nname = \"{name}\"\non = {date}\n");
    }
    text
}

const HEAD: &str = r#"# The practice fleet: SSH servers inside certdeck, gone when it ends.

[defaults]
practice = true
connect-timeout = "10s"
scan-timeout = "15s"
# Both ends of every connection run on this machine.
concurrency = 8
roots = ["ROOTS"]
# Names of practice are asked for nowhere else.
resolvers = ["127.0.0.1"]

[[group]]
name = "production"
protect = "typed"
owner = "web team"
runbook = "https://wiki.example.net/tls"

[[group]]
name = "edge"
owner = "edge team, pager 4711"
runbook = "https://wiki.example.net/edge/tls"
wave = 5

[[group]]
name = "staging"
protect = "none"
owner = "whoever broke it"

[[group]]
name = "internal"
protect = "confirm"
owner = "platform team"
"#;
