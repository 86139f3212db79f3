//! What is needed to judge an action: the same from a plan as from its intent in the audit log,
//! so that another process can settle what one began.

use serde_json::Value;

use super::record::Body;
use crate::action::{Plan, Promise};
use crate::audit::read::Record;
use crate::fleet::{self, Certificate, Fingerprint, HostName, Place, Probe, Vantage};
use crate::inventory::{self, Endpoint, StartTls};
use crate::source::Client;

/// An action, as far as its end is judged by it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) action: String,
    pub(super) host: HostName,
    pub(super) lineage: Option<String>,
    /// The kind of source that knows the lineage.
    pub(super) source: Option<String>,
    pub(super) promise: Promise,
    /// The live certificate before.
    pub(super) before: Option<Fingerprint>,
    pub(super) endpoints: Vec<Endpoint>,
}

impl Case {
    pub(super) fn of_plan(plan: &Plan) -> Self {
        Self {
            action: plan.action.name.to_owned(),
            host: plan.host.clone(),
            lineage: plan.place.as_ref().map(ToString::to_string),
            source: plan.source.map(str::to_owned),
            promise: plan.promise.clone(),
            before: None,
            endpoints: plan.endpoints.clone(),
        }
    }

    /// Something that is done to jobs, and promises nothing.
    pub(super) fn errand(action: &str, told: &inventory::Host) -> Self {
        Self {
            action: action.to_owned(),
            host: told.name.clone(),
            lineage: None,
            source: None,
            promise: Promise::SameLeaf,
            before: None,
            endpoints: Vec::new(),
        }
    }

    /// `None` if the intent is not one of a plan.
    pub(super) fn of_intent(intent: &Record, told: &inventory::Host) -> Option<Self> {
        let text = |key: &str| intent.text(key).map(str::to_owned);
        let wanted: Vec<&str> = match intent.body.get("endpoints") {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is_wanted = |it: &&Endpoint| wanted.contains(&endpoint(it).as_str());
        let told_ones = told.endpoints.iter().filter(is_wanted).cloned();
        let on_host = wanted.iter().filter_map(|it| on_host(it, told));
        Some(Self {
            action: text("action")?,
            host: HostName::new(intent.text("host")?),
            lineage: text("lineage"),
            source: text("source"),
            promise: parse_promise(intent.text("promise")?)?,
            before: intent.text("before").and_then(Fingerprint::parse),
            endpoints: told_ones.chain(on_host).collect(),
        })
    }

    /// What another process needs to judge it.
    pub(super) fn write(&self, body: &mut Body) {
        let mut add = |key: &str, value: Value| body.insert(key.to_owned(), value);
        add("action", self.action.as_str().into());
        add("host", self.host.as_str().into());
        if let Some(lineage) = &self.lineage {
            add("lineage", lineage.as_str().into());
        }
        if let Some(source) = &self.source {
            add("source", source.as_str().into());
        }
        add("promise", promise(&self.promise).into());
        if let Some(before) = &self.before {
            add("before", before.to_string().into());
        }
        if !self.endpoints.is_empty() {
            add("endpoints", self.endpoints.iter().map(whole_endpoint).collect());
        }
    }

    /// What an endpoint should show by now: the certificate of the lineage; where it is about a
    /// whole server, any that lies in its files and covers the name.
    pub(super) fn wanted(&self, host: &fleet::Host, endpoint: &Endpoint) -> Vec<Fingerprint> {
        match &self.promise {
            Promise::Serves(leaf) => vec![*leaf],
            Promise::Served => {
                let chains = host.loaded.iter().filter_map(|it| it.chain.as_ref().ok());
                let fitting = chains.filter(|it| it.leaf.covers(&endpoint.name));
                fitting.map(|it| it.leaf.sha256).collect()
            }
            _ => leaf(self.place(host)).map(|it| it.sha256).into_iter().collect(),
        }
    }

    /// Whether a probe shows one of the certificates that it should, with the chain that it should
    /// have.
    pub(super) fn is_shown(&self, probe: &Probe, wanted: &[Fingerprint]) -> bool {
        let Ok(chain) = &probe.served else { return false };
        let first = chain.rest.first().map(|it| it.sha256);
        let has_chain = match &self.promise {
            Promise::Chain(wanted) => first == Some(*wanted),
            _ => true,
        };
        has_chain && wanted.contains(&chain.leaf.sha256)
    }

    /// The first probe of an address that shows none of these certificates, and some other one.
    pub(super) fn other<'p>(
        &self,
        probes: &'p [Probe],
        wanted: &[Fingerprint],
    ) -> Option<&'p Probe> {
        probes.iter().find(|it| {
            let is_here =
                |that: &&Probe| (that.vantage, &that.address) == (it.vantage, &it.address);
            let mut here = probes.iter().filter(is_here);
            it.served.is_ok() && !here.any(|it| self.is_shown(it, wanted))
        })
    }

    /// The lineage at the host as it is now.
    pub(super) fn place<'a>(&self, host: &'a fleet::Host) -> Option<&'a Place> {
        let name = self.lineage.as_deref()?;
        let is_source = |it: &&Place| self.source.as_deref().is_none_or(|kind| kind == it.source);
        host.places.iter().filter(is_source).find(|it| it.name.as_str() == name)
    }

    /// `force-renew www.example.com`, or the host where there is no lineage.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.action, self.lineage.as_deref().unwrap_or(self.host.as_str()))
    }

    /// `web-01/www.example.com`, as commands are given it.
    pub(super) fn place_name(&self) -> String {
        match &self.lineage {
            Some(lineage) => format!("{}/{lineage}", self.host),
            None => self.host.to_string(),
        }
    }

    /// Where the client's own log is.
    pub(super) fn log(&self, told: &inventory::Host) -> Option<String> {
        let is_source = |it: &str| self.source.as_deref() == Some(it);
        told.sources.iter().filter(|it| is_source(it.kind().name)).find_map(|it| {
            match it.client()? {
                Client::Certbot { logs_dir, .. } => Some(format!("{logs_dir}/letsencrypt.log")),
                Client::Certdeck { .. } | Client::CertManager { .. } => None,
            }
        })
    }
}

/// The certificate that a service at the place would load now.
pub(super) fn leaf(place: Option<&Place>) -> Option<&Certificate> {
    Some(&place?.layers.disk.as_ref()?.chain.leaf)
}

/// What a service at the place would show now: the leaf, and what follows it.
pub(super) fn chain(place: Option<&Place>) -> Vec<Fingerprint> {
    let disk = place.and_then(|it| it.layers.disk.as_ref());
    disk.map(|it| it.chain.fingerprints()).unwrap_or_default()
}

/// An endpoint in a few characters.
pub(super) fn endpoint(it: &Endpoint) -> String {
    format!("{}:{}", it.name, it.port)
}

/// The same for the audit log: one that is only looked at on the host says so, and where.
fn whole_endpoint(it: &Endpoint) -> String {
    match (it.probe.as_slice(), it.listen) {
        ([Vantage::Loopback], Some(address)) => format!("{}{ON_HOST} {address}", endpoint(it)),
        ([Vantage::Loopback], None) => format!("{}{ON_HOST}", endpoint(it)),
        _ => endpoint(it),
    }
}

/// Reads an endpoint that is only looked at on the host: one of the inventory, or one that a
/// server's configuration told of.
fn on_host(text: &str, told: &inventory::Host) -> Option<Endpoint> {
    let (short, address) = text.split_once(ON_HOST)?;
    let of_inventory = told.endpoints.iter().find(|it| endpoint(it) == short).cloned();
    let (name, port) = short.rsplit_once(':')?;
    let bare = Endpoint {
        name: name.to_owned(),
        port: port.parse().ok()?,
        starttls: StartTls::None,
        probe: Vec::new(),
        listen: address.trim().parse().ok(),
        addresses: Vec::new(),
    };
    let probe = vec![Vantage::Loopback];
    Some(Endpoint { probe, addresses: Vec::new(), ..of_inventory.unwrap_or(bare) })
}

const ON_HOST: &str = " on the host";

fn promise(it: &Promise) -> String {
    match it {
        Promise::SameLeaf => "same-leaf".to_owned(),
        Promise::Served => "served".to_owned(),
        Promise::NewLeaf => "new-leaf".to_owned(),
        Promise::Leaf(leaf) => format!("leaf {leaf}"),
        Promise::TimerArmed => "timer-armed".to_owned(),
        Promise::ClockRight => "clock-right".to_owned(),
        Promise::Renewable => "renewable".to_owned(),
        Promise::Chain(first) => format!("chain {first}"),
        Promise::Serves(leaf) => format!("serves {leaf}"),
        Promise::Delivered(leaf) => format!("delivered {leaf}"),
        Promise::Executable(path) => format!("executable {path}"),
    }
}

fn parse_promise(text: &str) -> Option<Promise> {
    Some(match text {
        "same-leaf" => Promise::SameLeaf,
        "served" => Promise::Served,
        "new-leaf" => Promise::NewLeaf,
        "timer-armed" => Promise::TimerArmed,
        "clock-right" => Promise::ClockRight,
        "renewable" => Promise::Renewable,
        _ => match text.split_once(' ')? {
            ("executable", path) => Promise::Executable(path.to_owned()),
            ("leaf", leaf) => Promise::Leaf(Fingerprint::parse(leaf)?),
            ("chain", first) => Promise::Chain(Fingerprint::parse(first)?),
            ("serves", leaf) => Promise::Serves(Fingerprint::parse(leaf)?),
            ("delivered", leaf) => Promise::Delivered(Fingerprint::parse(leaf)?),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_read_as_they_are_written() {
        let leaf = Promise::Leaf(Fingerprint::of(b"x"));
        let delivered = Promise::Delivered(Fingerprint::of(b"x"));
        let others =
            [delivered, Promise::SameLeaf, Promise::NewLeaf, Promise::Served, Promise::TimerArmed];
        let hook = Promise::Executable("/a b".to_owned());
        for it in others.into_iter().chain([leaf, hook, Promise::ClockRight, Promise::Renewable]) {
            assert_eq!(parse_promise(&promise(&it)), Some(it));
        }
        assert_eq!(parse_promise("leaf 12"), None);
        assert_eq!(parse_promise("everything"), None);
    }
}
