//! Builds the folders of all hosts, and the inventory that names them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::authority::{Authorities, Ca, ROOTS};
use super::ports::Ports;
use super::stage::{Manner, Shared, Stage};
use super::{CA, Error, HOSTS, certbot, programs, scenario};
use crate::fleet::{DAY, Moment};

/// A host whose folder is written.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) name: String,
    pub(super) root: PathBuf,
    pub(super) manner: Manner,
    groups: &'static [&'static str],
    about: String,
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

/// Builds that many hosts, on as many threads as the machine has processors.
pub(super) fn all(ground: &Ground<'_>, hosts: usize) -> Result<Vec<Built>, Error> {
    let authorities = &Authorities::new(ground.now).map_err(Error::Issue)?;
    authorities.keep(&ground.folder.join(CA))?;
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let numbers: Vec<usize> = (0..hosts).collect();
    let share = hosts.div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = numbers
            .chunks(share)
            .map(|numbers| {
                scope.spawn(move || {
                    let shared = Shared::default();
                    let one = |&it| one(ground, it, authorities, &shared);
                    numbers.iter().map(one).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        let mut all = Vec::with_capacity(hosts);
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
    number: usize,
    authorities: &Authorities,
    shared: &Shared,
) -> Result<Built, Error> {
    let kind = scenario::ALL.get(number);
    let (name, groups) = match kind {
        Some(kind) => (kind.host.to_owned(), kind.groups),
        None => scenario::crowd::name(number - scenario::ALL.len()),
    };
    let root = ground.folder.join(HOSTS).join(&name);
    let mut stage = Stage::new(authorities, shared, ground, root);
    match kind {
        Some(kind) => (kind.build)(&mut stage)?,
        None => scenario::crowd::build(&mut stage, number - scenario::ALL.len())?,
    }
    programs::complete(&stage)?;
    let about = kind.map(|it| format!("# {}\n", it.about)).unwrap_or_default();
    let Stage { root, manner, inventory, .. } = stage;
    Ok(Built { name, root, manner, groups, about, inventory })
}

/// The inventory of these hosts, and of what else expires around them.
pub(super) fn inventory(hosts: &[Built], folder: &Path, now: Moment) -> String {
    let roots = folder.join(CA).join(ROOTS);
    let mut text = HEAD.replace("ROOTS", &roots.display().to_string());
    for host in hosts {
        let groups: Vec<String> = host.groups.iter().map(|it| format!("\"{it}\"")).collect();
        let _ = write!(
            text,
            "\n{}[[host]]\nname = \"{}\"\ngroups = [{}]\n{}",
            host.about,
            host.name,
            groups.join(", "),
            host.inventory
        );
    }
    let day = |days: i64| {
        let date = now.plus(days * DAY).to_string();
        date.get(..10).unwrap_or_default().to_owned()
    };
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

[[expiry]]
name = "CDN API token"
on = {}

[[expiry]]
name = "example.org domain"
on = {}

[[expiry]]
name = "EAB key of rehearsal"
on = {}
"#,
        certbot::directory(Ca::Public),
        certbot::directory(Ca::Staging),
        certbot::directory(Ca::Second),
        folder.display(),
        day(9),
        day(57),
        day(140),
    );
    text
}

const HEAD: &str = r#"# The practice fleet: SSH servers inside certdeck, gone when it ends.

[defaults]
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
