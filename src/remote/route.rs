//! The way to a host as the operator's `ssh_config` has it: asked of `ssh -G`, jump hosts included.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;

use super::config::{self, Told};
use super::sharing::Sharing;
use super::{Error, lock};
use crate::inventory;
use crate::text::SafeText;

/// The way to one host.
#[derive(Debug)]
pub(super) struct Route {
    /// The host itself, then its jump hosts, nearest to the host first.
    pub(super) hops: Vec<Hop>,
    host: inventory::Host,
    plain: Arc<Told>,
}

/// One sshd on the way.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    /// What the operator calls it.
    pub(super) name: String,
    /// What `ssh_config` says about it.
    pub(super) told: Arc<Told>,
    /// The key file of the inventory; no other is tried then.
    pub(super) identity_file: Option<String>,
}

impl Route {
    /// The configuration of one connection, in which the hops are `target`, `jump-1`, `jump-2` …
    pub(super) fn config(&self, place: &Path, said: &Path) -> Result<String, Error> {
        config::write(&self.host, &self.hops, &self.plain, place, said)
    }

    /// The sshd of the host, as one string.
    pub(super) fn door(&self) -> String {
        let jumps = self.hops.iter().skip(1);
        let target = self.hops.first().map(|it| it.told.door()).unwrap_or_default();
        jumps.fold(target, |way, it| way + " via " + &it.told.door())
    }

    /// The sshd that is connected to first, if that is a jump host.
    pub(super) fn first_jump_door(&self) -> Option<String> {
        self.hops.iter().skip(1).next_back().map(|it| it.told.door())
    }
}

impl Hop {
    /// As whom and with which keys ssh logs in there.
    pub(super) fn identity(&self) -> String {
        let user = self.told.first("user").unwrap_or("?");
        if let Some(file) = &self.identity_file {
            return format!("user {user} with {file}");
        }
        let keys: Vec<_> = self.told.all("identityfile").collect();
        format!("user {user} with the keys of the agent and {}", keys.join(", "))
    }
}

/// Asks ssh what it would do, once per host.
#[derive(Debug)]
pub(super) struct Book {
    ssh_config: Option<PathBuf>,
    sharing: Sharing,
    told: Mutex<HashMap<Question, Arc<OnceCell<Arc<Told>>>>>,
    plain: OnceCell<Arc<Told>>,
}

/// What `ssh -G` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    host: String,
    user: Option<String>,
    port: Option<u16>,
}

impl Book {
    /// `ssh_config` replaces ssh's own default files.
    pub(super) fn new(ssh_config: Option<PathBuf>) -> Self {
        let sharing = match (&ssh_config, directories::BaseDirs::new()) {
            (Some(path), _) => Sharing::of_files([path.as_path()]),
            (None, Some(base)) => {
                let own = base.home_dir().join(".ssh/config");
                Sharing::of_files([own.as_path(), Path::new("/etc/ssh/ssh_config")])
            }
            (None, None) => Sharing::Never,
        };
        Self { ssh_config, sharing, told: Mutex::default(), plain: OnceCell::new() }
    }

    /// Finds the way to a host.
    pub(super) async fn route_to(&self, host: &inventory::Host) -> Result<Route, Error> {
        let question =
            Question { host: host.address.clone(), user: host.user.clone(), port: host.port };
        let target = self.ask(question).await?;
        let mut pending = target.jumps()?;
        let mut hops = vec![Hop {
            name: host.address.clone(),
            told: target,
            identity_file: host.identity_file.clone(),
        }];
        while let Some(jump) = pending.pop() {
            if hops.len() > MOST_JUMPS {
                return Err(Error::Jumps { most: MOST_JUMPS });
            }
            let name = jump.host.clone();
            let told = self.ask(jump).await?;
            // As ssh does it: only the jump host that is connected to first is asked how to get
            // there, the others are reached through the one before.
            if pending.is_empty() {
                pending = told.jumps()?;
            }
            hops.push(Hop { name, told, identity_file: None });
        }
        let plain = self.plain().await?;
        Ok(Route { hops, host: host.clone(), plain })
    }

    async fn ask(&self, question: Question) -> Result<Arc<Told>, Error> {
        question.check()?;
        if ![&question.host, NOBODY].into_iter().all(|it| self.sharing.covers(it)) {
            return self.ask_once(question).await;
        }
        let shared = Question { host: NOBODY.to_owned(), user: None, port: None };
        let told = self.ask_once(shared).await?;
        let port = question.port.map(|it| it.to_string());
        let own = [
            ("hostname", (told.first("hostname") == Some(NOBODY)).then_some(&question.host)),
            ("user", question.user.as_ref()),
            ("port", port.as_ref()),
        ];
        Ok(Arc::new(told.with(own)))
    }

    async fn ask_once(&self, question: Question) -> Result<Arc<Told>, Error> {
        let cell = Arc::clone(lock(&self.told).entry(question.clone()).or_default());
        let told = cell.get_or_try_init(|| async {
            ask_ssh(&question, self.ssh_config.as_deref()).await.map(Arc::new)
        });
        told.await.map(Arc::clone)
    }

    /// What ssh does when no file tells it anything.
    async fn plain(&self) -> Result<Arc<Told>, Error> {
        let question = Question { host: "host".to_owned(), user: None, port: None };
        let nothing = Some(Path::new("/dev/null"));
        let asked = || async { ask_ssh(&question, nothing).await.map(Arc::new) };
        self.plain.get_or_try_init(asked).await.map(Arc::clone)
    }
}

impl Told {
    /// The jump hosts, the one that is connected to first at the front.
    fn jumps(&self) -> Result<Vec<Question>, Error> {
        match (self.first("proxyjump"), self.first("proxycommand")) {
            (Some(jumps), _) if jumps != "none" => {
                jumps.split(',').map(|it| Question::of_jump(it.trim())).collect()
            }
            (None, Some(command)) if command != "none" => {
                Err(Error::ProxyCommand { command: SafeText::new(command) })
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl Question {
    /// Reads `[user@]host[:port]`, with or without `ssh://` before it.
    fn of_jump(text: &str) -> Result<Self, Error> {
        let bad = || Error::Address { text: SafeText::new(text) };
        let rest = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, rest),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']').ok_or_else(bad)?;
                (host, port.strip_prefix(':'))
            }
            None => match place.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') => (host, Some(port)),
                _ => (place, None),
            },
        };
        let port = port.map(|it| it.parse().map_err(|_| bad())).transpose()?;
        Ok(Self { host: host.to_owned(), user, port })
    }

    fn check(&self) -> Result<(), Error> {
        if self.is_sound() {
            return Ok(());
        }
        let user = self.user.as_ref().map(|it| format!("{it}@")).unwrap_or_default();
        Err(Error::Address { text: SafeText::new(&(user + &self.host)) })
    }

    /// Whether nothing in it could be taken for an option or a pattern.
    fn is_sound(&self) -> bool {
        let is_host = |it: char| it.is_ascii_alphanumeric() || "._:-".contains(it);
        let is_user = |it: char| it.is_ascii_alphanumeric() || "._-@$\\+".contains(it);
        let is_word = |text: &str, may: &dyn Fn(char) -> bool| {
            (1..=253).contains(&text.len()) && !text.starts_with('-') && text.chars().all(may)
        };
        is_word(&self.host, &is_host) && self.user.as_deref().is_none_or(|it| is_word(it, &is_user))
    }
}

async fn ask_ssh(question: &Question, file: Option<&Path>) -> Result<Told, Error> {
    let mut command = ssh();
    command.arg("-G");
    if let Some(file) = file {
        command.arg("-F").arg(file);
    }
    if let Some(user) = &question.user {
        command.arg("-l").arg(user);
    }
    if let Some(port) = question.port {
        command.arg("-p").arg(port.to_string());
    }
    command.arg("--").arg(&question.host).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.output().await.map_err(Error::Start)?;
    if !output.status.success() {
        return Err(Error::Settings { said: SafeText::from_bytes(output.stderr.trim_ascii()) });
    }
    let told = Told::read(&String::from_utf8_lossy(&output.stdout));
    let hostname = told.first("hostname").unwrap_or_default();
    // It may be another than the one that was asked for, and it goes on a command line.
    Question { host: hostname.to_owned(), user: None, port: None }.check()?;
    Ok(told)
}

/// The system's ssh, with nothing of our terminal: every process of this room begins here.
#[expect(clippy::disallowed_methods, reason = "this is the room that starts ssh")]
pub(super) fn ssh() -> tokio::process::Command {
    let mut command = tokio::process::Command::new("ssh");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // What runs ssh for a jump host; a login shell may print something first.
        .env("SHELL", "/bin/sh")
        // Keys typed at the console are not for ssh: Ctrl-C reaches it through us.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// The name that stands for every host that the configuration does not name.
const NOBODY: &str = "certdeck.invalid";

/// More is a loop in `ssh_config`: each costs a process here and a login there.
const MOST_JUMPS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<(Option<&str>, &str, Option<u16>)>) {
        let read = Question::of_jump(text).ok().filter(Question::is_sound);
        let read = read.as_ref().map(|it| (it.user.as_deref(), it.host.as_str(), it.port));
        assert_eq!(read, expect, "{text}");
    }

    #[test]
    fn jumps_are_read_as_ssh_reads_them() {
        check("bastion", Some((None, "bastion", None)));
        check("ops@bastion:2222", Some((Some("ops"), "bastion", Some(2222))));
        check("ssh://ops@bastion:2222/", Some((Some("ops"), "bastion", Some(2222))));
        check("[2001:db8::1]:22", Some((None, "2001:db8::1", Some(22))));
        check("2001:db8::1", Some((None, "2001:db8::1", None)));
        check("me@corp@bastion", Some((Some("me@corp"), "bastion", None)));
    }

    #[test]
    fn what_could_be_an_option_is_refused() {
        check("-oProxyCommand=x", None);
        check("-x@host", None);
        check("ho st", None);
        check("host:notaport", None);
        check("", None);
        check("$(id)", None);
    }
}
