//! Roll-outs in the console: told of, paused, and gone on with.

use uuid::Uuid;

use super::change::{HOST, OTHER, PLACE, Somebody};
use super::*;
use crate::perform::{Pause, Progress};
use crate::rollout::{Became, Rollout, Target};
use crate::store::{Holder, Kept};

const ID: Uuid = Uuid::from_u128(0x0192_7f3e);

/// A roll-out of renewals that somebody else has begun.
fn kept(targets: &[(&str, &str, Became)], is_there: bool) -> Kept<Rollout> {
    let target = |(at, (host, lineage, became)): (usize, &(&str, &str, Became))| Target {
        host: HostName::new(host),
        lineage: Some((*lineage).to_owned()),
        wave: at + 1,
        became: *became,
        op: None,
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
    desk.tell(Msg::RolloutsRead(left()));
    desk.assert_shows("a roll-out of renew was left: 1 done, 1 failed, 1 wait");
    desk.press("w");
    desk.assert_shows("renew 3   1 done, 1 failed, 1 wait; nobody is at it");
    // Once is enough.
    desk.tell(Msg::RolloutsRead(left()));
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
    desk.tell(Msg::RolloutsRead(vec![kept(&targets, true)]));
    assert!(!desk.shows("was left"), "{}", desk.screen());
    desk.press("w");
    desk.assert_shows("ben@bastion is at it");
    assert!(matches!(&desk.press("aw")[..], [Effect::Pause(ID, true)]));
    // It is theirs: leaving this console asks nothing about it.
    assert!(desk.app.goes_on().is_empty());
    // Over there it has ended.
    desk.tell(Msg::RolloutsRead(Vec::new()));
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
