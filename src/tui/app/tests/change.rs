//! What protects somebody who is tired: nothing is changed unless it was seen, read and answered.

use super::*;
use crate::action::Plan;
use crate::fleet::{Fingerprint, Seen};
use crate::job::{self, Look, Status};
use crate::perform::{Ending, Progress, Report};
use crate::tui::jobs::RunId;

/// A console with somebody in front of it: time passes, and what is drawn is seen.
pub(super) struct Somebody {
    pub(super) app: App,
    pub(super) now: Moment,
    pub(super) up: Duration,
    pub(super) runs: Vec<(RunId, Vec<Plan>)>,
}

impl Somebody {
    pub(super) fn new() -> Self {
        let mut it = Self::unopened();
        it.tell(Msg::LogOpened(Ok(())));
        it
    }

    fn unopened() -> Self {
        Self { app: app(), now: NOW, up: Duration::from_secs(1), runs: Vec::new() }
    }

    pub(super) fn armed() -> Self {
        let mut it = Self::new();
        it.press(":arm 15m<enter>");
        assert!(it.shows("ARMED 1"), "{}", it.screen());
        it
    }

    pub(super) fn tell(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = self.app.update(msg, Time { now: self.now, up: self.up });
        for effect in &effects {
            if let Effect::Run(id, confirmed) = effect {
                self.runs.push((*id, confirmed.plans().to_vec()));
            }
        }
        effects
    }

    /// Presses keys one after the other, without a look in between.
    pub(super) fn type_blindly(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in strokes(keys) {
            effects.extend(self.tell(Msg::Input(Input::Key(key.into()))));
        }
        effects
    }

    /// Presses keys, with a look and half a second after each.
    pub(super) fn press(&mut self, keys: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in strokes(keys) {
            self.look(500);
            effects.extend(self.tell(Msg::Input(Input::Key(key.into()))));
        }
        effects
    }

    /// Draws, and lets so many milliseconds pass.
    pub(super) fn look(&mut self, millis: u64) {
        self.app.drawn(self.up);
        self.up += Duration::from_millis(millis);
    }

    pub(super) fn wait(&mut self, seconds: i64) {
        self.now = self.now.plus(seconds);
        self.up += Duration::from_secs(seconds.unsigned_abs());
        self.tell(Msg::Second);
    }

    pub(super) fn screen(&self) -> String {
        screen(&self.app, 100, 30)
    }

    pub(super) fn shows(&self, text: &str) -> bool {
        self.screen().contains(text)
    }

    #[track_caller]
    pub(super) fn assert_shows(&self, text: &str) {
        assert!(self.shows(text), "no `{text}` in\n{}", self.screen());
    }

    /// Selects the row of a place.
    pub(super) fn select(&mut self, host: &str, place: &str) {
        self.press("1gg");
        let wanted = self.app.desk.row_at(&HostName::new(host), Some(place));
        assert!(wanted.is_some());
        for _ in 0..100 {
            if selected(&self.app) == wanted {
                return;
            }
            self.press("j");
        }
        panic!("{host} {place} is not on the timeline");
    }

    pub(super) fn begun(&self) -> usize {
        self.runs.iter().map(|it| it.1.len()).sum()
    }

    pub(super) fn ran(&mut self, progress: Progress) -> Vec<Effect> {
        let id = self.runs.last().unwrap().0;
        self.tell(Msg::Ran(id, progress))
    }
}

pub(super) fn report(ending: Ending, summary: &str) -> Box<Report> {
    let safe = |it: &str| SafeText::new(it);
    Box::new(Report {
        op: None,
        ending,
        summary: safe(summary),
        state: vec![safe("the live certificate is the one before")],
        explanation: Some(crate::explain::Explanation {
            name: "challenge-unreachable",
            cause: safe("port 80 could not be reached"),
            next: safe("open port 80, then do a dry run"),
        }),
        log: Some(safe("/var/log/letsencrypt/letsencrypt.log")),
        before: Some(Fingerprint::of(b"before")),
        after: Some(Fingerprint::of(b"before")),
        probes: Vec::new(),
        tail: vec![safe("Some challenges have failed.")],
    })
}

fn look(text: &str) -> Look {
    Look {
        status: Status {
            state: job::State::Running,
            began: Some(NOW),
            ended: None,
            before: None,
            after: None,
            command: 1,
            is_stopped: false,
            printed: 0,
            is_cut: false,
            title: SafeText::new("renew"),
            who: SafeText::new("alice"),
            witness: None,
        },
        output: text.as_bytes().to_vec(),
    }
}

pub(super) const HOST: &str = "edge-fra-2";
pub(super) const PLACE: &str = "api.example.net";
pub(super) const OTHER: (&str, &str) = ("edge-ams-1", "legacy.example.org");

#[test]
fn it_is_armed_by_a_command_that_is_typed() {
    let mut desk = Somebody::new();
    desk.assert_shows("READ-ONLY");
    desk.press(":arm<enter>");
    desk.assert_shows("ARMED 15:00 left");
    desk.wait(28);
    desk.assert_shows("ARMED 14:32 left");
    desk.press(":disarm<enter>");
    desk.assert_shows("READ-ONLY");
    desk.press(":arm 2h<enter>");
    desk.assert_shows("ARMED 120:00 left");
}

#[test]
fn a_few_letters_or_a_paste_arm_nothing() {
    for keys in [":ar<enter>", ":arm 9h<enter>", ":arm 15m now<enter>"] {
        let mut desk = Somebody::new();
        desk.press(keys);
        desk.press("<esc>");
        desk.assert_shows("READ-ONLY");
    }
    let mut desk = Somebody::new();
    desk.press(":");
    desk.tell(Msg::Input(Input::Paste("arm 15m".to_owned())));
    desk.press("<enter>");
    desk.assert_shows("typed, not pasted");
    desk.press("<esc>");
    desk.assert_shows("READ-ONLY");
}

#[test]
fn armed_mode_ends_by_itself_and_says_so() {
    let mut desk = Somebody::armed();
    for _ in 0..4 {
        desk.wait(200);
        desk.press("j");
    }
    desk.assert_shows("ARMED 01:40 left");
    desk.wait(100);
    desk.assert_shows("the time is over");
    desk.assert_shows("READ-ONLY");
    assert!(!desk.app.counts_seconds());

    let mut desk = Somebody::armed();
    desk.wait(300);
    desk.assert_shows("no key for 5 minutes");
    desk.assert_shows("READ-ONLY");
}

#[test]
fn read_only_and_a_log_that_refuses_cannot_be_armed() {
    let mut desk = Somebody::unopened();
    desk.press(":arm 5h<enter>");
    desk.assert_shows("arm: 4 h is the longest");
    desk.press("<esc>:arm 15m<enter>");
    desk.assert_shows("the audit log is not open yet");
    desk.press("<esc>");
    desk.tell(Msg::LogOpened(Err(SafeText::new("too little space is left"))));
    desk.assert_shows("nothing can be changed: too little space is left");
    desk.press(":arm 15m<enter>");
    desk.assert_shows("READ-ONLY");

    let mut desk = Somebody::unopened();
    desk.app.arming = Arming::new(true);
    desk.tell(Msg::LogOpened(Ok(())));
    desk.press(":arm 15m<enter>");
    desk.assert_shows("was started with --read-only");
    desk.press("<esc>");
    desk.assert_shows("READ-ONLY");
}

#[test]
fn read_only_an_action_is_a_preview() {
    let mut desk = Somebody::new();
    desk.select(HOST, PLACE);
    desk.press("af");
    desk.assert_shows("Force renew 1 certificate");
    desk.assert_shows("--cert-name api.example.net");
    desk.assert_shows("read-only: esc, then :arm 15m");
    desk.press(PLACE);
    desk.press("y");
    assert_eq!(desk.begun(), 0);
}

#[test]
fn one_change_takes_one_key_and_enter_is_not_it() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ar");
    desk.assert_shows("Keep as is");
    desk.press("<enter>");
    desk.assert_shows("enter confirms nothing");
    desk.press("ar<esc>");
    desk.assert_shows("nothing was changed");
    assert_eq!(desk.begun(), 0);
    desk.press("ary");
    assert_eq!(desk.begun(), 1);
    desk.assert_shows("renew api.example.net on edge-fra-2");
}

#[test]
fn a_risky_change_wants_its_name_typed() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("af");
    desk.press("y<enter>api.example.ne");
    assert_eq!(desk.begun(), 0);
    desk.press("<ctrl-u>");
    desk.tell(Msg::Input(Input::Paste(PLACE.to_owned())));
    desk.assert_shows("pasted text does not count here");
    assert_eq!(desk.begun(), 0);
    desk.press(PLACE);
    assert_eq!(desk.begun(), 1);
    assert_eq!(desk.runs[0].1[0].target(), "edge-fra-2/api.example.net");
}

#[test]
fn what_was_typed_before_the_card_was_drawn_is_dropped() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.type_blindly("aryyyy");
    desk.look(0);
    desk.assert_shows("Renew 1 certificate");
    assert_eq!(desk.begun(), 0);
    // Drawn, but not read.
    desk.up += Duration::from_millis(399);
    desk.type_blindly("y");
    desk.assert_shows("faster than anybody reads");
    assert_eq!(desk.begun(), 0);
    desk.up += Duration::from_millis(1);
    desk.type_blindly("y");
    assert_eq!(desk.begun(), 1);
}

#[test]
fn a_key_that_was_read_before_the_card_was_drawn_is_dropped_later_too() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ar");
    let before = desk.up;
    desk.up += Duration::from_secs(1);
    desk.look(600);
    let key = Msg::Input(Input::Key(Stroke::parse("y").unwrap().into()));
    let effects = desk.app.update(key, Time { now: desk.now, up: before });
    assert_effects(&effects, "[]");
}

#[test]
fn a_window_that_is_too_small_confirms_nothing() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ar");
    desk.look(600);
    desk.tell(Msg::Resized(40, 10));
    desk.press("y");
    assert_eq!(desk.begun(), 0);
    desk.tell(Msg::Resized(100, 30));
    desk.press("y");
    assert_eq!(desk.begun(), 1);
}

#[test]
fn a_plan_that_a_scan_has_outdated_must_be_reviewed_again() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("af");
    let host = HostName::new(HOST);
    let known = desk.app.desk.fleet.host(&host).unwrap().clone();
    let mut places = known.places;
    let place = places.iter_mut().find(|it| it.name == PLACE).unwrap();
    let other = desk.app.desk.fleet.host(&HostName::new("edge-nyc-1")).unwrap().places[1].clone();
    place.layers = other.layers;
    let automation = known.automation;
    let seen = Seen { places, automation, ..Seen::default() };
    let outcome = Outcome::Seen(Box::new(seen));
    desk.tell(Msg::VisitEnded(Visit { host, at: NOW, outcome, probes: None }, Duration::ZERO));
    desk.assert_shows("stale: ");
    desk.press(PLACE);
    assert_eq!(desk.begun(), 0);
    desk.type_blindly(&format!("r{PLACE}"));
    assert_eq!(desk.begun(), 0);
    assert!(!desk.shows("stale: "), "{}", desk.screen());
    desk.press(PLACE);
    assert_eq!(desk.begun(), 1);
}

#[test]
fn armed_mode_that_ends_takes_the_card_with_it() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ar");
    desk.wait(300);
    desk.press("y");
    assert_eq!(desk.begun(), 0);
    desk.assert_shows("read-only: esc, then :arm 15m");
}

#[test]
fn a_host_is_changed_once_at_a_time() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ary");
    desk.select(HOST, "*.cdn.example.net");
    desk.press("ary");
    assert_eq!(desk.begun(), 1);
    desk.assert_shows("one change per host at a time");
    desk.ran(Progress::Ended { at: 0, report: report(Ending::Ok, "renewed") });
    desk.press("y");
    assert_eq!(desk.begun(), 2);
}

#[test]
fn many_are_listed_first_and_their_number_is_typed() {
    let mut desk = Somebody::armed();
    for (host, place) in [(HOST, PLACE), (HOST, "*.cdn.example.net"), OTHER] {
        desk.select(host, place);
        desk.press(" ");
    }
    desk.press("/host:edge-fra*<enter>");
    desk.press("ar");
    desk.assert_shows("3 of 3 chosen; 1 marked row is hidden by the filter");
    let screen = desk.screen();
    let first = screen.lines().find(|it| it.contains("[x]")).unwrap();
    assert!(first.contains("edge-ams-1/legacy.example.org hidden by the filter"), "{screen}");
    desk.press("renew 2");
    assert_eq!(desk.begun(), 0);
    desk.press("<ctrl-u>");
    desk.press("<down> ");
    desk.assert_shows("2 of 3 chosen");
    desk.press("renew 3");
    assert_eq!(desk.begun(), 0);
    desk.press("<ctrl-u>renew 2");
    assert_eq!(desk.begun(), 2);
    assert_eq!(desk.runs[0].1[0].target(), "edge-ams-1/legacy.example.org");
}

#[test]
fn what_failed_in_many_is_done_again_alone() {
    let mut desk = Somebody::armed();
    for (host, place) in [OTHER, (HOST, PLACE)] {
        desk.select(host, place);
        desk.press(" ");
    }
    desk.press("arrenew 2");
    desk.ran(Progress::Wave(1, 2));
    desk.ran(Progress::Ended { at: 0, report: report(Ending::Failed, "it failed") });
    let why = SafeText::new("one before it failed");
    desk.ran(Progress::NotBegun { at: 1, why });
    let id = desk.runs[0].0;
    desk.tell(Msg::RunEnded(id));
    desk.press("\\w");
    desk.assert_shows("1 failed  1 not begun   wave 1 of 2, the canary was the last");
    desk.press("aa");
    desk.assert_shows("2 of 2 chosen");
    desk.press("<esc>jaa");
    desk.assert_shows("Keep as is");
    assert!(!desk.shows("chosen"), "{}", desk.screen());
}

#[test]
fn what_is_safe_is_not_asked_but_told() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    let effects = desk.press("d");
    assert!(matches!(effects.as_slice(), [Effect::Run(..)]), "{effects:?}");
    desk.assert_shows("begun; 4 shows it");
    desk.ran(Progress::Ended { at: 0, report: report(Ending::Ok, "the simulation succeeded") });
    desk.assert_shows("ok; the simulation succeeded");
    // Read-only, even that is only shown.
    let mut desk = Somebody::new();
    desk.select(HOST, PLACE);
    desk.press("dy");
    desk.assert_shows("Dry run 1 certificate");
    assert_eq!(desk.begun(), 0);
}

#[test]
fn a_refusal_says_why_and_what_to_do() {
    let mut desk = Somebody::armed();
    desk.select("db-fra-9", "pg.internal.example");
    desk.press("ar");
    desk.assert_shows("the group internal is read-only");
    desk.assert_shows("ask its owner, the database team");
    desk.press("<esc>a");
    desk.assert_shows("not now: db-fra-9: the group internal is read-only");
}

#[test]
fn a_guarded_group_wants_names_even_for_small_changes() {
    let mut desk = Somebody::armed();
    desk.select("mail-hel-1", "smtp.example.com");
    desk.press("ary");
    assert_eq!(desk.begun(), 0);
    desk.press("<ctrl-u>smtp.example.com");
    assert_eq!(desk.begun(), 1);
}

#[test]
fn the_card_says_why_and_shows_the_command_log() {
    let mut desk = Somebody::armed();
    desk.select("edge-fra-2", "api.example.net");
    desk.press("af?");
    desk.assert_shows("39h left of 6.6d, renewal is overdue");
    desk.press("@");
    desk.assert_shows("Command log");
    desk.type_blindly("<esc>");
    desk.look(0);
    desk.assert_shows("Force renew 1 certificate");
    // It must be read again before it can be confirmed.
    desk.type_blindly("api.example.net");
    assert_eq!(desk.begun(), 0);
    desk.look(400);
    desk.type_blindly("<backspace>t");
    assert_eq!(desk.begun(), 1);
}

#[test]
fn a_failure_says_what_happened_and_what_to_do_next() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ary");
    let op = uuid::Uuid::from_u128(7);
    desk.ran(Progress::Began { at: 0, op });
    desk.ran(Progress::Looked { at: 0, look: look("Renewing an existing certificate\nDomain: ") });
    desk.assert_shows("Renewing an existing certificate");
    desk.ran(Progress::Ended { at: 0, report: report(Ending::Failed, "certbot ended with 1") });
    for text in [
        "Happened    certbot ended with 1",
        "State       the live certificate is the one before",
        "Cause       port 80 could not be reached",
        "Next        open port 80",
        "Log         /var/log/letsencrypt",
        "as before",
    ] {
        desk.assert_shows(text);
    }
    desk.press("@");
    desk.assert_shows("failed: certbot ended with 1");
    desk.assert_shows("--cert-name api.example.net");
}

#[test]
fn escape_never_stops_a_job() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ary");
    desk.ran(Progress::Began { at: 0, op: uuid::Uuid::from_u128(7) });
    desk.ran(Progress::Looked { at: 0, look: look("working\n") });
    let effects = desk.press("<esc><esc><esc>");
    assert_effects(&effects, "[]");
    desk.press("wx");
    desk.assert_shows("Stop this job?");
    desk.assert_shows("never SIGKILL");
    assert_effects(&desk.press("<esc>"), "[]");
    desk.type_blindly("xy");
    assert_effects(&desk.press("<esc>"), "[]");
    let effects = desk.press("xy");
    assert!(matches!(effects.as_slice(), [Effect::Stop(host, _)] if host.as_str() == HOST));
}

#[test]
fn where_nothing_may_be_changed_no_job_is_stopped() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ary");
    desk.ran(Progress::Began { at: 0, op: uuid::Uuid::from_u128(7) });
    desk.press(":disarm<enter>wx");
    desk.assert_shows("Stop this job?");
    desk.press("<esc>");
    desk.app.arming = Arming::new(true);
    assert_effects(&desk.press("x"), "[]");
    desk.assert_shows("stop: this console was started with --read-only");
}

#[test]
fn leaving_asks_while_jobs_run() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ary");
    let effects = desk.press("1q");
    assert!(!effects.iter().any(|it| matches!(it, Effect::Leave)), "{effects:?}");
    desk.assert_shows("Leave while jobs run?");
    desk.press("<esc>:quit<enter>");
    desk.assert_shows("Leave while jobs run?");
    assert_effects(&desk.press("y"), "[Leave]");
    assert_eq!(desk.app.goes_on().len(), 1);
    let effects = desk.type_blindly("<ctrl-c><ctrl-c>");
    assert_effects(&effects, "[Leave]");
}

#[test]
fn a_log_that_refuses_later_ends_armed_mode() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    desk.press("ary");
    let text = "the audit log is full; nothing was changed";
    desk.ran(Progress::Ended { at: 0, report: report(Ending::NotAudited, text) });
    desk.assert_shows("READ-ONLY");
    desk.assert_shows("nothing can be changed: the audit log is full");
}

#[test]
fn the_audit_log_is_listed_searched_and_read() {
    let mut desk = Somebody::new();
    desk.tell(Msg::LogRead(Box::new(sample::book())));
    let effects = desk.press("5");
    assert_effects(&effects, "[ReadLog]");
    desk.assert_shows("the chain holds: 7 records, 1 file; 1 action has no outcome yet");
    desk.press("/FORCE mail-hel<enter>");
    assert_eq!(desk.app.desk.found, [6, 5]);
    desk.press("<enter>");
    desk.assert_shows("#6  outcome");
    desk.assert_shows("#5  intent");
    desk.assert_shows("Before      04ae3d0a");
    assert!(matches!(desk.press("yr").as_slice(), [Effect::Copy { what: "the record", .. }]));
    desk.press("<esc><esc>");
    assert_eq!(desk.app.desk.found.len(), 7);
    // What has no outcome is on the list of jobs.
    desk.press("w");
    desk.assert_shows("open");
    let effects = desk.press("<enter>");
    assert!(matches!(effects.as_slice(), [Effect::Attach(..)]), "{effects:?}");
    // The last dry run is told on the card.
    desk.select("edge-fra-2", "api.example.net");
    desk.press("af");
    desk.assert_shows("Dry run     ok 8m ago, 2026-11-23T03:04:24Z (#4)");
}

#[test]
fn what_is_to_be_chosen_is_asked_for() {
    let mut desk = Somebody::armed();
    desk.select(HOST, PLACE);
    for kind in crate::action::ALL.iter().filter(|it| it.choices.iter().any(|it| it.is_required)) {
        desk.press(kind.keys.replace(' ', "").as_str());
        let first = kind.choices[0].name;
        desk.assert_shows(first);
        desk.press("<esc>");
    }
    assert_eq!(desk.begun(), 0);
}
