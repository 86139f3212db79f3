//! Where something can be served: the addresses of a name, and the ports of a host.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::lookup_host;
use tokio::time::{Instant, timeout};

use super::{Ask, Way, no_time, unserved, words};
use crate::fleet::{Listen, NotServed, Seen, Site, Unserved, Vantage};
use crate::inventory::{self, Endpoint, Host, StartTls};
use crate::text::SafeText;

/// Where something can be served.
#[derive(Debug)]
pub(super) enum Door<'a> {
    /// At an address that the console reaches.
    Direct(SocketAddr),
    /// On the host itself.
    OnHost(Way<'a>, SocketAddr),
    /// A name that leads nowhere.
    Nowhere { name: String, port: u16, why: Unserved },
}

impl fmt::Display for Door<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(at) | Self::OnHost(_, at) => at.fmt(f),
            Self::Nowhere { name, port, .. } => write!(f, "{name}:{port}"),
        }
    }
}

/// Every door that clients may come to, and whether the inventory added it to those of the name.
/// Asking for addresses takes no longer than `patience`, and nothing is waited for after `until`.
pub(super) async fn public(
    endpoint: &Endpoint,
    patience: Duration,
    until: Instant,
) -> Vec<(Door<'static>, bool)> {
    let Endpoint { name, port, .. } = endpoint;
    let patience =
        Patience { usual: patience, left: until.saturating_duration_since(Instant::now()) };
    let own = async {
        if endpoint.probe.contains(&Vantage::Public) {
            addresses(name, *port, patience).await
        } else {
            Vec::new()
        }
    };
    let added = endpoint.addresses.iter().map(|inventory::Door { host, port: other }| {
        addresses(host, other.unwrap_or(*port), patience)
    });
    let (own, added) = tokio::join!(own, join_all(added));
    let mut known = HashSet::new();
    let all = own.into_iter().map(|it| (it, false));
    let all = all.chain(added.into_iter().flatten().map(|it| (it, true)));
    all.filter(|(door, _)| known.insert(door.to_string())).collect()
}

/// How long a name may be asked for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    usual: Duration,
    /// Until the visit ends, which says nothing about the name.
    left: Duration,
}

/// Every address of a name, as this machine resolves it.
async fn addresses(name: &str, port: u16, patience: Patience) -> Vec<Door<'static>> {
    if is_local(name) {
        let here: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return here.map(|it| Door::Direct((it, port).into())).into();
    }
    let nowhere = |why| vec![Door::Nowhere { name: name.to_owned(), port, why }];
    let none = |text: String| nowhere(unserved(NotServed::NoAddress, text));
    let Patience { usual, left } = patience;
    if left.is_zero() {
        return nowhere(no_time());
    }
    let asking = timeout(usual.min(left), lookup_host((name, port)));
    let mut found: Vec<SocketAddr> = match asking.await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return none(format!("the name has no address ({error})")),
        Err(_) if left < usual => return nowhere(no_time()),
        Err(_) => {
            let after = words(usual);
            return none(format!("no answer within {after} to what address the name has"));
        }
    };
    found.sort();
    found.dedup();
    found.truncate(MOST_ADDRESSES);
    if found.is_empty() {
        return none("the name has no address".to_owned());
    }
    found.into_iter().map(Door::Direct).collect()
}

/// Whether a name stands for this machine: DNS is never asked for it (RFC 6761, section 6.3), and
/// not every resolver knows that.
fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// What to ask on the host, as the inventory tells.
pub(super) fn told(host: &Host, listeners: &[Listen]) -> Vec<Ask> {
    host.endpoints.iter().flat_map(|it| told_of(it, listeners)).collect()
}

/// The same for one endpoint.
pub(super) fn told_of(endpoint: &Endpoint, listeners: &[Listen]) -> Vec<Ask> {
    if !endpoint.probe.contains(&Vantage::Loopback) {
        return Vec::new();
    }
    let port = endpoint.port;
    let listening = || {
        let mut doors: Vec<_> = listeners.iter().filter(|it| it.port == port).collect();
        doors.sort();
        doors.dedup();
        doors.into_iter().take(MOST_ADDRESSES).map(|it| reached(*it)).collect()
    };
    let told = endpoint.listen.map(|it| vec![SocketAddr::new(it, port)]);
    let mut doors: Vec<_> = told.unwrap_or_else(listening);
    if doors.is_empty() {
        doors.push((Ipv4Addr::LOCALHOST, port).into());
    }
    let ask = |at| Ask {
        name: endpoint.name.clone(),
        at,
        starttls: endpoint.starttls,
        is_told: true,
        has_both: true,
    };
    doors.into_iter().map(ask).collect()
}

/// What else to ask on the host, as the configuration of its servers tells: at every address of
/// a site the first of its names.
pub(super) fn found(told: &[Ask], seen: &Seen) -> Vec<Ask> {
    let mut known: HashSet<_> = told.iter().map(|it| (it.name.clone(), it.at)).collect();
    let sites = seen.servers.iter().flat_map(|it| &it.sites);
    let asks = sites.flat_map(|site| {
        let name = name_of(site, seen);
        let ask = move |name: String, at| Ask {
            name,
            at,
            starttls: StartTls::None,
            is_told: false,
            has_both: site.loads.len() > 1,
        };
        let doors = site.doors().map(reached);
        doors.filter_map(move |at| name.clone().map(|it| ask(it, at)))
    });
    asks.filter(|it| known.insert((it.name.clone(), it.at))).take(MOST_FOUND).collect()
}

/// A name that a site answers to: its own, or one of the certificate that it loads.
fn name_of(site: &Site, seen: &Seen) -> Option<String> {
    let of_leaf = || {
        let load = site.loads.first()?;
        let loaded = seen.loaded.iter().find(|it| it.path == load.certificate)?;
        Some(&loaded.chain.as_ref().ok()?.leaf.names)
    };
    let own = site.names.iter().map(SafeText::as_str).find_map(asked);
    own.or_else(|| of_leaf()?.iter().map(SafeText::as_str).find_map(asked))
}

/// A name that can be asked for where this one is configured; none for patterns.
fn asked(name: &str) -> Option<String> {
    let name = match name.strip_prefix("*.") {
        Some(parent) => format!("{ANY_LABEL}.{parent}"),
        None => name.trim_start_matches('.').to_owned(),
    };
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
    (name.contains('.') && name.chars().all(is_plain)).then_some(name)
}

/// Where something that listens so can be reached on the host itself.
fn reached(Listen { address, port }: Listen) -> SocketAddr {
    let address = match address {
        IpAddr::V4(it) if it.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(it) if it.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(address, port)
}

/// Whether it is known what listens, and nothing does there.
pub(super) fn listens_elsewhere(listeners: &[Listen], at: SocketAddr) -> bool {
    let is_there = |it: &Listen| {
        let any = it.address.is_unspecified() && (it.address.is_ipv6() || at.is_ipv4());
        it.port == at.port() && (any || it.address == at.ip())
    };
    !listeners.is_empty() && !listeners.iter().any(is_there)
}

/// More addresses of one name than this are not looked at; large services have at most eight.
const MOST_ADDRESSES: usize = 8;
/// How many sites of a host's servers are looked at beside what the inventory tells of.
const MOST_FOUND: usize = 64;
/// What stands for the star of a wildcard.
const ANY_LABEL: &str = "certdeck-probe";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Load, Server};

    fn listen(text: &str) -> Listen {
        let at: SocketAddr = text.parse().unwrap();
        Listen { address: at.ip(), port: at.port() }
    }

    fn endpoint(listen: Option<IpAddr>) -> Endpoint {
        Endpoint {
            name: "www.example.net".to_owned(),
            port: 443,
            starttls: StartTls::None,
            probe: vec![Vantage::Loopback],
            listen,
            addresses: Vec::new(),
        }
    }

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for name in ["localhost", "a.localhost", "A.LOCALHOST."] {
            assert!(is_local(name), "{name}");
        }
        for name in ["notlocalhost", "localhost.example", "a.localhost.example"] {
            assert!(!is_local(name), "{name}");
        }
    }

    #[tokio::test]
    async fn a_name_is_not_blamed_for_a_visit_that_is_over() {
        let it = Endpoint { probe: vec![Vantage::Public], ..endpoint(None) };
        let doors = public(&it, Duration::from_secs(9), Instant::now()).await;
        let [(Door::Nowhere { why, .. }, false)] = &doors[..] else { panic!("{doors:?}") };
        assert_eq!(why.why, NotServed::NoRoute);
    }

    #[test]
    fn an_endpoint_is_asked_where_its_port_listens() {
        let check = |told: Option<&str>, listeners: &[&str], expect: &[&str]| {
            let told = told.map(|it| it.parse().unwrap());
            let listeners: Vec<_> = listeners.iter().map(|it| listen(it)).collect();
            let asks = told_of(&endpoint(told), &listeners);
            let at: Vec<_> = asks.iter().map(|it| it.at.to_string()).collect();
            assert_eq!(at, expect);
        };
        check(None, &[], &["127.0.0.1:443"]);
        check(None, &["0.0.0.0:80"], &["127.0.0.1:443"]);
        check(None, &["0.0.0.0:443", "[::]:443"], &["127.0.0.1:443", "[::1]:443"]);
        check(None, &["192.0.2.7:443", "192.0.2.7:443"], &["192.0.2.7:443"]);
        check(Some("192.0.2.8"), &["0.0.0.0:443"], &["192.0.2.8:443"]);
    }

    #[test]
    fn sites_are_asked_for_their_first_name_once() {
        let site = |names: &[&str], listens: &[&str]| Site {
            names: names.iter().map(|it| SafeText::new(it)).collect(),
            listens: listens.iter().map(|it| listen(it)).collect(),
            proxied: Vec::new(),
            loads: vec![Load {
                certificate: SafeText::new("/a"),
                key: None,
                chain: None,
                told_at: SafeText::default(),
            }],
        };
        let server = Server {
            kind: "nginx",
            conf: SafeText::default(),
            program: None,
            args: Vec::new(),
            pid: None,
            unit: None,
            read_by: None,
            sites: vec![
                site(&["www.example.net"], &["0.0.0.0:443"]),
                site(&["_", "~^a.*$", "*.example.org"], &["0.0.0.0:443", "[::]:443"]),
                site(&["*.example.org"], &["0.0.0.0:443"]),
                site(&["_"], &["0.0.0.0:443"]),
            ],
            problems: Vec::new(),
        };
        let told = told_of(&endpoint(None), &[]);
        let seen = Seen { servers: vec![server], ..Seen::default() };
        let asks: Vec<_> = found(&told, &seen).iter().map(|it| (it.name.clone(), it.at)).collect();
        let any = "certdeck-probe.example.org".to_owned();
        let expect =
            ["127.0.0.1:443", "[::1]:443"].map(|it| (any.clone(), it.parse().unwrap())).to_vec();
        assert_eq!(asks, expect);
    }

    #[test]
    fn silence_is_told_from_a_closed_port() {
        let check = |listeners: &[&str], at: &str, expect| {
            let listeners: Vec<_> = listeners.iter().map(|it| listen(it)).collect();
            assert_eq!(listens_elsewhere(&listeners, at.parse().unwrap()), expect);
        };
        check(&[], "127.0.0.1:443", false);
        check(&["0.0.0.0:80"], "127.0.0.1:443", true);
        check(&["0.0.0.0:443"], "127.0.0.1:443", false);
        check(&["[::]:443"], "127.0.0.1:443", false);
        check(&["0.0.0.0:443"], "[::1]:443", true);
        check(&["192.0.2.7:443"], "127.0.0.1:443", true);
    }
}
