//! What the console asks and tells when something is changed: goldens of text and styles.

use certdeck::tui::theme::{Depth, Theme};

use crate::picture;
use crate::stage::Stage;

#[track_caller]
fn check(name: &str, before: fn(&mut Stage), keys: &str) {
    let looks = [
        ("dark-120x40", "dark", Depth::True, false, (120, 40)),
        ("mono-80x24", "mono", Depth::None, false, (80, 24)),
        ("ascii-60x14", "mono", Depth::None, true, (60, 14)),
    ];
    for (look, theme, depth, is_ascii, size) in looks {
        let theme = Theme::named(theme, depth, is_ascii).unwrap();
        let mut stage = Stage::new(theme, is_ascii, size);
        before(&mut stage);
        stage.press(keys);
        let buf = stage.draw();
        assert_eq!(buf, stage.draw(), "drawn twice");
        if is_ascii {
            assert_eq!(buf.content.iter().find(|it| !it.symbol().is_ascii()), None);
        }
        insta::assert_snapshot!(format!("{name}-{look}"), unmeasured(&picture::dump(&buf)));
    }
}

/// How long a script is, is its own matter.
fn unmeasured(text: &str) -> String {
    let mut parts = text.split("<script of ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, it| {
        let rest = it.trim_start_matches(|it: char| it.is_ascii_digit());
        let length = "#".repeat(it.len() - rest.len());
        format!("{text}<script of {length}{rest}")
    })
}

#[test]
fn what_is_asked_looks_as_recorded() {
    check("card-change", Stage::arm, "jar");
    check("card-typed", Stage::arm, "jafapi.ex");
    check("card-why", Stage::arm, "jaf?");
    check("card-read-only", Stage::read_log, "jaf");
    check("card-targets", Stage::mark_three, "ar");
    check("form", Stage::arm, "jai");
    check("menu", Stage::arm, "ja");
    check("refused", Stage::arm, "Gar");
    check("over-budget", Stage::refuse, "jar");
}

#[test]
fn a_guided_run_looks_as_recorded() {
    check("guide-certificate", Stage::guide, "");
    check("guide-cause", Stage::guide, "\r");
    check("guide-skip", Stage::guide, "\rs");
    check("guide-checks", Stage::guide_to_checks, "");
    check("guide-blocked", Stage::guide_past_checks, "");
}

#[test]
fn a_drill_looks_as_recorded() {
    check("practice", Stage::practise, "");
    check("practice-screen", Stage::practise, "\x1b");
    check("practice-hint", Stage::practise, "h");
    check("practice-end", Stage::practise, "\x1b:give-up\r");
}

#[test]
fn a_cause_is_looked_at_where_it_is_opened_and_not_where_it_only_stands() {
    for (keys, points) in [
        // The timeline, the findings with the cause selected, another certificate.
        ("", "+0  the cause was not looked at"),
        ("3", "+0  the cause was not looked at"),
        ("\r\x1b", "+0  the cause was not looked at"),
        // Its certificate, its host, the cause itself.
        ("j\r", "+30  the cause, after 2m"),
        ("2/host:edge-fra-2\r\r", "+30  the cause, after 2m"),
        ("/host:edge-fra-2\rf\r", "+30  the cause, after 2m"),
    ] {
        let theme = Theme::named("mono", Depth::None, false).unwrap();
        let mut stage = Stage::new(theme, false, (120, 40));
        stage.practise();
        stage.press("\x1b");
        stage.press(keys);
        stage.press(":give-up\r");
        let shown = picture::dump(&stage.draw());
        assert!(shown.contains(points), "{keys:?}\n{shown}");
    }
}

/// On every screen, under every overlay, at every size and without colours.
#[test]
fn nobody_can_take_a_drill_for_production() {
    let screens =
        ["\x1b", "\x1b2", "\x1b3", "\x1b4", "\x1b5", "\x1b6", "\x1bW", "\x1bj\r", "\x1bae"];
    let overlays = ["", "\x1b?", "\x1b:", "\x1b/x", "\x1b@", "\x1bjaf", "\x1bja"];
    for (is_ascii, text) in
        [(false, "PRACTICE · nothing here is real"), (true, "PRACTICE - nothing here is real")]
    {
        for size in [(200, 60), (120, 40), (80, 24), (60, 14), (59, 14), (60, 13), (40, 2), (40, 1)]
        {
            for keys in screens.into_iter().chain(overlays) {
                let theme = Theme::named("mono", Depth::None, is_ascii).unwrap();
                let mut stage = Stage::new(theme, is_ascii, size);
                stage.practise();
                stage.press(keys);
                let shown = picture::dump(&stage.draw());
                assert!(shown.contains(text), "{size:?} {keys:?}\n{shown}");
                assert!(shown.contains("bold reversed"), "{size:?} {keys:?}\n{shown}");
            }
        }
    }
    let theme = Theme::named("dark", Depth::True, false).unwrap();
    let real = Stage::new(theme, false, (80, 24)).draw();
    assert!(!picture::dump(&real).contains("PRACTICE"));
}

#[test]
fn reviews_look_as_recorded() {
    check("review", Stage::review, "W");
    check("review-end", Stage::review, "WG");
    check("review-first", Stage::arm, "W");
    check("review-known", Stage::review, "3j");
    check("remark", Stage::review, "3nnthe new key comes\r\rackno");
    check("remark-read-only", Stage::read_log, "3nz");
    check("sign-off", Stage::review, "Wnsall well\rsign o");
}

#[test]
fn what_is_looked_at_before_an_order_looks_as_recorded() {
    check("preflight", Stage::look, "");
    check("preflight-done", Stage::look_to_the_end, "jjj");
    check("preflight-check", Stage::look_to_the_end, "jjj\r");
}

#[test]
fn what_is_told_looks_as_recorded() {
    check("jobs", Stage::run_jobs, "wjj");
    check("job-running", Stage::run_jobs, "w\r");
    check("job-failed", Stage::run_jobs, "wjj\r");
    check("job-ordering", Stage::order, "w\r");
    check("stop", Stage::run_jobs, "wx");
    check("leave", Stage::run_jobs, "1q");
    check("rollout-told", Stage::left_rollout, "");
    check("rollout-left", Stage::left_rollout, "w");
    check("rollout-paused", Stage::paused_rollout, "w\r");
    check("audit", Stage::read_log, "5");
    check("audit-record", Stage::read_log, "5j\r");
    check("budget", Stage::refuse, "6j");
    check("budget-limit", Stage::refuse, "6\r");
}
