//! What we were told: hosts, groups, issuers, hooks and other things that expire, from a TOML
//! file. Reads text only; files are read in [`crate::cli`].

mod grammar;
mod host;
pub mod import;
mod named;
mod plain;
mod provider;
mod prune;
mod read;
mod schema;
mod secret_store;
mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::budget::{self, Limit, Told};
use crate::fleet::{self, Expiry, Fleet, HostName, Roots, Vantage};
use crate::source::Source;
use crate::text::SafeText;

pub use read::read;
pub use schema::schema;
pub use secret_store::{SecretStore, StoreKind};

/// An inventory in which nothing is wrong.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// What holds for every host that does not say otherwise.
    pub defaults: Defaults,
    /// Groups, in the order of the file.
    pub groups: Vec<Group>,
    /// Hosts, in the order of the file.
    pub hosts: Vec<Host>,
    /// CA accounts to order from.
    pub issuers: Vec<Issuer>,
    /// DNS providers for dns-01.
    pub dns: Vec<DnsZone>,
    /// Fleets that are read elsewhere.
    pub fleets: Vec<Elsewhere>,
    /// Commands that may be run on hosts.
    pub hooks: Vec<NamedHook>,
    /// Stores of secrets that certificates are delivered to.
    pub secret_stores: Vec<SecretStore>,
    /// Webhooks that are told of things.
    pub notices: Vec<Notice>,
    /// Other things that expire.
    pub expiries: Vec<Expiry>,
}

/// What holds for every host that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// How commands become root.
    pub r#become: Become,
    /// How many hosts are read at once.
    pub concurrency: usize,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a whole visit to a host may take, connecting included.
    pub scan_timeout: Duration,
    /// How many hosts behind the same jump host are connected to at once.
    pub jump_concurrency: usize,
    /// How many sessions stay open between scans in the console.
    pub keep_warm: usize,
    /// Whether hosts are asked for their servers and listeners, too.
    pub discover: bool,
    /// Files with authorities beside the public ones, in PEM.
    pub roots: Vec<String>,
    /// Who is asked about the DNS; nobody named: whom the system asks.
    pub resolvers: Vec<SocketAddr>,
    /// The issuer to order from, where nothing else is said.
    pub issuer: Option<String>,
    /// The stores of secrets that certificates are delivered to, where nothing else is said.
    pub deliver: Vec<String>,
    /// After how many seconds of an incident that is not over the console says whom to call;
    /// `None` is never.
    pub escalate_after: Option<i64>,
    /// Whether nothing behind it is real, so that everything has to say so.
    pub practice: bool,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            r#become: Become::None,
            concurrency: 32,
            connect_timeout: Duration::from_secs(10),
            scan_timeout: Duration::from_secs(20),
            // sshd's MaxStartups starts to drop at ten connections that have not logged in yet
            // (sshd_config(5)); two are left for people.
            jump_concurrency: 8,
            keep_warm: 16,
            discover: true,
            roots: Vec::new(),
            resolvers: Vec::new(),
            issuer: None,
            deliver: Vec::new(),
            escalate_after: Some(30 * 60),
            practice: false,
        }
    }
}

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// Not at all: it is this machine.
    Local,
    /// Over SSH.
    #[default]
    Ssh,
}

/// How commands on a host become root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Become {
    /// Not at all: as the user that logs in.
    #[default]
    None,
    /// Through `sudo -n`.
    Sudo,
}

/// How carefully changes to a group are guarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protect {
    /// As the action itself asks.
    None,
    /// A review card and one key.
    #[default]
    Confirm,
    /// The name must be typed.
    Typed,
    /// Nothing may be changed.
    ReadOnly,
}

/// A group of hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its unique name.
    pub name: String,
    /// How carefully changes are guarded.
    pub protect: Protect,
    /// Who to ask.
    pub owner: Option<String>,
    /// Where the runbook is.
    pub runbook: Option<String>,
    /// How many places are changed at once after the canary.
    pub wave: Option<usize>,
    /// The stores of secrets that certificates of its hosts are delivered to, if it says so.
    pub deliver: Option<Vec<String>>,
}

impl Group {
    /// The stores that these of the groups name, each once; `None` if none of them says so.
    fn deliver_of(groups: &[Self], names: &[String]) -> Option<Vec<String>> {
        let of = |name: &String| groups.iter().find(|it| it.name == *name)?.deliver.as_ref();
        let mut told = names.iter().filter_map(of).peekable();
        told.peek()?;
        let mut seen = BTreeSet::new();
        Some(told.flatten().filter(|it| seen.insert(*it)).cloned().collect())
    }
}

/// A host to look at.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its unique name.
    pub name: HostName,
    /// How it is reached. What is said of ssh below is nothing to this machine.
    pub connection: Connection,
    /// What ssh is given: a name, an address, or an alias of ssh_config.
    pub address: String,
    /// The port, if ssh_config should not decide.
    pub port: Option<u16>,
    /// The user, if ssh_config should not decide.
    pub user: Option<String>,
    /// The key file, if ssh_config should not decide.
    pub identity_file: Option<String>,
    /// How commands become root.
    pub r#become: Become,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a whole visit may take.
    pub scan_timeout: Duration,
    /// The names of its groups.
    pub groups: Vec<String>,
    /// Where certificates are kept: what the file tells of, then what is looked for anyway.
    pub sources: Vec<Arc<dyn Source>>,
    /// How many of the sources the file tells of.
    pub told_sources: usize,
    /// The folder on the host that is served at port 80.
    pub webroot: Option<String>,
    /// The issuer to order from, where nothing else is said.
    pub issuer: Option<String>,
    /// The stores of secrets that its certificates are delivered to.
    pub deliver: Vec<String>,
    /// What should be served from here.
    pub endpoints: Vec<Endpoint>,
    /// The authorities at which chains may end.
    pub roots: Arc<Roots>,
}

/// What should be served from a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The name that clients ask for (SNI).
    pub name: String,
    /// The TCP port.
    pub port: u16,
    /// How TLS is begun.
    pub starttls: StartTls,
    /// From where it is looked at.
    pub probe: Vec<Vantage>,
    /// Where the server listens on the host; without it, where something listens on that port.
    pub listen: Option<IpAddr>,
    /// Where it is served beside the addresses of the name: a standby, a load balancer.
    pub addresses: Vec<Door>,
}

/// An address, or a name that has some, and perhaps another port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The address or name.
    pub host: String,
    /// The TCP port; without it that of the endpoint.
    pub port: Option<u16>,
}

/// How TLS is begun on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StartTls {
    /// With the first byte.
    #[default]
    None,
    /// RFC 3207.
    Smtp,
    /// RFC 9051, section 6.2.1.
    Imap,
    /// PostgreSQL's SSLRequest.
    Postgres,
    /// RFC 4511, section 4.14.
    Ldap,
}

/// A CA account to order from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its unique name.
    pub name: String,
    /// The URL of its ACME directory.
    pub directory: String,
    /// The URL of its staging twin.
    pub staging: Option<String>,
    /// Where the CA writes to about the account: a mail address.
    pub contact: Option<String>,
    /// The external account to which the CA binds ours.
    pub external: Option<External>,
    /// Files with authorities beside the public ones, in PEM: for the HTTPS of the CA itself.
    pub roots: Vec<String>,
    /// The profile that is asked for if a request names none.
    pub profile: Option<String>,
    /// The port at which the CA looks at http-01.
    pub http_port: u16,
    /// How many orders it takes of one account, if that is told.
    pub order_limit: Option<Limit>,
}

impl Issuer {
    /// The URL of its directory, or of that of its staging twin, if it has one.
    pub fn url(&self, is_staging: bool) -> Option<&str> {
        if is_staging { self.staging.as_deref() } else { Some(&self.directory) }
    }

    /// How many orders it takes of one account there: as it is told, or else as it is known.
    pub fn orders(&self, is_staging: bool) -> Option<Limit> {
        self.order_limit.or_else(|| budget::orders_at(self.url(is_staging)?))
    }
}

/// An account at the customers' desk of a CA (RFC 8555, section 7.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Its key identifier.
    pub kid: String,
    /// Where its HMAC key is kept, in base64url.
    pub secret: SecretPlace,
}

/// A DNS provider that can answer dns-01 challenges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsZone {
    /// Its unique name.
    pub name: String,
    /// The kind of provider, one of [`crate::dns::kinds`].
    pub kind: String,
    /// The zones it can write.
    pub zones: Vec<String>,
    /// The keys that belong to its kind.
    pub settings: BTreeMap<&'static str, String>,
    /// Where its secret is kept.
    pub secret: Option<SecretPlace>,
    /// The servers at which records must be seen; nobody named: those that the zone names.
    pub nameservers: Vec<SocketAddr>,
    /// How long may pass until all of them show a record.
    pub patience: Duration,
    /// Who is asked about the DNS; nobody named: whom the system asks.
    pub resolvers: Vec<SocketAddr>,
}

/// A fleet that is read elsewhere, and the Prometheus server that holds what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// Its unique name.
    pub name: String,
    /// The URL of the server.
    pub prometheus: String,
    /// Where its bearer token is kept, if it wants one.
    pub secret: Option<SecretPlace>,
}

/// Where a secret is kept; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// Printed by a command.
    Command(String),
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(String),
}

/// A webhook that is told of things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its unique name.
    pub name: String,
    /// Its kind.
    pub kind: NoticeKind,
    /// Its URL, which may be a secret in itself.
    pub url: String,
    /// Where the key is kept with which notices are signed.
    pub secret: SecretPlace,
    /// Of what it is told.
    pub on: Vec<Occasion>,
    /// Files with authorities beside the public ones, in PEM: for the HTTPS of the webhook.
    pub roots: Vec<String>,
}

/// How somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// By a POST with JSON.
    Webhook,
}

/// Of what somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// A scan has found something critical that was not there before, or was otherwise.
    CriticalFinding,
    /// A guided emergency is over.
    EmergencyEnded,
    /// Renewals with nobody there have failed so often that they are left alone for a while.
    RetriesExhausted,
    /// Somebody tries whether a notice arrives; that needs not be asked for.
    #[serde(skip)]
    Test,
}

impl Occasion {
    /// Every one that can be asked for, in the order of their names.
    pub const ALL: [Self; 3] =
        [Self::CriticalFinding, Self::EmergencyEnded, Self::RetriesExhausted];

    /// Its name in the inventory and in notices.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CriticalFinding => "critical-finding",
            Self::EmergencyEnded => "emergency-ended",
            Self::RetriesExhausted => "retries-exhausted",
            Self::Test => "test",
        }
    }
}

/// A command that may be run on hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHook {
    /// Its unique name.
    pub name: String,
    /// The shell command.
    pub run: String,
    /// What it does to the service.
    pub impact: Impact,
}

/// What a hook does to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Impact {
    /// Nothing that clients notice.
    #[default]
    None,
    /// New connections use the new configuration.
    Reload,
    /// Connections are dropped.
    Restart,
}

impl Inventory {
    /// The host of that name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|it| it.name.as_str() == name)
    }

    /// The store of secrets of that name.
    pub fn secret_store(&self, name: &str) -> Option<&SecretStore> {
        self.secret_stores.iter().find(|it| it.name == name)
    }

    /// The DNS provider that writes the zone of a name: of those whose zones it lies in, the one
    /// with the longest.
    pub fn dns_of(&self, name: &str) -> Option<&DnsZone> {
        let zones = self.dns.iter().flat_map(|it| it.zones.iter().map(move |zone| (zone, it)));
        let holding = zones.filter(|(zone, _)| is_below(name, zone));
        holding.max_by_key(|(zone, _)| zone.len()).map(|it| it.1)
    }

    /// The groups that a host is in, in the order in which it names them.
    pub fn groups_of<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = &'a Group> {
        let of = |name: &String| self.groups.iter().find(|it| it.name == *name);
        host.groups.iter().filter_map(of)
    }

    /// The `[[issuer]]` whose directory that is, and whether it is that of its staging twin.
    pub fn issuer_at(&self, directory: &str) -> Option<(&Issuer, bool)> {
        let real = self.issuers.iter().find(|it| it.directory == directory);
        let twin = || self.issuers.iter().find(|it| it.staging.as_deref() == Some(directory));
        real.map(|it| (it, false)).or_else(|| Some((twin()?, true)))
    }

    /// How many orders CAs take of one account, where that is told here.
    pub fn order_limits(&self) -> Vec<Told> {
        let told = |it: &Issuer| {
            let urls = [Some(it.directory.clone()), it.staging.clone()];
            let limit = it.order_limit;
            urls.into_iter()
                .flatten()
                .filter_map(move |directory| Some(Told { directory, orders: limit? }))
                .collect::<Vec<_>>()
        };
        self.issuers.iter().flat_map(told).collect()
    }

    /// Lets chains end at these authorities.
    pub fn trust(&mut self, roots: &Arc<Roots>) {
        for host in &mut self.hosts {
            host.roots = Arc::clone(roots);
        }
    }

    /// The fleet that this inventory names, before anybody has looked at it.
    pub fn fleet(&self) -> Fleet {
        let hosts =
            self.hosts.iter().map(|it| fleet::Host::new(it.name.clone(), &it.address, &it.groups));
        let mut fleet = Fleet::new(hosts);
        fleet.expiries.clone_from(&self.expiries);
        let group = |it: &Group| fleet::Group {
            name: it.name.clone(),
            owner: it.owner.as_deref().map(SafeText::new),
            runbook: it.runbook.as_deref().map(SafeText::new),
        };
        fleet.groups = self.groups.iter().map(group).collect();
        fleet
    }
}

impl DnsZone {
    /// Whether a name lies in one of its zones.
    pub fn holds(&self, name: &str) -> bool {
        self.zones.iter().any(|zone| is_below(name, zone))
    }
}

/// Whether a name is a zone's apex or lies below it, in whatever letters.
fn is_below(name: &str, zone: &str) -> bool {
    let [name, zone] = [name, zone].map(|it| it.trim_end_matches('.').to_ascii_lowercase());
    let rest = name.strip_suffix(&zone);
    !zone.is_empty() && rest.is_some_and(|it| it.is_empty() || it.ends_with('.'))
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Ssh => "ssh",
        })
    }
}

impl fmt::Display for Become {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Sudo => "sudo",
        })
    }
}
