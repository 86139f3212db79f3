//! This machine as a host: the same scripts, read by its own shell, with no ssh in between.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout};

use super::shell::{Call, End};
use super::words::{ForwardFault, HereFault};
use super::{Answer, Error};
use crate::inventory::{self, Become};
use crate::text::SafeText;

/// What of an environment scripts on this machine get to see: what a login has, what leads to
/// clusters, and how programs get out of here. All else stays with us, as secrets that the
/// inventory keeps in variables, our own settings, and what would make a shell or a tool behave
/// unlike itself.
#[derive(Clone, Default)]
pub struct Variables(Vec<(OsString, OsString)>);

impl Variables {
    /// Takes what is seen out of a whole environment.
    pub fn of(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let kept = environment.into_iter().filter(|it| is_seen(it.0.as_bytes()));
        Self(
            kept.map(|(name, value)| {
                let value = if name == KUBECONFIG { absolute(&value) } else { value };
                (name, value)
            })
            .collect(),
        )
    }

    /// Whether a script finds that program.
    pub fn find(&self, program: &str) -> bool {
        let path = self.0.iter().find(|it| it.0 == "PATH");
        path.is_some_and(|it| std::env::split_paths(&it.1).any(|it| it.join(program).is_file()))
    }
}

/// Of their values some are secrets of clouds.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|it| &it.0)).finish()
    }
}

/// Runs a script. Dropping the future ends the shell and what it has started, but for jobs, which
/// have a session of their own.
pub(super) async fn run(call: &Call<'_>, variables: &Variables) -> Result<Answer, Error> {
    let begin = Instant::now();
    let mut group = Group(start(call.r#become, variables).map_err(|it| {
        let said = SafeText::new(&it.to_string());
        Error::Here { fault: HereFault::NotStarted, said }
    })?);
    let Child { stdin, stdout, stderr, .. } = &mut group.0;
    let (Some(stdin), Some(stdout), Some(stderr)) = (stdin.take(), stdout.take(), stderr.take())
    else {
        let said = SafeText::new("no pipes");
        return Err(Error::Here { fault: HereFault::NotStarted, said });
    };
    let (answer, said) = call.exchange((stdin, stdout, stderr), None).await?;
    let end = group.0.wait().await.ok().as_ref().and_then(ExitStatus::code);
    let bytes = call.judge(end.map_or(End::Lost, End::Code), answer, &said).map_err(here)?;
    Ok(Answer { bytes, took: begin.elapsed() })
}

/// Connects to one of its own ports.
pub(super) async fn connect(host: &inventory::Host, at: SocketAddr) -> Result<TcpStream, Error> {
    let patience = host.connect_timeout;
    let connected = timeout(patience, TcpStream::connect(at)).await;
    connected.map_err(|_| Error::TimedOut { after: patience })?.map_err(|error| {
        let fault = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => ForwardFault::Refused,
            _ => ForwardFault::Other,
        };
        Error::Forward { at, fault, said: SafeText::new(&error.to_string()) }
    })
}

/// A shell with a session of its own. Neither it nor a program that it starts can ask at our
/// terminal, draw on it or be stopped by its keys.
#[expect(clippy::disallowed_methods, reason = "this is the room that starts what hosts run")]
fn start(r#become: Become, variables: &Variables) -> std::io::Result<Child> {
    let words: &[&str] = match r#become {
        Become::None => &["/bin/sh", "-s"],
        Become::Sudo => &["sudo", "-n", "/bin/sh", "-s"],
    };
    Command::new("/bin/sh")
        .args(["-c", APART, "sh"])
        .args(words)
        .env_clear()
        .envs(variables.0.iter().map(|(name, value)| (name, value)))
        .envs(home(variables))
        // A job that goes on must not keep our folder busy.
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// `setsid` does not fork here, because the shell leads no group: the process stays the one that
/// is waited for. Where there is none, a terminal may still be in reach.
const APART: &str = r#"command -v setsid >/dev/null && exec setsid "$@"; exec "$@""#;

/// A shell and what it has started. Whoever is left when it is dropped is told to end, as by a
/// connection that breaks; root's processes hear of it when they print.
#[derive(Debug)]
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // Once it was waited for it has no number any more, which may be somebody else's.
        let leader = self.0.id().and_then(|it| Pid::from_raw(it.try_into().ok()?));
        if let Some(leader) = leader {
            // It leads nobody yet in the moment before it becomes the shell.
            kill_process_group(leader, Signal::TERM)
                .or_else(|_| kill_process(leader, Signal::TERM))
                .ok();
        }
    }
}

/// A home where there is none, as in a service of systemd: a login always has one.
fn home(variables: &Variables) -> Option<(&'static str, PathBuf)> {
    let has_one = variables.0.iter().any(|it| it.0 == HOME);
    let base = directories::BaseDirs::new().filter(|_| !has_one)?;
    Some((HOME, base.home_dir().to_owned()))
}

fn is_seen(name: &[u8]) -> bool {
    SEEN.iter().any(|it| it.as_bytes() == name)
        || FAMILIES.iter().any(|it| name.starts_with(it.as_bytes()))
}

/// A list of paths as seen from here: scripts and jobs run in other folders.
fn absolute(paths: &OsStr) -> OsString {
    let all = std::env::split_paths(paths).map(|it| match std::path::absolute(&it) {
        Ok(whole) => whole,
        Err(_) => it,
    });
    std::env::join_paths(all).unwrap_or_else(|_| paths.to_owned())
}

/// What went wrong, with no connection that it could have been.
fn here(error: Error) -> Error {
    match error {
        Error::CutShort { said } => Error::Here { fault: HereFault::Killed, said },
        Error::Shell { said } => Error::Here { fault: HereFault::Failed, said },
        other => other,
    }
}

const HOME: &str = "HOME";
const KUBECONFIG: &str = "KUBECONFIG";

/// Variables by name.
const SEEN: &[&str] = &[
    // Who it is, and where his things are.
    HOME,
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    // Which cluster; the others are those of a pod.
    KUBECONFIG,
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    // The way out, and whom to believe there.
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    // The root of a practice host.
    "CERTDECK_ROOT",
];

/// And by how they begin: by these, the programs of clouds that a kubeconfig calls for a token
/// know whom it is for.
const FAMILIES: &[&str] = &["AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_see_what_leads_to_clusters_and_no_secret() {
        let environment = [
            ("HOME", "/home/ops"),
            ("PATH", "/opt/bin:/usr/bin"),
            ("KUBECONFIG", "/etc/a.conf:/etc/b.conf"),
            ("AWS_PROFILE", "edge"),
            ("CERTDECK_TSIG", "canary"),
            ("SSH_AUTH_SOCK", "/run/agent"),
            ("BASH_FUNC_which%%", "() { :; }"),
            ("LD_PRELOAD", "/x.so"),
        ]
        .map(|(name, value)| (name.into(), value.into()));
        let seen = Variables::of(environment);
        assert_eq!(format!("{seen:?}"), r#"["HOME", "PATH", "KUBECONFIG", "AWS_PROFILE"]"#);
        assert!(home(&seen).is_none() && home(&Variables::default()).is_some());
    }

    #[test]
    fn a_kubeconfig_of_this_folder_is_found_from_everywhere() {
        let here = std::path::absolute("k.conf").unwrap();
        let both = absolute(OsStr::new("k.conf:/etc/k.conf"));
        assert_eq!(both, format!("{}:/etc/k.conf", here.display()).as_str());
    }
}
