//! An incident that goes on: the hand-over, whom to call, and telling whoever does not look.

use std::path::PathBuf;

use serde_json::json;

use super::change::Somebody;
use super::*;
use crate::audit::read::Record;
use crate::fleet::DAY;
use crate::tui::book::Reading;
use crate::tui::msg::HandOver;

fn wanted(effects: Vec<Effect>) -> Vec<HandOver> {
    let wanted = effects.into_iter().filter_map(|it| match it {
        Effect::HandOver(wanted) => Some(wanted),
        _ => None,
    });
    wanted.collect()
}

fn rings(effects: &[Effect]) -> Vec<&str> {
    let rings = effects.iter().filter_map(|it| match it {
        Effect::Ring(text) => Some(text.as_str()),
        _ => None,
    });
    rings.collect()
}

#[test]
fn a_hand_over_is_of_a_day_of_what_was_found_or_as_it_is_typed() {
    let mut desk = Somebody::new();
    desk.tell(Msg::LogRead(Box::new(sample::book())));
    let day = HandOver { seconds: DAY, only: None, path: None };
    assert_eq!(wanted(desk.press("i")), std::slice::from_ref(&day));
    assert_eq!(wanted(desk.press("5i")), [day]);
    let found = wanted(desk.press("/smtp<enter>i"));
    let only = BTreeSet::from([5, 6]);
    assert_eq!(found, [HandOver { seconds: i64::MAX, only: Some(only), path: None }]);
    let typed = wanted(desk.press(":incident 3h /tmp/my night.md<enter>"));
    let path = Some("/tmp/my night.md".to_owned());
    assert_eq!(typed, [HandOver { seconds: 3 * 3600, only: None, path }]);
    assert_eq!(wanted(desk.press(":incident 45m<enter>"))[0].seconds, 45 * 60);
    assert!(wanted(desk.press(":incident soon<enter>")).is_empty());
}

#[test]
fn a_hand_over_is_shown_and_its_status_copied() {
    let mut desk = Somebody::new();
    let status = "certdeck: 1 action on edge-fra-1\nNothing of it is open.".to_owned();
    let written = Ok((PathBuf::from("/state/hand-over-x.md"), status.clone()));
    let effects = desk.tell(Msg::HandedOver(written));
    assert!(matches!(&effects[..], [Effect::Copy { text, .. }] if *text == status), "{effects:?}");
    let screen = desk.screen();
    assert!(screen.contains("/state/hand-over-x.md"), "{screen}");
    assert!(screen.contains("Nothing of it is open."), "{screen}");
    let refused = Err(SafeText::new("the disk is full"));
    assert!(desk.tell(Msg::HandedOver(refused)).is_empty());
}

/// A log in which something has failed so many minutes before the sample's present.
fn failed(minutes: i64) -> Msg {
    let mut reading = Reading::default();
    let bodies = [
        ("intent", json!({"action": "renew", "host": "edge-fra-2", "lineage": "api.example.net"})),
        ("outcome", json!({"ending": "failed", "summary": "the hook ended with 1"})),
    ];
    for (seq, (kind, body)) in (1..).zip(bodies) {
        reading.add(Record {
            seq,
            at: NOW.plus(-60 * minutes),
            op: uuid::Uuid::from_u128(1),
            kind: kind.to_owned(),
            line: String::new(),
            body: body.as_object().unwrap().clone(),
        });
    }
    let verified = crate::audit::verify::Verified {
        state: crate::audit::verify::State::Good,
        records: 2,
        segments: 1,
        open: 0,
        fault: None,
    };
    Msg::LogRead(Box::new(reading.book(verified, None)))
}

#[test]
fn somebody_is_to_be_called_once() {
    let mut desk = Somebody::new();
    assert!(rings(&desk.tell(failed(29))).is_empty());
    assert!(!desk.screen().contains("call for help"), "{}", desk.screen());
    desk.wait(61);
    let screen = desk.screen();
    assert!(screen.contains("30m and not over: call for help"), "{screen}");
    assert!(screen.contains("Gather before you call"), "{screen}");
    desk.press("<esc>");
    desk.wait(3600);
    desk.tell(failed(29));
    assert!(!desk.screen().contains("call for help"), "{}", desk.screen());
}

#[test]
fn nobody_is_reminded_over_a_dialog() {
    let mut desk = Somebody::new();
    desk.press("?");
    desk.tell(failed(40));
    assert!(!desk.screen().contains("call for help"), "{}", desk.screen());
    desk.press("<esc>");
    desk.wait(1);
    assert!(desk.screen().contains("call for help"), "{}", desk.screen());
}

#[test]
fn only_who_does_not_look_is_rung_for() {
    let mut desk = Somebody::new();
    // A terminal that does not tell whether it has the focus, and nobody at its keys.
    assert_eq!(rings(&desk.tell(failed(40))), ["40m and not over: call for help"]);
    for (input, expect) in [(Input::Focus, 0), (Input::Blur, 1)] {
        let mut desk = Somebody::new();
        desk.tell(Msg::Input(input));
        assert_eq!(rings(&desk.tell(failed(40))).len(), expect);
    }
    let mut desk = Somebody::new();
    desk.press("j");
    assert!(rings(&desk.tell(failed(40))).is_empty());
}

#[test]
fn practice_is_not_rung_for_as_if_it_were_real() {
    let mut inventory = sample::inventory();
    inventory.defaults.practice = true;
    let mut desk = Somebody::new();
    desk.tell(Msg::InventoryRead(Ok(Arc::new(inventory))));
    assert_eq!(rings(&desk.tell(failed(40))), ["PRACTICE: 40m and not over: call for help"]);
}

/// What is rung after a job that took so many seconds.
fn rung(seconds: i64) -> Vec<String> {
    let mut desk = Somebody::armed();
    desk.select("edge-fra-2", "api.example.net");
    desk.press("d");
    desk.wait(1);
    desk.tell(Msg::Input(Input::Blur));
    let ended = |desk: &mut Somebody| {
        let report = change::report(crate::perform::Ending::Ok, "it went \u{1b}[2J well");
        desk.ran(crate::perform::Progress::Ended { at: 0, report })
    };
    desk.wait(seconds - 1);
    rings(&ended(&mut desk)).into_iter().map(str::to_owned).collect()
}

#[test]
fn the_end_of_a_long_job_is_rung() {
    assert!(rung(9).is_empty());
    let expect = "dry-run api.example.net on edge-fra-2: ok; it went ^[[2J well";
    assert_eq!(rung(10), [expect]);
}

#[test]
fn webhooks_are_told_of_the_hosts_that_were_read() {
    let mut desk = Somebody::new();
    let hosts = ["edge-fra-1", "edge-fra-2"].map(HostName::new);
    desk.tell(Msg::ScanBegan(hosts.to_vec()));
    let outcome = Outcome::Seen(Box::default());
    let visit = Visit { host: hosts[0].clone(), at: NOW, outcome, probes: None };
    desk.tell(Msg::VisitEnded(visit, Duration::from_secs(1)));
    let effects = desk.tell(Msg::ScanEnded);
    let told = effects.iter().find_map(|it| match it {
        Effect::Notify(hosts) => Some(hosts.clone()),
        _ => None,
    });
    assert_eq!(told, Some(vec![hosts[0].clone()]));
}

/// A guided run in which nothing has failed yet has gone on for as long, too.
#[test]
fn a_guided_run_that_goes_on_for_long_reminds_with_its_own_beginning() {
    let mut desk = Somebody::new();
    let id = uuid::Uuid::from_u128(7);
    let run = crate::guide::Run::new(id, "edge-fra-2/api.example.net", "ada@bastion", NOW);
    desk.tell(Msg::Guide(run));
    desk.wait(29 * 60);
    assert!(!desk.screen().contains("call for help"), "{}", desk.screen());
    desk.wait(61);
    let screen = desk.screen();
    assert!(screen.contains("30m and not over: call for help"), "{screen}");
    assert!(screen.contains("begun 30m ago by ada@bastion"), "{screen}");
}
