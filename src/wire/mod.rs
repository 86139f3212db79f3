//! What is really served: TLS handshakes with an endpoint, from here and on the host's own
//! loopback, through its SSH session where it is not this machine. Nothing is trusted and nothing is sent but the handshake.

mod door;
mod handshake;
pub mod http;
mod starttls;
mod tap;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::fleet::{
    self, Chain, Fingerprint, KeyKind, Listen, Moment, NotServed, Probe, Seen, Unserved, Vantage,
};
use crate::inventory::{Endpoint, Host, StartTls};
use crate::remote::{Error, ForwardFault, Open, Sessions};
use crate::text::SafeText;

use door::Door;
use handshake::Schemes;

/// Looks from here at every endpoint of a host that asks for it: at each address of its name and
/// each that the inventory adds. What was not begun before `until` is not looked at any more.
///
/// `known` is what was shown before. Where a certificate is alone as it was then, its server is not
/// asked again for one with another kind of key: that handshake fails, and many servers log it.
pub async fn from_here(
    host: &Host,
    known: Arc<fleet::Host>,
    now: Moment,
    until: Instant,
) -> Vec<Probe> {
    let host = Arc::new(host.clone());
    let mut all = vec![Vec::new(); host.endpoints.len()];
    let mut waiting = 0..host.endpoints.len();
    // Tasks of their own, so that they share the processors. They end with this set.
    let mut looks = JoinSet::new();
    loop {
        while looks.len() < AT_ONCE
            && let Some(at) = waiting.next()
        {
            let (host, known) = (Arc::clone(&host), Arc::clone(&known));
            looks.spawn(async move {
                let Some(endpoint) = host.endpoints.get(at) else { return (at, Vec::new()) };
                let when = When { known: &known.probes, now, until };
                (at, endpoint_from_here(&host, endpoint, when).await)
            });
        }
        let Some(ended) = looks.join_next().await else { break };
        if let Ok((at, probes)) = ended
            && let Some(place) = all.get_mut(at)
        {
            *place = probes;
        }
    }
    all.concat()
}

/// Looks on the host itself, through its session: at every endpoint of the inventory that asks
/// for it, and at every site that its servers are configured to serve.
pub async fn on_host(
    open: &Open,
    host: &Host,
    known: &fleet::Host,
    seen: &Seen,
    now: Moment,
    until: Instant,
) -> Vec<Probe> {
    let when = When { known: &known.probes, now, until };
    let shut = OnceCell::new();
    let way = Way::Open { open, listeners: &seen.listeners, shut: &shut };
    let told = door::told(host, &seen.listeners);
    let found = door::found(&told, seen);
    let look = |it: Ask| async move {
        Look { host, ask: &it, when }.probes(&Door::OnHost(way, it.at)).await
    };
    let looks: Vec<_> = told.into_iter().chain(found).map(look).collect();
    stream::iter(looks).buffered(AT_ONCE).concat().await
}

/// Looks at one endpoint from everywhere that it asks for: one probe for each address, and one
/// more where a server has certificates with RSA and with elliptic curves for the same name.
/// `listeners` are where something listens on the host, as far as that is known.
pub async fn probe(
    sessions: &Sessions,
    host: &Host,
    listeners: &[Listen],
    endpoint: &Endpoint,
    now: Moment,
) -> Vec<Probe> {
    let when = When { known: &[], now, until: Instant::now() + host.scan_timeout };
    let on_host = async {
        let asks = door::told_of(endpoint, listeners);
        let looks = asks.into_iter().map(|it| async move {
            let way = Way::Sessions(sessions);
            Look { host, ask: &it, when }.probes(&Door::OnHost(way, it.at)).await
        });
        join_all(looks).await.concat()
    };
    let (on_host, from_here) = tokio::join!(on_host, endpoint_from_here(host, endpoint, when));
    [on_host, from_here].concat()
}

async fn endpoint_from_here(host: &Host, endpoint: &Endpoint, when: When<'_>) -> Vec<Probe> {
    let doors = door::public(endpoint, host.connect_timeout, when.until).await;
    let looks = doors.into_iter().map(|(door, is_added)| async move {
        let ask = Ask {
            name: endpoint.name.clone(),
            at: SocketAddr::from(([0, 0, 0, 0], endpoint.port)),
            starttls: endpoint.starttls,
            is_told: true,
            has_both: true,
        };
        let probes = Look { host, ask: &ask, when }.probes(&door).await;
        probes.into_iter().map(|it| Probe { is_added, ..it }).collect::<Vec<_>>()
    });
    join_all(looks).await.concat()
}

/// What a handshake asks for.
#[derive(Debug, Clone)]
struct Ask {
    /// The name (SNI).
    name: String,
    /// Where on the host.
    at: SocketAddr,
    starttls: StartTls,
    /// Whether the inventory tells of it.
    is_told: bool,
    /// Whether there may be certificates for two kinds of keys.
    has_both: bool,
}

/// A way to a host's own ports.
#[derive(Debug, Clone, Copy)]
enum Way<'a> {
    /// Through a session in hand.
    Open {
        open: &'a Open,
        listeners: &'a [Listen],
        /// Why the first way that should have led somewhere did not: the same for the others.
        shut: &'a OnceCell<Unserved>,
    },
    /// Through whatever session there is.
    Sessions(&'a Sessions),
}

type Served = Result<Arc<Chain>, Unserved>;

#[derive(Debug, Clone, Copy)]
struct Look<'a> {
    host: &'a Host,
    ask: &'a Ask,
    when: When<'a>,
}

/// When it is looked, and after what.
#[derive(Debug, Clone, Copy)]
struct When<'a> {
    /// What was shown before.
    known: &'a [Probe],
    now: Moment,
    until: Instant,
}

impl Look<'_> {
    /// What is served behind a door: one probe or, for clients of different kinds, two.
    async fn probes(self, door: &Door<'_>) -> Vec<Probe> {
        let vantage = match door {
            Door::OnHost(..) => Vantage::Loopback,
            Door::Direct(_) | Door::Nowhere { .. } => Vantage::Public,
        };
        let served = self.all(door, vantage).await;
        let probe = |served| Probe {
            name: SafeText::new(&self.ask.name),
            vantage,
            address: SafeText::new(&door.to_string()),
            is_told: self.ask.is_told,
            is_added: false,
            at: self.when.now,
            served,
        };
        served.into_iter().map(probe).collect()
    }

    async fn all(self, door: &Door<'_>, vantage: Vantage) -> Vec<Served> {
        let first = self.one(door, Schemes::All).await;
        let Ok(chain) = &first else { return vec![first] };
        let other = match chain.leaf.key {
            KeyKind::Rsa(_) => Schemes::NoRsa,
            KeyKind::Ecdsa(_) | KeyKind::Ed25519 => Schemes::OnlyRsa,
            KeyKind::Other => return vec![first],
        };
        if !self.ask.has_both || self.was_alone(&door.to_string(), vantage, chain.leaf.sha256) {
            return vec![first];
        }
        // A server that has no other one breaks off, or shows the same again.
        let second = self.one(door, other).await;
        let is_other = second.as_ref().is_ok_and(|it| it.leaf.sha256 != chain.leaf.sha256);
        if is_other { vec![first, second] } else { vec![first] }
    }

    /// Whether that certificate and no other was shown there before.
    fn was_alone(self, address: &str, vantage: Vantage, leaf: Fingerprint) -> bool {
        let is_here = |it: &&Probe| {
            it.address.as_str() == address
                && it.vantage == vantage
                && it.name.as_str() == self.ask.name
        };
        let mut before = self.when.known.iter().filter(is_here);
        before.next().is_some_and(|it| it.leaf() == Some(leaf)) && before.next().is_none()
    }

    async fn one(self, door: &Door<'_>, schemes: Schemes) -> Served {
        let Self { host, ask, when: When { until, .. } } = self;
        let name = ServerName::try_from(ask.name.clone()).map_err(|_| {
            let text = format!("`{}` is no name that a server can be asked for", ask.name);
            unserved(NotServed::NoAddress, text)
        })?;
        // Fails only if it is closed, which nobody does.
        let _turn = DESCRIPTORS.acquire().await;
        let patience = host.connect_timeout.min(until.saturating_duration_since(Instant::now()));
        if patience.is_zero() {
            return Err(no_time());
        }
        let late = || unserved(NotServed::Silent, format!("no answer within {}", words(patience)));
        let roots = &host.roots;
        let chain = match door {
            Door::Direct(address) => {
                let looking = async {
                    let stream = TcpStream::connect(address).await.map_err(|it| broken(&it))?;
                    handshake::look(stream, name, ask.starttls, schemes, roots).await
                };
                timeout(patience, looking).await.unwrap_or_else(|_| Err(late()))
            }
            Door::OnHost(Way::Open { open, listeners, shut }, at) => {
                match open.tunnel(host, *at).await {
                    Ok(Some(stream)) => {
                        let looking = handshake::look(stream, name, ask.starttls, schemes, roots);
                        timeout(patience, looking).await.unwrap_or_else(|_| Err(late()))
                    }
                    Ok(None) if door::listens_elsewhere(listeners, *at) => {
                        let text = format!("nothing listens at {at} on the host");
                        Err(unserved(NotServed::Refused, text))
                    }
                    Ok(None) => {
                        let why = async { closed(host, &open.why_not(host, *at).await) };
                        Err(shut.get_or_init(|| why).await.clone())
                    }
                    Err(error) => Err(closed(host, &error)),
                }
            }
            Door::OnHost(Way::Sessions(sessions), at) => {
                let looking = sessions.tunnel(host, *at, |stream| async {
                    let looking = handshake::look(stream, name, ask.starttls, schemes, roots);
                    timeout(patience, looking).await.unwrap_or_else(|_| Err(late()))
                });
                looking.await.unwrap_or_else(|it| Err(closed(host, &it)))
            }
            Door::Nowhere { why, .. } => Err(why.clone()),
        };
        chain.map(Arc::new)
    }
}

/// Why a host's own port was not reached. Only that nothing listens there tells of the server.
fn closed(host: &Host, error: &Error) -> Unserved {
    let why = match error {
        Error::Forward { fault: ForwardFault::Refused, .. } => NotServed::Refused,
        _ => NotServed::NoRoute,
    };
    Unserved { why, text: error.unreached(host).text }
}

fn unserved(why: NotServed, text: impl AsRef<str>) -> Unserved {
    Unserved { why, text: SafeText::new(text.as_ref()) }
}

/// The visit is over, which says nothing about what would have been looked at.
fn no_time() -> Unserved {
    unserved(NotServed::NoRoute, "no time was left to look at it: raise `scan-timeout`")
}

fn words(patience: Duration) -> String {
    format!("{} s", (patience.as_secs_f32() * 10.0).round() / 10.0)
}

/// An error of a connection in words, without the operating system's number.
fn broken(error: &std::io::Error) -> Unserved {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {
            unserved(NotServed::Broken, "the server broke the connection off")
        }
        ErrorKind::ConnectionRefused => unserved(NotServed::Refused, "connection refused"),
        ErrorKind::AddrNotAvailable
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable => unserved(NotServed::NoRoute, "no route to it"),
        ErrorKind::TimedOut => unserved(NotServed::Silent, "no answer"),
        ErrorKind::UnexpectedEof => {
            let text = "the server closed the connection before it showed a certificate";
            unserved(NotServed::Broken, text)
        }
        _ => unserved(NotServed::Broken, error.to_string()),
    }
}

/// How many endpoints of one host are looked at at once.
const AT_ONCE: usize = 32;
/// How many handshakes are under way at once in the whole program: a tunnel takes five
/// descriptors, and many systems give a program no more than 1,024.
static DESCRIPTORS: Semaphore = Semaphore::const_new(100);
