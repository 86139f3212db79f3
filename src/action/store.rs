//! Our store on a host as actions use it: what puts a version in place, and what is told of how it
//! is ordered again. The layout is in [`crate::source`], kind `certdeck`.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::certbot::{Hook, checked_name, is_exact};
use super::plan::{Command, Plan};
use super::repoint::{Edit, POINT};
use super::server::{self, Serving};
use super::{Kind, Refusal, Target, Why, card, script};
use crate::fleet::{HostName, Install, OWN, Place, PlaceName};
use crate::inventory::Endpoint;
use crate::source::Client;
use crate::text::SafeText;

/// The store of a host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Store<'a> {
    target: &'a Target<'a>,
    pub(super) folder: &'a str,
}

impl<'a> Store<'a> {
    /// The store of the target's host.
    pub(super) fn of(target: &'a Target<'a>) -> Result<Self, Refusal> {
        let clients = target.told.sources.iter().filter_map(|it| it.client());
        let mut folders = clients.filter_map(|it| match it {
            Client::Certdeck { dir } => Some(dir),
            Client::Certbot { .. } | Client::CertManager { .. } => None,
        });
        let folder = folders.next().ok_or_else(|| {
            let text = format!("{} is not looked at for a store of certdeck", target.host.name);
            Refusal::new(Why::BadRequest, text)
                .hint("give it a [[host.source]] with kind = \"certdeck\", or leave `discover` on")
        })?;
        Ok(Self { target, folder })
    }

    /// The target that it was found for.
    pub(super) fn target(&self) -> &'a Target<'a> {
        self.target
    }

    /// The host that it is on.
    pub(super) fn host(&self) -> &'a HostName {
        &self.target.host.name
    }

    /// The lineage of that name in it.
    pub(super) fn place(&self, name: &str) -> Option<&'a Place> {
        let mut places = self.target.host.places.iter();
        places.find(|it| it.is_own() && it.name.as_str() == name)
    }

    /// The folder whose files are those of the live version.
    pub(super) fn live(&self, name: &str) -> String {
        format!("{}/live/{name}", self.folder)
    }

    /// The folder of all versions.
    pub(super) fn archive(&self, name: &str) -> String {
        format!("{}/archive/{name}", self.folder)
    }

    /// What a new version writes.
    pub(super) fn written(&self, name: &str) -> Vec<String> {
        vec![
            format!("{}/*/*.pem", self.archive(name)),
            format!("{}/current", self.live(name)),
            format!("{}/renewal/{name}.conf", self.folder),
        ]
    }
}

/// A plan about a lineage of the store that does nothing yet.
pub(super) fn blank(kind: &'static Kind, store: &Store<'_>, name: &str) -> Plan {
    Plan {
        place: Some(PlaceName::new(name)),
        source: Some(OWN),
        config_dir: Some(store.folder.to_owned()),
        ..card::blank(kind, store.target, None)
    }
}

/// How a lineage is ordered again, as its file tells it.
#[derive(Debug, Clone)]
pub(super) struct Conf<'a> {
    pub(super) names: &'a [String],
    pub(super) issuer: &'a str,
    pub(super) directory: &'a str,
    /// `webroot`, or `dns-` and the name of a `[[dns]]`.
    pub(super) method: &'a str,
    pub(super) webroot: Option<&'a str>,
    pub(super) key: &'a str,
    pub(super) is_shared: bool,
    pub(super) profile: Option<&'a str>,
    pub(super) hook: Option<&'a str>,
    pub(super) installs: &'a [Install],
}

impl Conf<'_> {
    /// The file. No value has a line break in it.
    pub(super) fn text(&self) -> String {
        let mut text =
            String::from("# Written by certdeck: how this certificate is ordered again.\n");
        let mut add = |key: &str, value: &str| {
            let value: String = value.chars().filter(|it| !it.is_control()).collect();
            let _ = writeln!(text, "{key} = {value}");
        };
        add("names", &self.names.join(", "));
        add("issuer", self.issuer);
        add("server", self.directory);
        add("method", self.method);
        if let Some(folder) = self.webroot {
            add("webroot", folder);
        }
        add("key", self.key);
        if self.is_shared {
            add("key-is-shared", "yes");
        }
        if let Some(profile) = self.profile {
            add("profile", profile);
        }
        if let Some(hook) = self.hook {
            add("deploy-hook", hook);
        }
        for it in self.installs {
            add("install", &format!("{} {}", it.kind.word(), it.path));
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// What becomes the live version.
#[derive(Debug, Clone)]
pub(super) enum Version {
    /// What was ordered: its chain is brought, its key lies where the order made it.
    Ordered,
    /// What another host has; with its key, or for the key in place.
    Brought { leaf: String, is_kept: bool },
    /// One that is there already.
    Kept(u32),
}

/// What puts a version in place, and what makes services use it. One script, so that whatever
/// fails is led back as a whole.
#[derive(Debug, Default)]
pub(super) struct Steps<'a> {
    pub(super) edits: Vec<Edit<'a>>,
    pub(super) installs: Vec<Install>,
    pub(super) hooks: Vec<Hook>,
    /// The servers that are told to load it.
    pub(super) servings: Vec<Serving<'a>>,
    /// The servers that should then show it, whoever makes them.
    pub(super) showing: Vec<Serving<'a>>,
}

/// The command, with what it does line by line.
#[derive(Debug)]
pub(super) struct Activation {
    pub(super) command: Command,
    pub(super) effect: Vec<String>,
    /// Whether anything makes a service load it.
    pub(super) is_loaded: bool,
}

/// Builds the command for a lineage. An empty `conf` leaves the one that is there.
pub(super) fn activate(
    store: &Store<'_>,
    name: &str,
    version: &Version,
    conf: &str,
    names: &[String],
    steps: &Steps<'_>,
) -> Result<Activation, Refusal> {
    let name = checked_name(name)?;
    let text = [POINT.trim_start(), ACTIVATE].concat();
    let mut argv: Vec<String> = ["/bin/sh", "-c"].map(str::to_owned).into();
    argv.extend([script::with_files(&text), "activate".to_owned()]);
    argv.extend([script::stamp(store.target.now), store.folder.to_owned(), name.to_owned()]);
    let (how, want) = match version {
        Version::Ordered => ("order", String::new()),
        Version::Brought { leaf, is_kept: true } => ("keep", leaf.clone()),
        Version::Brought { leaf, is_kept: false } => ("move", leaf.clone()),
        Version::Kept(number) => ("back", format!("{number:04}")),
    };
    argv.extend([how.to_owned(), conf.to_owned(), want]);
    let mut effect = Vec::new();
    for edit in &steps.edits {
        argv.push("edit".to_owned());
        argv.push(edit.file.clone());
        argv.extend(edit.pairs.iter().flatten().cloned());
        effect.extend(edit.told());
    }
    for it in &steps.installs {
        if let Some(odd) = Some(&it.path).filter(|it| !is_exact(it)) {
            let text = format!("`{odd}` has characters that cannot be given on");
            return Err(Refusal::new(Why::Unknown, text));
        }
        argv.extend(["install", it.kind.word(), it.path.as_str()].map(str::to_owned));
        let what = match it.kind {
            crate::fleet::InstallKind::Certificate => "certificate and chain",
            crate::fleet::InstallKind::Combined => "certificate, chain and key",
            crate::fleet::InstallKind::Key => "the key",
        };
        effect.push(format!("{} is written: {what}, its mode and owner kept", it.path));
    }
    let (tests, reloads, told) = reloads(&steps.servings);
    for it in &tests {
        argv.extend(["test".to_owned(), it.line()]);
    }
    for hook in &steps.hooks {
        if !is_exact(&hook.command) {
            let text =
                format!("the hook `{}` has characters that cannot be given on", hook.command);
            return Err(Refusal::new(Why::Unknown, text).hint("run it on the host itself"));
        }
        argv.extend(["hook".to_owned(), hook.command.to_string()]);
    }
    effect.extend(card::effect_of(&steps.hooks));
    for it in &reloads {
        argv.extend(["reload".to_owned(), it.line()]);
    }
    effect.extend(told);
    for (at, name) in shown(&steps.showing, names) {
        effect.push(format!("{at} is asked for {name} on the host until it shows the certificate"));
        argv.extend(["served".to_owned(), at, name]);
    }
    let is_loaded = !reloads.is_empty() || !steps.hooks.is_empty();
    if is_loaded || !steps.edits.is_empty() {
        effect.push(
            "if one of these fails, all of it is led back, and services load what was there before"
                .to_owned(),
        );
    }
    let env = vec![("RENEWED_DOMAINS".to_owned(), names.join(" "))];
    Ok(Activation { command: Command { argv, env }, effect, is_loaded })
}

/// Tests, reloads, and what they do. A server that cannot be reloaded is told and left alone.
fn reloads(servings: &[Serving<'_>]) -> (Vec<Command>, Vec<Command>, Vec<String>) {
    let (mut tests, mut reloads, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for serving in servings {
        match server::reload(std::slice::from_ref(serving)) {
            Ok((commands, effect)) => {
                let mut commands = commands.into_iter();
                tests.extend(commands.next());
                reloads.extend(commands);
                told.extend(effect);
            }
            Err(refusal) => told.push(format!("no reload: {}", refusal.text)),
        }
    }
    (tests, reloads, told)
}

/// Where these servers can be asked on their host for the certificate, each at one of its sites: an
/// address with its port, and a name. A site with keys of two kinds shows either, and one without
/// names may not be the one that answers.
fn shown(servings: &[Serving<'_>], names: &[String]) -> Vec<(String, String)> {
    let is_ours = |it: &&str| is_host(it) && names.iter().any(|name| card::covers(name, it));
    let of = |serving: &Serving<'_>| {
        serving.sites.iter().find_map(|(site, _)| {
            let of_names = names.iter().map(String::as_str).find(|it| is_host(it));
            let name = match (site.names.is_empty(), serving.server.sites.len()) {
                (true, 1) => of_names,
                _ => site.names.iter().map(SafeText::as_str).find(is_ours),
            };
            let listen = site.doors().min().filter(|_| site.loads.len() == 1)?;
            let address = match listen.address {
                IpAddr::V4(it) if it.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(it) if it.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                it => it,
            };
            Some((SocketAddr::new(address, listen.port).to_string(), name?.to_owned()))
        })
    };
    servings.iter().filter_map(of).collect()
}

/// Whether it is the name of a host, and of one only.
fn is_host(name: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b".-".contains(&it);
    name.starts_with(|it: char| it.is_ascii_alphanumeric()) && name.bytes().all(is_plain)
}

/// The endpoints at which these servers are looked at, beside those of the inventory.
pub(super) fn endpoints(
    target: &Target<'_>,
    names: &[SafeText],
    servings: &[Serving<'_>],
) -> Vec<Endpoint> {
    let mut all = card::endpoints(target, names);
    for it in server::endpoints(target, servings, None) {
        let is_covered = names.iter().any(|name| card::covers(name.as_str(), &it.name));
        let is_there = |that: &Endpoint| (&that.name, that.port) == (&it.name, it.port);
        if is_covered && !all.iter().any(is_there) {
            all.push(it);
        }
    }
    all
}

/// Needs `openssl` or `certtool`, `awk`, `mv -T`, `readlink`, `sed`, `sync`, `tr` on the host.
const ACTIVATE: &str = include_str!("activate.sh");
