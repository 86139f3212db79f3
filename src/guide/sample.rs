//! A small fleet for the tests of steps: two hosts that share a lineage, and one that should serve
//! mail.

use uuid::Uuid;

use super::{Answer, Became, Done, Given, Looked, Run, Scene, Step};
use crate::action::Find;
use crate::budget::History;
use crate::budget::authority::LETS_ENCRYPT_STAGING;
use crate::diagnose::sample::{host, leaf, live, nginx, place, probe, renewed, serve, signed};
use crate::fleet::{Certificate, Fleet, Host, HostName, Renewal};
use crate::inventory::{self, Inventory};
use crate::text::SafeText;

pub(super) use crate::diagnose::sample::NOW;

const INVENTORY: &str = "
[[host]]
name = 'web-01'
[[host.source]]
kind = 'certbot'
[[host.endpoint]]
name = 'shop.example.net'
[[host]]
name = 'web-02'
[[host.source]]
kind = 'certbot'
[[host.endpoint]]
name = 'shop.example.net'
[[host]]
name = 'mail-01'
[[host.endpoint]]
name = 'mail.example.net'
";

const NAMES: &[&str] = &["shop.example.net"];

/// What was told, and what is known.
#[derive(Debug)]
pub(super) struct Sample(pub(super) Inventory, pub(super) Fleet);

/// A host with a version of 89 days on its disk, that serves the one `shows` days before its end.
fn web(name: &str, shows: i64) -> Host {
    let old = signed(leaf("old", NAMES, 90, 5));
    let new = signed(leaf(&format!("new at {name}"), NAMES, 90, 89));
    let mut it = host(name, vec![renewed("shop", &old, new.clone())]);
    let shown = if shows == 89 { new.clone() } else { old };
    nginx(&mut it, NAMES, &live("shop"), &new);
    serve(&mut it, probe(NAMES[0], "127.0.0.1:443", shown));
    it
}

fn sample(shows: i64) -> Sample {
    let (inventory, complaints) = inventory::read(INVENTORY);
    assert!(complaints.is_empty(), "{complaints:?}");
    let hosts = [web("web-01", shows), web("web-02", shows), host("mail-01", Vec::new())];
    Sample(inventory, Fleet::new(hosts))
}

/// Both hosts serve what lies on their disks.
pub(super) fn healthy() -> Sample {
    sample(89)
}

/// Both hosts still serve what they served before the last renewal.
pub(super) fn unloaded() -> Sample {
    sample(5)
}

/// Both hosts serve what has expired, and nothing newer is anywhere.
pub(super) fn expired() -> Sample {
    served(&leaf("old", NAMES, 90, -1), "https://ca.test/dir")
}

/// Both hosts serve a test certificate.
pub(super) fn tested() -> Sample {
    let mut test = leaf("test", NAMES, 90, 80);
    test.issuer = SafeText::new("CN=(STAGING) Puzzling Parsnip E7");
    served(&test, LETS_ENCRYPT_STAGING.directory)
}

/// Both hosts serve that, which certbot has from there.
fn served(leaf: &Certificate, server: &str) -> Sample {
    let web = |name: &str| {
        let old = signed(leaf.clone());
        let mut place = place("shop", old.clone());
        place.renewal = Some(Renewal {
            authenticator: Some(SafeText::new("webroot")),
            webroot: Some(SafeText::new("/srv/www")),
            server: Some(SafeText::new(server)),
            is_enabled: true,
            is_unattended: true,
            ..Renewal::default()
        });
        let mut it = host(name, vec![place]);
        nginx(&mut it, NAMES, &live("shop"), &old);
        serve(&mut it, probe(NAMES[0], "127.0.0.1:443", old));
        it
    };
    let (inventory, complaints) = inventory::read(INVENTORY);
    assert!(complaints.is_empty(), "{complaints:?}");
    Sample(inventory, Fleet::new([web("web-01"), web("web-02")]))
}

pub(super) fn fleet() -> (Inventory, Fleet) {
    let Sample(inventory, fleet) = healthy();
    (inventory, fleet)
}

/// A run about the shop, in which these steps were answered.
pub(super) fn run(past: &[&str]) -> Run {
    let mut run = Run::new(Uuid::nil(), NAMES[0], "ada@bastion", NOW);
    run.answers = past.iter().map(|it| answer(it, "", Answer::Yes)).collect();
    run
}

pub(super) fn answer(step: &str, about: &str, answer: Answer) -> Given {
    let reason = (answer == Answer::Skip).then(|| "not now".to_owned());
    let (step, about) = (step.to_owned(), about.to_owned());
    Given { at: NOW, who: SafeText::new("ada@bastion"), step, about, answer, reason }
}

/// An action at the shop of a host, of its nginx.
pub(super) fn done(action: &str, host: &str, became: Became) -> Done {
    Done {
        op: Some(Uuid::nil()),
        at: NOW,
        action: action.to_owned(),
        host: HostName::new(host),
        place: Some("shop".to_owned()),
        chosen: vec![("server".to_owned(), "nginx".to_owned())],
        became,
        cause: None,
        summary: SafeText::new("the configuration test failed"),
    }
}

impl Sample {
    pub(super) fn next(&self, run: &Run) -> Option<Step> {
        self.next_of(run, None)
    }

    pub(super) fn next_after(&self, run: &Run, looked: &Looked) -> Option<Step> {
        self.next_of(run, Some(looked))
    }

    fn next_of(&self, run: &Run, looked: Option<&Looked>) -> Option<Step> {
        let Self(inventory, fleet, ..) = self;
        let history = &History::new(fleet, &inventory.order_limits(), Vec::new(), NOW);
        Scene::new(Find { inventory, fleet, history, now: NOW }, run).after(looked).next()
    }
}

pub(super) fn next_name(sample: &Sample, past: &[&str]) -> String {
    sample.next(&run(past)).map_or_else(String::new, |it| it.kind.name.to_owned())
}

/// Says that after those steps comes this one, and that these words are in it.
#[track_caller]
pub(super) fn check_step(sample: &Sample, past: &[&str], name: &str, words: &[&str]) {
    let step = sample.next(&run(past)).unwrap();
    let lines: Vec<_> = step.lines().iter().map(|(label, it)| format!("{label:<8}{it}")).collect();
    let text = lines.join("\n");
    assert_eq!(step.kind.name, name, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in\n{text}");
    }
}
