//! Roll-outs in the console: told of, paused, and gone on with.

use uuid::Uuid;

use super::change::{HOST, OTHER, PLACE, Somebody, report};
use super::*;
use crate::perform::{Ending, Pause, Progress, Reconciled};
use crate::rollout::{Became, Rollout, Target};
use crate::store::{Holder, Kept};
use crate::tui::rollouts::Times;

const ID: Uuid = Uuid::from_u128(0x0192_7f3e);

/// The identity of the action at the target in that place.
fn op(at: usize) -> Uuid {
    Uuid::from_u128(ID.as_u128() + 1 + at as u128)
}

/// A roll-out of renewals that somebody else has begun.
fn kept(targets: &[(&str, &str, Became)], is_there: bool) -> Kept<Rollout> {
    let target = |(at, (host, lineage, became)): (usize, &(&str, &str, Became))| Target {
        host: HostName::new(host),
        lineage: Some((*lineage).to_owned()),
        wave: at + 1,
        became: *became,
        op: (*became != Became::Waiting).then(|| op(at)),
    };
    let run = Rollout {
        action: "renew".to_owned(),
        targets: targets.iter().enumerate().map(target).collect(),
        ..Rollout::new(ID, &[], None, "ben@bastion", NOW)
    };
    let who = SafeText::new("ben@bastion");
    Kept { run, holder: Some(Holder { who, since: NOW, is_there }) }
}

#[test]
fn one_that_was_left_is_told_of_and_gone_on_with_after_a_review() {
    let mut desk = Somebody::armed();
    let left = || {
        let targets = [
            ("edge-nyc-1", "us.example.com", Became::Done),
            (HOST, PLACE, Became::Failed),
            (OTHER.0, OTHER.1, Became::Waiting),
        ];
        vec![kept(&targets, false)]
    };
    desk.tell(Msg::RolloutsRead(left(), Times::new()));
    desk.assert_shows("a roll-out of renew was left: 1 done, 1 failed, 1 wait");
    desk.press("w");
    desk.assert_shows("renew 3   1 done, 1 failed, 1 wait; nobody is at it");
    // Once is enough.
    desk.tell(Msg::RolloutsRead(left(), Times::new()));
    assert!(!desk.shows("was left"), "{}", desk.screen());
    desk.press("aw");
    desk.assert_shows("pause: nobody is at it; a a goes on with it");
    assert!(desk.app.goes_on().is_empty());

    desk.press("aa");
    desk.assert_shows("2 of 2 chosen");
    let effects = desk.press("renew 2");
    let [Effect::Resume(_, id, confirmed)] = &effects[..] else { panic!("{effects:?}") };
    let hosts: Vec<_> = confirmed.plans().iter().map(|it| it.host.as_str()).collect();
    assert_eq!((*id, hosts), (ID, vec![HOST, OTHER.0]));
    // It stands in the list once, and others cannot be told apart from it.
    desk.press("4");
    assert_eq!(desk.screen().matches("renew 3").count(), 0, "{}", desk.screen());
}

#[test]
fn one_that_somebody_is_at_is_paused_and_not_gone_on_with() {
    let mut desk = Somebody::armed();
    let targets = [(HOST, PLACE, Became::Running), (OTHER.0, OTHER.1, Became::Waiting)];
    desk.tell(Msg::RolloutsRead(vec![kept(&targets, true)], Times::new()));
    assert!(!desk.shows("was left"), "{}", desk.screen());
    desk.press("w");
    desk.assert_shows("ben@bastion is at it");
    assert!(matches!(&desk.press("aw")[..], [Effect::Pause(ID, true)]));
    // It is theirs: leaving this console asks nothing about it.
    assert!(desk.app.goes_on().is_empty());
    // Over there it has ended.
    desk.tell(Msg::RolloutsRead(Vec::new(), Times::new()));
    assert!(!desk.shows("renew 2"), "{}", desk.screen());
}

#[test]
fn ones_own_waits_and_goes_on() {
    let mut desk = Somebody::armed();
    for (host, place) in [OTHER, (HOST, PLACE)] {
        desk.select(host, place);
        desk.press(" ");
    }
    desk.press("arrenew 2");
    desk.ran(Progress::Kept(ID));
    desk.ran(Progress::Wave(1, 2));
    desk.press("4gg");
    assert!(matches!(&desk.press("aw")[..], [Effect::Pause(ID, true)]));
    desk.ran(Progress::Pause(Pause::Asked(SafeText::new("ada@bastion"))));
    desk.assert_shows("waits, as ada@bastion wants it");
    assert!(matches!(&desk.press("aw")[..], [Effect::Pause(ID, false)]));
    desk.ran(Progress::Pause(Pause::Over));
    assert!(!desk.shows("wants it"), "{}", desk.screen());
    assert_eq!(desk.app.goes_on().len(), 2);
}

/// The times since it began were shown as what each of its jobs took.
#[test]
fn jobs_of_others_took_what_the_log_says() {
    let mut desk = Somebody::armed();
    let targets = [
        ("edge-nyc-1", "us.example.com", Became::Done),
        ("edge-fra-1", "www.example.net", Became::Unknown),
        (HOST, PLACE, Became::Running),
        (OTHER.0, OTHER.1, Became::Waiting),
    ];
    let times = Times::from([
        (op(0), (NOW.plus(-400), Some(NOW.plus(-355)))),
        (op(2), (NOW.plus(-120), None)),
    ]);
    desk.tell(Msg::RolloutsRead(vec![kept(&targets, false)], times));
    desk.press("4");
    let took = |host: &str| {
        let screen = desk.screen();
        let line = screen.lines().find(|it| it.contains(host)).unwrap().to_owned();
        line.split("  ").filter(|it| !it.trim().is_empty()).nth(4).unwrap().trim().to_owned()
    };
    let none = desk.app.desk.theme.glyphs().none;
    let expect = [("edge-nyc-1", "45s"), ("edge-fra-1", none), (HOST, "2m"), (OTHER.0, none)];
    for (host, time) in expect {
        assert_eq!(took(host), time, "{host}\n{}", desk.screen());
    }
}

/// What was found out about one of its jobs made all of it this console's own, so that what waits
/// counted as running, and kept it from being gone on with.
#[test]
fn one_that_was_left_stays_so_when_its_jobs_are_looked_at() {
    let mut desk = Somebody::armed();
    let targets = [
        ("edge-nyc-1", "us.example.com", Became::Running),
        (HOST, PLACE, Became::Waiting),
        (OTHER.0, OTHER.1, Became::Waiting),
    ];
    desk.tell(Msg::RolloutsRead(vec![kept(&targets, false)], Times::new()));
    desk.press("4ggj");
    assert!(matches!(&desk.press("<enter>")[..], [Effect::Attach(_, it)] if *it == op(0)));
    desk.press("<esc>");
    let found = Reconciled {
        op: op(0),
        host: HostName::new("edge-nyc-1"),
        report: Some(report(Ending::Ok, "renewed").as_ref().clone()),
        is_running: false,
        text: SafeText::new("renew at edge-nyc-1: renewed"),
    };
    desk.tell(Msg::Reconciled(Ok(vec![found])));
    desk.tell(Msg::Unwatched(op(0)));
    let ended = [("edge-nyc-1", "us.example.com", Became::Done), targets[1], targets[2]];
    desk.tell(Msg::RolloutsRead(vec![kept(&ended, false)], Times::new()));
    desk.press("gg");
    desk.assert_shows("1 done, 2 wait; nobody is at it");
    assert!(desk.app.goes_on().is_empty());
    desk.press("aa");
    desk.assert_shows("2 of 2 chosen");
    assert!(matches!(&desk.press("renew 2")[..], [Effect::Resume(_, ID, _)]), "{}", desk.screen());
    desk.press("4gg");
    let run = desk.app.desk.jobs.runs()[0].id;
    desk.tell(Msg::Held(run, SafeText::new("waits for what still runs")));
    desk.assert_shows("waits for what still runs");
}

#[test]
fn one_that_is_over_tells_nothing_of_how_to_go_on() {
    let mut desk = Somebody::armed();
    for (host, place) in [OTHER, (HOST, PLACE)] {
        desk.select(host, place);
        desk.press(" ");
    }
    desk.press("arrenew 2");
    desk.ran(Progress::Kept(ID));
    for at in 0..2 {
        desk.ran(Progress::Began { at, op: op(at) });
        desk.ran(Progress::Ended { at, report: report(Ending::Ok, "renewed") });
    }
    let id = desk.app.desk.jobs.runs()[0].id;
    assert!(matches!(&desk.tell(Msg::RunEnded(id))[..], [Effect::ReadLog, Effect::Learn]));
    desk.tell(Msg::RolloutsRead(Vec::new(), Times::new()));
    desk.press("4gg");
    desk.assert_shows("renew 2   2 ok");
    assert!(!desk.shows("nobody is at it"), "{}", desk.screen());
    assert!(!desk.shows("--resume"), "{}", desk.screen());
}
