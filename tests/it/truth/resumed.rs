//! A guided run that is cut off, left, or taken over: nothing is done twice, and nothing is lost.

use std::fs;

use super::guided::{Asked, Walk, expired};
use super::reload;
use super::scene::Scene;
use crate::lab::wait_for;

const BEFORE: &str = "Before an order: will it work?";

/// How many actions of that name the audit log has.
fn intents(scene: &Scene, action: &str) -> usize {
    let log = scene.shell("certdeck audit list --format json");
    let log = String::from_utf8(log.stdout).unwrap();
    log.matches(&format!("\"action\":\"{action}\"")).count()
        + log.matches(&format!("\"action\": \"{action}\"")).count()
}

#[test]
fn a_line_that_drops_leaves_the_run_open_and_anybody_goes_on() {
    let Some((scene, web)) = reload::healthy() else { return };
    let after = reload::renew(&web);
    let mut first = Walk::begin(&scene, "a.test --plain");
    for _ in 0..3 {
        assert!(matches!(first.asked(), Asked::Step(_)));
        first.answer("y");
    }
    assert_eq!(first.asked(), Asked::Step("Repair without an order".to_owned()));
    let id = first.id();
    first.hang_up();
    assert_eq!(first.asked(), Asked::Nothing(Some(1)));
    assert!(first.said.contains("The run stays open"), "{}", first.said);
    let listed = scene.shell("certdeck emergency --list");
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&format!("--resume {id}")), "{listed}");

    // The end of an identity is enough, and what was read is not shown again.
    let second = Walk::begin(&scene, &format!("--resume {} --plain", &id[24..])).follow();
    assert_eq!(second.steps[0], "Repair without an order", "{}", second.said);
    assert_eq!(second.code, Some(0), "{}", second.said);
    assert_eq!(web.nginx.served("a.test"), Some(after));
    let listed = scene.shell("certdeck emergency --list");
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "no guided run is open\n");
    // What is closed is not gone on with.
    let third = scene.shell(&format!("certdeck emergency --resume {id} --plain"));
    assert_eq!(third.status.code(), Some(2));
}

/// The guide is killed at every question, and in the midst of the order.
#[test]
fn killed_at_every_step_it_orders_once() {
    let Some((scene, web)) = expired() else { return };
    let mut line = "a.test --plain".to_owned();
    let mut killed = 0;
    let mut looks = 0;
    loop {
        let mut walk = Walk::begin(&scene, &line);
        let Asked::Step(title) = walk.asked() else { panic!("{}", walk.said) };
        line = format!("--resume {} --plain", walk.id());
        walk.kill();
        killed += 1;
        let mut walk = Walk::begin(&scene, &line);
        assert_eq!(walk.asked(), Asked::Step(title.clone()), "{}", walk.said);
        walk.answer("y");
        if title == "Order at one place" {
            let said = scene.lab.path("said");
            wait_for("the job", || fs::read_to_string(&said).unwrap().contains("begun as job"));
            walk.kill();
            killed += 1;
            continue;
        }
        if title == BEFORE {
            // What was looked at is looked at again: it is true for the moment.
            looks += 1;
            assert_eq!(walk.asked(), Asked::Step(title), "{}", walk.said);
            assert!(walk.said.contains("y: go on, n: look again"), "{}", walk.said);
            if looks == 1 {
                walk.kill();
                killed += 1;
                continue;
            }
            walk.answer("y");
        }
        match walk.asked() {
            Asked::Step(_) => walk.kill(),
            Asked::Nothing(code) => {
                assert_eq!(code, Some(0), "{}", walk.said);
                assert!(walk.said.contains("closed: proven"), "{}", walk.said);
                break;
            }
            other => panic!("{other:?}\n{}", walk.said),
        }
        assert!(killed < 30, "{line}");
    }
    assert!(killed >= 6, "{killed}");
    assert_eq!(web.ca.issued().len(), 1);
    assert_eq!(web.nginx.served("a.test"), Some(web.on_disk("a.test")));
    let verified = scene.shell("certdeck audit verify");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}

#[test]
fn a_second_person_sees_who_is_at_it_and_takes_over_only_deliberately() {
    let Some((scene, web)) = reload::healthy() else { return };
    let after = reload::renew(&web);
    let mut first = Walk::begin(&scene, "a.test --plain");
    assert!(matches!(first.asked(), Asked::Step(_)));
    let id = first.id();
    let busy = scene.shell(&format!("certdeck emergency --resume {id} --plain"));
    assert_eq!(busy.status.code(), Some(2));
    let said = String::from_utf8(busy.stderr).unwrap();
    assert!(said.contains("is at it, since") && said.contains("--take-over"), "{said}");

    let mut second = Walk::begin(&scene, &format!("--resume {id} --take-over --plain"));
    assert_eq!(second.asked(), Asked::Step("Is it the certificate?".to_owned()));
    first.answer("y");
    assert_eq!(first.asked(), Asked::Nothing(Some(1)), "{}", first.said);
    let followed = {
        second.answer("y");
        second.follow()
    };
    assert_eq!(followed.code, Some(0), "{}", followed.said);
    assert_eq!(web.nginx.served("a.test"), Some(after));
    assert_eq!(intents(&scene, "reload"), 1);
}

#[test]
fn what_is_skipped_has_a_reason_on_record_and_the_end_is_no_success() {
    let Some((scene, web)) = reload::healthy() else { return };
    reload::renew(&web);
    let mut walk = Walk::begin(&scene, "a.test --plain");
    let mut steps = Vec::new();
    loop {
        match walk.asked() {
            Asked::Step(title) if title == "Repair without an order" => walk.answer("skip"),
            Asked::Step(title) => {
                steps.push(title);
                walk.answer("y");
            }
            Asked::Reason => walk.answer("the vendor does it tonight"),
            Asked::Word(_) => panic!("{}", walk.said),
            Asked::Nothing(code) => {
                assert_eq!(code, Some(1), "{}", walk.said);
                break;
            }
        }
    }
    assert!(walk.said.contains("NOT YET"), "{}", walk.said);
    assert!(walk.said.contains("STILL BROKEN"), "{}", walk.said);
    assert_eq!(intents(&scene, "reload"), 0);
    let log = scene.shell(&format!("certdeck audit list --op {}", walk.id()));
    let log = String::from_utf8(log.stdout).unwrap();
    assert!(log.contains("(the vendor does it tonight)"), "{log}");
}
