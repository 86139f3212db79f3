//! One ssh in the background that holds a connection, and the commands that go through it.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use openssh::{Session, Stdio};
use rustix::process::{Pid, setpriority_process};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::{Instant, timeout};

use super::config::alias;
use super::folder::{Folder, write_private};
use super::mux::end_master;
use super::route::{Route, ssh};
use super::shell::{Call, End, SAID_CAP};
use super::{Answer, Error, words};
use crate::inventory::Become;
use crate::text::SafeText;

/// A master and its control socket. Dropping it ends the master.
#[derive(Debug)]
pub(super) struct Master {
    session: Session,
    /// Holds the control socket, the configuration and what ssh says.
    dir: TempDir,
}

impl Master {
    /// Connects and logs in.
    ///
    /// ssh goes to the background once it is logged in; until then it dies with this future.
    pub(super) async fn connect(
        folder: &Folder,
        route: &Route,
        patience: Duration,
    ) -> Result<Self, Error> {
        let dir = folder.session_dir()?;
        let [socket, config, said] = ["master", "config", "said"].map(|it| dir.path().join(it));
        let text = route.config(&config, &said)?;
        let file = write_private(&config, &text)
            .and_then(|()| OpenOptions::new().append(true).create(true).open(&said))
            .map_err(|source| Error::Folder { path: dir.path().to_owned(), source })?;
        let session = Session::resume_mux(socket.clone().into_boxed_path(), None);
        let master = Self { session, dir };
        let mut ssh = ssh()
            .args(["-M", "-N", "-f", "-F"])
            .arg(&config)
            .arg("-S")
            .arg(&socket)
            .arg(alias(0))
            .stderr(file)
            .spawn()
            .map_err(Error::Start)?;
        yield_to_keys(&ssh);
        // ssh keeps to its ConnectTimeout while it connects, but not while it logs in.
        match timeout(patience + GRACE, ssh.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(master),
            Ok(Ok(_)) => Err(route.failure(&read_head(&said))),
            Ok(Err(error)) => Err(Error::Start(error)),
            Err(_) => Err(route.silence()),
        }
    }

    /// Runs a script. With `patience`, the answer must begin within it, else the session is
    /// taken for dead.
    pub(super) async fn run(
        &self,
        call: &Call<'_>,
        patience: Option<Duration>,
    ) -> Result<Answer, Error> {
        let is_old = patience.is_some();
        let lost = |text: String| {
            if is_old { Error::Stale } else { Error::Open(SafeText::new(&text)) }
        };
        let mut command = self.session.raw_command(match call.r#become {
            Become::None => SHELL,
            Become::Sudo => ROOT_SHELL,
        });
        // Everything else would be our terminal.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let opening = async {
            let mut child = command.spawn().await.map_err(|it| lost(root_cause(&it)))?;
            let pipes = (child.stdin().take(), child.stdout().take(), child.stderr().take());
            let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
                return Err(lost("no pipes".to_owned()));
            };
            Ok((child, stdin, stdout, stderr))
        };
        let begin = Instant::now();
        let (child, stdin, stdout, stderr) = match patience {
            Some(patience) => timeout(patience, opening).await.map_err(|_| Error::Stale)??,
            None => opening.await?,
        };
        let (answer, said) = call.exchange((stdin, stdout, stderr), patience).await?;
        let end = end_of(&child.wait().await);
        if is_old && end == End::Lost && answer.is_empty() {
            return Err(Error::Stale);
        }
        let bytes = call.judge(end, answer, &said)?;
        Ok(Answer { bytes, took: begin.elapsed() })
    }

    /// Its control socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("master")
    }

    /// The configuration with which it was connected.
    pub(super) fn config(&self) -> PathBuf {
        self.dir.path().join("config")
    }

    /// Ends the master and waits until it is gone.
    pub(super) async fn close(self) {
        // Ending takes the master some milliseconds, which are not for a thread of the loop.
        tokio::task::spawn_blocking(move || drop(self)).await.ok();
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        end_master(&self.socket());
    }
}

/// Lets the console go before ssh: dozens of key exchanges at once keep every processor busy. It
/// is no more than a wish, so it may fail.
fn yield_to_keys(ssh: &Child) {
    let pid = ssh.id().and_then(|it| Pid::from_raw(it.try_into().ok()?));
    if let Some(pid) = pid {
        setpriority_process(Some(pid), NICE).ok();
    }
}

/// How a remote command ended.
fn end_of(status: &Result<ExitStatus, openssh::Error>) -> End {
    match status {
        Ok(status) => status.code().map_or(End::Lost, End::Code),
        // The crate's way to say 127.
        Err(openssh::Error::Remote(_)) => End::Code(127),
        Err(_) => End::Lost,
    }
}

impl Route {
    fn failure(&self, said: &str) -> Error {
        let (at, fault) = words::connecting(said, self.hops.len().saturating_sub(1));
        self.error(at, fault, words::gist(said))
    }

    fn silence(&self) -> Error {
        self.fault(0, words::Fault::TimedOut)
    }

    /// What happened at a hop, where ssh has no words for it.
    pub(super) fn fault(&self, at: usize, fault: words::Fault) -> Error {
        self.error(at, fault, "")
    }

    fn error(&self, at: usize, fault: words::Fault, said: &str) -> Error {
        let hop = self.hops.get(at);
        Error::Connect {
            jump: hop.filter(|_| at > 0).map(|it| SafeText::new(&it.name)),
            fault,
            said: SafeText::new(said),
            identity: hop.map(|it| SafeText::new(&it.identity())).unwrap_or_default(),
            known_as: hop.map(|it| SafeText::new(&it.told.known_as())).unwrap_or_default(),
        }
    }
}

/// The last message of a chain of errors, which is the one that says what happened.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

pub(super) fn read_head(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        file.take(SAID_CAP).read_to_end(&mut bytes).ok();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The only words that ever are on a remote command line.
const SHELL: &str = "exec /bin/sh -s";
/// The same, as root.
const ROOT_SHELL: &str = "exec sudo -n /bin/sh -s";

/// A third of the usual share of a processor (`sched(7)`: a factor of 1.25 per step).
const NICE: i32 = 5;

/// How much longer than its `ConnectTimeout` ssh may take, so that its own words come first.
pub(super) const GRACE: Duration = Duration::from_millis(500);
