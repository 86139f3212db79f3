//! What is said in a review: nothing is put on record unless it was seen, typed and confirmed.

use super::change::Somebody;
use super::*;
use crate::diagnose::AckKind;
use crate::fleet::DAY;
use crate::review::Word;
use crate::tui::msg::Reviews;

fn words(effects: &[Effect]) -> Vec<&Word> {
    let put = effects.iter().find_map(|it| match it {
        Effect::Put(words) => Some(words),
        _ => None,
    });
    put.into_iter().flatten().collect()
}

#[test]
fn a_finding_is_acknowledged_with_a_reason_and_an_end() {
    let mut it = Somebody::armed();
    let effects = it.press("fjnnthe zone moves<enter><ctrl-u>2w<enter>acknowledge");
    let [Word::Ack(ack)] = words(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((ack.kind, ack.reason.as_str()), (AckKind::Acknowledged, "the zone moves"));
    assert_eq!((ack.id.rule.as_str(), ack.until.since(it.now)), ("overdue", 14 * DAY));
    assert!(it.shows("acknowledge: being put on record"));

    // What comes back is shown, and can be taken back.
    let reviews = Reviews { acks: vec![ack.clone()], ..Reviews::default() };
    it.tell(Msg::ReviewsRead(Box::new(reviews)));
    it.app.refresh();
    it.assert_shows("[known]");
    it.press("<enter>");
    it.assert_shows("known: acknowledged by ");
    let effects = it.press("nutake back");
    let [Word::TakeBack(id)] = words(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(*id, ack.id);
    // It has ended by itself.
    it.wait(14 * DAY);
    it.tell(Msg::Tick);
    it.app.refresh();
    it.press("f");
    assert!(!it.shows("[known]"), "{}", it.screen());
}

#[test]
fn a_line_of_several_findings_is_known_as_a_whole() {
    let mut it = Somebody::armed();
    let effects = it.press("fjjjnzlater<enter><enter>snooze");
    let all = words(&effects);
    assert_eq!(all.len(), it.app.desk.causes[3].findings.len());
    assert!(all.len() > 1);
    let is_snooze = |it: &&Word| matches!(it, Word::Ack(ack) if ack.kind == AckKind::Snoozed);
    assert!(all.iter().all(is_snooze));
}

#[test]
fn nothing_is_said_that_was_not_confirmed() {
    // Read-only.
    let mut it = Somebody::new();
    let effects = it.press("fnnwhy<enter><enter>acknowledge");
    assert!(words(&effects).is_empty());
    it.assert_shows("read-only: esc, then :arm 15m");
    // Without a reason, or with an end that has passed.
    for keys in
        ["<enter><enter>", "why<enter><ctrl-u>2020-01-01<enter>", "why<enter><ctrl-u>soon<enter>"]
    {
        let mut it = Somebody::armed();
        assert!(words(&it.press(&format!("fnn{keys}acknowledge"))).is_empty(), "{keys}");
    }
    // Esc at any time, and Enter never confirms.
    for keys in ["why<enter><enter>acknowledg<enter>", "why<enter><enter>acknowledg<esc>"] {
        let mut it = Somebody::armed();
        assert!(words(&it.press(&format!("fnn{keys}"))).is_empty(), "{keys}");
    }
    // Typed ahead, before anybody could have read it.
    let mut it = Somebody::armed();
    it.press("f");
    assert!(words(&it.type_blindly("nnwhy<enter><enter>acknowledge")).is_empty());
    // Pasted.
    let mut it = Somebody::armed();
    it.press("fnnwhy<enter><enter>");
    let effects = it.tell(Msg::Input(Input::Paste("acknowledge".to_owned())));
    assert!(words(&effects).is_empty());
    it.assert_shows("pasted text does not count here");
}

#[test]
fn a_review_is_signed_off_where_it_is_read() {
    let mut it = Somebody::armed();
    it.press("ns");
    it.assert_shows("sign off: only on the review; W opens it");
    it.press(":review<enter>");
    it.assert_shows("This is the first review");
    let effects = it.press("nsall known<enter>sign off");
    let [Word::SignOff(mark, summary)] = words(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((mark.number, mark.note.as_str()), (1, "all known"));
    assert_eq!(mark.places.len(), it.app.desk.fleet.places().count());
    assert!(summary.as_str().starts_with("18 hosts, "), "{summary}");
    let reviews = Reviews { mark: Some((**mark).clone()), ..Reviews::default() };
    it.tell(Msg::ReviewsRead(Box::new(reviews)));
    it.app.refresh();
    it.assert_shows("Since review 1, signed off");
    // What was read long ago is not signed off.
    it.wait(2 * DAY);
    it.press("ns");
    it.assert_shows("the fleet was read ");
}

#[test]
fn a_row_of_the_review_leads_to_its_place_and_its_finding() {
    let mut it = Somebody::new();
    it.press("W");
    it.press("nn");
    it.assert_shows("Acknowledge");
    it.press("<esc><enter>");
    it.assert_shows("Overview");
    it.press("<esc>");
    it.assert_shows("What changed");
    it.press("G");
    assert!(!it.shows("What changed"));
    it.press("nn");
    it.assert_shows("acknowledge: no finding is selected");
    it.press("gg");
    it.assert_shows("What changed");
}

#[test]
fn what_cannot_be_read_is_said() {
    let mut it = Somebody::new();
    let problem = Some(SafeText::new("reviews/000001.mark: the file is damaged"));
    it.tell(Msg::ReviewsRead(Box::new(Reviews { problem, ..Reviews::default() })));
    it.assert_shows("what was said in reviews cannot be read: reviews/000001.mark");
}
