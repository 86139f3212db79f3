//! Questions to the DNS: through a resolver, and to each authoritative server of a zone on its
//! own, as CAs ask. Changes nothing there.

mod caa;
mod exchange;
mod look;
mod said;
mod watch;

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Edns, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use crate::text::SafeText;

pub use caa::{Caa, Ruling};
pub use exchange::Silence;
pub(crate) use exchange::exchange;
pub use look::{End, Look, Seal};
pub use said::{Said, said};
pub(crate) use watch::values;
pub use watch::{Sight, Watched, watch};

/// Whom questions go to that are not for one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
}

/// One authoritative server, at one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    /// Its name, as the zone has it; the address where it was told without one.
    pub name: SafeText,
    /// Where it is asked.
    pub address: SocketAddr,
}

/// Where a name really lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The name at the end of the aliases, in small letters, without the last dot.
    pub name: String,
    /// The apex of the zone that it lies in.
    pub zone: String,
}

/// Why the DNS gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Aliases that lead in a circle, or through too many names.
    #[error("{name}: its aliases lead in a circle or too far: {path}")]
    Aliases {
        /// The name at which it began.
        name: SafeText,
        /// The names on the way.
        path: SafeText,
    },
    /// A server said no.
    #[error("{server}: answers {code} when asked for {name}")]
    Answer {
        /// The server.
        server: SocketAddr,
        /// The name that was asked for.
        name: SafeText,
        /// What it said: `SERVFAIL`, `REFUSED`.
        code: SafeText,
    },
    /// The name is none.
    #[error("{0}: is no name of the DNS")]
    Name(SafeText),
    /// This machine knows no resolver.
    #[error("this machine names no resolver in /etc/resolv.conf")]
    NoResolver,
    /// A zone without servers.
    #[error("{zone}: the zone names no servers that have an address")]
    NoServers {
        /// The zone.
        zone: SafeText,
    },
    /// No zone that the name could lie in.
    #[error("{name}: no zone was found that it lies in")]
    NoZone {
        /// The name.
        name: SafeText,
    },
    /// A server said nothing.
    #[error("{server}: {silence}")]
    Silent {
        /// The server.
        server: SocketAddr,
        /// What came instead.
        silence: Silence,
    },
}

impl Error {
    /// What to try, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Aliases { .. } => "mend the CNAME records, then try again",
            Self::Answer { .. } | Self::Silent { .. } => {
                "see that this server works, or name others in `resolvers` of [defaults] or \
                 `nameservers` of this [[dns]]"
            }
            Self::Name(_) => "correct the name",
            Self::NoResolver => "set `resolvers` in [defaults] of the inventory",
            Self::NoServers { .. } => "name the servers to ask in `nameservers` of this [[dns]]",
            Self::NoZone { .. } => "see that the domain is registered and delegated",
        }
    }
}

impl Resolver {
    /// Asks these servers, in that order, until one answers. They may be resolvers or, where there
    /// are none, the authoritative servers of what is asked for.
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers }
    }

    /// Asks whom the system asks, by the text of `resolv.conf(5)`.
    pub fn of_system(resolv_conf: &str) -> Self {
        let addresses = resolv_conf.lines().filter_map(|it| it.trim().strip_prefix("nameserver"));
        let addresses = addresses.filter_map(|it| it.trim().parse::<IpAddr>().ok());
        // As many as the C library asks (MAXNS).
        Self::new(addresses.take(3).map(|it| SocketAddr::new(it, 53)).collect())
    }

    /// The name at the end of the aliases of `name`, at most eight of them.
    pub async fn follow(&self, name: &str) -> Result<String, Error> {
        let mut path = vec![parsed(name)?];
        while let Some(last) = path.last() {
            let answer = self.ask(last, RecordType::CNAME).await?;
            let next = answer.answers.iter().find_map(|it| match &it.data {
                RData::CNAME(to) if it.name == *last => Some(to.0.to_lowercase()),
                _ => None,
            });
            let Some(next) = next else { return Ok(plain(last)) };
            let is_circle = path.contains(&next);
            path.push(next);
            if is_circle || path.len() > 1 + MAX_ALIASES {
                break;
            }
        }
        let path: Vec<_> = path.iter().map(plain).collect();
        Err(Error::Aliases { name: SafeText::new(name), path: SafeText::new(&path.join(" -> ")) })
    }

    /// The apex of the zone that a name lies in, found by asking for SOA records.
    pub async fn zone_of(&self, name: &str) -> Result<String, Error> {
        let whole = parsed(name)?;
        let mut at = whole.clone();
        loop {
            let answer = self.ask(&at, RecordType::SOA).await?;
            // Where there is none, the zone is named beside the emptiness (RFC 2308, section 3).
            let records = answer.answers.iter().chain(&answer.authorities);
            let is_soa = |it: &&hickory_proto::rr::Record| {
                it.record_type() == RecordType::SOA && it.name.zone_of(&whole)
            };
            if let Some(soa) = records.filter(is_soa).max_by_key(|it| it.name.num_labels()) {
                return Ok(plain(&soa.name));
            }
            at = at.base_name();
            if at.is_root() {
                return Err(Error::NoZone { name: SafeText::new(name) });
            }
        }
    }

    /// The authoritative servers of a zone, at every address of each.
    pub async fn servers_of(&self, zone: &str) -> Result<Vec<Server>, Error> {
        let zone_name = parsed(zone)?;
        let answer = self.ask(&zone_name, RecordType::NS).await?;
        let mut names: Vec<_> = answer
            .answers
            .iter()
            .filter_map(|it| match &it.data {
                RData::NS(to) if it.name == zone_name => Some(to.0.to_lowercase()),
                _ => None,
            })
            .collect();
        names.sort();
        names.dedup();
        let mut servers = Vec::new();
        for name in names.iter().take(MAX_SERVERS) {
            let name = plain(name);
            for address in self.addresses(&name).await? {
                let address = SocketAddr::new(address, 53);
                servers.push(Server { name: SafeText::capped(&name, 253), address });
            }
        }
        if servers.is_empty() {
            return Err(Error::NoServers { zone: SafeText::new(zone) });
        }
        Ok(servers)
    }

    /// The servers that are asked, in their order.
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// The addresses of a name: IPv4, then IPv6; none where there is no such name.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Error> {
        let name = parsed(name)?;
        let mut addresses = Vec::new();
        for kind in [RecordType::A, RecordType::AAAA] {
            let answer = self.ask(&name, kind).await?;
            addresses.extend(answer.answers.iter().filter_map(|it| match &it.data {
                RData::A(it) => Some(IpAddr::V4(it.0)),
                RData::AAAA(it) => Some(IpAddr::V6(it.0)),
                _ => None,
            }));
        }
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    /// The CAA records that hold for a name (RFC 8659, section 3): those of the nearest name
    /// above it that has some. A wildcard is asked for without its star.
    pub async fn caa(&self, name: &str) -> Result<Caa, Error> {
        let mut at = parsed(name.strip_prefix("*.").unwrap_or(name))?;
        loop {
            let answer = self.ask(&at, RecordType::CAA).await?;
            let records: Vec<_> = answer
                .answers
                .iter()
                .filter_map(|it| match &it.data {
                    RData::CAA(it) => Some(caa::Record::read(it)),
                    _ => None,
                })
                .collect();
            if !records.is_empty() {
                return Ok(Caa { at: Some(SafeText::capped(&plain(&at), 253)), records });
            }
            at = at.base_name();
            if at.is_root() {
                return Ok(Caa::default());
            }
        }
    }

    /// Asks one server after the other; that there is no such name is an answer.
    async fn ask(&self, name: &Name, kind: RecordType) -> Result<Message, Error> {
        let mut error = Error::NoResolver;
        for server in &self.servers {
            match ask(*server, name, kind, true).await {
                Ok(answer) => match code_of(&answer) {
                    None => return Ok(answer),
                    Some(code) => {
                        let name = SafeText::capped(&plain(name), 253);
                        error = Error::Answer { server: *server, name, code };
                    }
                },
                Err(silence) => error = Error::Silent { server: *server, silence },
            }
        }
        Err(error)
    }
}

/// One question to one server.
async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: RecordType,
    is_recursive: bool,
) -> Result<Message, Silence> {
    let mut question = question(name, kind);
    question.metadata.recursion_desired = is_recursive;
    exchange(server, &question).await.map(|it| it.1)
}

fn question(name: &Name, kind: RecordType) -> Message {
    let mut question = Message::query();
    question.add_query(Query::query(name.clone(), kind));
    let mut edns = Edns::new();
    // DNS flag day 2020: larger ones come in fragments, which get lost.
    edns.set_max_payload(1232).set_version(0);
    question.set_edns(edns);
    question
}

/// What a server says instead of an answer, in the words of the trade.
fn code_of(answer: &Message) -> Option<SafeText> {
    match answer.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => None,
        code => Some(word(code)),
    }
}

/// A response code as administrators know it (RFC 1035, RFC 2136).
pub(crate) fn word(code: ResponseCode) -> SafeText {
    SafeText::new(match code {
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::NotZone => "NOTZONE",
        other => return SafeText::capped(&other.to_string(), 64),
    })
}

/// A name as hickory has it: whole, in small letters.
pub(crate) fn parsed(name: &str) -> Result<Name, Error> {
    let wrong = || Error::Name(SafeText::capped(name, 253));
    let mut name = Name::from_ascii(name).map_err(|_| wrong())?.to_lowercase();
    name.set_fqdn(true);
    if name.is_root() { Err(wrong()) } else { Ok(name) }
}

/// A name as this program writes it: ASCII, in small letters, without the last dot.
pub(crate) fn plain(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

/// As many aliases as unbound follows, and fewer than Boulder's resolvers do.
const MAX_ALIASES: usize = 8;
/// More name servers than any registry takes.
const MAX_SERVERS: usize = 16;
/// Of one name.
const MAX_ADDRESSES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolvers_of_the_system_are_read() {
        let text = "# x\nsearch a.test\nnameserver 192.0.2.1\nnameserver  2001:db8::1\n\
                    nameserver fe80::1%eth0\noptions edns0\n";
        let resolver = Resolver::of_system(text);
        let expect = ["192.0.2.1:53", "[2001:db8::1]:53"].map(|it| it.parse().unwrap());
        assert_eq!(resolver.servers, expect);
    }

    #[test]
    fn names_are_brought_into_one_form() {
        assert_eq!(
            plain(&parsed("_acme-challenge.WWW.Test.").unwrap()),
            "_acme-challenge.www.test"
        );
        assert!(parsed(".").is_err());
        assert!(parsed(&"a".repeat(64)).is_err());
    }

    #[tokio::test]
    async fn without_a_resolver_nothing_is_asked() {
        let error = Resolver::of_system("").follow("a.test").await.unwrap_err();
        assert_eq!(error, Error::NoResolver);
    }
}
