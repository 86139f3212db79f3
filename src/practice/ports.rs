//! The public side of the practice fleet: ports of this machine's loopback at which hosts answer
//! whoever connects from outside. Names below `localhost` lead there without DNS (RFC 6761, section
//! 6.3).

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::HOSTS;

/// The ports of a fleet, by the name of the host. A host may ask for that of another, which need
/// not be built yet.
#[derive(Debug)]
pub(super) struct Ports {
    folder: PathBuf,
    all: Mutex<BTreeMap<String, Port>>,
}

/// A port at which a host answers.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) v4: TcpListener,
    /// Where the machine has IPv6.
    pub(super) v6: Option<TcpListener>,
    /// The root of the host that answers.
    pub(super) root: PathBuf,
    /// The root of the one that answers with IPv6.
    pub(super) v6_root: PathBuf,
}

impl Ports {
    /// No ports yet, for the hosts in that folder of a fleet.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), all: Mutex::default() }
    }

    /// The port of that host.
    pub(super) fn of(&self, host: &str) -> io::Result<u16> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = all.get(host) {
            return Ok(port.number);
        }
        let root = self.folder.join(HOSTS).join(host);
        let port = Port::open(root)?;
        let number = port.number;
        all.insert(host.to_owned(), port);
        Ok(number)
    }

    /// Has somebody else answer with IPv6, as where an old record leads to another machine.
    pub(super) fn divert_v6(&self, host: &str, root: PathBuf) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = all.get_mut(host) {
            port.v6_root = root;
        }
    }

    /// All that were asked for.
    pub(super) fn into_all(self) -> Vec<Port> {
        let all = self.all.into_inner().unwrap_or_else(PoisonError::into_inner);
        all.into_values().collect()
    }
}

impl Port {
    /// Opens a port that is free with IPv4 and, where the machine has it, with IPv6.
    fn open(root: PathBuf) -> io::Result<Self> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let number = v4.local_addr()?.port();
            let v6 = match TcpListener::bind((Ipv6Addr::LOCALHOST, number)) {
                Ok(v6) => Some(v6),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    last = Some(error);
                    continue;
                }
                Err(_) => None,
            };
            for listener in [Some(&v4), v6.as_ref()].into_iter().flatten() {
                listener.set_nonblocking(true)?;
            }
            return Ok(Self { number, v4, v6, v6_root: root.clone(), root });
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
    }
}

/// Somebody may have the number that we were given with the other protocol.
const ATTEMPTS: usize = 20;
