//! The list of jobs: one line each, and a heading above those that were confirmed together.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Page;
use super::pen::Pen;
use crate::fleet::{Moment, human};
use crate::tui::jobs::{Job, JobId, Jobs, RunView};
use crate::tui::rollouts::Standing;

/// What the list shows.
#[derive(Debug, Clone, Copy)]
pub struct JobsView<'a> {
    /// Every job.
    pub jobs: &'a Jobs,
    /// Their lines.
    pub lines: &'a [JobId],
    /// The position of the first line on screen.
    pub first: usize,
    /// The position of the selected line.
    pub selected: Option<usize>,
    /// The present.
    pub now: Moment,
}

/// Draws a heading and the lines that fit.
pub fn draw(view: &JobsView<'_>, page: &Page<'_>, area: Rect, buf: &mut Buffer) {
    let theme = page.theme;
    let area = area.intersection(buf.area);
    let columns = columns(area.width);
    let mut pen = Pen::new(buf, area, 0, page);
    pen.skip(4).column("STATE", STATE, theme.title()).skip(1);
    pen.column("ACTION", ACTION, theme.title()).skip(1);
    pen.column("HOST", columns.host, theme.title()).skip(1);
    pen.column("CERT", columns.cert, theme.title()).skip(1);
    pen.column("TOOK", TOOK, theme.title()).skip(1).put("LAST LINE", theme.title());
    if view.lines.is_empty() {
        let none = "nothing was changed from this console, and nothing is open";
        Pen::new(buf, area, 1, page).skip(4).put(none, theme.dim());
    }
    let shown = view.lines.iter().enumerate().skip(view.first);
    for (y, (position, id)) in (1..area.height).zip(shown) {
        let is_selected = view.selected == Some(position);
        if is_selected {
            buf.set_style(Rect { y: area.y + y, height: 1, ..area }, theme.selected());
        }
        let Some(run) = view.jobs.run(*id) else { continue };
        let mut pen = Pen::new(buf, area, y, page);
        pen.column(if is_selected { theme.glyphs().selected } else { " " }, 1, theme.key()).skip(1);
        match view.jobs.job(*id) {
            Some(job) => draw_job(run, job, &columns, view.now, page, &mut pen),
            None => draw_run(run, page, &mut pen),
        }
    }
}

fn draw_job(
    run: &RunView,
    job: &Job,
    columns: &Columns,
    now: Moment,
    page: &Page<'_>,
    pen: &mut Pen<'_>,
) {
    let theme = page.theme;
    let weight = job.state.weight();
    let style = theme.weight(weight);
    let cert = job.place.as_ref().map_or_else(|| theme.glyphs().none, |it| it.as_str());
    pen.column(theme.glyphs().weight(weight), 1, style).skip(1);
    pen.column(job.state.word(), STATE, style).skip(1);
    pen.column(run.action_of(job), ACTION, theme.text()).skip(1);
    pen.column(&page.shown(job.host.as_str()), columns.host, theme.text()).skip(1);
    pen.column(&page.shown(cert), columns.cert, theme.text()).skip(1);
    let took = job.elapsed(now).map_or_else(|| theme.glyphs().none.to_owned(), human);
    pen.column(&took, TOOK, theme.dim()).skip(1);
    pen.put(&page.shown(job.remark().as_str()), theme.dim());
}

fn draw_run(run: &RunView, page: &Page<'_>, pen: &mut Pen<'_>) {
    let theme = page.theme;
    let weight = run.weight();
    pen.column(theme.glyphs().weight(weight), 1, theme.weight(weight)).skip(1);
    pen.put(&format!("{} {}", run.action, run.asked().count()), theme.title()).skip(3);
    let counts: Vec<_> = run.counts().iter().map(|(word, many)| format!("{many} {word}")).collect();
    // What remains matters most, and comes first where there is little room.
    let standing = run.rollout.as_ref().map(Standing::words).filter(|it| !it.is_empty());
    let counts = standing.unwrap_or_else(|| counts.join("  "));
    pen.put(&page.shown(&counts), theme.text()).skip(3);
    if let Some(wave) = run.wave_words() {
        pen.put(&wave, theme.dim());
    }
}

struct Columns {
    host: u16,
    cert: u16,
}

const fn columns(width: u16) -> Columns {
    if width < 70 {
        Columns { host: width / 6, cert: width / 5 }
    } else {
        Columns { host: width / 7, cert: width / 4 }
    }
}

/// `no contact`, the longest state.
const STATE: u16 = 10;
/// `enable-timer`, the longest action.
const ACTION: u16 = 12;
const TOOK: u16 = 5;
