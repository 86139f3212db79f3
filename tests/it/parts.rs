//! What the parts of the console draw: goldens of text and styles, and every size.

use certdeck::diagnose::Diagnosis;
use certdeck::filter::Filter;
use certdeck::fleet::{Fleet, Host, HostName, Moment, Verdict, Weight};
use certdeck::text::SafeText;
use certdeck::tui::keys::Keymap;
use certdeck::tui::mask::Mask;
use certdeck::tui::part::cause::{self, CauseView};
use certdeck::tui::part::detail::{self, Pane, Subject};
use certdeck::tui::part::findings::{self, FindingsView};
use certdeck::tui::part::footer::{self, FooterView};
use certdeck::tui::part::header::{self, HeaderView, Mode};
use certdeck::tui::part::hosts::{self, HostsView};
use certdeck::tui::part::timeline::{self, TimelineView};
use certdeck::tui::part::window::{Window, Zoom};
use certdeck::tui::part::{self, MINIMUM, Page};
use certdeck::tui::rows::{Arrangement, GroupBy, RowId, Rows};
use certdeck::tui::sample::{self, NOW};
use certdeck::tui::theme::{Depth, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::picture;

/// What is drawn between the header and the footer.
#[derive(Clone, Copy)]
enum Body {
    Certificate(Pane),
    Findings,
    Host,
    Hosts,
    Timeline(Window),
}

/// A sample fleet with how to draw it.
struct Stage {
    fleet: Fleet,
    diagnosis: Diagnosis,
    arrangement: Arrangement,
    theme: Theme,
    mask: Option<Mask>,
    cursor: Option<Moment>,
}

impl Stage {
    fn new(theme: &str, depth: Depth, is_ascii: bool) -> Self {
        let (fleet, diagnosis) = sample::prod_eu();
        Self {
            fleet,
            diagnosis,
            arrangement: Arrangement::default(),
            theme: Theme::named(theme, depth, is_ascii).unwrap(),
            mask: None,
            cursor: None,
        }
    }

    fn dark() -> Self {
        Self::new("dark", Depth::True, false)
    }

    fn rows(&self) -> Rows {
        let Self { fleet, diagnosis, arrangement, .. } = self;
        Rows::build(fleet, diagnosis, &Filter::default(), arrangement, NOW)
    }

    fn draw(&self, body: Body, (width, height): (u16, u16)) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        buf.set_style(area, self.theme.base());
        let page = Page { theme: &self.theme, mask: self.mask.as_ref() };
        if width < MINIMUM.0 || height < MINIMUM.1 {
            part::too_small(&page, area, &mut buf);
            return buf;
        }
        let rows = self.rows();
        self.draw_edges(&rows, &page, area, &mut buf);
        let inside = Rect::new(0, 1, width, height - 2);
        match body {
            Body::Certificate(pane) => {
                let tabs = Rect { height: 1, y: 2, ..inside };
                detail::draw_tabs(pane, &page, tabs, &mut buf);
                let name = "api.example.net";
                self.with_subject("edge-fra-2", Some(name), |subject| {
                    let lines = detail::place(subject, pane, &page);
                    let below = Rect { y: 4, height: inside.height.saturating_sub(3), ..inside };
                    detail::draw(&lines, 0, &page, below, &mut buf);
                });
            }
            Body::Findings => {
                let causes = certdeck::diagnose::gather(&self.diagnosis.findings);
                let list = Rect { height: inside.height / 3, ..inside };
                let all = &self.diagnosis.findings;
                let view =
                    FindingsView { causes: &causes, findings: all, first: 0, selected: Some(1) };
                findings::draw(&view, &page, list, &mut buf);
                let keys = Keymap::default();
                let view = CauseView {
                    cause: &causes[1],
                    findings: all,
                    others: 0,
                    age: None,
                    keys: &keys,
                };
                let (lines, _) = cause::detail(&view, 0, &page);
                let below =
                    Rect { y: list.bottom(), height: inside.height - list.height, ..inside };
                detail::draw(&lines, 0, &page, below, &mut buf);
            }
            Body::Host => self.with_subject("git-fra-1", None, |subject| {
                let lines = detail::host(subject, &page);
                detail::draw(&lines, 0, &page, inside, &mut buf);
            }),
            Body::Hosts => {
                let rows = hosts::rows(&self.fleet, &self.diagnosis, &Filter::default(), NOW);
                let view = HostsView { rows: &rows, first: 0, selected: Some(2), now: NOW };
                hosts::draw(&view, &page, inside, &mut buf);
            }
            Body::Timeline(window) => {
                let view = TimelineView {
                    rows: &rows,
                    first: 0,
                    selected: Some(1),
                    marked: &|it| matches!(it, RowId::Place { place, .. } if *place == "pay.example.com"),
                    window,
                    cursor: self.cursor,
                    now: NOW,
                };
                timeline::draw(&view, &page, inside, &mut buf);
            }
        }
        buf
    }

    fn draw_edges(&self, rows: &Rows, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
        let weights = [Weight::Fine, Weight::Due, Weight::Unknown, Weight::Wrong, Weight::Expired];
        let header = HeaderView {
            fleet: "prod-eu",
            mode: Mode::ReadOnly,
            hosts: self.fleet.hosts().len(),
            places: self.diagnosis.places.len(),
            counts: weights.map(|it| (it, rows.count(it))),
            filtered: None,
            progress: None,
            scanned_at: self.fleet.scanned_at,
            now: NOW,
        };
        header::draw(&header, page, area, buf);
        let last = Rect { y: area.bottom() - 1, height: 1, ..area };
        if let Some(cursor) = self.cursor {
            timeline::draw_read_out(cursor, rows, NOW, page, last, buf);
        } else {
            footer::draw(&FooterView { keys: KEYS, toast: None }, page, last, buf);
        }
    }

    fn with_subject(&self, host: &str, place: Option<&str>, then: impl FnOnce(&Subject<'_>)) {
        let host = self.fleet.host(&HostName::new(host)).unwrap();
        let place = place.map(|name| host.places.iter().find(|it| it.name == name).unwrap());
        let verdicts = self.fleet.places().zip(&self.diagnosis.places);
        let is_meant =
            |it: &certdeck::fleet::Place| place.is_none_or(|place| it.name == place.name);
        let verdict = verdicts
            .filter(|((of, it), _)| of.name == host.name && is_meant(it))
            .map(|(_, it)| *it)
            .max()
            .unwrap();
        let found: Vec<_> = self
            .diagnosis
            .findings
            .iter()
            .filter(|it| it.host == host.name)
            .filter(|it| place.is_none_or(|place| it.place.as_ref() == Some(&place.name)))
            .collect();
        then(&Subject {
            host,
            place,
            verdict,
            findings: &found,
            dry_run: None,
            expiries: &self.fleet.expiries,
            now: NOW,
        });
    }
}

const KEYS: &[(&str, &str)] = &[
    ("Enter", "open"),
    ("Space", "mark"),
    ("/", "filter"),
    ("+ -", "zoom"),
    ("t", "now"),
    (":", "palette"),
    ("?", "help"),
];

fn window() -> Window {
    Window::around(NOW)
}

fn zoomed() -> Window {
    [Zoom::In; 3].into_iter().fold(window(), |it, zoom| it.zoom(zoom, NOW))
}

#[test]
fn the_timeline_looks_as_recorded() {
    for (size, name) in
        [((60, 14), "60x14"), ((80, 24), "80x24"), ((120, 36), "120x36"), ((200, 60), "200x60")]
    {
        for (stage, theme) in [
            (Stage::dark(), "dark"),
            (Stage::new("mono", Depth::None, false), "mono"),
            (Stage::new("dark", Depth::None, true), "ascii"),
        ] {
            let buf = stage.draw(Body::Timeline(window()), size);
            assert_eq!(buf, stage.draw(Body::Timeline(window()), size), "drawn twice");
            insta::assert_snapshot!(format!("timeline-{theme}-{name}"), picture::dump(&buf));
        }
    }
}

#[test]
fn the_other_parts_look_as_recorded() {
    let stage = Stage::dark();
    for (name, body) in [
        ("findings", Body::Findings),
        ("hosts", Body::Hosts),
        ("host", Body::Host),
        ("zoomed", Body::Timeline(zoomed())),
    ] {
        insta::assert_snapshot!(name, picture::dump(&stage.draw(body, (100, 30))));
    }
    for pane in Pane::ALL {
        let buf = stage.draw(Body::Certificate(pane), (100, 40));
        insta::assert_snapshot!(
            format!("certificate-{}", pane.word().to_lowercase()),
            picture::dump(&buf)
        );
    }
}

#[test]
fn groups_fold_to_their_worst_row() {
    let mut stage = Stage::new("mono", Depth::None, false);
    stage.arrangement.group = GroupBy::Issuer;
    stage.arrangement.folded.insert("Let's Encrypt E7".to_owned());
    let buf = stage.draw(Body::Timeline(window()), (100, 24));
    insta::assert_snapshot!("grouped", picture::dump(&buf));
}

#[test]
fn no_name_is_shown_in_privacy() {
    let mut stage = Stage::dark();
    let mut mask = Mask::default();
    mask.learn(&stage.fleet);
    stage.mask = Some(mask);
    let panes = Pane::ALL.map(Body::Certificate);
    let others = [Body::Timeline(window()), Body::Findings, Body::Host, Body::Hosts];
    for body in panes.into_iter().chain(others) {
        let text = picture::dump(&stage.draw(body, (200, 60)));
        for host in stage.fleet.hosts() {
            assert!(!text.contains(host.name.as_str()), "{} in\n{text}", host.name);
        }
        for (_, place) in stage.fleet.places() {
            let names = place.leaf().unwrap().names.iter().chain([&place.name]);
            for name in names {
                assert!(!text.contains(name.as_str()), "{name} in\n{text}");
            }
        }
    }
}

#[test]
fn wide_names_keep_the_columns() {
    let mut stage = Stage::dark();
    let names = ["証明書ホスト名がとても長い", "e\u{301}dge-\u{202e}x", "x".repeat(300).leak()];
    let hosts = names.map(|it| Host::new(HostName::new(SafeText::new(it).as_ref()), it, &[]));
    let made = hosts.map(|mut host| {
        for (_, place) in stage.fleet.places().take(3) {
            let mut place = place.clone();
            place.name = SafeText::new(&format!("{}.{}", host.name, place.name));
            host.places.push(place);
        }
        host
    });
    stage.fleet = Fleet::new(made);
    stage.diagnosis = Diagnosis { places: vec![Verdict::Ok; 9], ..Diagnosis::default() };
    for width in [70, 80, 99, 100, 120, 200] {
        let buf = stage.draw(Body::Timeline(window()), (width, 20));
        let layout = timeline::layout(&stage.rows(), Rect::new(0, 1, width, 18));
        let axis = layout.axis.unwrap();
        let x = axis.x + window().column_of(NOW, axis.width).unwrap();
        for y in axis.y..axis.y + 9 {
            let glyph = buf[(x, y)].symbol();
            assert!(
                ["╋", "┊", "┫"].contains(&glyph),
                "{glyph} at {x}, {y} in\n{}",
                picture::dump(&buf)
            );
        }
    }
}

#[test]
fn every_size_can_be_drawn() {
    let mut stage = Stage::dark();
    stage.cursor = Some(NOW.plus(9 * 86_400));
    for width in (1..=250).step_by(7) {
        for height in (1..=80).step_by(5) {
            for body in [Body::Timeline(window()), Body::Hosts, Body::Findings, Body::Host] {
                stage.draw(body, (width, height));
            }
        }
    }
}

#[test]
fn without_colours_none_is_used() {
    for name in ["dark", "light", "high-contrast", "mono"] {
        let stage = Stage::new(name, Depth::None, false);
        for body in [Body::Timeline(window()), Body::Hosts, Body::Findings, Body::Host] {
            let buf = stage.draw(body, (120, 36));
            let is_plain = |it: &ratatui::buffer::Cell| {
                (it.fg, it.bg) == (ratatui::style::Color::Reset, ratatui::style::Color::Reset)
            };
            assert!(buf.content.iter().all(is_plain), "{name}");
        }
    }
}

#[test]
fn ascii_means_ascii() {
    let mut stage = Stage::new("dark", Depth::True, true);
    stage.cursor = Some(NOW.plus(86_400));
    for body in [Body::Timeline(window()), Body::Hosts, Body::Findings, Body::Host] {
        let buf = stage.draw(body, (120, 36));
        let odd = buf.content.iter().find(|it| !it.symbol().is_ascii());
        assert_eq!(odd, None);
    }
}
