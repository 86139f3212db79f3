//! The pictures in `screenshots/`: what the console shows of a sample fleet after some keys.
//!
//! `CERTDECK_SCREENSHOTS=write` writes them anew (needs the font in [`picture::FONT`]).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use certdeck::inventory::Inventory;
use certdeck::tui::Settings;
use certdeck::tui::app::App;
use certdeck::tui::desk::Desk;
use certdeck::tui::input::Parser;
use certdeck::tui::keys::Keymap;
use certdeck::tui::msg::Msg;
use certdeck::tui::sample::{self, NOW};
use certdeck::tui::theme::{Depth, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::picture;

/// One picture.
struct Shot {
    name: &'static str,
    theme: &'static str,
    is_ascii: bool,
    size: (u16, u16),
    /// What is typed before it is taken.
    keys: &'static str,
}

const SHOTS: &[Shot] = &[
    Shot { name: "timeline-dark", size: (120, 40), keys: "j", ..DARK },
    Shot { name: "timeline-light", theme: "light", size: (120, 40), keys: "j", ..DARK },
    Shot { name: "timeline-mono", theme: "mono", size: (100, 24), keys: "j", ..DARK },
    Shot { name: "timeline-ascii", theme: "mono", is_ascii: true, size: (80, 24), keys: "j" },
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
    Shot { name: "hosts", size: (120, 24), keys: "2jj", ..DARK },
    Shot { name: "host", size: (100, 32), keys: "2jjjjjjjj\r", ..DARK },
    Shot { name: "help", size: (100, 40), keys: "?", ..DARK },
];

/// What most pictures have in common.
const DARK: Shot = Shot { name: "", theme: "dark", is_ascii: false, size: (0, 0), keys: "" };

impl Shot {
    fn theme(&self) -> Theme {
        let depth = if self.theme == "mono" { Depth::None } else { Depth::True };
        Theme::named(self.theme, depth, self.is_ascii).unwrap()
    }

    fn draw(&self) -> Buffer {
        let (fleet, _) = sample::prod_eu();
        let desk = Desk::new(Arc::new(Inventory::default()), fleet, self.theme(), NOW);
        let settings = Settings {
            fleet_name: "prod-eu".to_owned(),
            theme: self.theme(),
            depth: Depth::True,
            is_ascii: self.is_ascii,
            mask: None,
            mouse: false,
            keys: Vec::new(),
            ssh_config: None,
            editor: None,
            pager: None,
            is_read_only: false,
        };
        let (width, height) = self.size;
        let mut app = App::new(desk, settings, Keymap::default());
        app.update(Msg::Resized(width, height), NOW);
        for input in Parser::default().feed(self.keys.as_bytes()) {
            app.update(Msg::Input(input), NOW);
        }
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        buf.set_style(area, self.theme().base());
        app.draw(area, &mut buf);
        buf
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
