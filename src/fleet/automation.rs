//! Whether certificates on a host renew by themselves: schedules, hooks, locks.

use std::fmt;

use super::{Moment, Place};
use crate::text::SafeText;

/// How one client on one host renews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automation {
    /// The kind of source, as in [`crate::source::ALL`].
    pub source: &'static str,
    /// The client's version, if the client is installed and says so.
    pub version: Option<SafeText>,
    /// Whether the client's program was found.
    pub is_installed: bool,
    /// Where its program lies, if no shell of the host would find it by its name.
    pub program: Option<SafeText>,
    /// What starts it.
    pub schedule: Schedule,
    /// Hooks for every certificate.
    pub hooks: Vec<Hook>,
    /// The client is at work.
    pub lock: Option<Lock>,
    /// When the client last ran, by its log.
    pub last_run: Option<Moment>,
    /// Names that the CA could not verify, by its log, oldest first.
    pub unproven: Vec<Unproven>,
}

/// A name that a CA could not verify for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// When, by the host's clock.
    pub at: Moment,
    /// The name.
    pub name: SafeText,
    /// The lineage that it was ordered for, if that is known.
    pub lineage: Option<SafeText>,
    /// The ACME directory, if the client was told one.
    pub server: Option<SafeText>,
    /// Whether it was a dry run, or an order at a staging twin.
    pub is_trial: bool,
}

/// What starts a client by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// What runs timed work on the host.
    pub scheduler: Scheduler,
    /// Every timer or cron line that starts the client.
    pub triggers: Vec<Trigger>,
}

impl Schedule {
    /// What will fire and renew the place.
    pub fn starting<'a>(&'a self, place: &'a Place) -> impl Iterator<Item = &'a Trigger> {
        self.triggers.iter().filter(|it| it.is_armed && it.renews(place))
    }

    /// What will fire and renew all that is there, as far as can be told.
    pub fn starting_all(&self) -> impl Iterator<Item = &Trigger> {
        self.triggers.iter().filter(|it| it.is_armed && it.only.is_empty())
    }
}

/// What runs timed work on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// A cron daemon only.
    Cron,
    /// Neither runs, as in most containers: whatever renews is outside of this host.
    None,
    /// systemd, with or without cron.
    Systemd,
    /// It could not be told.
    Unknown,
}

/// A timer or a cron line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trigger {
    /// The unit, or the file and line.
    pub name: SafeText,
    /// Whether it will fire: enabled and active, or not commented out.
    pub is_armed: bool,
    /// Its state in the scheduler's own words.
    pub state: SafeText,
    /// When it last fired.
    pub last: Option<Moment>,
    /// When it fires next.
    pub next: Option<Moment>,
    /// How the last run ended, if that is known: `success`, `exit-code`.
    pub result: Option<SafeText>,
    /// The exit status of the last run that ended, if that is known.
    pub exit: Option<i32>,
    /// When it fires, in the scheduler's own words: `0 */12 * * *`, `*-*-* 00,12:00:00`.
    pub calendar: Option<SafeText>,
    /// By how many seconds a run may be put off at random by timer, command and client together, so
    /// that a fleet does not come to its CA at once; `None` if that is not known.
    pub jitter: Option<i64>,
    /// What its command names, if it renews nothing else; empty if that is not so, or not known.
    pub only: Vec<Scope>,
}

impl Trigger {
    /// Whether it renews the place when it fires, as far as can be told.
    pub fn renews(&self, place: &Place) -> bool {
        let names = || place.leaf().into_iter().flat_map(|it| &it.names);
        let is_of_it = |it: &Scope| match it {
            Scope::Lineage(it) => *it == place.name,
            Scope::Name(it) => *it == place.name || names().any(|name| name == it),
        };
        self.only.is_empty() || self.only.iter().any(is_of_it)
    }
}

/// What a command line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// A lineage, as the client calls it.
    Lineage(SafeText),
    /// A name in certificates.
    Name(SafeText),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Lineage(it) | Self::Name(it)) = self;
        f.pad(it.as_str())
    }
}

/// A hook script for all certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// When it runs.
    pub stage: HookStage,
    /// The file.
    pub path: SafeText,
    /// Its mode bits, as in `0755`.
    pub mode: u32,
    /// Whether the client will run it: certbot skips files without an execute bit, silently,
    /// and those whose names end in `~` (certbot 2.1.0, `hooks.list_hooks`).
    pub is_executable: bool,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookStage {
    /// Before an attempt.
    Pre,
    /// After a certificate was renewed.
    Deploy,
    /// After an attempt, whether it worked or not.
    Post,
}

impl HookStage {
    /// Every stage, in the order in which they run.
    pub const ALL: [Self; 3] = [Self::Pre, Self::Deploy, Self::Post];
}

impl fmt::Display for HookStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pre => "pre",
            Self::Deploy => "deploy",
            Self::Post => "post",
        })
    }
}

/// Somebody holds the client's lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The lock file.
    pub path: SafeText,
    /// The process, if the host shows it.
    pub pid: Option<u32>,
}
