//! How long the console takes to put rows in order and to draw a frame, with 2,000 hosts and
//! 10,000 certificates, and how that compares with a fleet a hundred times smaller: a frame must
//! not depend on the size of the fleet.
#![allow(missing_docs, clippy::expect_used, reason = "criterion's macros; a bench may stop")]

use std::hint::black_box;

use certdeck::diagnose::Diagnosis;
use certdeck::filter::Filter;
use certdeck::fleet::{Fleet, Weight};
use certdeck::tui::part::Page;
use certdeck::tui::part::header::{self, HeaderView, Mode};
use certdeck::tui::part::timeline::{self, TimelineView};
use certdeck::tui::part::window::Window;
use certdeck::tui::rows::{Arrangement, GroupBy, Rows};
use certdeck::tui::sample::{self, NOW};
use certdeck::tui::theme::{Depth, Theme};
use criterion::{Criterion, criterion_group, criterion_main};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const SCREEN: Rect = Rect { x: 0, y: 0, width: 200, height: 60 };

fn build((fleet, diagnosis): &(Fleet, Diagnosis), group: GroupBy) -> Rows {
    let arrangement = Arrangement { group, ..Arrangement::default() };
    Rows::build(fleet, diagnosis, &Filter::default(), &arrangement, NOW)
}

fn draw(rows: &Rows, theme: &Theme, buf: &mut Buffer) {
    buf.reset();
    buf.set_style(SCREEN, theme.base());
    let page = Page::new(theme);
    let weights = [Weight::Fine, Weight::Due, Weight::Unknown, Weight::Wrong, Weight::Expired];
    let header = HeaderView {
        fleet: "bench",
        mode: Mode::ReadOnly,
        hosts: 2000,
        places: 10_000,
        counts: weights.map(|it| (it, rows.count(it))),
        filtered: None,
        progress: Some((17, 2000)),
        scanned_at: Some(NOW),
        now: NOW,
    };
    header::draw(&header, &page, SCREEN, buf);
    let view = TimelineView {
        rows,
        first: rows.len() / 2,
        selected: Some(rows.len() / 2 + 5),
        marked: &|_| false,
        window: Window::around(NOW),
        cursor: Some(NOW.plus(500_000)),
        now: NOW,
    };
    let list = Rect { y: 1, height: SCREEN.height - 2, ..SCREEN };
    timeline::draw(&view, &page, list, buf);
}

fn frame(criterion: &mut Criterion) {
    let theme = Theme::named("dark", Depth::True, false).expect("a known theme");
    for (name, sample) in
        [("20 hosts", sample::of_size(20, 5)), ("2000 hosts", sample::of_size(2000, 5))]
    {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20);
        group.bench_function("build rows", |it| {
            it.iter(|| black_box(build(&sample, GroupBy::Nothing)));
        });
        group.bench_function("build rows, grouped by host", |it| {
            it.iter(|| black_box(build(&sample, GroupBy::Host)));
        });
        let rows = build(&sample, GroupBy::Nothing);
        let mut buf = Buffer::empty(SCREEN);
        group.bench_function("draw 200x60", |it| it.iter(|| draw(&rows, &theme, &mut buf)));
        group.finish();
    }
}

criterion_group!(benches, frame);
criterion_main!(benches);
