//! What follows from a change, in the console.

use uuid::Uuid;

use super::change::{HOST, PLACE, Somebody, report};
use crate::action::{self, Plan};
use crate::perform::{Ending, Progress};

#[test]
fn what_follows_from_a_change_is_a_job_of_its_own() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ary");
    desk.ran(Progress::Ended { at: 0, report: report(Ending::Ok, "renewed") });
    let renewal = desk.runs[0].1[0].clone();
    let deliver = action::named("deliver").unwrap();
    let plan = Box::new(Plan { action: deliver, ..renewal });
    desk.ran(Progress::Follows { at: 1, of: 0, plan });
    desk.ran(Progress::Began { at: 1, op: Uuid::from_u128(8) });
    desk.ran(Progress::Ended { at: 1, report: report(Ending::Failed, "the Vault is sealed") });
    desk.assert_shows(&format!("deliver {PLACE} on {HOST}: failed; the Vault is sealed"));
    desk.press("\\w");
    desk.assert_shows("renew 1   1 ok  1 failed");
    // Nothing is renewed again; the delivery alone is asked for again.
    desk.press("aa");
    assert!(!desk.shows("Keep as is"), "{}", desk.screen());
    desk.press("jj");
    let screen = desk.screen();
    let line = screen.lines().find(|it| it.contains("the Vault is sealed")).unwrap();
    assert!(line.contains("deliver"), "{screen}");
    desk.press("aa");
    desk.assert_shows("the inventory names no store to deliver to");
}
