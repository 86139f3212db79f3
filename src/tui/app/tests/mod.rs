//! Keys in, screens and effects out.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use proptest::prelude::*;

mod budget;
mod change;
mod guide;
mod incident;
mod onward;
mod random;
mod remark;
mod rollout;

use super::*;
use crate::diagnose::Remedy;
use crate::fleet::{Fleet, Host, Outcome, Unreached, Visit, Why, Window};
use crate::tui::bell::Bell;
use crate::tui::input::Parser;
use crate::tui::request::{Request, Wanted};
use crate::tui::rows::RowId;
use crate::tui::sample::{self, NOW};
use crate::tui::theme::{Depth, Theme};

fn app() -> App {
    let theme = Theme::named("mono", Depth::None, true).unwrap();
    let (fleet, _) = sample::prod_eu();
    let desk = Desk::new(Arc::new(sample::inventory()), fleet, theme.clone(), NOW);
    let settings = Settings {
        fleet_name: "prod-eu".to_owned(),
        who: "ada@bastion".to_owned(),
        theme,
        depth: Depth::None,
        is_ascii: true,
        mask: None,
        is_read_only: false,
        mouse: false,
        bell: Bell::Osc9,
        keys: Vec::new(),
        ssh_config: None,
        editor: None,
        pager: None,
    };
    let mut app = App::new(desk, settings, Keymap::default());
    app.update(Msg::Resized(100, 30), NOW);
    app
}

/// Presses keys as they are written in the table, or else character by character:
/// `jj<enter>/fra<esc>`.
fn drive(app: &mut App, keys: &str) -> Vec<Effect> {
    let press = |stroke: Stroke| app.update(Msg::Input(Input::Key(stroke.into())), NOW);
    strokes(keys).into_iter().flat_map(press).collect()
}

fn strokes(keys: &str) -> Vec<Stroke> {
    let mut strokes = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let named = rest.strip_prefix('<').and_then(|it| it.split_once('>'));
        let (name, after) = match named {
            Some((name, after)) if !name.is_empty() => (name.to_owned(), after),
            _ => (first.to_string(), &rest[first.len_utf8()..]),
        };
        rest = after;
        let name = if name == " " { "space" } else { &name };
        strokes.push(Stroke::parse(name).unwrap_or_else(|| panic!("{name} is no key")));
    }
    strokes
}

fn screen(app: &App, width: u16, height: u16) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    app.draw(area, &mut buf);
    let mut text = String::new();
    for y in 0..height {
        let line: String = (0..width).map(|x| buf[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[track_caller]
fn check(keys: &str, shows: &str) {
    let mut app = app();
    drive(&mut app, keys);
    let screen = screen(&app, 100, 30);
    assert!(screen.contains(shows), "{keys}: no `{shows}` in\n{screen}");
}

#[track_caller]
fn assert_effects(effects: &[Effect], expect: &str) {
    assert_eq!(format!("{effects:?}"), expect);
}

fn selected(app: &App) -> Option<RowId> {
    app.trail.screen().selected(&app.desk)
}

#[test]
fn keys_lead_to_screens() {
    check("", "HOST");
    check("2", "FIRST END");
    check("3", "CAUSE");
    check("4", "LAST LINE");
    check("w", "LAST LINE");
    check("5", "RECORD");
    check("<enter>", "Overview");
    check("<enter><tab>", "Overview");
    check("<enter><esc>", "LEFT");
    check("2<enter>", "Groups");
    check("f", "CAUSE");
    check("f<enter>", "What would mend it");
    check("fc", "c: where works only on a cause");
    check("f<enter>c", "Overview");
    check("?", "Help");
    check("?fold", "hide or show the rows of a group");
    check(":", "Commands");
    check("@", "nothing has run on any host");
    check("<f12>", "version");
}

/// The console over another fleet of the same hosts.
fn app_over(fleet: Fleet, size: (u16, u16)) -> App {
    let mut app = app();
    app.desk.fleet = fleet;
    app.desk.judge();
    app.update(Msg::Resized(size.0, size.1), NOW);
    app
}

#[test]
fn the_first_screen_says_what_is_wrong() {
    let screen = screen(&app(), 80, 24);
    let lines: Vec<&str> = screen.lines().skip(1).take(5).collect();
    assert!(lines[0].starts_with(" X expired  edge-ams-1/legacy.example.org: "), "{screen}");
    assert!(lines.iter().any(|it| it.starts_with("   cause ")), "{screen}");
    assert!(lines.iter().any(|it| it.starts_with("   first ")), "{screen}");
}

#[test]
fn the_first_screen_knows_what_it_does_not_know() {
    let never = sample::inventory().fleet();
    let fresh = screen(&app_over(never.clone(), (80, 24)), 80, 24);
    assert!(fresh.contains("? unknown  18 of 18 hosts were not read yet"), "{fresh}");
    // One healthy host, read long ago, alone in the fleet.
    let healthy = |seen_at| {
        let (known, _) = sample::prod_eu();
        let host = known.host(&HostName::new("edge-ams-3")).unwrap().clone();
        let mut fleet = Fleet::new([host.clone()]);
        fleet.recall(Host { seen_at: Some(seen_at), ..host });
        screen(&app_over(fleet, (80, 24)), 80, 24)
    };
    let calm = healthy(NOW);
    assert!(calm.contains(" = ok  nothing is wrong, and nothing is due\n"), "{calm}");
    let stale = healthy(NOW.plus(-26 * 3600));
    assert!(stale.contains("nothing is due, as of 26h ago"), "{stale}");
    // Of what a filter hides nothing is said.
    let mut filtered = app_over(never, (80, 24));
    drive(&mut filtered, "/fra<enter>");
    let filtered = screen(&filtered, 80, 24);
    assert!(!filtered.contains("hosts were not read"), "{filtered}");
    assert!(!filtered.contains("= ok"), "{filtered}");
}

#[test]
fn a_remedy_is_two_keys_from_the_findings() {
    check("f<enter>", "enter: ask the CA's staging twin");
    check("f<enter><enter>", "Dry run 1 certificate");
    check("f<enter><tab>", "enter: renew what is due");
    check("f<enter><tab><enter>", "Renew 1 certificate");
    // The action's own keys mean the same, on the list as well.
    check("fd", "Dry run 1 certificate");
    check("f<enter>ar", "Renew 1 certificate");
    check("f<enter><esc><esc>", "CAUSE");
}

#[test]
fn a_remedy_is_done_where_it_says() {
    let (host, place) = (HostName::new("edge-fra-1"), SafeText::new("login.example.net"));
    let mut remedies = [
        Remedy::new("rollback", &host, Some(&place)),
        Remedy::new("enable-timer", &host, Some(&place)),
    ];
    remedies[0].chosen.push(("to", "1".to_owned()));
    let request = Request::mending(&[&remedies[0], &remedies[0]]).unwrap();
    let names: Vec<_> = request.targets.iter().map(Wanted::name).collect();
    assert_eq!(names, ["edge-fra-1/login.example.net"]);
    assert_eq!(request.chosen.get("to"), Some("1"));
    assert!(request.is_filled);
    let request = Request::mending(&[&remedies[1]]).unwrap();
    assert_eq!(request.targets[0].name(), "edge-fra-1");
    let unknown = Remedy { action: "pray", ..remedies[0].clone() };
    assert!(Request::mending(&[&unknown]).is_none());
}

#[test]
fn the_footer_shows_the_keys_of_what_is_in_front() {
    check("/fra", "enter keep");
    check("/fra<enter>", "enter open");
    check("?", "esc close");
    check(":", "enter run");
}

#[test]
fn every_screen_is_named_as_the_command_that_opens_it() {
    for kind in crate::tui::screen::ALL {
        assert_eq!(binding(kind.command).unwrap().name, kind.name);
    }
}

#[test]
fn keys_that_do_nothing_say_why() {
    check("ax", "a x does nothing here");
    check("aa", "no job is selected");
    check("Q", "Q does nothing here");
    check("2z", "fold works only on the timeline");
    check("z", "nothing is grouped yet");
    check("x", "no scan is running");
    check("yx", "y x does nothing here");
    check("]", "this is where the trail ends");
}

#[test]
fn chords_tell_what_may_follow() {
    check("y", "copy serial");
    let mut app = app();
    let effects = drive(&mut app, "Gyn");
    assert!(matches!(effects.as_slice(), [Effect::Copy { what: "the name", .. }]), "{effects:?}");
}

#[test]
fn the_trail_goes_back_and_forth() {
    let mut app = app();
    drive(&mut app, "2<enter>");
    assert_eq!(app.trail.number(), None);
    drive(&mut app, "[");
    assert_eq!(app.trail.number(), Some(1));
    drive(&mut app, "]");
    assert_eq!(app.trail.number(), None);
    drive(&mut app, "1<backspace>");
    assert_eq!(app.trail.number(), None);
    drive(&mut app, "<ctrl-o>");
    assert_eq!(app.trail.number(), Some(0));
    assert_effects(&drive(&mut app, "q"), "[Leave]");
}

#[test]
fn the_filter_keeps_the_last_that_could_be_read() {
    let mut app = app();
    let all = app.desk.rows.shown();
    drive(&mut app, "/state:expired");
    let expired = app.desk.rows.shown();
    assert!(expired > 0 && expired < all);
    drive(&mut app, " (");
    assert_eq!(app.desk.rows.shown(), expired);
    drive(&mut app, "<enter>");
    assert!(app.overlay.is_some(), "what cannot be read is not taken");
    drive(&mut app, "<backspace><backspace><enter>");
    assert!(app.overlay.is_none());
    drive(&mut app, "/xx<esc>");
    assert_eq!(app.desk.filter_text.trim(), "state:expired");
    drive(&mut app, "<esc>");
    assert_eq!(app.desk.rows.shown(), all);
}

#[test]
fn marks_that_the_filter_hides_are_counted() {
    let mut app = app();
    drive(&mut app, "<space><space>v<down>v");
    assert_eq!(app.desk.marks.len(), 4);
    drive(&mut app, "/state:ok<enter><ctrl-a>");
    let toast = app.toast.clone().unwrap();
    assert!(toast.as_str().contains("4 of them hidden by the filter"), "{toast}");
    let effects = drive(&mut app, "r");
    let toast = app.toast.clone().unwrap();
    assert!(toast.as_str().starts_with("4 marked rows are hidden"), "{toast}");
    assert!(matches!(effects.as_slice(), [Effect::Scan(hosts)] if hosts.len() > 4));
    drive(&mut app, "\\");
    assert_eq!(app.desk.marks.len(), 0);
}

#[test]
fn the_selection_stays_on_what_it_is_on() {
    let mut app = app();
    drive(&mut app, "jjjj");
    let before = selected(&app);
    drive(&mut app, "s");
    assert_eq!(selected(&app), before);
    drive(&mut app, "bb");
    assert_eq!(selected(&app), before);
}

#[test]
fn rows_stand_still_under_an_overlay() {
    let mut app = app();
    drive(&mut app, "?");
    let host = app.desk.fleet.hosts().next().unwrap().name.clone();
    let unreached =
        Unreached { why: Why::Refused, text: SafeText::new("connection refused"), hint: None };
    let visit = Visit { host, at: NOW, outcome: Outcome::Unreached(unreached), probes: None };
    app.update(Msg::VisitEnded(visit, Duration::from_millis(3)), NOW);
    assert!(!app.is_stale());
    drive(&mut app, "<esc>");
    assert!(app.is_stale());
    app.refresh();
    assert!(!app.is_stale());
}

#[test]
fn a_running_scan_is_told_and_can_be_stopped() {
    let mut app = app();
    let hosts: Vec<_> = app.desk.fleet.hosts().map(|it| it.name.clone()).take(3).collect();
    app.update(Msg::ScanBegan(hosts.clone()), NOW);
    app.update(Msg::VisitBegan(hosts[0].clone()), NOW);
    let shown = screen(&app, 120, 30);
    assert!(shown.contains("0/3") && shown.contains(&format!("reading {}", hosts[0])), "{shown}");
    assert_effects(&drive(&mut app, "r"), "[]");
    assert_effects(&drive(&mut app, "x"), "[StopScan]");
    assert_effects(&drive(&mut app, "<esc>"), "[StopScan]");
    assert_effects(&app.update(Msg::ScanEnded, NOW), "[Save, Learn]");
    assert_eq!(app.toast.as_ref().unwrap(), &"stopped: 0 of 3 hosts were read");
}

/// Nobody waits for a CA: what it tells is drawn when it comes, and kept.
#[test]
fn renewal_windows_come_when_they_come() {
    let mut app = app();
    let at = |app: &App| {
        let place = app.desk.fleet.places().map(|it| it.1).find(|it| it.layers.disk.is_some());
        let place = place.unwrap();
        (place.window.clone(), place.layers.disk.as_ref().unwrap().chain.leaf.sha256)
    };
    let (_, of) = at(&app);
    let (start, end) = (NOW.plus(5), NOW.plus(9));
    let window = Arc::new(Window { of, start, end, explanation: None, asked_at: NOW });
    assert_effects(&app.update(Msg::Learnt(vec![Arc::clone(&window)], Some(NOW)), NOW), "[Save]");
    assert!(app.is_stale() && app.desk.fleet.unattended_at == Some(NOW));
    assert_eq!(at(&app).0, Some(window));
    assert_effects(&app.update(Msg::Learnt(Vec::new(), None), NOW), "[]");
}

#[test]
fn the_palette_finds_commands_and_choices() {
    let mut app = app();
    drive(&mut app, ":sort left<enter>");
    assert_eq!(app.desk.arrangement.sort, crate::tui::rows::Sort::Left);
    drive(&mut app, ":group issuer<enter>");
    assert_eq!(app.desk.arrangement.group, crate::tui::rows::GroupBy::Issuer);
    drive(&mut app, ":filter state:ok<enter>");
    assert!(app.desk.is_filtered());
    drive(&mut app, ":stop<enter>");
    assert!(app.overlay.is_some(), "what cannot be done now is not done");
    assert_effects(&drive(&mut app, "<esc>:quit<enter>"), "[Leave]");
}

/// Whoever opens it to see what there is was shown the arrow keys, and texts that end in the middle
/// of a word.
#[test]
fn the_palette_begins_with_what_does_something() {
    let mut app = app();
    drive(&mut app, ":");
    let shown = screen(&app, 80, 24);
    let names: Vec<_> = shown
        .lines()
        .filter_map(|it| it.trim_start_matches(['▌', '>', ' ']).split(' ').next())
        .collect();
    assert!(names.contains(&"timeline") && names.contains(&"rescan"), "{shown}");
    assert!(!names.contains(&"down") && !names.contains(&"page-up"), "{shown}");
    drive(&mut app, "down");
    let shown = screen(&app, 80, 24);
    assert!(shown.contains("one row down"), "{shown}");
    drive(&mut app, "<esc>:incident");
    let shown = screen(&app, 60, 14);
    let line = shown.lines().find(|it| it.contains("hand-over of")).expect(&shown);
    assert!(line.trim_end().ends_with('~'), "{shown}");
}

#[test]
fn ctrl_c_leaves_only_when_pressed_twice_at_once() {
    let mut app = app();
    let key = || {
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        Msg::Input(Input::Key(key))
    };
    assert_effects(&app.update(key(), NOW), "[]");
    assert_effects(&app.update(key(), NOW.plus(5)), "[]");
    assert_effects(&app.update(key(), NOW.plus(6)), "[Leave]");
}

#[test]
fn every_size_can_be_drawn() {
    let mut app = app();
    for keys in
        ["", "<enter>", "2", "3", "4", "5", "a", "<esc>1d", "<esc>?", "<esc>:", "<esc>@", "<esc>/"]
    {
        drive(&mut app, keys);
        for (width, height) in [(1, 1), (7, 3), (59, 14), (60, 14), (80, 24), (200, 60), (500, 200)]
        {
            app.update(Msg::Resized(width, height), NOW);
            screen(&app, width, height);
        }
        app.update(Msg::Resized(0, 0), NOW);
    }
}
