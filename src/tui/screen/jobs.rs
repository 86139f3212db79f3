//! What was changed from here, and what is still running.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::list::{Selection, page};
use super::{Kind, Outcome, Screen, job, plain, split};
use crate::tui::desk::Desk;
use crate::tui::jobs::JobId;
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail;
use crate::tui::part::jobs::{self, JobsView};
use crate::tui::rows::RowId;

pub(super) const KIND: Kind = Kind {
    name: "jobs",
    command: Command::Screen4,
    open: |_| Box::new(Jobs { selection: Selection::default() }),
};

#[derive(Debug)]
struct Jobs {
    selection: Selection<JobId>,
}

impl Jobs {
    fn lines(&self, desk: &Desk) -> Vec<Line<'static>> {
        let id = self.selection.id(&desk.job_lines);
        id.map_or_else(Vec::new, |it| job::lines(it, desk))
    }
}

impl Screen for Jobs {
    fn place(&self) -> Place {
        Place::Lists
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.selection.go(command, &desk.job_lines, page(area)) {
            return Outcome::Done;
        }
        match (command, self.selection.id(&desk.job_lines)) {
            (Command::Open, Some(id)) => Outcome::OpenJob(id),
            (Command::Open, None) => Outcome::Say("there is no job".to_owned()),
            (Command::Filter, _) => {
                Outcome::Say("the list of jobs has no filter; 5 searches the audit log".to_owned())
            }
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        self.selection.settle(&desk.job_lines, page(area));
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (area, look) = split(area);
        let view = JobsView {
            jobs: &desk.jobs,
            lines: &desk.job_lines,
            first: self.selection.first(),
            selected: self.selection.position(&desk.job_lines),
            now: desk.now,
        };
        jobs::draw(&view, &desk.page(), area, buf);
        if let Some(look) = look {
            let lines = self.lines(desk);
            // While it runs, what it prints last matters; then what became of it.
            let id = self.selection.id(&desk.job_lines);
            let job = id.and_then(|it| desk.jobs.job(it));
            let from = if job.is_some_and(|it| !it.is_over()) { lines.len() } else { 0 };
            let first = detail::settled(from, &lines, look);
            detail::draw(&lines, first, &desk.page(), look, buf);
        }
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        job::row(self.selection.id(&desk.job_lines)?, desk)
    }

    fn job(&self, desk: &Desk) -> Option<JobId> {
        self.selection.id(&desk.job_lines)
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&self.lines(desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Open,
            Command::Stop,
            Command::Again,
            Command::Pause,
            Command::Pager,
            Command::Log,
            Command::Help,
            Command::Quit,
        ]
    }

    fn click(&mut self, desk: &Desk, area: Rect, at: (u16, u16)) {
        self.selection.click(&desk.job_lines, split(area).0, at);
    }
}
