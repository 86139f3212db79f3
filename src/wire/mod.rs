//! What is really served: TLS handshakes with an endpoint, from here and on the host's own
//! loopback through its SSH session. Nothing is trusted and nothing is sent but the handshake.

mod handshake;
mod starttls;
mod tap;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::fleet::{Chain, KeyKind, Moment, NotServed, Probe, Unserved, Vantage};
use crate::inventory::{Endpoint, Host};
use crate::remote::Sessions;
use crate::text::SafeText;

use handshake::Schemes;

/// Looks at an endpoint from everywhere that it asks for: one probe for each address, and one
/// more where a server has certificates with RSA and with elliptic curves for the same name.
pub async fn probe(
    sessions: &Sessions,
    host: &Host,
    endpoint: &Endpoint,
    now: Moment,
) -> Vec<Probe> {
    let doors = endpoint.probe.iter().map(|vantage| async move {
        match vantage {
            Vantage::Loopback => vec![Door::Loopback],
            Vantage::Public => addresses(endpoint, host.connect_timeout).await,
        }
    });
    let doors: Vec<_> = join_all(doors).await.into_iter().flatten().collect();
    let looks = doors.into_iter().map(|door| async move {
        let (vantage, address) = match &door {
            Door::Loopback => (Vantage::Loopback, format!("127.0.0.1:{}", endpoint.port)),
            Door::Direct(address) => (Vantage::Public, address.to_string()),
            Door::Nowhere(_) => (Vantage::Public, format!("{}:{}", endpoint.name, endpoint.port)),
        };
        let served = Look { sessions, host, endpoint }.all(&door).await;
        served.into_iter().map(move |served| Probe {
            name: SafeText::new(&endpoint.name),
            vantage,
            address: SafeText::new(&address),
            is_told: true,
            is_added: false,
            at: now,
            served,
        })
    });
    join_all(looks).await.into_iter().flatten().collect()
}

/// Where something can be served.
#[derive(Debug)]
enum Door {
    /// At an address that the console reaches.
    Direct(SocketAddr),
    /// On the host itself.
    Loopback,
    /// The name leads nowhere, and why.
    Nowhere(String),
}

/// Every address of the name, as this machine resolves it.
async fn addresses(endpoint: &Endpoint, patience: Duration) -> Vec<Door> {
    if is_local(&endpoint.name) {
        let here: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return here.map(|it| Door::Direct((it, endpoint.port).into())).into();
    }
    let asking = lookup_host((endpoint.name.as_str(), endpoint.port));
    let mut found: Vec<SocketAddr> = match timeout(patience, asking).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return vec![Door::Nowhere(format!("the name has no address ({error})"))],
        Err(_) => {
            let text = format!("{} to what address the name has", late(patience));
            return vec![Door::Nowhere(text)];
        }
    };
    found.sort();
    found.dedup();
    found.truncate(MOST_ADDRESSES);
    if found.is_empty() {
        return vec![Door::Nowhere("the name has no address".to_owned())];
    }
    found.into_iter().map(Door::Direct).collect()
}

/// Whether a name stands for this machine: DNS is never asked for it (RFC 6761, section 6.3), and
/// not every resolver knows that.
fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

type Served = Result<Arc<Chain>, Unserved>;

#[derive(Debug, Clone, Copy)]
struct Look<'a> {
    sessions: &'a Sessions,
    host: &'a Host,
    endpoint: &'a Endpoint,
}

impl Look<'_> {
    /// What is served behind a door: one certificate or, for clients of different kinds, two.
    async fn all(self, door: &Door) -> Vec<Served> {
        let first = self.one(door, Schemes::All).await;
        let Ok(chain) = &first else { return vec![first] };
        let other = match chain.leaf.key {
            KeyKind::Rsa(_) => Schemes::NoRsa,
            KeyKind::Ecdsa(_) | KeyKind::Ed25519 => Schemes::OnlyRsa,
            KeyKind::Other => return vec![first],
        };
        // A server that has no other one breaks off, or shows the same again.
        let second = self.one(door, other).await;
        let is_other = second.as_ref().is_ok_and(|it| it.leaf.sha256 != chain.leaf.sha256);
        if is_other { vec![first, second] } else { vec![first] }
    }

    async fn one(self, door: &Door, schemes: Schemes) -> Served {
        self.try_one(door, schemes)
            .await
            .map(Arc::new)
            .map_err(|it| Unserved { why: NotServed::Broken, text: SafeText::new(&it) })
    }

    async fn try_one(self, door: &Door, schemes: Schemes) -> Result<Chain, String> {
        let Self { sessions, host, endpoint } = self;
        let patience = host.connect_timeout;
        let name = ServerName::try_from(endpoint.name.clone()).map_err(|_| {
            format!("`{}` is no name that a server can be asked for", endpoint.name)
        })?;
        match door {
            Door::Direct(address) => {
                let looking = async {
                    let stream = TcpStream::connect(address).await.map_err(|it| broken(&it))?;
                    handshake::look(stream, name, endpoint.starttls, schemes, &host.roots).await
                };
                timeout(patience, looking).await.unwrap_or_else(|_| Err(late(patience)))
            }
            Door::Loopback => {
                let at = SocketAddr::from(([127, 0, 0, 1], endpoint.port));
                let looking = sessions.tunnel(host, at, |stream| async {
                    let roots = &host.roots;
                    let looking = handshake::look(stream, name, endpoint.starttls, schemes, roots);
                    timeout(patience, looking).await.unwrap_or_else(|_| Err(late(patience)))
                });
                looking.await.map_err(|it| it.unreached(host).text.as_str().to_owned())?
            }
            Door::Nowhere(why) => Err(why.clone()),
        }
    }
}

fn late(patience: Duration) -> String {
    format!("no answer within {} s", patience.as_secs_f32())
}

/// An error of a connection in words, without the operating system's number.
fn broken(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {
            "the server broke the connection off".to_owned()
        }
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "no route to it".to_owned(),
        ErrorKind::TimedOut => "no answer".to_owned(),
        ErrorKind::UnexpectedEof => {
            "the server closed the connection before it showed a certificate".to_owned()
        }
        _ => error.to_string(),
    }
}

/// More addresses of one name than this are not looked at; large services have at most eight.
const MOST_ADDRESSES: usize = 8;

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn names_of_this_machine_are_told_from_others() {
        for name in ["localhost", "a.localhost", "A.LOCALHOST."] {
            assert!(is_local(name), "{name}");
        }
        for name in ["notlocalhost", "localhost.example", "a.localhost.example"] {
            assert!(!is_local(name), "{name}");
        }
    }
}
