//! What every plan about a lineage tells in the same words: what it is about, which hooks run,
//! how it is undone and proven.

use std::net::IpAddr;

use super::certbot::{Certbot, Hook};
use super::plan::{Expect, Plan, Promise};
use super::{Kind, Refusal, Target, Why};
use crate::fleet::{Certificate, HostName, Place, PlaceName, Problem, ProblemKind, Renewal, human};
use crate::inventory::{Endpoint, Impact};
use crate::text::SafeText;

/// A lineage that exists, with the certificate in its live folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lineage<'a> {
    pub(super) target: &'a Target<'a>,
    pub(super) place: &'a Place,
    pub(super) leaf: &'a Certificate,
}

impl<'a> Lineage<'a> {
    /// The lineage of the target, if its live certificate could be read.
    pub(super) fn of(target: &'a Target<'a>) -> Result<Self, Refusal> {
        let lineage = target.place.and_then(|place| {
            let leaf = &*place.layers.disk.as_ref()?.chain.leaf;
            Some(Self { target, place, leaf })
        });
        lineage.ok_or_else(|| {
            let name = target.lineage.unwrap_or_default();
            let first = target.place.and_then(|it| it.problems.first());
            let why = first.map(|it| format!(": {}", it.text)).unwrap_or_default();
            let text =
                format!("the live certificate of {} could not be read{why}", SafeText::new(name));
            let hint = match first.map(|it| it.kind) {
                // Nothing is known to be wrong with its links: a roll-back would be a guess.
                Some(ProblemKind::Unreadable) => "log in as root, or use `become = \"sudo\"`",
                _ => "`rollback` leads its links back to a version that is whole",
            };
            Refusal::new(Why::Unknown, text).hint(hint)
        })
    }

    /// How certbot would renew it, or why it cannot.
    pub(super) fn renewal(&self) -> Result<&'a Renewal, Refusal> {
        if let Some(broken) = self.problem(ProblemKind::BrokenConf) {
            let text = format!("certbot skips {}: {}", self.place.name, broken.text);
            let hint = "`issue` writes a new renewal configuration";
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
        let renewal = self.place.renewal.as_ref().ok_or_else(|| {
            Refusal::new(Why::Unknown, format!("how {} renews could not be read", self.place.name))
        })?;
        if !renewal.is_unattended {
            let text = format!("{} was issued by hand and cannot renew by itself", self.place.name);
            let hint = "`issue` hands it over to an authenticator that needs nobody";
            return Err(Refusal::new(Why::Pointless, text).hint(hint));
        }
        Ok(renewal)
    }

    pub(super) fn problem(&self, kind: ProblemKind) -> Option<&'a Problem> {
        self.place.problems.iter().find(|it| it.kind == kind)
    }

    /// The number of the version that the live links lead to.
    pub(super) fn version(&self) -> Option<u32> {
        let is_live = |it: &&crate::fleet::Version| {
            it.certificate.as_ref().is_some_and(|it| it.sha256 == self.leaf.sha256)
        };
        Some(self.place.versions.iter().find(is_live)?.number)
    }

    /// The number of a newer version in the archive, to which certbot leads the links before it
    /// does anything else: with every `renew`, also for a dry run and where nothing is due
    /// (certbot 2.1.0, `RenewableCert.ensure_deployed`).
    pub(super) fn pending(&self) -> Option<u32> {
        let newest = self.place.versions.iter().map(|it| it.number).max()?;
        (newest > self.version()?).then_some(newest)
    }

    /// How a version that is replaced comes back.
    pub(super) fn undo(&self) -> String {
        let until = self.leaf.not_after;
        match self.version() {
            _ if until <= self.target.now => {
                "none is needed: the certificate that is replaced has expired".to_owned()
            }
            Some(number) => {
                format!("version {number} stays in the archive: roll back to it until {until}")
            }
            None => format!("the old version stays in the archive: roll back until {until}"),
        }
    }

    /// What somebody should know before anything is done to it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(failure) = self.place.last_failure() {
            let when = failure.at.map(|it| format!(" at {it}")).unwrap_or_default();
            notes.push(format!("the last renewal failed{when}: {}", failure.text));
        }
        if self.place.key_matches() == Some(false) {
            notes.push("the private key in place belongs to another certificate".to_owned());
        }
        if self.leaf.is_of_staging() {
            notes.push("the certificate in place is of a staging authority".to_owned());
        }
        notes.extend(clock(self.target));
        notes
    }
}

/// What becomes of a private key that goes from one host to another.
pub(super) fn moved_key(from: &HostName, to: &HostName) -> String {
    format!(
        "its PRIVATE KEY is read on {from} and goes through the memory of this program to {to}: on \
         no disk in between, in no log"
    )
}

/// A plan about a target that does nothing yet.
pub(super) fn blank(
    kind: &'static Kind,
    target: &Target<'_>,
    certbot: Option<&Certbot<'_>>,
) -> Plan {
    Plan {
        action: kind,
        chosen: super::Chosen::default(),
        host: target.host.name.clone(),
        place: certbot.and(target.lineage).map(PlaceName::new),
        source: certbot.map(|_| super::certbot::KIND),
        tier: kind.tier,
        what: what(target),
        effect: Vec::new(),
        cost: "nothing".to_owned(),
        undo: "nothing to undo".to_owned(),
        proof: String::new(),
        notes: Vec::new(),
        files: Vec::new(),
        commands: Vec::new(),
        expect: Expect::Anything,
        promise: Promise::SameLeaf,
        impact: Impact::None,
        config_dir: certbot.map(|it| it.config_dir.to_owned()),
        endpoints: Vec::new(),
        phrase: None,
        brings: None,
        delivers: None,
        then: Vec::new(),
        order: None,
        wanted: None,
        over: Vec::new(),
    }
}

/// What it is about, in a line.
fn what(target: &Target<'_>) -> String {
    let host = &target.host.name;
    let Some(name) = target.lineage.map(SafeText::new) else { return host.to_string() };
    let leaf = target.place.and_then(|it| Some(&it.layers.disk.as_ref()?.chain.leaf));
    let Some(leaf) = leaf else { return format!("{name} on {host}") };
    let serial = leaf.serial.as_str();
    let serial = serial.get(..8).map_or_else(|| serial.to_owned(), |it| format!("{it}…"));
    let left = leaf.left(target.now);
    let left = if left > 0 {
        format!("{} left of {}", human(left), human(leaf.lifetime()))
    } else {
        format!("expired {} ago", human(-left))
    };
    let names = names(&leaf.names, name.as_str());
    format!("{name} on {host} (serial {serial}, {left}{names})")
}

/// The names beside that of the lineage, for a line.
fn names(all: &[SafeText], lineage: &str) -> String {
    let others: Vec<_> = all.iter().map(SafeText::as_str).filter(|it| *it != lineage).collect();
    match others.as_slice() {
        [] => String::new(),
        [first] => format!("; also {first}"),
        [first, rest @ ..] => format!("; also {first} and {} more", rest.len()),
    }
}

/// What the hooks of one stage will do, line by line, and their impact.
pub(super) fn effect_of(hooks: &[Hook]) -> Vec<String> {
    hooks
        .iter()
        .map(|it| format!("{} hook runs: {}{}", it.stage, it.command, does(it.impact)))
        .collect()
}

/// What a hook does to services, in brackets.
pub(super) fn does(impact: Option<Impact>) -> &'static str {
    match impact {
        None => "",
        Some(Impact::None) => " (no impact)",
        Some(Impact::Reload) => " (reload)",
        Some(Impact::Restart) => " (restart)",
    }
}

/// What all these hooks together do to services; what nobody knows is taken for a restart.
pub(super) fn impact_of<'h>(hooks: impl IntoIterator<Item = &'h Hook>) -> Impact {
    hooks.into_iter().map(|it| it.impact.unwrap_or(Impact::Restart)).max().unwrap_or_default()
}

/// Whether one of these is known to make services load their files again.
pub(super) fn reloads(hooks: &[Hook]) -> bool {
    hooks.iter().any(|it| matches!(it.impact, Some(Impact::Reload | Impact::Restart)))
}

/// The endpoints of the host that should then serve one of these names.
pub(super) fn endpoints(target: &Target<'_>, names: &[SafeText]) -> Vec<Endpoint> {
    let is_covered = |it: &&Endpoint| names.iter().any(|name| covers(name.as_str(), &it.name));
    target.told.endpoints.iter().filter(is_covered).cloned().collect()
}

/// Whether a name of a certificate covers a name that clients ask for; a wildcard stands for one
/// label (RFC 6125, section 6.4.3).
pub(super) fn covers(name: &str, asked: &str) -> bool {
    if name.parse::<IpAddr>().is_ok() {
        return name == asked;
    }
    match name.strip_prefix("*.") {
        Some(parent) => {
            asked.split_once('.').is_some_and(|(_, it)| it.eq_ignore_ascii_case(parent))
        }
        None => name.eq_ignore_ascii_case(asked),
    }
}

/// How a new or another certificate is proven.
pub(super) fn proof(files: &str, endpoints: &[Endpoint]) -> String {
    let served: Vec<_> = endpoints
        .iter()
        .map(|it| {
            let from: Vec<_> = it.probe.iter().map(|it| it.words()).collect();
            format!("{}:{} ({})", it.name, it.port, from.join(", "))
        })
        .collect();
    if served.is_empty() {
        format!("{files}; the inventory names no endpoint that would serve it")
    } else {
        format!("{files}; TLS with {}", served.join(", "))
    }
}

/// A warning where the clock of the host is off: new certificates are judged by it.
pub(super) fn clock(target: &Target<'_>) -> Option<String> {
    let offset = target.host.clock_offset.filter(|it| it.abs() > CLOCK)?;
    let direction = if offset > 0 { "ahead" } else { "behind" };
    let size = human(offset.saturating_abs());
    Some(format!(
        "the host's clock is {size} {direction}: a new certificate may look not yet valid"
    ))
}

/// As in [`crate::diagnose`], in seconds.
pub(super) const CLOCK: i64 = 60;
