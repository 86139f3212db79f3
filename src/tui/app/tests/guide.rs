//! The guided run in the console: keys alone lead through it, and nothing is done unconfirmed.

use super::change::Somebody;
use super::*;
use crate::guide::{Answer, Run};
use crate::perform::preflight::Progress;
use crate::preflight::{self, Outcome, Verdict};

/// A guided run about a place whose last renewal nobody loaded.
fn guided(about: &str) -> Somebody {
    let mut it = Somebody::new();
    let run = Run::new(uuid::Uuid::from_u128(7), about, "ada@bastion", NOW);
    it.tell(Msg::Guide(run));
    it
}

#[test]
fn it_begins_with_what_is_selected() {
    let mut it = Somebody::new();
    let effects = it.press("jae");
    let [Effect::Guide(note)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((note.event, note.run.about.as_str()), ("begin", "edge-fra-2/api.example.net"));
    assert!(it.shows("Is it the certificate?"), "{}", it.screen());
    // The same key leads back to it.
    it.press("1ae");
    assert!(it.shows("Is it the certificate?"), "{}", it.screen());
}

#[test]
fn keys_lead_on_and_back_and_every_answer_is_kept() {
    let mut it = guided("edge-fra-2/api.example.net");
    let effects = it.press("<enter>");
    let [Effect::Guide(note)] = &effects[..] else { panic!("{effects:?}") };
    let given = note.given.as_ref().unwrap();
    assert_eq!((given.step.as_str(), given.answer), ("certificate", Answer::Yes));
    assert!(it.shows("Which cause?"), "{}", it.screen());
    it.press("b");
    assert!(it.shows("Is it the certificate?"), "{}", it.screen());
}

#[test]
fn a_step_is_left_out_only_for_a_reason() {
    let mut it = guided("edge-fra-2/api.example.net");
    assert!(it.press("s<enter>").is_empty());
    assert!(it.shows("nothing is left out without a reason"), "{}", it.screen());
    let effects = it.press("seen already<enter>");
    let [Effect::Guide(note)] = &effects[..] else { panic!("{effects:?}") };
    let given = note.given.as_ref().unwrap();
    assert_eq!((given.answer, given.reason.as_deref()), (Answer::Skip, Some("seen already")));
}

#[test]
fn whoever_was_relieved_does_nothing_more() {
    let mut it = guided("edge-fra-2/api.example.net");
    it.tell(Msg::GuideLost(SafeText::new("ben@bastion has taken it over")));
    assert!(it.shows("ben@bastion has taken it over"), "{}", it.screen());
    assert!(it.press("<enter>").is_empty());
    assert!(it.shows("No guided run is under way here"), "{}", it.screen());
}

/// Through every look up to the first step that would change something, and its review.
#[test]
fn what_a_step_would_do_is_reviewed_as_everywhere() {
    let mut it = guided("edge-fra-2/api.example.net");
    let mut effects = Vec::new();
    for _ in 0..8 {
        effects = it.press("<enter>");
        if it.app.overlay.is_some() {
            break;
        }
    }
    assert!(effects.is_empty() && it.app.overlay.is_some(), "{effects:?}\n{}", it.screen());
    // Esc changes nothing, and the step is still there.
    it.press("<esc>");
    assert!(it.app.desk.guide.as_ref().unwrap().step.is_some());
}

/// What is before an order is looked at when it is said so, told as it ends, and blocks.
#[test]
fn what_is_in_the_way_of_an_order_blocks_until_it_is_passed_over_for_a_reason() {
    let mut it = guided("edge-ams-1/legacy.example.org");
    let mut effects = Vec::new();
    for _ in 0..6 {
        effects = it.press("<enter>");
        if let [Effect::Preflight(..)] = &effects[..] {
            break;
        }
    }
    let [Effect::Preflight(id, wanted, unplaced)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(wanted.lineage.as_deref(), Some("legacy.example.org"));
    // Nothing is placed from a console that is not armed.
    assert!(unplaced.is_some());
    it.press("<enter>");
    assert!(it.shows("the checks are under way"), "{}", it.screen());
    let id = *id;
    for kind in preflight::ALL {
        let mut verdict = Verdict::unknown("nobody answers");
        verdict.outcome = if kind.name == "ca" { Outcome::Failed } else { Outcome::Ok };
        it.tell(Msg::Looked(id, Progress::Checked { at: 0, kind, verdict }));
    }
    it.tell(Msg::Looked(id, Progress::Ended { at: 0 }));
    assert!(it.shows("FAILED   ca: nobody answers"), "{}", it.screen());
    // What still works is one key away, and back.
    let effects = it.press("<enter>");
    let [Effect::Guide(note)] = &effects[..] else { panic!("{effects:?}") };
    let given = note.given.as_ref().unwrap();
    assert_eq!(given.answer, Answer::Other);
    assert_eq!(given.reason.as_deref(), Some("failed checks: ca"));
    assert!(it.shows("--by certdeck --issuer letsencrypt"), "{}", it.screen());
    it.press("b");
    assert!(it.shows("FAILED   ca: nobody answers"), "{}", it.screen());
    // Looking again looks at it again.
    let again = it.press("r");
    assert!(matches!(again[..], [Effect::Scan(_), Effect::Preflight(..)]), "{again:?}");
    let effects = it.press("sthe CA is there again<enter>");
    let [Effect::Guide(note)] = &effects[..] else { panic!("{effects:?}") };
    let given = note.given.as_ref().unwrap();
    assert_eq!((given.step.as_str(), given.answer), ("preflight", Answer::Skip));
    assert!(it.shows("Dry run  (6 of 11)"), "{}", it.screen());
}
