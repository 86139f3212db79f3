//! A way to one of the host's own ports: through its session, or straight there on this machine.

use std::fmt;
use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::config::alias;
use super::master::{GRACE, Master};
use super::mux::{Forwarded, Shut};
use super::route::ssh;
use super::shell::read_capped;
use super::words::{self, ForwardFault};
use super::{Error, Key, Line, Open, Sessions, local};
use crate::inventory::{self, Connection};
use crate::text::SafeText;

/// A connection to one of a host's own ports. Closed when it is dropped.
pub type Tunnel = Box<dyn Duplex>;

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Duplex for T {}

impl Sessions {
    /// Connects to one of a host's own ports, through its session, and talks to whatever
    /// answers there. Dropping the future ends all that is behind it.
    ///
    /// Only the way there has a deadline, the host's `connect-timeout`; `talk` needs its own.
    pub async fn tunnel<T, F: Future<Output = T>>(
        &self,
        host: &inventory::Host,
        at: SocketAddr,
        talk: impl FnOnce(Tunnel) -> F,
    ) -> Result<T, Error> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            // Fails only without a sender, which is in `self`.
            _ = closing.wait_for(|it| *it) => Err(Error::Closed),
            told = async {
                if host.connection == Connection::Local {
                    let stream = local::connect(host, at).await?;
                    return Ok(talk(Box::new(stream)).await);
                }
                let key = Key::of(host);
                let (master, tunnel) = self.reach(&key, host, at).await?;
                let told = talk(Box::new(tunnel)).await;
                self.put_back(key, master).await;
                Ok(told)
            } => told,
        }
    }

    async fn reach(
        &self,
        key: &Key,
        host: &inventory::Host,
        at: SocketAddr,
    ) -> Result<(Master, Forwarded), Error> {
        if let Some(master) = self.take_warm(key) {
            match self.dig(master, key, host, at).await {
                // Its host has gone away since the last visit, or seems to.
                Err(Error::Stale) => {}
                result => return result,
            }
        }
        let (master, _) = self.connect(key, host, host.scan_timeout).await?;
        match self.dig(master, key, host, at).await {
            Err(Error::Stale) => Err(Error::TimedOut { after: host.connect_timeout }),
            result => result,
        }
    }

    async fn dig(
        &self,
        master: Master,
        key: &Key,
        host: &inventory::Host,
        at: SocketAddr,
    ) -> Result<(Master, Forwarded), Error> {
        let socket = master.socket();
        let opening = Forwarded::open(&socket, at);
        match timeout(host.connect_timeout, opening).await {
            Ok(Ok(tunnel)) => Ok((master, tunnel)),
            Ok(Err(Shut::Refused)) => {
                let error = why(&master, host, at).await;
                self.put_back(key.clone(), master).await;
                Err(error)
            }
            Ok(Err(Shut::Dead)) | Err(_) => {
                master.close().await;
                Err(Error::Stale)
            }
        }
    }
}

impl Open {
    /// Connects to one of the host's own ports. `Ok(None)` if nothing connects there; why not is
    /// only known to [`Self::why_not`].
    pub async fn tunnel(
        &self,
        host: &inventory::Host,
        at: SocketAddr,
    ) -> Result<Option<Tunnel>, Error> {
        let master = match &self.line {
            Line::Local => return Ok(Some(Box::new(local::connect(host, at).await?))),
            Line::Ssh { master, .. } => master,
        };
        let socket = master.socket();
        match timeout(host.connect_timeout, Forwarded::open(&socket, at)).await {
            Ok(Ok(tunnel)) => Ok(Some(Box::new(tunnel))),
            Ok(Err(Shut::Refused)) => Ok(None),
            Ok(Err(Shut::Dead)) | Err(_) => Err(Error::Stale),
        }
    }

    /// Why the host does not connect to that port: costs a connection of its own.
    pub async fn why_not(&self, host: &inventory::Host, at: SocketAddr) -> Error {
        match &self.line {
            Line::Ssh { master, .. } => why(master, host, at).await,
            // Here it is said at once, and nothing more is known.
            Line::Local => {
                Error::Forward { at, fault: ForwardFault::Other, said: SafeText::default() }
            }
        }
    }
}

/// Why a host does not connect to one of its own ports. A master does not pass that on, so it is
/// asked for over a connection of its own.
async fn why(master: &Master, host: &inventory::Host, at: SocketAddr) -> Error {
    let mut asking = ssh();
    asking.arg("-F").arg(master.config());
    // Why a channel is not opened is no more than information to ssh.
    asking.args(["-o", "LogLevel=INFO", "-W", &at.to_string(), &alias(0)]);
    asking.stderr(Stdio::piped());
    let asking = async {
        let mut child = asking.spawn().map_err(Error::Start)?;
        let said = match child.stderr.take() {
            Some(stderr) => read_capped(stderr).await,
            None => Vec::new(),
        };
        child.wait().await.map_err(Error::Start)?;
        let said = String::from_utf8_lossy(&said);
        let (fault, said) = words::forwarding(&said);
        Ok(Error::Forward { at, fault, said: SafeText::new(said) })
    };
    match timeout(host.connect_timeout + GRACE, asking).await {
        Ok(error) => error.unwrap_or_else(|it| it),
        Err(_) => Error::TimedOut { after: host.connect_timeout },
    }
}
