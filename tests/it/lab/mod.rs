//! Real sshd on loopback: own ports, own keys, own configuration; gone with the value.

mod authority;
pub(crate) mod ca;
pub(crate) mod certbot_host;
pub(crate) mod cluster;
mod crowd;
mod faults;
mod fleet;
mod hostile;
mod jumps;
pub(crate) mod nginx;
mod scans;
mod sessions;
mod shells;
mod trust;
pub(crate) mod vault;
mod web;
mod wire;

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use certdeck::fleet::{HostName, Unreached};
use certdeck::inventory::{Become, Connection, Host};
use certdeck::remote::{Limits, Sessions, Settings, Variables};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A folder with keys, and the servers that use them.
pub(crate) struct Lab {
    dir: TempDir,
    servers: Vec<(u16, Child)>,
}

/// A server that answers.
pub(crate) struct Sshd {
    pub(crate) port: u16,
}

impl Lab {
    /// `None`, said on stderr, where there is no sshd and none is required.
    pub(crate) fn new() -> Option<Self> {
        if !are_here(&[SSHD]) {
            return None;
        }
        // Where sshd confines itself when it runs as root.
        if Path::new("/proc/self").exists() && rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let lab = Self { dir: TempDir::new().unwrap(), servers: Vec::new() };
        lab.make_key("user");
        fs::copy(lab.path("user.pub"), lab.path("authorized_keys")).unwrap();
        fs::write(lab.path("known_hosts"), "").unwrap();
        lab.configure("");
        Some(lab)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn make_key(&self, name: &str) {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(self.path(name))
            .status();
        assert!(made.unwrap().success());
    }

    /// Writes the operator's `ssh_config`: `extra` first, so that it counts.
    pub(crate) fn configure(&self, extra: &str) {
        let text = format!(
            "{extra}\nHost *\n  IdentityFile {0}/user\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile {0}/known_hosts\n  KexAlgorithms curve25519-sha256\n",
            self.dir.path().display()
        );
        fs::write(self.path("ssh_config"), text).unwrap();
    }

    /// Starts a server whose key is known, with more lines for its `sshd_config`.
    pub(crate) fn sshd(&mut self, extra: &str) -> Sshd {
        let sshd = self.unknown_sshd(extra);
        self.know(sshd.port, &format!("host-{}", sshd.port));
        sshd
    }

    /// Starts a server whose key is not known.
    pub(crate) fn unknown_sshd(&mut self, extra: &str) -> Sshd {
        let port = free_port();
        let key = format!("host-{port}");
        self.make_key(&key);
        let mut config = String::new();
        write!(
            config,
            "{extra}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {0}/{key}\n\
             AuthorizedKeysFile {0}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             LogLevel DEBUG1\n",
            self.dir.path().display()
        )
        .unwrap();
        let file = self.path(&format!("sshd-{port}.conf"));
        fs::write(&file, config).unwrap();
        let log = self.path(&format!("sshd-{port}.log"));
        let server = Command::new(SSHD)
            .args(["-D", "-f"])
            .arg(&file)
            .arg("-E")
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.servers.push((port, server));
        wait_for(&format!("sshd, see {}", log.display()), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Sshd { port }
    }

    /// Ends the server at that port: nobody is let in any more.
    pub(crate) fn stop(&mut self, port: u16) {
        for (_, server) in self.servers.iter_mut().filter(|it| it.0 == port) {
            server.kill().ok();
            server.wait().ok();
        }
    }

    /// Notes that the server at that port has the key of that name.
    pub(crate) fn know(&self, port: u16, key: &str) {
        let key = fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        let mut known = fs::read_to_string(self.path("known_hosts")).unwrap();
        writeln!(known, "[127.0.0.1]:{port} {}", key.trim()).unwrap();
        fs::write(self.path("known_hosts"), known).unwrap();
    }

    /// How many logins the server at that port has let in.
    pub(crate) fn logins(&self, port: u16) -> usize {
        let log = fs::read_to_string(self.path(&format!("sshd-{port}.log"))).unwrap();
        log.matches("Accepted publickey").count()
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            runtime_dir: self.path("run"),
            ssh_config: Some(self.path("ssh_config")),
            keep_warm: 4,
            variables: Variables::default(),
        }
    }

    pub(crate) fn sessions(&self) -> Arc<Sessions> {
        Sessions::open(self.settings()).unwrap()
    }

    /// certdeck with this inventory, in a home in which nothing of the machine is seen.
    pub(crate) fn certdeck(&self, inventory: &str) -> Command {
        let file = self.path("inventory.toml");
        fs::write(&file, inventory).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_certdeck"));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("CERTDECK_STATE_DIR", self.path("state"))
            .env("CERTDECK_SSH_CONFIG", self.path("ssh_config"))
            .arg("--inventory")
            .arg(file)
            .stdin(Stdio::null());
        command
    }

    /// Waits until no process is left that knows of this lab's folder of sockets.
    #[track_caller]
    pub(crate) fn no_ssh_is_left(&self) {
        let run = self.path("run");
        let mut left = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            left = processes_with(run.to_str().unwrap());
            if left.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("still there: {left:#?}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for (_, server) in &mut self.servers {
            server.kill().ok();
            server.wait().ok();
        }
    }
}

/// Scans the hosts of this inventory, and reads what is printed.
#[track_caller]
pub(crate) fn scan_json(lab: &Lab, inventory: &str) -> serde_json::Value {
    let output = lab.certdeck(inventory).args(["scan", "--format", "json"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1 | 3)), "{}: {said}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How many hosts a fleet of this lab has; `CERTDECK_LAB_HOSTS` makes it larger or smaller.
pub(crate) fn hosts(usual: usize) -> usize {
    std::env::var("CERTDECK_LAB_HOSTS").map_or(usual, |it| it.parse().unwrap())
}

/// A host at that port, with short deadlines.
pub(crate) fn host(name: &str, port: u16) -> Host {
    Host {
        roots: Arc::default(),
        name: HostName::new(name),
        connection: Connection::Ssh,
        address: "127.0.0.1".to_owned(),
        port: Some(port),
        user: None,
        identity_file: None,
        r#become: Become::None,
        connect_timeout: Duration::from_secs(5),
        scan_timeout: Duration::from_secs(15),
        groups: Vec::new(),
        sources: Vec::new(),
        told_sources: 0,
        webroot: None,
        issuer: None,
        deliver: Vec::new(),
        endpoints: Vec::new(),
    }
}

/// Visits a host; what went wrong is given in words.
pub(crate) async fn visit(
    sessions: &Sessions,
    host: &Host,
    script: &str,
) -> Result<String, Unreached> {
    match sessions.visit(host, script, Limits { time: host.scan_timeout, cap: 1 << 20 }).await {
        Ok(answer) => Ok(String::from_utf8(answer.bytes).unwrap()),
        Err(error) => Err(error.unreached(host)),
    }
}

/// Whether all of these programs are installed; says so on stderr if not, and stops where they
/// are required.
pub(crate) fn are_here(programs: &[&str]) -> bool {
    let is_here = |it: &&&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|dir| dir.join(it).exists())
    };
    let missing: Vec<_> = programs.iter().filter(|it| !is_here(it)).collect();
    if missing.is_empty() {
        return true;
    }
    let is_required = std::env::var("CERTDECK_LAB").as_deref() == Ok("require");
    assert!(!is_required, "not installed: {missing:?}");
    eprintln!("skipped: not installed: {missing:?}");
    false
}

/// Waits for something to be true; the only sleep in these tests is here.
#[track_caller]
pub(crate) fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_true() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The same for what can only be asked in turn with others: waits until there is something.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(it) = ask().await {
            return it;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Command lines of all processes that contain that text.
pub(crate) fn processes_with(text: &str) -> Vec<String> {
    numbered_processes_with(text).into_iter().map(|it| it.1).collect()
}

/// Ends all processes with the path of a lab in their command line.
pub(crate) fn end_processes_with(path: &Path) {
    for (number, _) in numbered_processes_with(path.to_str().unwrap()) {
        if let Some(process) = Pid::from_raw(number) {
            kill_process(process, Signal::KILL).ok();
        }
    }
}

fn numbered_processes_with(text: &str) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let number = entry.file_name().to_str().and_then(|it| it.parse().ok());
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if let Some(number) = number.filter(|_| line.contains(text)) {
            found.push((number, line));
        }
    }
    found
}

/// A port that nothing listens at, given out once in this process. It lies below those that
/// Linux gives to outgoing connections, or one of them could take it before it is used.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Tests run in several processes at once: each begins somewhere else.
    let first = std::process::id().wrapping_mul(997);
    loop {
        let at = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(at % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

const SSHD: &str = "/usr/sbin/sshd";
