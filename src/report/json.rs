//! JSON: one object with a schema number. Keys are added, never renamed, within a schema; every
//! key is always there, `null` or empty where nothing is known.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::{Kind, Report, ShownHost};
use crate::diagnose::Finding;
use crate::fleet::{
    Automation, Host, Layers, Moment, Place, Problem, ProblemKind, Reach, Renewal, Scheduler,
    Sighting, Trigger, Verdict, Version,
};

pub(super) const KIND: Kind = Kind { name: "json", about: "one object, for programs", write };

fn write(report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
    let shown = report.shown();
    let object = Object {
        schema: 1,
        certdeck: env!("CARGO_PKG_VERSION"),
        scanned_at: report.fleet.scanned_at.map(Stamp),
        hosts: shown.hosts.iter().map(|it| WireHost::of(it, report.now)).collect(),
        findings: shown.findings.iter().map(|it| WireFinding::of(it)).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &object)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Object<'a> {
    schema: u32,
    certdeck: &'static str,
    scanned_at: Option<Stamp>,
    hosts: Vec<WireHost<'a>>,
    findings: Vec<WireFinding<'a>>,
}

/// A moment in RFC 3339.
struct Stamp(Moment);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireHost<'a> {
    name: &'a str,
    address: &'a str,
    groups: &'a [String],
    reach: &'static str,
    error: Option<&'a str>,
    hint: Option<&'a str>,
    tried_at: Option<Stamp>,
    seen_at: Option<Stamp>,
    clock_offset_seconds: Option<i64>,
    places: Vec<WirePlace<'a>>,
    automation: Vec<WireAutomation<'a>>,
    problems: Vec<WireProblem<'a>>,
}

impl<'a> WireHost<'a> {
    fn of(shown: &ShownHost<'a>, now: Moment) -> Self {
        let Host { name, address, groups, reach, .. } = shown.host;
        let (reach, down) = match reach {
            Reach::Never => ("never", None),
            Reach::Up => ("up", None),
            Reach::Down(it) => ("down", Some(it)),
        };
        Self {
            name: name.as_str(),
            address,
            groups,
            reach,
            error: down.map(|it| it.text.as_str()),
            hint: down.and_then(|it| it.hint.as_ref()).map(AsRef::as_ref),
            tried_at: shown.host.tried_at.map(Stamp),
            seen_at: shown.host.seen_at.map(Stamp),
            clock_offset_seconds: shown.host.clock_offset,
            places: shown.places.iter().map(|it| WirePlace::of(*it, shown.host, now)).collect(),
            automation: shown.host.automation.iter().map(WireAutomation::of).collect(),
            problems: shown.host.problems.iter().map(WireProblem::of).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WirePlace<'a> {
    name: &'a str,
    source: &'static str,
    verdict: &'static str,
    names: Vec<&'a str>,
    /// The part of its life that has passed, to four digits.
    urgency: Option<f64>,
    left_seconds: Option<i64>,
    seen_at: Option<Stamp>,
    layers: WireLayers<'a>,
    key_matches: Option<bool>,
    versions: Vec<WireVersion>,
    renewal: Option<WireRenewal<'a>>,
    problems: Vec<WireProblem<'a>>,
}

impl<'a> WirePlace<'a> {
    fn of((place, verdict): (&'a Place, Verdict), host: &Host, now: Moment) -> Self {
        let leaf = place.leaf();
        let Layers { issued, disk, loaded, wire } = &place.layers;
        Self {
            name: place.name.as_str(),
            source: place.source,
            verdict: verdict.word(),
            names: leaf.iter().flat_map(|it| &it.names).map(AsRef::as_ref).collect(),
            urgency: leaf.map(|it| (it.urgency(now) * 1e4).round() / 1e4),
            left_seconds: leaf.map(|it| it.left(now)),
            seen_at: host.seen_at.map(Stamp),
            layers: WireLayers {
                issued: issued.as_ref().map(WireSighting::on_disk),
                disk: disk.as_ref().map(WireSighting::on_disk),
                loaded: loaded.as_ref().map(WireSighting::served),
                wire: wire.iter().map(WireSighting::served).collect(),
            },
            key_matches: place.key_matches(),
            versions: place.versions.iter().map(WireVersion::of).collect(),
            renewal: place.renewal.as_ref().map(WireRenewal::of),
            problems: place.problems.iter().map(WireProblem::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct WireLayers<'a> {
    issued: Option<WireSighting<'a>>,
    disk: Option<WireSighting<'a>>,
    loaded: Option<WireSighting<'a>>,
    wire: Vec<WireSighting<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireSighting<'a> {
    sha256: String,
    serial: &'a str,
    issuer: &'a str,
    not_before: Stamp,
    not_after: Stamp,
    key: String,
    #[serde(flatten)]
    location: Location<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Location<'a> {
    Address(&'a str),
    Path(&'a str),
}

impl<'a> WireSighting<'a> {
    fn on_disk(it: &'a Sighting) -> Self {
        Self::of(it, Location::Path(it.location.as_str()))
    }

    fn served(it: &'a Sighting) -> Self {
        Self::of(it, Location::Address(it.location.as_str()))
    }

    fn of(it: &'a Sighting, location: Location<'a>) -> Self {
        let leaf = &it.chain.leaf;
        Self {
            sha256: leaf.sha256.to_string(),
            serial: leaf.serial.as_str(),
            issuer: leaf.issuer.as_str(),
            not_before: Stamp(leaf.not_before),
            not_after: Stamp(leaf.not_after),
            key: leaf.key.to_string(),
            location,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireVersion {
    number: u32,
    sha256: Option<String>,
    not_after: Option<Stamp>,
}

impl WireVersion {
    fn of(it: &Version) -> Self {
        let certificate = it.certificate.as_ref();
        Self {
            number: it.number,
            sha256: certificate.map(|it| it.sha256.to_string()),
            not_after: certificate.map(|it| Stamp(it.not_after)),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireRenewal<'a> {
    authenticator: Option<&'a str>,
    server: Option<&'a str>,
    enabled: bool,
    unattended: bool,
    last_failure: Option<&'a str>,
}

impl<'a> WireRenewal<'a> {
    fn of(it: &'a Renewal) -> Self {
        Self {
            authenticator: it.authenticator.as_ref().map(AsRef::as_ref),
            server: it.server.as_ref().map(AsRef::as_ref),
            enabled: it.is_enabled,
            unattended: it.is_unattended,
            last_failure: it.last_failure.as_ref().map(|it| it.text.as_str()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireAutomation<'a> {
    source: &'static str,
    installed: bool,
    version: Option<&'a str>,
    scheduler: &'static str,
    triggers: Vec<WireTrigger<'a>>,
    last_run: Option<Stamp>,
}

impl<'a> WireAutomation<'a> {
    fn of(it: &'a Automation) -> Self {
        Self {
            source: it.source,
            installed: it.is_installed,
            version: it.version.as_ref().map(AsRef::as_ref),
            scheduler: match it.schedule.scheduler {
                Scheduler::Cron => "cron",
                Scheduler::None => "none",
                Scheduler::Systemd => "systemd",
                Scheduler::Unknown => "unknown",
            },
            triggers: it.schedule.triggers.iter().map(WireTrigger::of).collect(),
            last_run: it.last_run.map(Stamp),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireTrigger<'a> {
    name: &'a str,
    armed: bool,
    state: &'a str,
    next: Option<Stamp>,
}

impl<'a> WireTrigger<'a> {
    fn of(it: &'a Trigger) -> Self {
        Self {
            name: it.name.as_str(),
            armed: it.is_armed,
            state: it.state.as_str(),
            next: it.next.map(Stamp),
        }
    }
}

#[derive(Serialize)]
struct WireProblem<'a> {
    kind: &'static str,
    text: &'a str,
    path: Option<&'a str>,
}

impl<'a> WireProblem<'a> {
    fn of(it: &'a Problem) -> Self {
        let kind = match it.kind {
            ProblemKind::BadCertificate => "bad-certificate",
            ProblemKind::BrokenConf => "broken-conf",
            ProblemKind::BrokenLink => "broken-link",
            ProblemKind::Duplicate => "duplicate",
            ProblemKind::Empty => "empty",
            ProblemKind::KeyUnchecked => "key-unchecked",
            ProblemKind::Missing => "missing",
            ProblemKind::MixedVersions => "mixed-versions",
            ProblemKind::NotAFile => "not-a-file",
            ProblemKind::TooLarge => "too-large",
            ProblemKind::Unreadable => "unreadable",
        };
        Self { kind, text: it.text.as_str(), path: it.path.as_ref().map(AsRef::as_ref) }
    }
}

#[derive(Serialize)]
struct WireFinding<'a> {
    host: &'a str,
    place: Option<&'a str>,
    verdict: &'static str,
    severity: &'static str,
    summary: &'a str,
    evidence: Vec<&'a str>,
    cause: &'a str,
    remedies: &'static [&'static str],
}

impl<'a> WireFinding<'a> {
    fn of(it: &'a Finding) -> Self {
        Self {
            host: it.host.as_str(),
            place: it.place.as_ref().map(AsRef::as_ref),
            verdict: it.verdict.word(),
            severity: it.severity.word(),
            summary: it.summary.as_str(),
            evidence: it.evidence.iter().map(AsRef::as_ref).collect(),
            cause: it.cause.as_str(),
            remedies: it.remedies,
        }
    }
}
