//! How certificates are renewed, in the snapshot.

use serde::{Deserialize, Serialize};

use super::{Text, kind, moment, safe, text, text_if, unix};
use crate::fleet::{
    Automation, Hook, HookStage, Lock, Moment, Schedule, Scheduler, Scope, Trigger, Unproven,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireAutomation {
    source: String,
    version: Option<Text>,
    is_installed: bool,
    program: Option<Text>,
    #[serde(with = "WireScheduler")]
    scheduler: Scheduler,
    triggers: Vec<WireTrigger>,
    hooks: Vec<WireHook>,
    lock: Option<WireLock>,
    last_run: Option<i64>,
    unproven: Vec<WireUnproven>,
}

impl WireAutomation {
    pub(super) fn of(it: &Automation) -> Self {
        Self {
            source: it.source.to_owned(),
            version: text_if(it.version.as_ref()),
            is_installed: it.is_installed,
            program: text_if(it.program.as_ref()),
            scheduler: it.schedule.scheduler,
            triggers: it.schedule.triggers.iter().map(WireTrigger::of).collect(),
            hooks: it.hooks.iter().map(WireHook::of).collect(),
            lock: it.lock.as_ref().map(|it| WireLock { path: text(&it.path), pid: it.pid }),
            last_run: unix(it.last_run),
            unproven: it.unproven.iter().map(WireUnproven::of).collect(),
        }
    }

    pub(super) fn automation(self) -> Option<Automation> {
        Some(Automation {
            source: kind(&self.source)?,
            version: safe(self.version),
            is_installed: self.is_installed,
            program: safe(self.program),
            schedule: Schedule {
                scheduler: self.scheduler,
                triggers: self.triggers.into_iter().map(WireTrigger::trigger).collect(),
            },
            hooks: self.hooks.into_iter().map(WireHook::hook).collect(),
            lock: self.lock.map(|it| Lock { path: it.path.0, pid: it.pid }),
            last_run: moment(self.last_run),
            unproven: self.unproven.into_iter().map(WireUnproven::unproven).collect(),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireTrigger {
    name: Text,
    is_armed: bool,
    state: Text,
    last: Option<i64>,
    next: Option<i64>,
    result: Option<Text>,
    exit: Option<i32>,
    calendar: Option<Text>,
    jitter: Option<i64>,
    only: Vec<WireScope>,
}

impl WireTrigger {
    fn of(it: &Trigger) -> Self {
        Self {
            name: text(&it.name),
            is_armed: it.is_armed,
            state: text(&it.state),
            last: unix(it.last),
            next: unix(it.next),
            result: text_if(it.result.as_ref()),
            exit: it.exit,
            calendar: text_if(it.calendar.as_ref()),
            jitter: it.jitter,
            only: it.only.iter().map(WireScope::of).collect(),
        }
    }

    fn trigger(self) -> Trigger {
        Trigger {
            name: self.name.0,
            is_armed: self.is_armed,
            state: self.state.0,
            last: moment(self.last),
            next: moment(self.next),
            result: safe(self.result),
            exit: self.exit,
            calendar: safe(self.calendar),
            jitter: self.jitter,
            only: self.only.into_iter().map(WireScope::scope).collect(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum WireScope {
    Lineage(Text),
    Name(Text),
}

impl WireScope {
    fn of(it: &Scope) -> Self {
        match it {
            Scope::Lineage(it) => Self::Lineage(text(it)),
            Scope::Name(it) => Self::Name(text(it)),
        }
    }

    fn scope(self) -> Scope {
        match self {
            Self::Lineage(it) => Scope::Lineage(it.0),
            Self::Name(it) => Scope::Name(it.0),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireHook {
    #[serde(with = "WireHookStage")]
    stage: HookStage,
    path: Text,
    mode: u32,
    is_executable: bool,
}

impl WireHook {
    fn of(it: &Hook) -> Self {
        Self {
            stage: it.stage,
            path: text(&it.path),
            mode: it.mode,
            is_executable: it.is_executable,
        }
    }

    fn hook(self) -> Hook {
        Hook {
            stage: self.stage,
            path: self.path.0,
            mode: self.mode,
            is_executable: self.is_executable,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireUnproven {
    at: i64,
    name: Text,
    lineage: Option<Text>,
    server: Option<Text>,
    is_trial: bool,
}

impl WireUnproven {
    fn of(it: &Unproven) -> Self {
        Self {
            at: it.at.unix(),
            name: text(&it.name),
            lineage: text_if(it.lineage.as_ref()),
            server: text_if(it.server.as_ref()),
            is_trial: it.is_trial,
        }
    }

    fn unproven(self) -> Unproven {
        Unproven {
            at: Moment::from_unix(self.at),
            name: self.name.0,
            lineage: safe(self.lineage),
            server: safe(self.server),
            is_trial: self.is_trial,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireLock {
    path: Text,
    pid: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Scheduler")]
enum WireScheduler {
    Cron,
    None,
    Systemd,
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "HookStage")]
pub(super) enum WireHookStage {
    Pre,
    Deploy,
    Post,
}
