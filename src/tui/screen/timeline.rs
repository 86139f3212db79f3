//! Everything that expires, on one line of time.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::list::{Lines as _, Selection};
use super::{Kind, Outcome, Screen, about, cause, open_row, plain, split};
use crate::diagnose::Cause;
use crate::fleet::{HostName, Moment, Reach, Severity, Weight};
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Place};
use crate::tui::part;
use crate::tui::part::cause::Strip;
use crate::tui::part::detail::{self, Pane};
use crate::tui::part::timeline::{self, TimelineView};
use crate::tui::part::window::{Window, Zoom};
use crate::tui::rows::{GroupBy, RowId, Sort};

pub(super) const KIND: Kind = Kind {
    name: "timeline",
    command: Command::Screen1,
    open: |desk| Box::new(Timeline::new(desk)),
};

#[derive(Debug)]
struct Timeline {
    selection: Selection<RowId>,
    window: Window,
    cursor: Option<Moment>,
    /// Where a range of marks began.
    anchor: Option<RowId>,
}

impl Timeline {
    fn new(desk: &Desk) -> Self {
        Self {
            selection: Selection::default(),
            window: Window::around(desk.now),
            cursor: None,
            anchor: None,
        }
    }

    fn areas(&self, desk: &Desk, area: Rect) -> Areas {
        let (lines, most) = (strip(desk), area.height / 3);
        let strip = match detail::height(&lines, area.width) {
            height if height <= most => height,
            // Then each has a row of its own.
            _ => u16::try_from(lines.len()).unwrap_or(most).min(most),
        };
        let [strip, below] =
            area.layout(&Layout::vertical([Constraint::Length(strip), Constraint::Fill(1)]));
        let (list, look) = split(below);
        let [list, read_out] = list.layout(&Layout::vertical([
            Constraint::Fill(1),
            Constraint::Length(u16::from(self.cursor.is_some())),
        ]));
        Areas { strip, list, read_out, look }
    }

    fn page(&self, desk: &Desk, area: Rect) -> u16 {
        timeline::layout(&desk.rows, self.areas(desk, area).list).list.height
    }

    /// The width of the axis; where a table stands instead, one that is usual.
    fn axis(&self, desk: &Desk, area: Rect) -> u16 {
        timeline::layout(&desk.rows, self.areas(desk, area).list).axis.map_or(60, |it| it.width)
    }

    /// What zooming keeps in place: the cursor, or the present if it is in view.
    fn pivot(&self, now: Moment) -> Moment {
        let in_view = self.window.start() <= now && now <= self.window.end();
        let middle = self.window.start().plus(self.window.seconds() / 2);
        self.cursor.unwrap_or(if in_view { now } else { middle })
    }

    fn zoom(&mut self, zoom: Zoom, now: Moment) -> Outcome {
        let window = self.window.zoom(zoom, self.pivot(now));
        if window == self.window {
            return Outcome::Say("this is as far as it zooms".to_owned());
        }
        self.window = window;
        Outcome::Done
    }

    fn point(&mut self, cells: i64, desk: &Desk, area: Rect) -> Outcome {
        let cell = self.window.seconds() / i64::from(self.axis(desk, area).max(1));
        let cursor = self.cursor.map_or(desk.now, |it| it.plus(cells * cell.max(1)));
        self.cursor = Some(cursor);
        self.window = self.window.showing(cursor);
        Outcome::Done
    }

    fn open(&self, desk: &mut Desk) -> Outcome {
        match self.selection.id(&desk.rows) {
            None => Outcome::Say("nothing is selected".to_owned()),
            Some(RowId::Group(title)) => toggle(title, desk),
            Some(RowId::Expiry(name)) => {
                Outcome::Say(format!("{name} is written in the inventory: e opens it"))
            }
            Some(id) => open_row(&id, desk).map_or(Outcome::Ignored, Outcome::Open),
        }
    }

    /// Folds the group that the selection is in, and selects it.
    fn fold(&mut self, desk: &mut Desk, area: Rect) -> Outcome {
        if desk.arrangement.group == GroupBy::Nothing {
            return Outcome::Say("nothing is grouped yet: b groups".to_owned());
        }
        let position = self.selection.position(&desk.rows).unwrap_or(0);
        let above = (0..=position).rev().filter_map(|it| Some((it, desk.rows.id(it)?)));
        let group = above.into_iter().find_map(|(at, id)| match id {
            RowId::Group(title) => Some((at, title)),
            _ => None,
        });
        let Some((at, title)) = group else { return Outcome::Done };
        let page = self.page(desk, area);
        self.selection.select(&desk.rows, at, page);
        toggle(title, desk)
    }

    /// The rows between the beginning of a range and the selection.
    fn range(&self, desk: &Desk) -> BTreeSet<RowId> {
        let ends = self
            .anchor
            .as_ref()
            .and_then(|it| desk.rows.position(it))
            .zip(self.selection.position(&desk.rows));
        let Some((from, to)) = ends else { return BTreeSet::new() };
        (from.min(to)..=from.max(to)).filter_map(|it| desk.rows.id(it)).filter(can_mark).collect()
    }

    fn mark(&mut self, desk: &mut Desk, area: Rect) -> Outcome {
        let Some(id) = self.selection.id(&desk.rows) else { return Outcome::Ignored };
        if !can_mark(&id) {
            return Outcome::Say("only hosts and certificates can be marked".to_owned());
        }
        if !desk.marks.remove(&id) {
            desk.marks.insert(id);
        }
        let page = self.page(desk, area);
        self.selection.go(Command::Down, &desk.rows, page);
        Outcome::Done
    }

    fn mark_range(&mut self, desk: &mut Desk) -> Outcome {
        if self.anchor.is_none() {
            self.anchor = self.selection.id(&desk.rows);
            return Outcome::Say("range: move to its other end, v again marks it".to_owned());
        }
        let range = self.range(desk);
        self.anchor = None;
        desk.marks.extend(range);
        Outcome::Say(marked(desk))
    }

    fn escape(&mut self) -> Outcome {
        if self.anchor.take().is_some() {
            return Outcome::Say("no range".to_owned());
        }
        if self.cursor.take().is_some() { Outcome::Done } else { Outcome::Ignored }
    }
}

impl Screen for Timeline {
    fn place(&self) -> Place {
        Place::Timeline
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        let page = self.page(desk, area);
        if self.selection.go(command, &desk.rows, page) {
            return Outcome::Done;
        }
        match command {
            Command::Open => return self.open(desk),
            Command::Escape => return self.escape(),
            Command::Fold => return self.fold(desk, area),
            Command::Mark => return self.mark(desk, area),
            Command::MarkRange => return self.mark_range(desk),
            Command::MarkVisible => {
                desk.marks.extend(desk.rows.iter().map(|it| it.id.clone()).filter(can_mark));
                return Outcome::Say(marked(desk));
            }
            Command::MarksClear => {
                desk.marks.clear();
                self.anchor = None;
                return Outcome::Say("no row is marked".to_owned());
            }
            Command::SortNext => {
                let sort = next(&Sort::ALL, desk.arrangement.sort);
                desk.arrangement.sort = sort;
                desk.arrange();
                return Outcome::Say(format!("sorted by {}", sort.word()));
            }
            Command::GroupNext => {
                let group = next(&GroupBy::ALL, desk.arrangement.group);
                desk.arrangement.group = group;
                desk.arrangement.folded.clear();
                desk.arrange();
                return Outcome::Say(format!("grouped by {}", group.word()));
            }
            Command::ZoomIn => return self.zoom(Zoom::In, desk.now),
            Command::ZoomOut => return self.zoom(Zoom::Out, desk.now),
            Command::FitAll => self.window = Window::fit(&desk.rows, desk.now),
            Command::Now => self.window = self.window.now_at_quarter(desk.now),
            Command::PanLeft => self.window = self.window.pan(-1),
            Command::PanRight => self.window = self.window.pan(1),
            Command::PanFarLeft => self.window = self.window.pan(-8),
            Command::PanFarRight => self.window = self.window.pan(8),
            Command::PointLeft => return self.point(-1, desk, area),
            Command::PointRight => return self.point(1, desk, area),
            _ => return Outcome::Ignored,
        }
        Outcome::Done
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        let page = self.page(desk, area);
        self.selection.settle(&desk.rows, page);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let Areas { strip: above, list: area, read_out, look } = self.areas(desk, area);
        let range = self.range(desk);
        let page = desk.page();
        let view = TimelineView {
            rows: &desk.rows,
            first: self.selection.first(),
            selected: self.selection.position(&desk.rows),
            marked: &|id| desk.marks.contains(id) || range.contains(id),
            window: self.window,
            cursor: self.cursor,
            now: desk.now,
        };
        let lines = strip(desk);
        if detail::height(&lines, above.width) > above.height {
            detail::draw_cut(&lines, &page, above, buf);
        } else {
            detail::draw(&lines, 0, &page, above, buf);
        }
        timeline::draw(&view, &page, area, buf);
        if let Some(cursor) = self.cursor {
            timeline::draw_read_out(cursor, &desk.rows, desk.now, &page, read_out, buf);
        }
        if let Some((id, look)) = self.selected(desk).zip(look) {
            detail::draw(&about(&id, Pane::Overview, desk), 0, &page, look, buf);
        }
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        self.selection.id(&desk.rows)
    }

    fn hosts(&self, desk: &Desk) -> Vec<HostName> {
        let Some(position) = self.selection.position(&desk.rows) else { return Vec::new() };
        let is_group = matches!(desk.rows.id(position), Some(RowId::Group(_)));
        let below = desk.rows.iter().skip(position + 1).take_while(|it| is_group && it.depth > 0);
        let own = desk.rows.get(position);
        let hosts: BTreeSet<_> =
            own.into_iter().chain(below).filter_map(|it| it.id.host().cloned()).collect();
        hosts.into_iter().collect()
    }

    fn text(&self, desk: &Desk) -> String {
        self.selected(desk).map_or_else(String::new, |it| plain(&about(&it, Pane::Overview, desk)))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Screen3,
            Command::Open,
            Command::Filter,
            Command::Rescan,
            Command::Palette,
            Command::Help,
            Command::Quit,
            Command::ZoomIn,
            Command::GroupNext,
        ]
    }

    fn click(&mut self, desk: &Desk, area: Rect, at: (u16, u16)) {
        let layout = timeline::layout(&desk.rows, self.areas(desk, area).list);
        if layout.list.contains(at.into()) {
            let position = self.selection.first() + usize::from(at.1 - layout.list.y);
            if position < desk.rows.len() {
                self.selection.select(&desk.rows, position, layout.list.height);
            }
        }
    }

    fn zoom_to(&mut self, seconds: i64, desk: &Desk) {
        self.window = Window::new(desk.now, seconds).now_at_quarter(desk.now);
    }
}

/// Where things are drawn.
struct Areas {
    /// What is wrong, in a few lines.
    strip: Rect,
    list: Rect,
    /// What the cursor tells.
    read_out: Rect,
    look: Option<Rect>,
}

/// The worst of all that is shown, so that nobody has to look for it.
fn strip(desk: &Desk) -> Vec<Line<'static>> {
    let is_urgent = |it: &&Cause| it.severity > Severity::Info;
    let mut urgent = desk.causes.iter().filter(is_urgent);
    let strip = match urgent.next() {
        Some(worst) => Strip::Wrong(cause::view(worst, urgent.count(), desk)),
        // Of what a filter hides nothing is said.
        None if desk.is_filtered() || desk.fleet.hosts().len() == 0 => return Vec::new(),
        None => calm(desk),
    };
    part::cause::strip(&strip, &desk.page())
}

fn calm(desk: &Desk) -> Strip<'static> {
    let hosts = desk.fleet.hosts();
    let all = hosts.len();
    let unread = hosts.filter(|it| it.reach != Reach::Up).count();
    let of = |weight| desk.rows.count(weight);
    let oldest = desk.fleet.hosts().filter_map(|it| it.seen_at).min();
    match (unread, of(Weight::Unknown)) {
        (0, 0) => Strip::Calm(of(Weight::Due), cause::worth_telling(oldest, desk.now)),
        (0, unknown) => Strip::Untold(unknown),
        _ => Strip::Unread(unread, all),
    }
}

fn toggle(group: String, desk: &mut Desk) -> Outcome {
    let folded = &mut desk.arrangement.folded;
    if !folded.remove(&group) {
        folded.insert(group);
    }
    desk.arrange();
    Outcome::Done
}

fn can_mark(id: &RowId) -> bool {
    id.host().is_some()
}

fn marked(desk: &Desk) -> String {
    let hidden = desk.hidden_marks();
    let rows = match desk.marks.len() {
        1 => "1 row is marked".to_owned(),
        many => format!("{many} rows are marked"),
    };
    if hidden == 0 { rows } else { format!("{rows}, {hidden} of them hidden by the filter") }
}

/// The one after `current`; after the last, the first.
fn next<T: Copy + PartialEq>(all: &[T], current: T) -> T {
    let mut after = all.iter().cycle().skip_while(|it| **it != current);
    after.nth(1).copied().unwrap_or(current)
}
