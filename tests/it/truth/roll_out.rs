//! The guide at several places that need an order: one first, then the others, one order each,
//! whatever happens in between.

use std::fs;
use std::path::PathBuf;

use super::authority::{Authority, Life, lineage};
use super::guided::{Asked, Walk, is_found};
use super::node;
use super::scene::Scene;
use crate::lab::certbot_host::CertbotHost;
use crate::lab::wait_for;

/// Three hosts on which the certificate for one name has expired.
fn expired() -> Option<(Scene, Vec<CertbotHost>)> {
    let mut scene = Scene::new()?;
    let ca = Authority::new("Fjord");
    scene.trust(&ca.root());
    let mut hosts = Vec::new();
    for at in 1..=3 {
        let web = node::certbot(&mut scene, &format!("web-0{at}"))?;
        web.reload_on_deploy();
        let webroot = web.nginx.webroot();
        let conf = format!(
            "authenticator = webroot\nserver = {}\nwebroot_path = {},\n",
            web.ca.directory(),
            webroot.display()
        );
        let old = ca.issue(&["a.test"], Life(91, -1));
        lineage(&web.path("le"), "a.test", &[&old], 1, &conf);
        web.nginx.serve("a.test", &web.live("a.test", "fullchain"), &web.live("a.test", "privkey"));
        scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
        scene.tell(&(web.inventory() + &web.endpoint("a.test")));
        let words = ["register", "--agree-tos", "--register-unsafely-without-email"];
        assert!(web.certbot(&words).status.success());
        hosts.push(web);
    }
    // What is looked at before an order is looked at where the first is.
    is_found(&mut scene, &hosts[0]);
    Some((scene, hosts))
}

const FIRST: &str = "Order at one place";
const OTHERS: &str = "The other places";

/// One order at each, and everybody gets what came of it.
#[track_caller]
fn assert_one_order_each(hosts: &[CertbotHost], said: &str) {
    for web in hosts {
        assert_eq!(web.ca.issued().len(), 1, "{}\n{said}", web.name);
        assert_eq!(web.nginx.served("a.test"), Some(web.on_disk("a.test")), "{}", web.name);
        web.assert_whole("a.test");
    }
}

#[test]
fn the_others_follow_once_the_first_is_proven() {
    let Some((scene, hosts)) = expired() else { return };
    let followed = Walk::begin(&scene, "a.test --plain").follow();
    assert_eq!(followed.code, Some(0), "{}", followed.said);
    let at = |step: &str| followed.steps.iter().position(|it| it == step);
    assert!(at(FIRST).is_some() && at(FIRST) < at(OTHERS), "{:?}", followed.steps);
    assert_eq!(followed.steps.iter().filter(|it| *it == OTHERS).count(), 1, "{}", followed.said);
    assert_eq!(followed.offers.iter().filter(|it| *it == "renew").count(), 2, "{}", followed.said);
    assert!(followed.said.contains("PROVEN"), "{}", followed.said);
    assert_one_order_each(&hosts, &followed.said);
}

/// Somebody takes the run over while a word is asked for: it is theirs, and the word does nothing.
#[test]
fn what_is_confirmed_after_a_take_over_is_not_done() {
    let Some((scene, hosts)) = expired() else { return };
    let mut first = Walk::begin(&scene, "a.test --plain");
    let word = loop {
        match first.asked() {
            Asked::Step(_) => first.answer("y"),
            Asked::Word(word) => break word,
            other => panic!("{other:?}\n{}", first.said),
        }
    };
    let orders = || hosts.iter().map(|web| web.ca.issued().len()).sum::<usize>();
    let before = orders();
    let take_over = format!("--resume {} --take-over --plain", first.id());
    let mut second = Walk::begin(&scene, &take_over);
    assert!(matches!(second.asked(), Asked::Step(_)), "{}", second.said);
    first.answer(&word);
    assert_eq!(first.asked(), Asked::Nothing(Some(1)), "{}", first.said);
    assert_eq!(orders(), before, "{}", first.said);
}

/// Killed while the canary of the others is under way, and gone on with from another process.
#[test]
fn killed_among_the_others_it_orders_once_at_each() {
    let Some((scene, hosts)) = expired() else { return };
    let mut first = Walk::begin(&scene, "a.test --plain");
    loop {
        match first.asked() {
            Asked::Step(title) if title == OTHERS => break,
            Asked::Step(_) => first.answer("y"),
            Asked::Word(word) => first.answer(&word),
            other => panic!("{other:?}\n{}", first.said),
        }
    }
    let id = first.id();
    let gate = |web: &CertbotHost, name: &str| -> PathBuf { web.path(name) };
    for web in &hosts {
        let (at, open) = (gate(web, "at-the-gate"), gate(web, "gate-is-open"));
        let script = format!(
            "touch '{}'; while [ ! -e '{}' ]; do sleep 0.05; done",
            at.display(),
            open.display()
        );
        web.hook("deploy", "20-gate", &script);
    }
    first.answer("y");
    let Asked::Word(word) = first.asked() else { panic!("{}", first.said) };
    first.answer(&word);
    let waiting =
        || hosts.iter().filter(|web| gate(web, "at-the-gate").exists()).collect::<Vec<_>>();
    wait_for("a job at the gate", || !waiting().is_empty());
    first.kill();
    let begun: Vec<_> = waiting().iter().map(|it| it.name.clone()).collect();
    assert_eq!(begun.len(), 1, "one at a time: {begun:?}");
    for web in &hosts {
        fs::write(gate(web, "gate-is-open"), "").unwrap();
    }

    let second = Walk::begin(&scene, &format!("--resume {id} --plain")).follow();
    assert_eq!(second.code, Some(0), "{}", second.said);
    assert!(second.said.contains("PROVEN"), "{}", second.said);
    assert_one_order_each(&hosts, &second.said);
    // The guide takes up what it left; nothing else is to be gone on with.
    let jobs = scene.shell("certdeck jobs list --format json");
    let jobs = String::from_utf8(jobs.stdout).unwrap();
    assert!(jobs.contains("\"roll-outs\": []"), "{jobs}");
}
