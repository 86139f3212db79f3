//! What a CA would refuse.

use super::change::{HOST, PLACE, Somebody};
use super::*;
use crate::budget::{Account, Ca, Event, NameSet, What};

/// A CA that asked to be left alone is left alone, unless somebody types that it is not to be.
#[test]
fn what_a_ca_would_refuse_is_typed_or_left() {
    let mut desk = Somebody::armed();
    let ca = Ca::of_directory("https://acme-v02.api.letsencrypt.org/directory");
    let what = What::Refused { limit: "limit", about: None, until: Some(NOW.plus(7200)) };
    let event = Event::noted(NOW, ca, what, NameSet::default(), Account::Own);
    desk.tell(Msg::LogRead(Box::new(sample::book().with(vec![event]))));
    desk.press("6");
    desk.assert_shows("retry-after");
    desk.select(HOST, PLACE);
    desk.press("ar");
    desk.assert_shows("it has asked to be left alone");
    desk.assert_shows("over-budget");
    // Left open, it is refused again.
    desk.press("<enter>");
    desk.assert_shows("it has asked to be left alone");
    desk.press("<right><enter>");
    desk.assert_shows("over budget api.example.net");
    desk.press("y");
    desk.press(PLACE);
    assert_eq!(desk.begun(), 0);
    desk.press("<esc>");
    assert_eq!(desk.begun(), 0);
}
