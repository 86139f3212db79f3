//! A host, over the system's ssh, or this machine itself. The only room that speaks SSH, and that
//! starts what hosts run; it knows nothing of certificates.
//!
//! Every connection is one `ssh` that becomes a master in the background. Its settings are a file
//! of ours in which the operator's own settings appear only where they are on a list, and the
//! only words on a remote command line are constants: scripts travel on stdin. The shell of this
//! machine is given them in the same way.

pub mod client;
mod config;
mod error;
mod folder;
mod gate;
pub mod keys;
mod local;
mod master;
mod mux;
mod route;
mod sharing;
mod shell;
mod tunnel;
mod words;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, timeout_at};

use crate::inventory::{self, Connection};

use folder::Folder;
use gate::Gates;
use master::Master;
use route::{Book, Route};
use shell::Call;

pub use error::Error;
pub use local::Variables;
pub use tunnel::{Duplex, Tunnel};
pub use words::{Fault, ForwardFault, HereFault, SudoFault};

/// What the pool of sessions needs to know of this machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of control sockets, 0700; made if it is missing.
    pub runtime_dir: PathBuf,
    /// The `ssh_config` to ask for each host (`ssh -F`); `None` is ssh's own default files.
    pub ssh_config: Option<PathBuf>,
    /// How many sessions stay open after their visit.
    pub keep_warm: usize,
    /// What scripts on this machine see of our environment.
    pub variables: Variables,
}

/// Open sessions, and how many may be opened at once.
#[derive(Debug)]
pub struct Sessions {
    settings: Settings,
    gates: Gates,
    jumps_at_once: AtomicUsize,
    book: Book,
    /// The way to each host, once it is known.
    routes: Mutex<HashMap<Key, Arc<OnceCell<Arc<Route>>>>>,
    /// Sessions that nobody uses now, least recently used first.
    warm: Mutex<Vec<(Key, Master)>>,
    /// Turns true when the pool closes. Each visit under way holds a receiver.
    closing: watch::Sender<bool>,
    /// Last, so that the sessions in it end first.
    folder: Folder,
}

/// What a visit may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long it may take, not counting the wait for a turn at a jump host.
    pub time: Duration,
    /// How many bytes of answer are taken.
    pub cap: usize,
}

/// What a host answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What the script printed.
    pub bytes: Vec<u8>,
    /// How long it took from the question on, connecting not included.
    pub took: Duration,
}

/// A session in hand, with which nobody else does anything meanwhile. Dropping it ends it.
#[derive(Debug)]
pub struct Open {
    line: Line,
    /// The pool closes once nobody holds one.
    _closing: watch::Receiver<bool>,
}

/// What leads to a host.
#[derive(Debug)]
enum Line {
    /// Nothing: it is this machine.
    Local,
    Ssh {
        key: Key,
        master: Master,
    },
}

/// What makes two hosts of an inventory the same to ssh.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    address: String,
    port: Option<u16>,
    user: Option<String>,
    identity_file: Option<String>,
    connect_timeout: Duration,
}

impl Sessions {
    /// Makes the folder of this run, and sweeps those of runs that died.
    pub fn open(settings: Settings) -> Result<Arc<Self>, Error> {
        let folder = Folder::make(&settings.runtime_dir)?;
        Ok(Arc::new(Self {
            book: Book::new(settings.ssh_config.clone()),
            folder,
            gates: Gates::default(),
            jumps_at_once: AtomicUsize::new(inventory::Defaults::default().jump_concurrency),
            routes: Mutex::default(),
            warm: Mutex::default(),
            closing: watch::Sender::new(false),
            settings,
        }))
    }

    /// How many connections through the same jump host may be in the making at once.
    pub fn limit_jumps(&self, at_once: usize) {
        self.jumps_at_once.store(at_once.max(1), Ordering::Relaxed);
    }

    /// Runs one script on a host, within the limits. Dropping the future ends the ssh process
    /// behind it.
    pub async fn visit(
        &self,
        host: &inventory::Host,
        script: &str,
        limits: Limits,
    ) -> Result<Answer, Error> {
        let (answer, open) = self.visit_open(host, script, limits).await?;
        self.keep(open).await;
        Ok(answer)
    }

    /// The same, and the session stays in hand, for tunnels to the host's own ports. It goes
    /// back with [`Self::keep`]; dropping it ends it.
    pub async fn visit_open(
        &self,
        host: &inventory::Host,
        script: &str,
        limits: Limits,
    ) -> Result<(Answer, Open), Error> {
        let mut closing = self.closing.subscribe();
        let kept = closing.clone();
        tokio::select! {
            biased;
            // Fails only without a sender, which is in `self`.
            _ = closing.wait_for(|it| *it) => Err(Error::Closed),
            answer = self.ask(host, script, limits) => {
                let (answer, line) = answer?;
                Ok((answer, Open { line, _closing: kept }))
            }
        }
    }

    /// Takes back a session that is not needed any more.
    pub async fn keep(&self, open: Open) {
        if let Line::Ssh { key, master } = open.line {
            self.put_back(key, master).await;
        }
    }

    /// Ends every visit and every session for good; no process of this run is left.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        // A visit that was dropped or told to end has ended its ssh when its receiver is gone.
        self.closing.closed().await;
        let warm = std::mem::take(&mut *lock(&self.warm));
        let ends: Vec<_> = warm.into_iter().map(|(_, master)| master.close()).collect();
        futures_util::future::join_all(ends).await;
    }

    async fn ask(
        &self,
        host: &inventory::Host,
        script: &str,
        limits: Limits,
    ) -> Result<(Answer, Line), Error> {
        let Limits { time, cap } = limits;
        let call = Call { r#become: host.r#become, script, cap };
        let begin = Instant::now();
        if host.connection == Connection::Local {
            let running = local::run(&call, &self.settings.variables);
            return Ok((within(begin + time, time, running).await?, Line::Local));
        }
        let key = Key::of(host);
        if let Some(master) = self.take_warm(&key) {
            // A session whose host has gone away answers nothing for as long as ssh's own
            // keep-alive takes, so the answer must begin within the time for connecting.
            let patience = Some(host.connect_timeout);
            match within(begin + time, time, master.run(&call, patience)).await {
                Ok(answer) => return Ok((answer, Line::Ssh { key, master })),
                Err(Error::Stale) => master.close().await,
                Err(error) => {
                    master.close().await;
                    return Err(error);
                }
            }
        }
        let (master, deadline) = self.connect(&key, host, time).await?;
        match within(deadline, time, master.run(&call, None)).await {
            Ok(answer) => Ok((answer, Line::Ssh { key, master })),
            Err(error) => {
                master.close().await;
                Err(error)
            }
        }
    }

    /// Opens a session, in turn with others that take the same way. Returns the deadline for
    /// what is left of the visit too: waiting for a turn does not count.
    async fn connect(
        &self,
        key: &Key,
        host: &inventory::Host,
        time: Duration,
    ) -> Result<(Master, Instant), Error> {
        let route = within(Instant::now() + time, time, self.route_to(key, host)).await?;
        let at_once = self.jumps_at_once.load(Ordering::Relaxed);
        let mut turn = self.gates.enter(&route, at_once).await;
        let deadline = Instant::now() + time;
        let mut tries = 0;
        loop {
            let connecting = Master::connect(&self.folder, &route, host.connect_timeout);
            match within(deadline, time, turn.beside(connecting)).await {
                // sshd drops connections beyond MaxStartups without a word, as it does when it
                // is really unwell; a few tries, farther and farther apart, tell them apart.
                Err(Error::Connect { fault: Fault::Dropped, .. }) if tries < gate::TRIES => {
                    turn.narrow();
                    let again = async {
                        gate::wait_out(tries).await;
                        Ok(self.gates.enter(&route, at_once).await)
                    };
                    turn = within(deadline, time, again).await?;
                    tries += 1;
                }
                Err(error) => {
                    tracing::info!(host = %host.name, %error, "no session");
                    return Err(error);
                }
                Ok(master) => return Ok((master, deadline)),
            }
        }
    }

    async fn route_to(&self, key: &Key, host: &inventory::Host) -> Result<Arc<Route>, Error> {
        let cell = Arc::clone(lock(&self.routes).entry(key.clone()).or_default());
        let route = cell.get_or_try_init(|| async { self.book.route_to(host).await.map(Arc::new) });
        route.await.map(Arc::clone)
    }

    fn take_warm(&self, key: &Key) -> Option<Master> {
        let mut warm = lock(&self.warm);
        let at = warm.iter().position(|(it, _)| it == key)?;
        Some(warm.remove(at).1)
    }

    async fn put_back(&self, key: Key, master: Master) {
        let surplus = {
            let mut warm = lock(&self.warm);
            warm.push((key, master));
            let surplus = warm.len().saturating_sub(self.settings.keep_warm);
            warm.drain(..surplus).collect::<Vec<_>>()
        };
        for (_, master) in surplus {
            master.close().await;
        }
    }
}

impl Key {
    fn of(host: &inventory::Host) -> Self {
        Self {
            address: host.address.clone(),
            port: host.port,
            user: host.user.clone(),
            identity_file: host.identity_file.clone(),
            connect_timeout: host.connect_timeout,
        }
    }
}

/// Waits for something on a host until the deadline of a visit that may take so long.
async fn within<T>(
    deadline: Instant,
    time: Duration,
    doing: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match timeout_at(deadline, doing).await {
        Ok(result) => result,
        Err(_) => Err(Error::TimedOut { after: time }),
    }
}

/// Nothing is ever half done while one of our locks is held.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
