//! The embedded practice fleet: real SSH servers in this process, on loopback, each with the
//! folder of a host: certificates, certbot's tree, its log, and programs that answer for it.
//!
//! Nothing here is a sandbox: commands run as this user, in the folder of their host. Only
//! whoever has the key that is made for this run can start any, and it is in a folder that only
//! this user can read.

mod authority;
mod build;
mod certbot;
mod client;
pub mod drill;
mod ending;
mod journal;
mod nginx;
mod ports;
mod programs;
mod scenario;
mod server;
mod stage;
mod words;

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};
use rustix::fs::Access;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit, test_kill_process};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

use crate::clock::Clock;
use crate::fleet::Moment;
use build::Fleet;
use ports::Ports;

pub use client::run_certbot;
pub use nginx::run_nginx;
pub use scenario::{ALL, Kind};

/// A practice fleet that runs. When it is dropped the servers stop, commands on its hosts are
/// killed, and its folder is removed.
#[derive(Debug)]
pub struct Practice {
    folder: TempDir,
    inventory: String,
    inventory_path: PathBuf,
    ssh_config: PathBuf,
    hosts: Vec<Member>,
    running: server::Running,
    /// The servers' own, so that neither keeps the other waiting: the console and the fleet.
    runtime: Option<Runtime>,
    /// Ports of hosts that are down: taken, so that nobody else answers there, and not listened
    /// on.
    _closed: Vec<TcpSocket>,
}

/// A host of a practice fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name in the inventory and in the `ssh_config`.
    pub name: String,
    /// The folder that stands for its root.
    pub root: PathBuf,
    /// Its port on loopback.
    pub port: u16,
}

/// Why a practice fleet cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder for it could not be made.
    #[error("cannot make a folder for the practice fleet")]
    Folder(#[source] io::Error),
    /// A certificate could not be issued.
    #[error("cannot issue a practice certificate")]
    Issue(#[source] rcgen::Error),
    /// An SSH key could not be made or written down.
    #[error("cannot make an SSH key")]
    Key(#[source] russh::keys::ssh_key::Error),
    /// A file of a host could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A server could not be started.
    #[error("cannot listen on loopback")]
    Listen(#[source] io::Error),
    /// A file of a host could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Practice {
    /// Starts a fleet: the scenarios of [`ALL`] first, then as many other hosts as are missing.
    /// All dates are seen from `now`. `program` is certdeck itself: on the hosts it is certbot.
    pub async fn start(hosts: usize, now: Moment, program: PathBuf) -> Result<Self, Error> {
        Self::start_with(scenario::fleet(hosts), now, program).await
    }

    /// Starts the small fleet of a drill, in the same way.
    pub async fn start_drill(
        kind: &drill::Kind,
        now: Moment,
        program: PathBuf,
    ) -> Result<Self, Error> {
        Self::start_with(kind.fleet(), now, program).await
    }

    async fn start_with(fleet: Fleet, now: Moment, program: PathBuf) -> Result<Self, Error> {
        let build = tokio::task::spawn_blocking(move || Self::start_now(&fleet, now, &program));
        build.await.map_err(|it| Error::Folder(it.into()))?
    }

    /// The inventory of the fleet.
    pub fn inventory_text(&self) -> &str {
        &self.inventory
    }

    /// The file with the inventory.
    pub fn inventory_path(&self) -> &Path {
        &self.inventory_path
    }

    /// The `ssh_config` by which the hosts are reached, and no other: for `ssh -F`.
    pub fn ssh_config(&self) -> &Path {
        &self.ssh_config
    }

    /// The folder of this run. What belongs to the run may be put there, under names of its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The hosts, in the order of the inventory.
    pub fn hosts(&self) -> &[Member] {
        &self.hosts
    }

    fn start_now(fleet: &Fleet, now: Moment, program: &Path) -> Result<Self, Error> {
        raise_file_limit();
        let folder = new_folder().map_err(Error::Folder)?;
        let client = new_key()?;
        // Where time stands still, so does that of the hosts, as good as a `date` can do it.
        let clock_offset = match now.since(Clock::default().now()) {
            -60..=60 => 0,
            offset => offset,
        };
        let ports = Ports::new(folder.path());
        let ground =
            build::Ground { folder: folder.path(), program, now, clock_offset, ports: &ports };
        let built = build::all(&ground, &fleet.hosts)?;

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("practice")
            .enable_all()
            .build()
            .map_err(Error::Listen)?;
        let running = server::Running::default();
        let (mut members, mut closed) = (Vec::new(), Vec::new());
        let (mut known_hosts, mut config) = (String::new(), config_head(folder.path()));
        for host in &built {
            let _inside = runtime.enter();
            let socket = TcpSocket::new_v4().map_err(Error::Listen)?;
            socket.bind((Ipv4Addr::LOCALHOST, 0).into()).map_err(Error::Listen)?;
            let port = socket.local_addr().map_err(Error::Listen)?.port();
            let key = new_key()?;
            if !host.manner.is_stranger {
                let public = key.public_key().to_openssh().map_err(Error::Key)?;
                let _ = writeln!(known_hosts, "{} {public}", host.name);
            }
            let _ = writeln!(
                config,
                "\nHost {0}\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias {0}",
                host.name
            );
            if host.manner.is_down {
                closed.push(socket);
            } else {
                let listener = socket.listen(BACKLOG).map_err(Error::Listen)?;
                let door = server::Door {
                    root: host.root.clone(),
                    key,
                    client: client.public_key().clone(),
                    banner: host.manner.banner.clone(),
                    noise: host.manner.noise.clone(),
                    delay: host.manner.delay,
                };
                runtime.spawn(server::listen(listener, Arc::new(door), running.clone()));
            }
            members.push(Member { name: host.name.clone(), root: host.root.clone(), port });
        }

        for port in ports.into_all() {
            let _inside = runtime.enter();
            let v6 = port.v6.map(|it| (it, port.v6_root));
            for (listener, root) in std::iter::once((port.v4, port.root)).chain(v6) {
                let listener = TcpListener::from_std(listener).map_err(Error::Listen)?;
                runtime.spawn(nginx::listen(listener, root, port.number));
            }
        }

        let inventory = build::inventory(&built, fleet.expiries, folder.path(), now);
        let key = client.to_openssh(LineEnding::LF).map_err(Error::Key)?;
        for (name, text) in [
            (INVENTORY, inventory.as_str()),
            (SSH_CONFIG, &config),
            (KNOWN_HOSTS, &known_hosts),
            (KEY, &key),
        ] {
            let path = folder.path().join(name);
            stage::write(&path, 0o600, text.as_bytes())
                .map_err(|source| Error::Write { path, source })?;
        }
        Ok(Self {
            inventory_path: folder.path().join(INVENTORY),
            ssh_config: folder.path().join(SSH_CONFIG),
            folder,
            inventory,
            hosts: members,
            running,
            runtime: Some(runtime),
            _closed: closed,
        })
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // In the background: whoever drops this may be inside a runtime of their own.
            runtime.shutdown_background();
        }
        self.running.kill_all();
        // What has left the group of its command, as jobs do that outlive a connection.
        ending::end_all(self.folder.path());
        // A command may have made a file just before it was killed.
        for _ in 0..3 {
            if std::fs::remove_dir_all(self.folder.path()).is_ok() {
                break;
            }
        }
    }
}

fn new_key() -> Result<PrivateKey, Error> {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).map_err(Error::Key)
}

/// What holds for every host. Strict, although it is only practice: the console is to see the
/// same as on real hosts.
fn config_head(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Host *\n  User practice\n  IdentityFile \"{folder}/{KEY}\"\n  IdentitiesOnly yes\n  \
         IdentityAgent none\n  PreferredAuthentications publickey\n  \
         UserKnownHostsFile \"{folder}/{KNOWN_HOSTS}\"\n  GlobalKnownHostsFile /dev/null\n  \
         StrictHostKeyChecking yes\n  UpdateHostKeys no\n"
    )
}

/// Makes the folder of this run: in memory where there is enough, because the hosts of a big
/// fleet are ten thousands of small files that nobody needs for long.
fn new_folder() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    for place in [memory, &std::env::temp_dir()] {
        sweep(place);
    }
    if let Ok(folder) = new_folder_in(memory)
        && is_fit(folder.path())
    {
        return Ok(folder);
    }
    new_folder_in(&std::env::temp_dir())
}

fn new_folder_in(place: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .rand_bytes(3)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(place)
}

/// Whether programs can be started from a folder, as not from one mounted `noexec`, and a
/// thousand hosts fit into it.
fn is_fit(folder: &Path) -> bool {
    let program = folder.join("program");
    stage::write(&program, 0o700, b"").is_ok()
        && rustix::fs::access(&program, Access::EXEC_OK).is_ok()
        && std::fs::remove_file(&program).is_ok()
        && rustix::fs::statvfs(folder).is_ok_and(|it| it.f_bavail * it.f_frsize >= ROOM)
}

/// Removes the folders of runs that were killed before they could do it.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|it| it.strip_prefix(PREFIX))
            .and_then(|it| it.split('-').next())
            .and_then(|it| it.parse().ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = owner
            && test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
        {
            ending::end_all(&entry.path());
            // Not ours to remove, perhaps: then it stays.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// Three hundred servers and a few connections to each do not fit into the usual 1024.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    // With the old limit fewer hosts fit, and listening says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// A thousand hosts take a quarter of it.
const ROOM: u64 = 1 << 30;

const PREFIX: &str = "certdeck-practice-";
/// The folder of the CAs' keys.
const CA: &str = "ca";
/// Short: it stands in every path that the console shows.
const HOSTS: &str = "at";
const INVENTORY: &str = "inventory.toml";
const SSH_CONFIG: &str = "ssh_config";
const KNOWN_HOSTS: &str = "known_hosts";
const KEY: &str = "id_ed25519";

/// How many clients may wait at a door.
const BACKLOG: u32 = 64;
