//! One job: what runs, what it prints, and what became of it. Or all that were confirmed together.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::Line;

use super::scroll::Scroll;
use super::{Outcome, Screen, plain};
use crate::fleet::{Fingerprint, Weight, human};
use crate::perform::Report;
use crate::text::SafeText;
use crate::tui::desk::Desk;
use crate::tui::jobs::{Job, JobId, RunView, ending_word};
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail;
use crate::tui::part::sheet::{Sheet, when};
use crate::tui::rows::RowId;

/// A screen about one job, or a run of many.
#[derive(Debug)]
pub(super) struct JobDetail {
    id: JobId,
    scroll: Scroll,
    /// Whether the end stays in view while more is printed.
    follows: bool,
    was_over: bool,
}

impl JobDetail {
    /// A screen about that job.
    pub(super) fn new(id: JobId, desk: &Desk) -> Self {
        let is_over = is_over(id, desk);
        Self { id, scroll: Scroll::default(), follows: !is_over, was_over: is_over }
    }

    fn keep(&self, desk: &Desk) -> Outcome {
        let Some(job) = desk.jobs.job(self.id) else {
            return Outcome::Say("open one of its jobs: each has output of its own".to_owned());
        };
        if job.output.is_empty() {
            return Outcome::Say("nothing was printed yet".to_owned());
        }
        let op = job.op.map_or_else(|| "job".to_owned(), |it| it.to_string());
        let mut text = String::new();
        for line in job.output.lines() {
            text.push_str(line.as_str());
            text.push('\n');
        }
        Outcome::Keep { name: format!("output-{op}.txt"), text }
    }
}

impl Screen for JobDetail {
    fn place(&self) -> Place {
        Place::Job
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        let text = areas(area).1;
        let lines = lines(self.id, desk);
        if self.scroll.go(command, &lines, text) {
            // Whoever goes up wants to read, whoever goes to the end wants to follow.
            self.follows = command == Command::Bottom && !is_over(self.id, desk);
            return Outcome::Done;
        }
        match command {
            Command::Follow if is_over(self.id, desk) => {
                Outcome::Say("it has ended: nothing more will be printed".to_owned())
            }
            Command::Follow => {
                self.follows = !self.follows;
                let text = if self.follows { "follows what is printed" } else { "stays here" };
                Outcome::Say(text.to_owned())
            }
            Command::KeepOutput => self.keep(desk),
            Command::Open => match self.selected(desk) {
                Some(id) => super::open_row(&id, desk).map_or(Outcome::Ignored, Outcome::Open),
                None => Outcome::Say("its certificate is not known any more".to_owned()),
            },
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        let (text, lines) = (areas(area).1, lines(self.id, desk));
        // What became of it stands at the beginning.
        if !self.was_over && is_over(self.id, desk) {
            self.was_over = true;
            if self.follows {
                self.follows = false;
                self.scroll.reset();
            }
        }
        if self.follows {
            self.scroll.go_to_end(&lines, text);
        }
        self.scroll.settle(&lines, text);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (title, text) = areas(area);
        let page = desk.page();
        let mode = match (is_over(self.id, desk), self.follows) {
            (true, _) => "",
            (false, true) => "   follows; space stays here",
            (false, false) => "   stays here; space follows",
        };
        let heading = format!(" {}{mode}", page.shown(&heading(self.id, desk)));
        let heading = Line::styled(heading, desk.theme.title());
        detail::draw(&[heading], 0, &page, title, buf);
        detail::draw(&lines(self.id, desk), self.scroll.first(), &page, text, buf);
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        row(self.id, desk)
    }

    fn job(&self, _desk: &Desk) -> Option<JobId> {
        Some(self.id)
    }

    fn text(&self, desk: &Desk) -> String {
        format!("{}\n\n{}", heading(self.id, desk), plain(&lines(self.id, desk)))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Follow,
            Command::Stop,
            Command::Again,
            Command::KeepOutput,
            Command::Pager,
            Command::Open,
            Command::Help,
            Command::Quit,
        ]
    }
}

/// The row of the certificate or host that a job is about.
pub(super) fn row(id: JobId, desk: &Desk) -> Option<RowId> {
    let job = desk.jobs.job(id)?;
    desk.row_at(&job.host, job.place.as_ref().map(SafeText::as_str))
}

/// The lines about a job or a run.
pub(super) fn lines(id: JobId, desk: &Desk) -> Vec<Line<'static>> {
    let page = desk.page();
    let mut sheet = Sheet::new(&page);
    match (desk.jobs.run(id), desk.jobs.job(id)) {
        (Some(run), Some(job)) => about_job(run, job, desk, &mut sheet),
        (Some(run), None) => about_run(run, desk, &mut sheet),
        (None, _) => {
            sheet.nothing("This job is not known any more; the audit log (5) has it.");
        }
    }
    sheet.lines()
}

fn about_job(run: &RunView, job: &Job, desk: &Desk, sheet: &mut Sheet<'_>) {
    let theme = &desk.theme;
    let weight = job.state.weight();
    let style = theme.weight(weight).add_modifier(Modifier::BOLD);
    let head = format!("{} {}", theme.glyphs().weight(weight), job.state.word());
    sheet.text(0, &head, style);
    if let Some(report) = &job.report {
        about_end(report, job, desk, sheet);
    } else {
        sheet.field("Now", job.remark().as_str());
    }
    sheet.heading("What was asked for");
    sheet.field("Action", &format!("{} {}", run.action_of(job), job.target()));
    sheet.field("Confirmed", &when(job.asked, desk.now));
    let took = job.elapsed(desk.now).map(human);
    sheet.maybe(if job.is_over() { "Took" } else { "Takes" }, took);
    sheet.maybe("Wave", run.wave_words());
    sheet.maybe("Job", job.op.map(|it| it.to_string()));
    for (number, command) in job.commands.iter().enumerate() {
        sheet.styled_field(if number == 0 { "Runs" } else { "" }, command, theme.title());
    }
    sheet.heading("Output");
    if job.output.left_out > 0 {
        sheet.nothing(&format!("{} lines before are not kept here", job.output.left_out));
    }
    if job.output.is_empty() {
        sheet.nothing("nothing was printed");
    }
    for line in job.output.lines() {
        sheet.text(0, line.as_str(), theme.text());
    }
}

/// What happened, in what state things are, what to do next, and where the log is.
fn about_end(report: &Report, job: &Job, desk: &Desk, sheet: &mut Sheet<'_>) {
    let theme = &desk.theme;
    sheet.field("Happened", report.summary.as_str());
    for (number, line) in report.state.iter().enumerate() {
        sheet.field(if number == 0 { "State" } else { "" }, line.as_str());
    }
    if let Some(it) = &report.explanation {
        sheet.styled_field("Cause", it.cause.as_str(), theme.weight(Weight::Wrong));
        sheet.styled_field("Next", it.next.as_str(), theme.title());
    }
    sheet.maybe("Log", report.log.as_ref());
    match (report.before, report.after) {
        (None, None) => {}
        (before, after) if before == after => {
            sheet.maybe("Live", before.map(|it| format!("{} as before", short(it))));
        }
        (before, after) => {
            let [before, after] =
                [before, after].map(|it| it.map_or_else(|| "none".to_owned(), short));
            sheet.field("Live", &format!("{before} {} {after}", theme.glyphs().arrow));
        }
    }
    for probe in &report.probes {
        let text = match &probe.served {
            Ok(chain) => {
                let is_new = report.after == Some(chain.leaf.sha256);
                let what = if is_new { "serves it" } else { "serves another certificate" };
                format!("{} at {} {what}: {}", probe.name, probe.address, short(chain.leaf.sha256))
            }
            Err(why) => format!("{} at {}: {why}", probe.name, probe.address),
        };
        sheet.field("Wire", &text);
    }
    let audited = job.op.and_then(|op| {
        let of_action: Vec<_> =
            desk.book.of_action(op).map(|it| format!("#{} {}", it.seq, it.kind)).collect();
        (!of_action.is_empty()).then(|| of_action.join(", "))
    });
    sheet.maybe("Audit", audited);
}

fn about_run(run: &RunView, desk: &Desk, sheet: &mut Sheet<'_>) {
    let theme = &desk.theme;
    let weight = run.weight();
    let counts: Vec<_> = run.counts().iter().map(|(word, many)| format!("{many} {word}")).collect();
    let head = format!("{} {}", theme.glyphs().weight(weight), counts.join(", "));
    sheet.text(0, &head, theme.weight(weight).add_modifier(Modifier::BOLD));
    sheet.maybe("Wave", run.wave_words());
    if let Some(it) = &run.rollout {
        sheet.field("Remains", &it.words());
        sheet.field("Go on", &it.resume);
        let keys = match it.at_it {
            Some(_) => "a w lets what has not begun wait, or go on",
            None => "a a plans what waits and what failed anew",
        };
        sheet.field("", keys);
    }
    let has_failed = run.asked().any(|it| it.is_over() && it.state.word() != OK);
    if has_failed && run.rollout.is_none() {
        sheet.field("Again", "a a plans the failed and those that were not begun anew");
    }
    for job in &run.jobs {
        let weight = job.state.weight();
        let sign = theme.glyphs().weight(weight);
        let what = match &job.follows {
            Some(it) => format!("{} {}", it.kind.name, job.target()),
            None => job.target(),
        };
        sheet.heading(&format!("{sign} {}  {what}", job.state.word()));
        sheet.text(2, job.remark().as_str(), theme.weight(weight));
        let next = job.report.as_ref().and_then(|it| it.explanation.as_ref());
        if let Some(it) = next {
            sheet.text(2, &format!("next: {}", it.next), theme.text());
        }
    }
}

fn heading(id: JobId, desk: &Desk) -> String {
    match (desk.jobs.run(id), desk.jobs.job(id)) {
        (Some(run), Some(job)) => format!("{} {}", run.action_of(job), job.target()),
        (Some(run), None) => format!("{} {}", run.action, run.asked().count()),
        _ => String::new(),
    }
}

fn is_over(id: JobId, desk: &Desk) -> bool {
    match (desk.jobs.run(id), desk.jobs.job(id)) {
        (_, Some(job)) => job.is_over(),
        (Some(run), None) => run.jobs.iter().all(Job::is_over),
        (None, None) => true,
    }
}

fn short(it: Fingerprint) -> String {
    it.to_string().chars().take(16).collect()
}

/// Title and text.
fn areas(area: Rect) -> (Rect, Rect) {
    let [title, text] =
        area.layout(&Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]));
    (title, text)
}

const OK: &str = ending_word(crate::perform::Ending::Ok);
