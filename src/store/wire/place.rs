//! Places in the snapshot.

use serde::{Deserialize, Serialize};

use super::automation::WireHookStage;
use super::{Seen, Tables, Text, at, moment, safe, text, text_if, unix};
use crate::fleet::{
    ConfHook, DryRun, FailedHook, Failure, Fingerprint, HookStage, Install, InstallKind, KeySight,
    Layers, Moment, Need, NeedKind, NeedState, Place, Problem, ProblemKind, Renewal, Sighting,
    Version,
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WirePlace {
    name: Text,
    pub(super) source: String,
    issued: Option<WireSighting>,
    disk: Option<WireSighting>,
    key: Option<WireKeySight>,
    versions: Vec<WireVersion>,
    renewal: Option<WireRenewal>,
    problems: Vec<WireProblem>,
}

impl WirePlace {
    pub(super) fn of(it: &Place, tables: &mut Tables) -> Self {
        // What is served is told of the host, and found out again from that.
        let Layers { issued, disk, loaded: _, wire: _ } = &it.layers;
        let mut sighting = |it: &Sighting| WireSighting {
            chain: tables.chain(&it.chain),
            location: text(&it.location),
            at: it.at.unix(),
        };
        Self {
            name: text(&it.name),
            source: it.source.to_owned(),
            issued: issued.as_ref().map(&mut sighting),
            disk: disk.as_ref().map(&mut sighting),
            key: it.key.as_ref().map(WireKeySight::of),
            versions: it
                .versions
                .iter()
                .map(|it| WireVersion {
                    number: it.number,
                    certificate: it.certificate.as_ref().map(|it| tables.certificate(it)),
                })
                .collect(),
            renewal: it.renewal.as_ref().map(WireRenewal::of),
            problems: it.problems.iter().map(WireProblem::of).collect(),
        }
    }

    pub(super) fn place(self, source: &'static str, seen: &Seen) -> Option<Place> {
        let one = |it: Option<WireSighting>| match it {
            Some(it) => it.sighting(seen).map(Some),
            None => Some(None),
        };
        Some(Place {
            name: self.name.0,
            source,
            layers: Layers {
                issued: one(self.issued)?,
                disk: one(self.disk)?,
                ..Layers::default()
            },
            probes: Vec::new(),
            key: self.key.map(WireKeySight::key),
            versions: self.versions.into_iter().map(|it| it.version(seen)).collect(),
            renewal: self.renewal.map(WireRenewal::renewal),
            // The fleet tells it again.
            window: None,
            // What it was may have been changed by anybody since.
            stored: Vec::new(),
            problems: self.problems.into_iter().map(WireProblem::problem).collect(),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireSighting {
    chain: u32,
    location: Text,
    at: i64,
}

impl WireSighting {
    fn sighting(self, seen: &Seen) -> Option<Sighting> {
        Some(Sighting {
            chain: at(&seen.chains, self.chain)?,
            location: self.location.0,
            at: Moment::from_unix(self.at),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireKeySight {
    path: Text,
    stamp: Option<Text>,
    spki: Option<[u8; 32]>,
}

impl WireKeySight {
    fn of(it: &KeySight) -> Self {
        Self {
            path: text(&it.path),
            stamp: text_if(it.stamp.as_ref()),
            spki: it.spki.map(|it| *it.digest()),
        }
    }

    fn key(self) -> KeySight {
        KeySight {
            path: self.path.0,
            stamp: safe(self.stamp),
            spki: self.spki.map(Fingerprint::from_digest),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireVersion {
    number: u32,
    certificate: Option<u32>,
}

impl WireVersion {
    fn version(self, seen: &Seen) -> Version {
        let certificate = self.certificate.and_then(|it| at(&seen.certificates, it));
        Version { number: self.number, certificate }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireRenewal {
    authenticator: Option<Text>,
    installer: Option<Text>,
    server: Option<Text>,
    account: Option<Text>,
    webroot: Option<Text>,
    key_type: Option<Text>,
    client_version: Option<Text>,
    is_enabled: bool,
    is_unattended: bool,
    hooks: Vec<WireConfHook>,
    needs: Vec<WireNeed>,
    planned: Option<i64>,
    last_failure: Option<WireFailure>,
    last_success: Option<i64>,
    last_dry_run: Option<(i64, bool)>,
    failed_hook: Option<WireFailedHook>,
    profile: Option<Text>,
    keeps_key: bool,
    installs: Vec<(String, Text)>,
}

impl WireRenewal {
    fn of(it: &Renewal) -> Self {
        Self {
            authenticator: text_if(it.authenticator.as_ref()),
            installer: text_if(it.installer.as_ref()),
            server: text_if(it.server.as_ref()),
            account: text_if(it.account.as_ref()),
            webroot: text_if(it.webroot.as_ref()),
            key_type: text_if(it.key_type.as_ref()),
            client_version: text_if(it.client_version.as_ref()),
            is_enabled: it.is_enabled,
            is_unattended: it.is_unattended,
            hooks: it
                .hooks
                .iter()
                .map(|it| WireConfHook { stage: it.stage, command: text(&it.command) })
                .collect(),
            needs: it.needs.iter().map(WireNeed::of).collect(),
            planned: unix(it.planned),
            last_failure: it
                .last_failure
                .as_ref()
                .map(|it| WireFailure { at: unix(it.at), text: text(&it.text) }),
            last_success: unix(it.last_success),
            last_dry_run: it.last_dry_run.map(|it| (it.at.unix(), it.is_ok)),
            failed_hook: it.failed_hook.as_ref().map(WireFailedHook::of),
            profile: text_if(it.profile.as_ref()),
            keeps_key: it.keeps_key,
            installs: it
                .installs
                .iter()
                .map(|it| (it.kind.word().to_owned(), text(&it.path)))
                .collect(),
        }
    }

    fn renewal(self) -> Renewal {
        let hook = |it: WireConfHook| ConfHook { stage: it.stage, command: it.command.0 };
        Renewal {
            authenticator: safe(self.authenticator),
            installer: safe(self.installer),
            server: safe(self.server),
            account: safe(self.account),
            webroot: safe(self.webroot),
            key_type: safe(self.key_type),
            client_version: safe(self.client_version),
            is_enabled: self.is_enabled,
            is_unattended: self.is_unattended,
            hooks: self.hooks.into_iter().map(hook).collect(),
            needs: self.needs.into_iter().map(WireNeed::need).collect(),
            planned: moment(self.planned),
            last_failure: self
                .last_failure
                .map(|it| Failure { at: moment(it.at), text: it.text.0 }),
            last_success: moment(self.last_success),
            last_dry_run: self
                .last_dry_run
                .map(|(at, is_ok)| DryRun { at: Moment::from_unix(at), is_ok }),
            failed_hook: self.failed_hook.map(WireFailedHook::hook),
            profile: safe(self.profile),
            keeps_key: self.keeps_key,
            installs: self.installs.into_iter().filter_map(install).collect(),
        }
    }
}

fn install((kind, path): (String, Text)) -> Option<Install> {
    let kind = InstallKind::ALL.into_iter().find(|it| it.word() == kind)?;
    Some(Install { kind, path: path.0 })
}

#[derive(Debug, Serialize, Deserialize)]
struct WireNeed {
    #[serde(with = "WireNeedKind")]
    kind: NeedKind,
    path: Text,
    #[serde(with = "WireNeedState")]
    state: NeedState,
    mode: Option<u32>,
}

impl WireNeed {
    fn of(it: &Need) -> Self {
        Self { kind: it.kind, path: text(&it.path), state: it.state, mode: it.mode }
    }

    fn need(self) -> Need {
        Need { kind: self.kind, path: self.path.0, state: self.state, mode: self.mode }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireFailedHook {
    at: Option<i64>,
    #[serde(with = "WireHookStage")]
    stage: HookStage,
    command: Option<Text>,
    code: i32,
    #[serde(default)]
    changed: Option<i64>,
}

impl WireFailedHook {
    fn of(it: &FailedHook) -> Self {
        Self {
            at: unix(it.at),
            stage: it.stage,
            command: text_if(it.command.as_ref()),
            code: it.code,
            changed: unix(it.changed),
        }
    }

    fn hook(self) -> FailedHook {
        FailedHook {
            at: moment(self.at),
            stage: self.stage,
            command: safe(self.command),
            code: self.code,
            changed: moment(self.changed),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct WireConfHook {
    #[serde(with = "WireHookStage")]
    stage: HookStage,
    command: Text,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireFailure {
    at: Option<i64>,
    text: Text,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireProblem {
    #[serde(with = "WireProblemKind")]
    kind: ProblemKind,
    text: Text,
    path: Option<Text>,
}

impl WireProblem {
    pub(super) fn of(it: &Problem) -> Self {
        Self { kind: it.kind, text: text(&it.text), path: text_if(it.path.as_ref()) }
    }

    pub(super) fn problem(self) -> Problem {
        Problem { kind: self.kind, text: self.text.0, path: safe(self.path) }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ProblemKind")]
enum WireProblemKind {
    BadCertificate,
    BrokenConf,
    BrokenLink,
    Duplicate,
    Empty,
    KeyUnchecked,
    Missing,
    MixedVersions,
    NotAFile,
    TooLarge,
    Unreadable,
    // At the end, so that older snapshots can still be read.
    NotReady,
    StuckOn,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "NeedKind")]
enum WireNeedKind {
    Account,
    Credentials,
    Hook(#[serde(with = "WireHookStage")] HookStage),
    ProofHook,
    Webroot,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "NeedState")]
enum WireNeedState {
    Different,
    Missing,
    NotExecutable,
    There,
    Unseen,
}
