//! Whatever happens: nothing is changed that nobody confirmed.

use super::change::Somebody;
use super::*;
use crate::action::Tier;

/// What somebody or something does.
#[derive(Debug, Clone)]
enum Happens {
    Bytes(Vec<u8>),
    Looks(u64),
    Waits(i64),
}

fn happenings() -> impl Strategy<Value = Happens> {
    let words = [
        ":arm 15m\r",
        ":arm\r",
        ":disarm\r",
        "ar",
        "af",
        "ab",
        "ah",
        "ai",
        "am",
        "d",
        "aa",
        "p",
        "y",
        "www.example.com",
        "api.example.net",
        "renew 2",
        "W",
        "nn",
        "nz",
        "ns",
        "nu",
        "known\r\r",
        "acknowledge",
        "snooze",
        "sign off",
        "take back",
        "force-renew 2",
        "\x1b[200~y\x1b[201~",
        "\x1b[200~api.example.net\x1b[201~",
        "\x1b[200~:arm\r\x1b[201~",
        "w",
        "x",
        "  ",
        "q",
    ];
    prop_oneof![
        6 => prop::sample::select(words.map(|it| it.as_bytes().to_vec()).to_vec())
            .prop_map(Happens::Bytes),
        3 => prop::collection::vec(any_byte(), 1..8).prop_map(Happens::Bytes),
        4 => (0..900_u64).prop_map(Happens::Looks),
        1 => (0..400_i64).prop_map(Happens::Waits),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever is pressed, pasted or waited for: something runs only while the console is armed,
    /// and only if what a card asked for was answered after it was to be seen, or if it is safe.
    #[test]
    fn nothing_runs_that_was_not_confirmed(happens in prop::collection::vec(happenings(), 0..40)) {
        let mut desk = Somebody::new();
        desk.press("jj");
        for it in happens {
            match it {
                Happens::Looks(millis) => desk.look(millis),
                Happens::Waits(seconds) => desk.wait(seconds),
                Happens::Bytes(bytes) => for input in Parser::default().feed(&bytes) {
                    let was_armed = desk.app.arming.is_armed(desk.now);
                    let seen = desk.app.seen_at.map_or(Duration::ZERO, |it| desk.up.saturating_sub(it));
                    let had_card = desk.app.overlay.as_ref().is_some_and(|it| it.is_guarded());
                    let key = matches!(input, Input::Key(_)).then_some(input.clone());
                    for effect in desk.tell(Msg::Input(input)) {
                        if matches!(effect, Effect::Put(_)) {
                            prop_assert!(was_armed && key.is_some() && had_card);
                            prop_assert!(seen >= Duration::from_millis(400));
                            continue;
                        }
                        if let Effect::Preflight(_, _, None) = &effect {
                            // What nobody can use, for a moment: as safe as a dry run.
                            prop_assert!(was_armed && key.is_some());
                            continue;
                        }
                        let (Effect::Run(_, confirmed) | Effect::Resume(_, _, confirmed)) =
                            &effect
                        else {
                            prop_assert!(only_looks(&effect), "{effect:?}");
                            continue;
                        };
                        let is_safe = confirmed.plans().iter().all(|it| it.tier == Tier::Safe);
                        prop_assert!(was_armed && key.is_some());
                        prop_assert!(is_safe || (had_card && seen >= Duration::from_millis(400)));
                        let is_enter = matches!(&key, Some(Input::Key(it)) if it.code == KeyCode::Enter);
                        prop_assert!(!is_enter);
                    }
                },
            }
        }
        desk.screen();
    }
}

/// Whoever adds an effect decides here whether a key alone may have it.
fn only_looks(effect: &Effect) -> bool {
    match effect {
        Effect::Attach(..)
        | Effect::Copy { .. }
        | Effect::Edit(_)
        // An answer is kept; what a step would do is confirmed as everything else.
        | Effect::Guide(_)
        | Effect::HandOver(_)
        | Effect::Keep { .. }
        | Effect::Learn
        | Effect::Leave
        | Effect::Mouse(_)
        | Effect::Notify(_)
        | Effect::Page(_)
        | Effect::ReadLog
        | Effect::Redraw
        | Effect::Ring(_)
        | Effect::Save
        | Effect::Scan(_)
        | Effect::StopScan
        | Effect::Suspend => true,
        Effect::Preflight(_, _, read_only) => read_only.is_some(),
        #[cfg(debug_assertions)]
        Effect::Panic => true,
        // It is asked for, too, but takes back rather than changes.
        Effect::Stop(..) => true,
        // What waits or goes on was confirmed before.
        Effect::Pause(..) => true,
        Effect::Put(_) | Effect::Resume(..) | Effect::Run(..) => false,
    }
}

/// Keys that mean something, more often than others.
fn any_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => prop::sample::select(
            b"jkgGvzsbrRxye12345[]-+0thlHL,.@:?/\\ \r\t\x1b\x7f\x01\x04\x0fadfiy".to_vec()
        ),
        1 => any::<u8>(),
    ]
}
