//! Fleets for the tests of reviews, built from few words.

use std::sync::Arc;

use crate::fleet::{
    Automation, Certificate, Chain, DAY, Fingerprint, Fleet, Host, HostName, KeyKind, Moment,
    Place, Reach, Renewal, Schedule, Scheduler, Sighting, Trigger, Trust, Version,
};
use crate::text::SafeText;

pub(crate) const NOW: Moment = Moment::from_unix(1_795_403_564);

/// A leaf that lives for `life` days, of which `left` are left.
pub(crate) fn leaf(tag: &str, names: &[&str], life: i64, left: i64) -> Certificate {
    Certificate {
        sha256: Fingerprint::of(tag.as_bytes()),
        spki_sha256: Fingerprint::of(format!("key of {tag}").as_bytes()),
        serial: SafeText::new("04b2"),
        subject: SafeText::new(&format!("CN={}", names.first().copied().unwrap_or(tag))),
        issuer: SafeText::new("CN=YE1,O=Let's Encrypt,C=US"),
        names: names.iter().map(|it| SafeText::new(it)).collect(),
        not_before: NOW.plus((left - life) * DAY),
        not_after: NOW.plus(left * DAY),
        key: KeyKind::Ecdsa(256),
        is_ca: false,
        is_for_clients: false,
        renewal_id: None,
        logged_at: None,
        der: None,
    }
}

/// A lineage of certbot that renews by itself.
pub(crate) fn place(name: &str, leaf: Certificate) -> Place {
    let leaf = Arc::new(leaf);
    let chain = Chain { leaf: leaf.clone(), rest: vec![], fault: None, trust: Trust::default() };
    let location = SafeText::new(&format!("/etc/letsencrypt/live/{name}/fullchain.pem"));
    let mut place = Place::new("certbot", SafeText::new(name));
    place.layers.disk = Some(Sighting { chain: Arc::new(chain), location, at: NOW });
    place.versions = vec![Version { number: 1, certificate: Some(leaf) }];
    place.renewal = Some(Renewal { is_enabled: true, is_unattended: true, ..Renewal::default() });
    place
}

/// A host that was read, with a timer that runs twice a day.
pub(crate) fn host(name: &str, places: Vec<Place>) -> Host {
    let trigger = Trigger {
        name: SafeText::new("certbot.timer"),
        is_armed: true,
        state: SafeText::new("active"),
        calendar: Some(SafeText::new("*-*-* 00,12:00:00")),
        jitter: Some(0),
        ..Trigger::default()
    };
    let mut host = Host::new(HostName::new(name), name, &[]);
    host.reach = Reach::Up;
    (host.tried_at, host.seen_at) = (Some(NOW), Some(NOW));
    host.places = places;
    host.automation = vec![Automation {
        source: "certbot",
        version: None,
        is_installed: true,
        program: None,
        schedule: Schedule { scheduler: Scheduler::Systemd, triggers: vec![trigger] },
        hooks: Vec::new(),
        lock: None,
        last_run: None,
        unproven: Vec::new(),
    }];
    host
}

pub(crate) fn fleet(hosts: impl IntoIterator<Item = Host>) -> Fleet {
    Fleet::new(hosts)
}
