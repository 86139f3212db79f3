//! What follows from a change, in the console.

use uuid::Uuid;

use super::change::{HOST, PLACE, Somebody, report};
use crate::action::{self, Plan};
use crate::fleet::{Held, HostName, Stored};
use crate::perform::{Ending, Progress};
use crate::secret_store::Seen;
use crate::text::SafeText;
use crate::tui::msg::Msg;
use crate::tui::sample::NOW;

/// A store that cannot be asked is told of once; one that lags is a finding until it is asked again.
#[test]
fn what_stores_hold_is_taken_in_when_it_comes() {
    let mut desk = Somebody::new();
    let seen = |silent: &str, held: Option<Held>| {
        let stored = Stored {
            store: SafeText::new("vault-main"),
            path: SafeText::new("tls/www"),
            held,
            at: NOW,
        };
        let places = vec![(HostName::new(HOST), SafeText::new(PLACE), vec![stored])];
        let silent = Some(silent).filter(|it| !it.is_empty()).map(SafeText::new);
        Msg::StoresSeen(Box::new(Seen { places, silent: silent.into_iter().collect() }))
    };
    desk.tell(seen("what vault-main holds is not known: it is sealed", None));
    desk.assert_shows("what vault-main holds is not known");
    desk.press("j");
    desk.tell(seen("what vault-main holds is not known: it is sealed", None));
    assert!(!desk.shows("is not known: it is sealed"), "{}", desk.screen());
    desk.select(HOST, PLACE);
    desk.press("<enter>");
    let shows = |desk: &Somebody, text: &str| {
        let screen = super::screen(&desk.app, 120, 60);
        assert!(screen.contains(text), "{screen}");
    };
    shows(&desk, "vault-main, tls/www: not known what it holds");
    desk.tell(seen("", Some(Held::default())));
    desk.app.refresh();
    shows(&desk, "vault-main, tls/www: does not hold what is on the disk");
    desk.press("<esc>f");
    shows(&desk, "vault-main does not hold it");
}

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
