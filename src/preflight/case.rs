//! What is looked at before an order: a lineage, its names, how control of each would be proven,
//! and from whom it would be ordered. Made from what is known, asks nobody.

use std::net::IpAddr;
use std::sync::Arc;

use crate::action::{self, Chosen, Cost, Target, Way, Webroot, webroots_beside};
use crate::budget::authority::LETS_ENCRYPT;
use crate::budget::{self, Account, NameSet, renewal_of};
use crate::fleet::{self, HostName, Moment, NeedKind, OWN, Place, Vantage, server_of};
use crate::inventory::{self, Inventory, Issuer, Protect};
use crate::text::SafeText;

/// A certificate that may be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The host.
    pub host: HostName,
    /// The lineage, which need not exist yet.
    pub lineage: Option<String>,
    /// How: what `issue` takes by the names `by`, `names`, `issuer`, `authenticator`, `webroot`.
    /// What is not chosen is as its next renewal would have it.
    pub chosen: Chosen,
}

/// A certificate that would be ordered.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is known of its host.
    pub host: Arc<fleet::Host>,
    /// What we were told of its host.
    pub told: inventory::Host,
    /// The name of the lineage.
    pub lineage: String,
    /// What is known of the lineage, if it exists.
    pub place: Option<Arc<Place>>,
    /// Who would order it.
    pub client: Client,
    /// From whom.
    pub ca: Ca,
    /// What it would use up there.
    pub cost: Cost,
    /// How control of each name would be proven.
    pub proofs: Vec<Proof>,
    /// The addresses by which hosts of the fleet are known.
    pub addresses: Vec<(HostName, Vec<IpAddr>)>,
    /// Why nothing may be placed anywhere, if nothing may.
    pub read_only: Option<SafeText>,
    /// The present.
    pub now: Moment,
}

/// Who orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// A client on the host, as its source is named.
    OnHost(&'static str),
    /// This program.
    Us,
}

/// From whom it is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ca {
    /// The URL of its directory.
    pub directory: String,
    /// The `[[issuer]]` of the inventory, if it has one with that directory.
    pub issuer: Option<Issuer>,
    /// Whether the directory is that of its staging twin.
    pub is_staging: bool,
}

/// How control of a name would be proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The name; a wildcard with its star.
    pub name: String,
    /// By what.
    pub by: Proven,
}

/// What proves control of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proven {
    /// Files in these folders.
    Files {
        /// Where they go.
        spots: Vec<Webroot>,
        /// Hosts behind the name of which no folder is known.
        unknown: Vec<HostName>,
        /// The port that the CA asks at.
        port: u16,
    },
    /// Somebody with a keyboard.
    Hand,
    /// The client itself, which listens at that port for the time of the order.
    Listener(u16),
    /// It is not known; why.
    Nobody(SafeText),
    /// The client's own way of writing records.
    Plugin(SafeText),
    /// A `[[dns]]` of the inventory.
    Records(String),
    /// A web server that the client configures for the time of the order, and the port.
    Server(SafeText, u16),
}

/// Why nothing can be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is in the way.
    pub text: SafeText,
    /// What to do instead.
    pub hint: SafeText,
}

impl From<action::Refusal> for Refusal {
    fn from(refusal: action::Refusal) -> Self {
        let hint = refusal.hint.as_deref().map(SafeText::new).unwrap_or_default();
        Self { text: SafeText::new(&refusal.text), hint }
    }
}

impl Proven {
    /// The challenge, as CAA records name it (RFC 8657, section 4).
    pub const fn method(&self) -> Option<&'static str> {
        match self {
            Self::Files { .. } | Self::Listener(_) | Self::Server(..) => Some("http-01"),
            Self::Plugin(_) | Self::Records(_) => Some("dns-01"),
            Self::Hand | Self::Nobody(_) => None,
        }
    }

    /// The port at which the CA asks, if it asks over HTTP.
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Files { port, .. } | Self::Listener(port) | Self::Server(_, port) => Some(*port),
            _ => None,
        }
    }
}

/// The order, as its CA counts it.
fn wanted(target: &Target<'_>, client: Client, ca: &Ca, names: &[String]) -> budget::Wanted {
    let renewed = target.place.and_then(|it| renewal_of(it, target.now));
    let account = match client {
        Client::Us => Account::Own,
        Client::OnHost(_) => renewed.as_ref().map_or(Account::Unknown, |it| it.account.clone()),
    };
    let ca = budget::Ca::of_directory(&ca.directory);
    let wanted = budget::Wanted::new(ca, NameSet::new(names), account);
    match renewed {
        Some(it) if (&it.ca, &it.names) == (&wanted.ca, &wanted.names) => {
            budget::Wanted { is_replacing: it.is_replacing, ..wanted }
        }
        _ => wanted,
    }
}

impl Case {
    /// What would be ordered for a target, by what was chosen about it.
    ///
    /// # Errors
    /// Where the lineage does not exist and no names are given, and where nobody bears the name of
    /// whoever is to order, or to be ordered from.
    pub fn of(
        target: &Target<'_>,
        host: Arc<fleet::Host>,
        chosen: &Chosen,
    ) -> Result<Self, Refusal> {
        let lineage = target.lineage.unwrap_or_default();
        let leaf = target.place.and_then(Place::leaf);
        let own = leaf.map(|it| it.names.iter().map(ToString::to_string).collect::<Vec<_>>());
        let given = chosen.get("names").map(|it| it.split(',').map(str::trim).map(str::to_owned));
        let names = given.map(Iterator::collect).or(own);
        let Some(names) = names.filter(|it| !it.is_empty()) else {
            let what = format!("{}/{lineage}", target.host.name);
            return Err(Refusal {
                text: SafeText::new(&format!(
                    "{what}: no certificate is there, and no name is given"
                )),
                hint: SafeText::new(&format!("certdeck preflight {what} --names NAME,NAME")),
            });
        };
        let client = Client::of(target, chosen)?;
        let target = &client.target(target);
        let ca = Ca::of(target, client, chosen)?;
        let port = ca.issuer.as_ref().map_or(80, |it| it.http_port);
        let proofs = names
            .iter()
            .map(|name| Proof {
                name: name.clone(),
                by: proven(target, (client, chosen), name, &names, port),
            })
            .collect();
        let mut groups = target.inventory.groups_of(target.told);
        let guarded = groups.find(|it| it.protect == Protect::ReadOnly);
        let wanted = wanted(target, client, &ca, &names);
        Ok(Self {
            cost: action::cost(target.history, &wanted, target.now),
            host,
            told: target.told.clone(),
            lineage: lineage.to_owned(),
            place: target.place.cloned().map(Arc::new),
            client,
            ca,
            proofs,
            addresses: target.fleet.hosts().map(|it| addresses(it, target.inventory)).collect(),
            read_only: guarded
                .map(|it| SafeText::new(&format!("the group {} is read-only", it.name))),
            now: target.now,
        })
    }

    /// The lineage with its host, as commands take it.
    pub fn target(&self) -> String {
        if self.lineage.is_empty() {
            self.host.name.to_string()
        } else {
            format!("{}/{}", self.host.name, self.lineage)
        }
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.proofs.iter().map(|it| it.name.as_str())
    }

    /// How a client on the host would renew it.
    pub fn renewal(&self) -> Option<&fleet::Renewal> {
        self.place.as_ref()?.renewal.as_ref()
    }

    /// The hosts that should answer for a name.
    pub(super) fn expected(&self, name: &str) -> Vec<&HostName> {
        let proof = self.proofs.iter().find(|it| it.name == name);
        let mut all = vec![&self.host.name];
        if let Some(Proven::Files { spots, unknown, .. }) = proof.map(|it| &it.by) {
            all.extend(spots.iter().map(|it| &it.host).chain(unknown));
        }
        all
    }

    /// The command that orders it without a name.
    pub(super) fn without(&self, name: &str) -> String {
        let rest: Vec<_> = self.names().filter(|it| *it != name).collect();
        if rest.is_empty() {
            return format!("publish {name}: the certificate has no other name");
        }
        let rest = rest.join(",");
        format!(
            "publish it, or leave it out: certdeck run issue {} --names {rest} (another set of names: not a renewal to the CA)",
            self.target()
        )
    }
}

impl Client {
    /// Whoever would order it.
    fn of(target: &Target<'_>, chosen: &Chosen) -> Result<Self, Refusal> {
        Ok(match action::orderer(target, chosen)? {
            OWN => Self::Us,
            source => Self::OnHost(source),
        })
    }

    /// The target as whoever orders sees it: what the client of a host keeps says nothing of how
    /// we order.
    fn target<'t>(self, target: &Target<'t>) -> Target<'t> {
        let is_ours = |it: &&Place| [OWN, "pem"].contains(&it.source);
        match self {
            Self::Us if target.place.is_some_and(|it| !is_ours(&it)) => {
                let mut places = target.host.places.iter();
                let lineage = target.lineage.unwrap_or_default();
                let place = places.find(|it| it.is_own() && it.name == lineage);
                Target { place, ..*target }
            }
            _ => *target,
        }
    }
}

impl Ca {
    fn of(target: &Target<'_>, client: Client, chosen: &Chosen) -> Result<Self, Refusal> {
        let Some(wanted) = chosen.get("issuer") else { return Ok(Self::usual(target)) };
        // Clients of hosts order from CAs that nobody has told us of.
        if client != Client::Us && wanted.starts_with("https://") {
            return Ok(Self::at(target, wanted));
        }
        let issuer = action::issuer_named(&target.inventory.issuers, wanted)?;
        let directory = issuer.directory.clone();
        Ok(Self { directory, issuer: Some(issuer.clone()), is_staging: false })
    }

    /// The CA with that directory.
    fn at(target: &Target<'_>, directory: &str) -> Self {
        let (issuer, is_staging) = target.inventory.issuer_at(directory).unzip();
        Self {
            directory: directory.to_owned(),
            issuer: issuer.cloned(),
            is_staging: is_staging.unwrap_or_default(),
        }
    }

    /// The CA of the next renewal, or that of the host.
    fn usual(target: &Target<'_>) -> Self {
        let issuers = &target.inventory.issuers;
        let renewal = target.place.and_then(|it| it.renewal.as_ref());
        let server = renewal.and_then(|it| it.server.as_ref()).map(SafeText::as_str);
        if let Some(server) = server {
            return Self::at(target, server);
        }
        let wanted = target.told.issuer.as_ref();
        let named = issuers.iter().find(|it| Some(&it.name) == wanted);
        let issuer = named.or_else(|| issuers.first()).cloned();
        // Where clients that name no CA order (certbot 2.1.0, `constants.py`).
        let usual = LETS_ENCRYPT.directory;
        let directory = issuer.as_ref().map_or(usual, |it| &it.directory).to_owned();
        Self { directory, issuer, is_staging: false }
    }

    /// The host of its directory.
    pub fn host(&self) -> &str {
        server_of(&self.directory).unwrap_or_default()
    }
}

fn proven(
    target: &Target<'_>,
    (client, chosen): (Client, &Chosen),
    name: &str,
    names: &[String],
    port: u16,
) -> Proven {
    let renewal = target.place.and_then(|it| it.renewal.as_ref());
    let files = |own: Vec<String>| {
        let here = &target.host.name;
        let (beside, unknown) = webroots_beside(target, name);
        let own = own.into_iter().map(|folder| Webroot { host: here.clone(), folder });
        Proven::Files { spots: own.chain(beside).collect(), unknown, port }
    };
    if client == Client::Us {
        return match Way::of(target, chosen, renewal, names) {
            Ok(Way::Webroot(folder)) => files(vec![folder]),
            Ok(Way::Dns(zone)) => Proven::Records(zone.name.clone()),
            Err(refusal) => Proven::Nobody(SafeText::new(&refusal.text)),
        };
    }
    let (method, folder) = action::meant_method(target, chosen);
    match (method.unwrap_or_default(), renewal) {
        ("webroot", _) => {
            let chosen = chosen.get("webroot").is_some();
            let needs = renewal.filter(|_| !chosen).into_iter().flat_map(|it| &it.needs);
            let needed = needs.filter(|it| it.kind == NeedKind::Webroot);
            let needed = needed.map(|it| it.path.to_string());
            let mut all: Vec<_> = folder.map(str::to_owned).into_iter().chain(needed).collect();
            all.sort();
            all.dedup();
            if all.is_empty() {
                return Proven::Nobody(SafeText::new("its webroot is not known"));
            }
            files(all)
        }
        ("standalone", _) => Proven::Listener(port),
        (server @ ("apache" | "nginx"), _) => Proven::Server(SafeText::new(server), port),
        ("manual", Some(renewal)) if !renewal.is_unattended => Proven::Hand,
        (dns, _) if dns.starts_with("dns") => Proven::Plugin(SafeText::new(dns)),
        ("", _) => Proven::Nobody(SafeText::new("how control is proven is not known")),
        (other, _) => Proven::Nobody(SafeText::new(&format!("`{other}` is not known here"))),
    }
}

/// The addresses of a host: its own, that by which ssh goes there, and those at which it was seen
/// to serve.
fn addresses(host: &fleet::Host, inventory: &Inventory) -> (HostName, Vec<IpAddr>) {
    let mut all = host.addresses.clone();
    all.extend(host.address.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let told = inventory.host(host.name.as_str()).into_iter().flat_map(|it| &it.endpoints);
    all.extend(told.flat_map(|it| &it.addresses).filter_map(|it| it.host.parse::<IpAddr>().ok()));
    // What was shown by an address in the name of the host is its own, if it is on its disk.
    let own = |it: &&fleet::Probe| {
        it.vantage == Vantage::Public
            && it.leaf().is_some_and(|leaf| {
                let disk = host.places.iter().filter_map(|it| it.layers.disk.as_ref());
                disk.map(|it| it.chain.leaf.sha256).any(|it| it == leaf)
            })
            && !it.is_added
    };
    let served = host.probes.iter().filter(own);
    all.extend(
        served
            .filter_map(|it| Some(it.address.as_str().parse::<std::net::SocketAddr>().ok()?.ip())),
    );
    all.sort();
    all.dedup();
    (host.name.clone(), all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Find;
    use crate::budget::History;
    use crate::fleet::Fleet;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// What would be ordered for a new lineage of web-01, or why nothing.
    fn new_lineage(inventory: &str, chosen: &[(&'static str, &str)]) -> Result<Case, Refusal> {
        let (inventory, complaints) = inventory::read(inventory);
        assert!(complaints.is_empty(), "{complaints:?}");
        let name = HostName::new("web-01");
        let fleet = Fleet::new([fleet::Host::new(name.clone(), "web-01", &[])]);
        let history = &History::default();
        let find = Find { inventory: &inventory, fleet: &fleet, history, now: NOW };
        let target = find.target(&name, Some("shop")).unwrap();
        let mut all = Chosen::default();
        all.set("names", "shop.example.net");
        for (name, value) in chosen {
            all.set(name, (*value).to_owned());
        }
        let case = Case::of(&target, fleet.shared(&name).unwrap(), &all);
        if let Ok(case) = &case {
            let orderer = action::orderer(&target, &all).unwrap();
            let client = match case.client {
                Client::OnHost(source) => source,
                Client::Us => OWN,
            };
            assert_eq!(client, orderer, "issue would let another order");
        }
        case
    }

    const PLAIN: &str = "[[host]]\nname = 'web-01'\n[[host.source]]\nkind = 'certdeck'\n\
                         [[issuer]]\nname = 'lab'\ndirectory = 'https://ca.test/dir'\n";
    const CERTBOT: &str = "[[host]]\nname = 'web-01'\n[[host.source]]\nkind = 'certbot'\n";

    #[test]
    fn a_new_lineage_is_certbots_where_the_host_has_it() {
        let case = new_lineage(PLAIN, &[]).unwrap();
        assert_eq!(case.client, Client::Us);
        let case = new_lineage(CERTBOT, &[]).unwrap();
        assert_eq!(case.client, Client::OnHost("certbot"));
        let why = SafeText::new("how control is proven is not known");
        assert_eq!(case.proofs[0].by, Proven::Nobody(why));
        let case = new_lineage(CERTBOT, &[("by", "certdeck")]).unwrap();
        assert_eq!(case.client, Client::Us);
        let refusal = new_lineage(CERTBOT, &[("by", "lego")]).unwrap_err();
        assert_eq!(refusal.text, "nobody called `lego` orders certificates");
    }

    #[test]
    fn what_is_chosen_for_a_client_of_the_host_counts() {
        let case = new_lineage(CERTBOT, &[("webroot", "/srv/www")]).unwrap();
        let spots = vec![Webroot { host: HostName::new("web-01"), folder: "/srv/www".into() }];
        assert_eq!(case.proofs[0].by, Proven::Files { spots, unknown: vec![], port: 80 });
        let case = new_lineage(CERTBOT, &[("authenticator", "standalone")]).unwrap();
        assert_eq!(case.proofs[0].by, Proven::Listener(80));
        let case = new_lineage(CERTBOT, &[("authenticator", "dns-rfc2136")]).unwrap();
        assert_eq!(case.proofs[0].by, Proven::Plugin(SafeText::new("dns-rfc2136")));
    }

    #[test]
    fn a_client_of_the_host_orders_from_cas_that_are_no_issuer() {
        let url = "https://ca.example.org/directory";
        let case = new_lineage(CERTBOT, &[("issuer", url)]).unwrap();
        assert_eq!((case.ca.directory.as_str(), &case.ca.issuer), (url, &None));
        let refusal = new_lineage(PLAIN, &[("issuer", url)]).unwrap_err();
        assert!(refusal.text.as_str().contains("has no issuer"), "{}", refusal.text);
        assert_eq!(refusal.hint, "there are: lab");
    }
}
