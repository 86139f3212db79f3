//! What can go wrong with a host, in words, each with what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::words::{Fault, ForwardFault, HereFault, SudoFault};
use crate::fleet::{Unreached, Why};
use crate::inventory::{self, Connection};
use crate::text::SafeText;

/// Why a host could not be asked, or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address or a user that must not be given to ssh.
    #[error("`{text}` cannot be an address or a user of ssh")]
    Address {
        /// What it is.
        text: SafeText,
    },
    /// Asking after the sessions were closed.
    #[error("the scan was stopped")]
    Closed,
    /// Connecting to the host or to a jump host before it.
    #[error("{}", connect_text(jump.as_ref(), *fault, said))]
    Connect {
        /// The jump host, if it is not the host itself.
        jump: Option<SafeText>,
        /// What happened.
        fault: Fault,
        /// ssh's own line.
        said: SafeText,
        /// As whom, and with which keys.
        identity: SafeText,
        /// The name under which its key is known.
        known_as: SafeText,
    },
    /// The connection broke while the answer was read.
    #[error("the connection broke before the answer was complete{}", tail(said))]
    CutShort {
        /// The host's last words.
        said: SafeText,
    },
    /// Making the folder of this run.
    #[error("cannot use the folder {}", path.display())]
    Folder {
        /// The folder or the file in it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Connecting to one of the host's own ports.
    #[error("{}", forward_text(*at, *fault, said))]
    Forward {
        /// Where on the host.
        at: SocketAddr,
        /// What happened.
        fault: ForwardFault,
        /// sshd's own words.
        said: SafeText,
    },
    /// The shell of this machine.
    #[error("the shell of this machine {}{}", here_text(*fault), tail(said))]
    Here {
        /// What became of it.
        fault: HereFault,
        /// Its last words.
        said: SafeText,
    },
    /// Too many jump hosts.
    #[error("more than {most} jump hosts, as if they led in a circle")]
    Jumps {
        /// How many there may be.
        most: usize,
    },
    /// Adding a host key to the file of known ones.
    #[error("cannot write {}", path.display())]
    KnownHosts {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Opening a channel of a session.
    #[error("the host opens no channel for a command: {0}")]
    Open(SafeText),
    /// `ssh_config` has a `ProxyCommand` for the host.
    #[error("ssh_config has a ProxyCommand for this host, which certdeck does not run")]
    ProxyCommand {
        /// The command.
        command: SafeText,
    },
    /// Asking `ssh -G`.
    #[error("ssh cannot use its configuration: {said}")]
    Settings {
        /// ssh's own words.
        said: SafeText,
    },
    /// Getting a shell that reads the script.
    #[error("there is no POSIX shell at the other end{}", tail(said))]
    Shell {
        /// What it said instead.
        said: SafeText,
    },
    /// A warm session was dead; never leaves this room.
    #[error("the session had ended")]
    Stale,
    /// Starting the ssh client.
    #[error("cannot start ssh")]
    Start(#[source] io::Error),
    /// Becoming root.
    #[error("{}", sudo_text(*fault))]
    Sudo {
        /// What was in the way.
        fault: SudoFault,
    },
    /// Waiting for the host.
    #[error("no complete answer within {}", seconds(*after))]
    TimedOut {
        /// How long it was waited.
        after: Duration,
    },
    /// Reading an answer that did not end.
    #[error("the answer is larger than {} KiB", cap / 1024)]
    TooLarge {
        /// How much is read.
        cap: usize,
    },
}

impl Error {
    /// What this means for the fleet.
    pub fn unreached(&self, host: &inventory::Host) -> Unreached {
        let mut text = self.to_string();
        if let Some(cause) = std::error::Error::source(self) {
            text = format!("{text}: {cause}");
        }
        Unreached {
            why: self.why(),
            text: SafeText::new(&text),
            hint: self.hint(host).map(|it| SafeText::new(&it)),
        }
    }

    fn why(&self) -> Why {
        match self {
            Self::Connect { fault, .. } => match fault {
                Fault::Authentication => Why::Authentication,
                Fault::ChangedKey | Fault::RevokedKey => Why::ChangedKey,
                Fault::NoRoute => Why::NoRoute,
                Fault::NoSuchName => Why::NoSuchName,
                Fault::OldClient => Why::NoSsh,
                Fault::Refused => Why::Refused,
                Fault::TimedOut => Why::TimedOut,
                Fault::UnknownKey => Why::UnknownKey,
                Fault::Dropped | Fault::Other => Why::Other,
            },
            Self::CutShort { .. } | Self::Here { fault: HereFault::Killed, .. } | Self::Stale => {
                Why::CutShort
            }
            Self::Here { .. } | Self::Shell { .. } => Why::NoShell,
            Self::Start(_) => Why::NoSsh,
            Self::Sudo { .. } => Why::Sudo,
            Self::TimedOut { .. } => Why::TimedOut,
            Self::TooLarge { .. } => Why::TooLarge,
            Self::Address { .. }
            | Self::Closed
            | Self::Folder { .. }
            | Self::Forward { .. }
            | Self::Jumps { .. }
            | Self::KnownHosts { .. }
            | Self::Open(_)
            | Self::ProxyCommand { .. }
            | Self::Settings { .. } => Why::Other,
        }
    }

    /// What to do about it, as a line of its own.
    pub fn hint(&self, host: &inventory::Host) -> Option<String> {
        let name = &host.name;
        Some(match self {
            Self::Connect { fault, jump, identity, .. } => {
                connect_hint(host, *fault, jump.as_ref(), identity)?
            }
            Self::CutShort { .. } => {
                "scan again; if it stays so, look at sshd's log there".to_owned()
            }
            Self::Forward { fault: ForwardFault::Forbidden, .. } => {
                "look at AllowTcpForwarding and PermitOpen in sshd_config there, or leave \
                 `loopback` out of `probe`"
                    .to_owned()
            }
            Self::Here { fault: HereFault::Killed, .. } => {
                "scan again; if it stays so, `journalctl -k` tells whether memory ran out"
                    .to_owned()
            }
            Self::Open(_) => "look at MaxSessions and ForceCommand in sshd_config there".to_owned(),
            Self::ProxyCommand { .. } => {
                "use ProxyJump instead, as in `ProxyJump bastion.example.net`".to_owned()
            }
            Self::Settings { .. } => format!("try `{}`", by_hand(host, "-G ", "")),
            Self::Shell { .. } => {
                "the user that logs in needs a login shell that can run `exec /bin/sh -s`"
                    .to_owned()
            }
            Self::Start(_) => "install the OpenSSH client".to_owned(),
            Self::Sudo { fault } => sudo_hint(host, *fault),
            Self::TimedOut { .. } if host.connection == Connection::Local => {
                "something here hangs, as a dead mount or a cluster that does not answer; or raise \
                 `scan-timeout`"
                    .to_owned()
            }
            Self::TooLarge { .. } if host.connection == Connection::Local => {
                "name fewer files or namespaces in its sources".to_owned()
            }
            Self::TimedOut { .. } => {
                format!(
                    "see how long `{}` takes, or raise `scan-timeout`",
                    by_hand(host, "", " true")
                )
            }
            Self::TooLarge { .. } => format!("see what `{}` prints", by_hand(host, "", " true")),
            Self::Address { .. } => format!("look at `address` and `user` of {name}"),
            Self::Closed
            | Self::Folder { .. }
            | Self::Forward { .. }
            | Self::Here { .. }
            | Self::Jumps { .. }
            | Self::KnownHosts { .. }
            | Self::Stale => {
                return None;
            }
        })
    }
}

fn connect_text(jump: Option<&SafeText>, fault: Fault, said: &SafeText) -> String {
    let text = match fault {
        Fault::Authentication => "no key was accepted".to_owned(),
        Fault::ChangedKey => {
            "THE HOST KEY HAS CHANGED: somebody may be in between, or the host was set up anew"
                .to_owned()
        }
        Fault::Dropped => "the server hung up before it said anything".to_owned(),
        Fault::NoRoute => "no route to the host".to_owned(),
        Fault::NoSuchName => "the name has no address".to_owned(),
        Fault::OldClient => "the ssh client is too old".to_owned(),
        Fault::Other => "ssh cannot connect".to_owned(),
        Fault::Refused => "connection refused".to_owned(),
        Fault::RevokedKey => "THE HOST KEY IS REVOKED".to_owned(),
        Fault::TimedOut => "no answer in time".to_owned(),
        Fault::UnknownKey => "the host key is not known yet".to_owned(),
    };
    let text = match jump {
        Some(jump) => format!("jump host {jump}: {text}"),
        None => text,
    };
    // Where ssh's own words say nothing new, they only make the line longer.
    match fault {
        Fault::ChangedKey | Fault::UnknownKey | Fault::RevokedKey => text,
        _ => text + &tail(said),
    }
}

fn connect_hint(
    host: &inventory::Host,
    fault: Fault,
    jump: Option<&SafeText>,
    identity: &SafeText,
) -> Option<String> {
    let address = &host.address;
    Some(match fault {
        Fault::Authentication => format!("tried {identity}"),
        Fault::ChangedKey => {
            "ask whoever runs the host before anything else; do not go on if they did not change \
             the key"
                .to_owned()
        }
        Fault::UnknownKey => format!("certdeck host trust {}", host.name),
        Fault::Dropped => {
            "sshd drops connections beyond MaxStartups; lower `jump-concurrency` or look at its log"
                .to_owned()
        }
        Fault::NoSuchName if jump.is_none() => {
            format!("look at `address` of {} ({address})", host.name)
        }
        Fault::NoSuchName => "look at ProxyJump in ssh_config".to_owned(),
        Fault::OldClient => "OpenSSH 8.5 or newer is needed".to_owned(),
        Fault::NoRoute | Fault::Other | Fault::Refused | Fault::TimedOut => {
            format!("try `{}`", by_hand(host, "", " true"))
        }
        Fault::RevokedKey => return None,
    })
}

/// What somebody can type to come to the same door: without port and user it would be another.
fn by_hand(host: &inventory::Host, option: &str, command: &str) -> String {
    let port = host.port.map(|it| format!("-p {it} ")).unwrap_or_default();
    let user = host.user.as_ref().map(|it| format!("{it}@")).unwrap_or_default();
    format!("ssh {option}{port}{user}{}{command}", host.address)
}

fn forward_text(at: SocketAddr, fault: ForwardFault, said: &SafeText) -> String {
    match fault {
        ForwardFault::Forbidden => {
            format!("sshd does not let anybody through to {at} on the host itself{}", tail(said))
        }
        ForwardFault::Other => {
            format!("the host does not connect to {at} itself{}", tail(said))
        }
        ForwardFault::Refused => format!("nothing listens at {at} on the host"),
    }
}

fn sudo_text(fault: SudoFault) -> &'static str {
    match fault {
        SudoFault::Missing => "sudo is not installed there",
        SudoFault::NotAllowed => "sudoers does not allow it",
        SudoFault::Password => "sudo wants a password",
        SudoFault::Terminal => "sudoers wants a terminal (requiretty)",
    }
}

fn sudo_hint(host: &inventory::Host, fault: SudoFault) -> String {
    let user = host.user.as_deref().unwrap_or("USER");
    match fault {
        SudoFault::Missing => {
            let how = match host.connection {
                Connection::Local => "start certdeck as root",
                Connection::Ssh => "log in as root",
            };
            format!("install sudo, or set `become = \"none\"` and {how}")
        }
        SudoFault::NotAllowed | SudoFault::Password => {
            format!("add to sudoers: {user} ALL=(root) NOPASSWD: /bin/sh -s")
        }
        SudoFault::Terminal => format!("add to sudoers: Defaults:{user} !requiretty"),
    }
}

fn here_text(fault: HereFault) -> &'static str {
    match fault {
        HereFault::Failed => "did not read the script",
        HereFault::Killed => "was ended before the answer was complete",
        HereFault::NotStarted => "does not start",
    }
}

fn tail(said: &SafeText) -> String {
    if said.is_empty() { String::new() } else { format!(" ({said})") }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f32())
}
