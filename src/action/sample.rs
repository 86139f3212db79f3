//! A small fleet for the tests of actions.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Chosen, Find, Plan, Refusal, Why, named};
use crate::budget::{Event, History, Try};
use crate::fleet::{
    Automation, Certificate, Chain, ConfHook, DAY, Fingerprint, Fleet, HOUR, Hook, HookStage,
    HostName, KeyKind, KeySight, Listen, Load, Moment, Outcome, Place, Renewal, Schedule,
    Scheduler, Seen, Server, Sighting, Site, Trust, Version, Visit,
};
use crate::inventory::{self, Inventory};
use crate::text::SafeText;

pub(super) const NOW: Moment = Moment::from_unix(1_795_403_564);

const INVENTORY: &str = r#"
[[group]]
name = "production"
protect = "typed"
wave = 3
[[group]]
name = "frozen"
protect = "read-only"
owner = "edge team"
[[host]]
name = "web-01"
  [[host.source]]
  kind = "certbot"
  [[host.source]]
  kind = "pem"
  paths = ["/etc/nginx/tls/*.pem"]
  [[host.endpoint]]
  name = "www.example.net"
  [[host.endpoint]]
  name = "mail.example.org"
[[host]]
name = "web-02"
groups = ["production"]
  [[host.source]]
  kind = "certbot"
  config-dir = "/srv/le"
[[host]]
name = "worker-01"
discover = false
  [[host.source]]
  kind = "cert-manager"
  kubeconfig = "/etc/k.conf"
  context = "blue"
  namespaces = ["web", "twice"]
  [[host.source]]
  kind = "cert-manager"
  context = "green"
  namespaces = ["twice"]
[[host]]
name = "web-03"
groups = ["frozen"]
[[issuer]]
name = "letsencrypt"
directory = "https://acme-v02.api.letsencrypt.org/directory"
staging = "https://acme-staging-v02.api.letsencrypt.org/directory"
[[issuer]]
name = "house"
directory = "https://ca.example.net/dir"
[[hook]]
name = "reload-nginx"
run = "nginx -t && systemctl reload nginx"
impact = "reload"
[[hook]]
name = "note"
run = "logger renewed"
impact = "none"
[[secret-store]]
name = "vault-main"
kind = "vault-kv2"
url = "https://vault.example.net:8200"
secret-env = "VAULT_TOKEN"
[[secret-store]]
name = "edge"
kind = "aws-secrets-manager"
region = "eu-west-1"
path = "tls/{name}"
secret-env = "AWS"
"#;

/// What was told, and what is known.
pub(super) struct Sample {
    pub(super) inventory: Inventory,
    pub(super) fleet: Fleet,
    /// What else is known to have happened at CAs.
    pub(super) kept: Vec<Event>,
    /// What was tried there.
    pub(super) tries: Vec<Try>,
}

/// A fleet in which every host has the lineage `www.example.net`, 39 hours before its end.
pub(super) fn sample() -> Sample {
    let (inventory, complaints) = inventory::read(INVENTORY);
    assert!(complaints.is_empty(), "{complaints:?}");
    let mut it =
        Sample { fleet: inventory.fleet(), inventory, kept: Vec::new(), tries: Vec::new() };
    for name in ["web-01", "web-02", "web-03"] {
        it.see(
            name,
            Seen { places: vec![place()], automation: vec![automation()], ..Seen::default() },
        );
    }
    it
}

impl Sample {
    pub(super) fn see(&mut self, host: &str, seen: Seen) {
        let outcome = Outcome::Seen(Box::new(seen));
        self.fleet.apply(Visit { host: HostName::new(host), at: NOW, outcome, probes: None });
    }

    /// Changes the lineage at `web-01`.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Place)) -> Self {
        let mut place = place();
        change(&mut place);
        self.see(
            "web-01",
            Seen { places: vec![place], automation: vec![automation()], ..Seen::default() },
        );
        self
    }

    /// Makes it a lineage of our store at `web-01`, with a server that loads it, and changes it.
    pub(super) fn own(mut self, change: impl FnOnce(&mut Place)) -> Self {
        let mut place = place();
        place.source = "certdeck";
        for sighting in [&mut place.layers.disk, &mut place.layers.issued] {
            let path = "/etc/certdeck/live/www.example.net/fullchain.pem";
            sighting.as_mut().unwrap().location = SafeText::new(path);
        }
        let renewal = place.renewal.as_mut().unwrap();
        renewal.account = Some(SafeText::new("letsencrypt"));
        renewal.webroot = Some(SafeText::new("/var/www/html"));
        change(&mut place);
        let path = "/etc/certdeck/live/www.example.net/fullchain.pem";
        let servers = vec![serving("nginx", path, "www.example.net", 443)];
        self.see("web-01", Seen { places: vec![place], servers, ..Seen::default() });
        self
    }

    /// Changes how certbot is started at `web-01`.
    pub(super) fn automated(mut self, change: impl FnOnce(&mut Automation)) -> Self {
        let mut it = automation();
        change(&mut it);
        let places = self.fleet.host(&HostName::new("web-01")).unwrap().places.clone();
        self.see("web-01", Seen { places, automation: vec![it], ..Seen::default() });
        self
    }

    /// Plans an action at `host/lineage` or `host`.
    pub(super) fn plan(
        &self,
        action: &str,
        target: &str,
        choices: &[(&'static str, &str)],
    ) -> Result<Plan, Refusal> {
        let (host, lineage) =
            target.split_once('/').map_or((target, None), |it| (it.0, Some(it.1)));
        let mut chosen = Chosen::default();
        for (name, value) in choices {
            chosen.set(name, *value);
        }
        let Self { inventory, fleet, kept, tries } = self;
        let history = History::new(fleet, &inventory.order_limits(), kept.clone(), NOW);
        let history = &history.with_tries(tries.clone());
        let find = Find { inventory, fleet, history, now: NOW };
        let target = find.target(&HostName::new(host), lineage).unwrap();
        named(action).unwrap().plan(&target, &chosen)
    }

    /// The card of a plan that must come about.
    #[track_caller]
    pub(super) fn card(&self, action: &str, choices: &[(&'static str, &str)]) -> String {
        let plan = self.plan(action, "web-01/www.example.net", choices).unwrap();
        let mut text =
            format!("{} {:?} {:?} {:?}\n", plan.target(), plan.tier, plan.impact, plan.promise);
        for (label, line) in plan.card() {
            let _ = writeln!(text, "{label:<6} {line}");
        }
        text
    }

    /// That an action is refused, and why.
    #[track_caller]
    pub(super) fn refuses(
        &self,
        action: &str,
        choices: &[(&'static str, &str)],
        why: Why,
        text: &str,
    ) {
        let refusal = self.plan(action, "web-01/www.example.net", choices).unwrap_err();
        assert_eq!(refusal.why, why, "{refusal:?}");
        let told = format!("{}\n{}", refusal.text, refusal.hint.as_deref().unwrap_or_default());
        assert!(told.contains(text), "{told}");
    }
}

/// A certificate for two names, with its key of the same number.
pub(super) fn certificate(number: u32, begins: i64, ends: i64) -> Certificate {
    Certificate {
        sha256: Fingerprint::of(format!("leaf {number}").as_bytes()),
        spki_sha256: Fingerprint::of(format!("key {number}").as_bytes()),
        serial: SafeText::new(&format!("049ad2c37b{number:02}")),
        subject: SafeText::new("CN=www.example.net"),
        issuer: SafeText::new("CN=YE1,O=Let's Encrypt,C=US"),
        names: ["example.net", "www.example.net"].map(SafeText::new).into(),
        not_before: NOW.plus(begins),
        not_after: NOW.plus(ends),
        key: KeyKind::Ecdsa(256),
        is_ca: false,
        logged_at: None,
        is_for_clients: false,
        renewal_id: None,
        der: None,
    }
}

pub(super) fn sighting(leaf: Certificate, path: &str) -> Sighting {
    let chain = Arc::new(Chain {
        leaf: Arc::new(leaf),
        rest: Vec::new(),
        fault: None,
        trust: Trust::default(),
    });
    Sighting { chain, location: SafeText::new(path), at: NOW }
}

/// A lineage with two versions, of which the second is live.
pub(super) fn place() -> Place {
    let mut place = Place::new("certbot", SafeText::new("www.example.net"));
    let (old, live) =
        (certificate(1, -148 * DAY, -58 * DAY), certificate(2, 39 * HOUR - 90 * DAY, 39 * HOUR));
    place.key = Some(KeySight {
        path: SafeText::new("/etc/letsencrypt/live/www.example.net/privkey.pem"),
        stamp: None,
        spki: Some(live.spki_sha256),
    });
    place.versions = [(1, old), (2, live.clone())]
        .map(|(number, it)| Version { number, certificate: Some(Arc::new(it)) })
        .into();
    let live = sighting(live, "/etc/letsencrypt/live/www.example.net/fullchain.pem");
    place.layers.issued = Some(live.clone());
    place.layers.disk = Some(live);
    let text = |it| Some(SafeText::new(it));
    place.renewal = Some(Renewal {
        authenticator: text("webroot"),
        server: text("https://acme-v02.api.letsencrypt.org/directory"),
        key_type: text("ecdsa"),
        is_enabled: true,
        is_unattended: true,
        hooks: vec![ConfHook {
            stage: HookStage::Deploy,
            command: SafeText::new("nginx -t && systemctl reload nginx"),
        }],
        ..Renewal::default()
    });
    place
}

pub(super) fn hook(stage: HookStage, name: &str) -> Hook {
    let path = format!("/etc/letsencrypt/renewal-hooks/{stage}/{name}");
    Hook { stage, path: SafeText::new(&path), mode: 0o755, is_executable: true }
}

/// A server that runs under its unit and loads one file for one name.
pub(super) fn serving(kind: &'static str, path: &str, name: &str, port: u16) -> Server {
    let load = Load {
        certificate: SafeText::new(path),
        key: None,
        chain: None,
        told_at: SafeText::new(&format!("/etc/{kind}/{kind}.conf:7")),
    };
    let listen = Listen { address: std::net::IpAddr::from([0, 0, 0, 0]), port };
    Server {
        kind,
        conf: SafeText::new(&format!("/etc/{kind}/{kind}.conf")),
        program: Some(SafeText::new(&format!("/usr/sbin/{kind}"))),
        args: Vec::new(),
        pid: Some(7),
        unit: Some(SafeText::new(&format!("{kind}.service"))),
        sites: vec![Site {
            names: vec![SafeText::new(name)],
            listens: vec![listen],
            proxied: Vec::new(),
            loads: vec![load],
        }],
        read_by: None,
        problems: Vec::new(),
    }
}

pub(super) fn automation() -> Automation {
    Automation {
        source: "certbot",
        version: Some(SafeText::new("2.1.0")),
        is_installed: true,
        program: None,
        schedule: Schedule { scheduler: Scheduler::Systemd, triggers: Vec::new() },
        hooks: vec![hook(HookStage::Pre, "10-note")],
        lock: None,
        last_run: None,
        unproven: Vec::new(),
    }
}
