//! The screens. A screen shows what lies on the [`Desk`], keeps what is selected, and says what a
//! command means to it; it never does anything itself.
//!
//! # Adding a screen
//! 1. A file here with `KIND`, a struct and its [`Screen`].
//! 2. Two lines below: `mod` and the entry in [`ALL`]; a command in [`super::keys`] opens it.

mod audit;
mod budget;
mod cause;
mod certificate;
mod checks;
mod findings;
mod guide;
mod host;
mod hosts;
mod job;
mod jobs;
mod list;
mod review;
mod scroll;
mod timeline;

use std::fmt;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;

use super::checks::ChecksId;
use super::desk::Desk;
use super::jobs::JobId;
use super::keys::{Command, Place};
use super::part::detail::{self, Pane, Subject};
use super::rows::RowId;
use crate::diagnose::{Finding, Remedy};
use crate::fleet::{DryRun, HostName};
use crate::guide::Answer;

/// Every screen that has a key, in the order of the keys. The first is shown at the start.
pub static ALL: &[Kind] =
    &[timeline::KIND, hosts::KIND, findings::KIND, jobs::KIND, audit::KIND, budget::KIND];

/// The first of the screens.
pub fn home(desk: &Desk) -> Box<dyn Screen> {
    (timeline::KIND.open)(desk)
}

/// What the rest of the program knows about a screen.
#[derive(Debug)]
pub struct Kind {
    /// Its name, as that of the command that opens it.
    pub name: &'static str,
    /// That command.
    pub command: Command,
    /// Makes one.
    pub open: fn(&Desk) -> Box<dyn Screen>,
}

/// Something that fills the window between header and footer.
pub trait Screen: fmt::Debug + Send {
    /// Which keys mean something here.
    fn place(&self) -> Place;

    /// Does what a command means here, if it means something.
    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome;

    /// Finds its way again after data or size have changed.
    fn settle(&mut self, desk: &Desk, area: Rect);

    /// Draws it.
    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer);

    /// What is selected, if it is one thing.
    fn selected(&self, desk: &Desk) -> Option<RowId>;

    /// The hosts that are selected.
    fn hosts(&self, desk: &Desk) -> Vec<HostName> {
        self.selected(desk).and_then(|it| it.host().cloned()).into_iter().collect()
    }

    /// What an action is done to.
    fn targets(&self, desk: &Desk) -> Vec<RowId> {
        self.selected(desk).into_iter().collect()
    }

    /// What that action would mend here, and how, as findings name it.
    fn mends<'d>(&self, _action: &str, _desk: &'d Desk) -> Vec<&'d Remedy> {
        Vec::new()
    }

    /// What was found of what is selected.
    fn findings<'d>(&self, _desk: &'d Desk) -> Vec<&'d Finding> {
        Vec::new()
    }

    /// Whether it is the review, which can be signed off.
    fn is_review(&self) -> bool {
        false
    }

    /// The job that is selected.
    fn job(&self, _desk: &Desk) -> Option<JobId> {
        None
    }

    /// The selected line as it is copied, where that is no row.
    fn line(&self, _desk: &Desk) -> Option<String> {
        None
    }

    /// Everything about what is selected, for the pager.
    fn text(&self, desk: &Desk) -> String;

    /// The commands to show in the footer, the most useful first.
    fn hints(&self) -> &'static [Command];

    /// A click at that column and row; the area is where the screen was drawn.
    fn click(&mut self, _desk: &Desk, _area: Rect, _at: (u16, u16)) {}

    /// Shows a stretch of time of that length, if it shows time at all.
    fn zoom_to(&mut self, _seconds: i64, _desk: &Desk) {}
}

/// What became of a command.
#[derive(Debug)]
pub enum Outcome {
    /// What the CA will look at is looked at before the order of the current step.
    Check,
    /// It was done.
    Done,
    /// It means nothing here.
    Ignored,
    /// This text is to be kept in a file of that name.
    Keep {
        /// The name, without a folder.
        name: String,
        /// The text.
        text: String,
    },
    /// The current step of the guided run is answered.
    Guide(Answer),
    /// What would mend something is to be asked for, at every place where it would.
    Mend(Vec<Remedy>),
    /// Another screen is to be shown.
    Open(Box<dyn Screen>),
    /// The screen about a job is to be shown.
    OpenJob(JobId),
    /// There is something to say.
    Say(String),
    /// The audit log is to be searched.
    Search,
    /// The current step of the guided run is left out, for a reason that is asked for.
    SkipStep,
    /// What the current step of the guided run would do is put up for review.
    Step,
}

/// The screen of the review.
pub fn open_review() -> Box<dyn Screen> {
    Box::new(review::ReviewScreen::default())
}

/// The screen about a job, or about all that were confirmed together.
pub fn open_job(id: JobId, desk: &Desk) -> Box<dyn Screen> {
    Box::new(job::JobDetail::new(id, desk))
}

/// The screen about a look before an order.
pub fn open_checks(id: ChecksId) -> Box<dyn Screen> {
    Box::new(checks::ChecksList::new(id))
}

/// The screen about the guided run.
pub fn open_guide() -> Box<dyn Screen> {
    Box::new(guide::Guide::default())
}

/// The screen about a row: its certificate, or else its host.
pub fn open_row(id: &RowId, desk: &Desk) -> Option<Box<dyn Screen>> {
    match id {
        RowId::Place { .. } => Some(Box::new(certificate::Certificate::new(id.clone()))),
        RowId::Host(host) => {
            desk.fleet.host(host)?;
            Some(Box::new(host::HostDetail::new(host.clone())))
        }
        RowId::Expiry(_) | RowId::Group(_) => None,
    }
}

/// The lines about a row: a pane of its place, or its host.
fn about(id: &RowId, pane: Pane, desk: &Desk) -> Vec<Line<'static>> {
    let Some((host, place)) = desk.find(id) else { return Vec::new() };
    let (verdict, findings) = desk.findings_of(id);
    let expiries = &desk.fleet.expiries;
    let dry_run = place.and_then(|it| {
        let (record, at) = desk.book.dry_run(&host.name, it.name.as_str())?;
        Some(DryRun { at, is_ok: record.text("ending") == Some("ok") })
    });
    let now = desk.now;
    let subject = Subject { host, place, verdict, findings: &findings, expiries, dry_run, now };
    if place.is_some() {
        detail::place(&subject, pane, &desk.page())
    } else {
        detail::host(&subject, &desk.page())
    }
}

/// The list, and beside or below it a look at what is selected, where there is room for one.
fn split(area: Rect) -> (Rect, Option<Rect>) {
    if area.width >= WIDE {
        let [list, look] =
            area.layout(&Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).spacing(2));
        (list, Some(look))
    } else if area.height >= TALL {
        let [list, look] =
            area.layout(&Layout::vertical([Constraint::Fill(2), Constraint::Fill(1)]).spacing(1));
        (list, Some(look))
    } else {
        (area, None)
    }
}

/// Columns from which a list leaves room at its right.
const WIDE: u16 = 180;
/// Rows from which a list leaves room below.
const TALL: u16 = 32;

/// The text of lines, without their style.
fn plain(lines: &[Line<'_>]) -> String {
    let mut text = lines.iter().map(Line::to_string).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}
