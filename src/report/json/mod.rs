//! JSON: one object with a schema number. Keys are added, never renamed, within a schema; every
//! key is always there, `null` or empty where nothing is known.

mod served;
mod stored;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use served::{WireChain, WireProbe, WireServer, listen};
use stored::WireStored;

use super::{Kind, Report, ShownHost};
use crate::diagnose::{Ack, Finding, Remedy, command};
use crate::fleet::{
    Automation, Host, Layers, Moment, Place, Problem, ProblemKind, Reach, Renewal, Scheduler,
    Sighting, Trigger, Verdict, Version, Window,
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
    machine: Option<&'a str>,
    servers: Vec<WireServer<'a>>,
    listeners: Vec<String>,
    addresses: Vec<String>,
    probes: Vec<WireProbe<'a>>,
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
            machine: shown.host.machine.as_ref().map(AsRef::as_ref),
            servers: shown.host.servers.iter().map(WireServer::of).collect(),
            listeners: shown.host.listeners.iter().map(|it| listen(it.address, it.port)).collect(),
            addresses: shown.host.addresses.iter().map(ToString::to_string).collect(),
            probes: shown.host.probes.iter().map(WireProbe::of).collect(),
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
    renewal_window: Option<WireWindow<'a>>,
    stores: Vec<WireStored<'a>>,
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
            renewal_window: place.window.as_deref().map(WireWindow::of),
            stores: stored::of(place),
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
    chain: WireChain<'a>,
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
            chain: WireChain::of(&it.chain),
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

/// When the CA wants it to be renewed (RFC 9773).
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireWindow<'a> {
    start: Stamp,
    end: Stamp,
    explanation: Option<&'a str>,
    asked_at: Stamp,
}

impl<'a> WireWindow<'a> {
    fn of(it: &'a Window) -> Self {
        Self {
            start: Stamp(it.start),
            end: Stamp(it.end),
            explanation: it.explanation.as_ref().map(AsRef::as_ref),
            asked_at: Stamp(it.asked_at),
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
            ProblemKind::NotReady => "not-ready",
            ProblemKind::StuckOn => "stuck-on",
            ProblemKind::TooLarge => "too-large",
            ProblemKind::Unreadable => "unreadable",
        };
        Self { kind, text: it.text.as_str(), path: it.path.as_ref().map(AsRef::as_ref) }
    }
}

#[derive(Serialize)]
struct WireFinding<'a> {
    /// As it is named on the command line.
    finding: String,
    host: &'a str,
    place: Option<&'a str>,
    rule: &'static str,
    verdict: &'static str,
    severity: &'static str,
    summary: &'a str,
    evidence: Vec<&'a str>,
    cause: &'a str,
    /// What findings of the same cause have in common across the fleet.
    shared: &'a str,
    advice: &'static str,
    owner: Option<&'a str>,
    runbook: Option<&'a str>,
    remedies: Vec<&'static str>,
    repairs: Vec<WireRepair<'a>>,
    /// What somebody has said about it, as long as that counts.
    known: Option<Value>,
}

impl<'a> WireFinding<'a> {
    fn of(it: &'a Finding) -> Self {
        Self {
            finding: it.id().to_string(),
            host: it.host.as_str(),
            place: it.place.as_ref().map(AsRef::as_ref),
            rule: it.rule,
            verdict: it.verdict.word(),
            severity: it.severity.word(),
            summary: it.summary.as_str(),
            evidence: it.evidence.iter().map(AsRef::as_ref).collect(),
            cause: it.cause.as_str(),
            shared: it.shared.as_str(),
            advice: it.advice,
            owner: it.owner.as_ref().map(AsRef::as_ref),
            runbook: it.runbook.as_ref().map(AsRef::as_ref),
            remedies: it.remedies.iter().map(|it| it.action).collect(),
            repairs: it.remedies.iter().map(WireRepair::of).collect(),
            known: it.ack.as_ref().map(known),
        }
    }
}

/// What somebody has said about a finding.
pub(super) fn known(it: &Ack) -> Value {
    json!({
        "kind": it.kind.word(),
        "by": it.who.as_str(),
        "at": it.at.to_string(),
        "until": it.until.to_string(),
        "reason": it.reason.as_str(),
    })
}

/// A remedy in full.
#[derive(Serialize)]
struct WireRepair<'a> {
    action: &'static str,
    host: &'a str,
    place: Option<&'a str>,
    choices: BTreeMap<&'static str, &'a str>,
    why: &'a str,
    /// The line of a shell that does it.
    command: String,
}

impl<'a> WireRepair<'a> {
    fn of(it: &'a Remedy) -> Self {
        Self {
            action: it.action,
            host: it.host.as_str(),
            place: it.place.as_ref().map(AsRef::as_ref),
            choices: it.chosen.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            why: it.why.as_str(),
            command: command(&[it]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Page, sample};
    use super::*;

    fn sample_object() -> Value {
        serde_json::from_str(&sample::write(&KIND, Page::default())).unwrap()
    }

    #[test]
    fn a_place_is_told_in_full() {
        let object = sample_object();
        let place = &object["hosts"][0]["places"][0];
        insta::assert_snapshot!(format!("{place:#}"), @r#"
        {
          "key-matches": null,
          "layers": {
            "disk": {
              "chain": {
                "anchor": null,
                "fault": null,
                "length": 1,
                "not-after": null
              },
              "issuer": "CN=R10,O=Let's Encrypt,C=US",
              "key": "ecdsa-p256",
              "not-after": "2026-11-22T22:12:44Z",
              "not-before": "2026-08-24T03:12:44Z",
              "path": "/etc/letsencrypt/live/legacy.example.org/fullchain.pem",
              "serial": "04aa",
              "sha256": "53d93099650dd468e9c4948606ab8edc839f0e79e76151c6acc2c5e4509b0962"
            },
            "issued": {
              "chain": {
                "anchor": null,
                "fault": null,
                "length": 1,
                "not-after": null
              },
              "issuer": "CN=R10,O=Let's Encrypt,C=US",
              "key": "ecdsa-p256",
              "not-after": "2026-11-22T22:12:44Z",
              "not-before": "2026-08-24T03:12:44Z",
              "path": "/etc/letsencrypt/archive/legacy.example.org/fullchain.pem",
              "serial": "04aa",
              "sha256": "53d93099650dd468e9c4948606ab8edc839f0e79e76151c6acc2c5e4509b0962"
            },
            "loaded": null,
            "wire": []
          },
          "left-seconds": -18000,
          "name": "legacy.example.org",
          "names": [
            "legacy.example.org",
            "www.legacy.example.org"
          ],
          "problems": [],
          "renewal": null,
          "renewal-window": null,
          "seen-at": "2026-11-23T03:12:39Z",
          "source": "certbot",
          "stores": [],
          "urgency": 1.0023,
          "verdict": "expired",
          "versions": [
            {
              "not-after": "2026-11-22T22:12:44Z",
              "number": 3,
              "sha256": "53d93099650dd468e9c4948606ab8edc839f0e79e76151c6acc2c5e4509b0962"
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_host_that_is_down_has_every_key() {
        let object = sample_object();
        insta::assert_snapshot!(format!("{:#}", object["hosts"][1]), @r#"
        {
          "address": "10.0.0.2",
          "addresses": [],
          "automation": [],
          "clock-offset-seconds": null,
          "error": "edge-syd-2: no answer within 10s",
          "groups": [
            "production"
          ],
          "hint": "is the host up?",
          "listeners": [],
          "machine": null,
          "name": "edge-syd-2",
          "places": [],
          "probes": [],
          "problems": [],
          "reach": "down",
          "seen-at": null,
          "servers": [],
          "tried-at": "2026-11-23T03:12:39Z"
        }
        "#);
    }

    /// What others rely on: these keys are always there, with these types.
    #[test]
    fn the_contract_holds() {
        let text = |it: &str| json!({ "type": it });
        let maybe = |it: &str| json!({ "type": [it, "null"] });
        let object = |required: Value| {
            json!({ "type": "object", "properties": required,
            "required": required.as_object().unwrap().keys().collect::<Vec<_>>() })
        };
        let list = |items: Value| json!({ "type": "array", "items": items });
        let seen = |at: &str| {
            let mut it = object(json!({
                "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
                "serial": { "type": "string", "pattern": "^([0-9a-f]{2})+$" },
                "issuer": text("string"), "key": text("string"),
                "not-before": { "type": "string", "pattern": TIME },
                "not-after": { "type": "string", "pattern": TIME },
                at: text("string"),
            }));
            it["type"] = json!(["object", "null"]);
            it
        };
        let place = object(json!({
            "name": text("string"), "source": text("string"),
            "verdict": { "enum": Verdict::ALL.map(Verdict::word) },
            "names": list(text("string")), "urgency": maybe("number"),
            "left-seconds": maybe("integer"), "seen-at": maybe("string"),
            "layers": object(json!({ "issued": seen("path"), "disk": seen("path"),
                "loaded": seen("address"), "wire": list(seen("address")) })),
        }));
        let host = object(json!({
            "name": text("string"), "address": text("string"), "groups": list(text("string")),
            "reach": { "enum": ["up", "down", "never"] }, "error": maybe("string"),
            "clock-offset-seconds": maybe("integer"), "places": list(place),
            "machine": maybe("string"), "listeners": list(text("string")),
            "addresses": list(text("string")),
            "servers": list(object(json!({ "kind": text("string"), "conf": text("string"),
                "unit": maybe("string"), "sites": text("array"), "problems": text("array") }))),
            "probes": list(object(json!({ "name": text("string"),
                "vantage": { "enum": ["loopback", "public"] }, "address": text("string"),
                "told": text("boolean"), "added": text("boolean"), "sha256": maybe("string"),
                "not-after": maybe("string"), "chain": maybe("object"), "why": maybe("string"),
                "error": maybe("string") }))),
        }));
        let finding = object(json!({
            "host": text("string"), "place": maybe("string"), "verdict": text("string"),
            "severity": { "enum": ["info", "warning", "critical"] },
            "summary": text("string"), "evidence": list(text("string")),
            "remedies": list(text("string")),
            "rule": text("string"), "cause": text("string"), "shared": text("string"),
            "advice": text("string"), "owner": maybe("string"), "runbook": maybe("string"),
            "repairs": list(object(json!({
                "action": text("string"), "host": text("string"), "place": maybe("string"),
                "choices": text("object"), "why": text("string"), "command": text("string"),
            }))),
        }));
        let schema = object(json!({ "schema": { "const": 1 }, "scanned-at": maybe("string"),
            "hosts": list(host), "findings": list(finding) }));
        let schema = jsonschema::validator_for(&schema).unwrap();
        let object = sample_object();
        let faults: Vec<String> = schema.iter_errors(&object).map(|it| it.to_string()).collect();
        assert_eq!(faults, [""; 0]);
        assert!(!schema.is_valid(&json!({ "schema": 1 })));
    }

    const TIME: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$";
}
