//! The pictures in `screenshots/`: what the console shows of a sample fleet after some keys.
//!
//! `CERTDECK_SCREENSHOTS=write` writes them anew (needs the font in [`picture::FONT`]).

use std::fs;
use std::path::Path;

use certdeck::tui::theme::{Depth, Theme};
use ratatui::buffer::Buffer;

use crate::picture;
use crate::stage::Stage;

/// One picture.
struct Shot {
    name: &'static str,
    theme: &'static str,
    is_ascii: bool,
    size: (u16, u16),
    /// What has happened before.
    before: fn(&mut Stage),
    /// What is typed before it is taken.
    keys: &'static str,
}

const SHOTS: &[Shot] = &[
    Shot { name: "timeline-dark", size: (120, 40), keys: "j", ..DARK },
    Shot { name: "timeline-light", theme: "light", size: (120, 40), keys: "j", ..DARK },
    Shot { name: "timeline-mono", theme: "mono", size: (100, 24), keys: "j", ..DARK },
    Shot {
        name: "timeline-ascii",
        theme: "mono",
        is_ascii: true,
        size: (80, 24),
        keys: "j",
        ..DARK
    },
    Shot {
        name: "timeline-zoomed",
        size: (120, 30),
        keys: "j+++...............................",
        ..DARK
    },
    Shot { name: "grouped", size: (120, 30), keys: "bbzj", ..DARK },
    Shot { name: "filter", size: (120, 30), keys: "/state:due,automation", ..DARK },
    Shot { name: "findings", size: (120, 40), keys: "3j", ..DARK },
    Shot { name: "certificate", size: (100, 44), keys: "j\r", ..DARK },
    Shot { name: "cause", size: (100, 40), keys: "fjjj\r", ..DARK },
    Shot { name: "layers", size: (100, 40), keys: "/git.example\r\r\t", ..DARK },
    Shot { name: "layers-mono", theme: "mono", size: (80, 24), keys: "/git.example\r\r\t", ..DARK },
    Shot { name: "hosts", size: (120, 24), keys: "2jj", ..DARK },
    Shot { name: "host", size: (100, 32), keys: "2jjjjjjjj\r", ..DARK },
    Shot { name: "card", size: (100, 32), before: Stage::arm, keys: "jafapi.ex", ..DARK },
    Shot { name: "targets", size: (100, 32), before: Stage::mark_three, keys: "ar", ..DARK },
    Shot { name: "jobs", size: (120, 40), before: Stage::run_jobs, keys: "wjj", ..DARK },
    Shot { name: "audit", size: (120, 40), before: Stage::read_log, keys: "5j", ..DARK },
    Shot { name: "review", size: (120, 40), before: Stage::review, keys: "Wjjjj", ..DARK },
    Shot { name: "guide", size: (100, 40), before: Stage::guide, keys: "\r", ..DARK },
    Shot {
        name: "practice",
        size: (100, 32),
        before: Stage::practise,
        keys: "\x1b:hint\r",
        ..DARK
    },
    Shot { name: "budget", size: (120, 40), before: Stage::refuse, keys: "6jj", ..DARK },
    Shot { name: "help", size: (100, 40), keys: "?", ..DARK },
];

/// What most pictures have in common.
const DARK: Shot =
    Shot { name: "", theme: "dark", is_ascii: false, size: (0, 0), before: |_| {}, keys: "" };

impl Shot {
    fn theme(&self) -> Theme {
        let depth = if self.theme == "mono" { Depth::None } else { Depth::True };
        Theme::named(self.theme, depth, self.is_ascii).unwrap()
    }

    fn draw(&self) -> Buffer {
        let mut stage = Stage::new(self.theme(), self.is_ascii, self.size);
        (self.before)(&mut stage);
        stage.press(self.keys);
        stage.draw()
    }
}

#[test]
fn the_screenshots_are_fresh() {
    let writes = std::env::var("CERTDECK_SCREENSHOTS").is_ok_and(|it| it == "write");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots");
    for shot in SHOTS {
        let name = shot.name;
        let svg = picture::svg(&shot.draw(), &shot.theme());
        let paths = ["svg", "png"].map(|it| folder.join(format!("{name}.{it}")));
        if writes {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&paths[0], &svg).unwrap();
            fs::write(&paths[1], picture::png(&svg)).unwrap();
        }
        let kept = fs::read_to_string(&paths[0]).unwrap_or_default();
        assert!(
            kept == svg,
            "{name}.svg is stale: CERTDECK_SCREENSHOTS=write cargo test screenshots"
        );
        let kept = fs::read(&paths[1]).unwrap_or_default();
        assert!(picture::is_made_from(&kept, &svg), "{name}.png is not made from {name}.svg");
    }
}
