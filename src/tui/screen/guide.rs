//! A guided run: the steps, and the current one with why, command, expectation and way back.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::scroll::Scroll;
use super::{Outcome, Screen, plain};
use crate::fleet::{HostName, Weight};
use crate::guide::{Answer, Does, Mark};
use crate::tui::desk::Desk;
use crate::tui::guided::Guided;
use crate::tui::keys::{Command, Place};
use crate::tui::part::detail;
use crate::tui::part::sheet::Sheet;
use crate::tui::rows::RowId;

/// The screen about the guided run.
#[derive(Debug, Default)]
pub(super) struct Guide {
    scroll: Scroll,
    /// The step that was shown, to begin the next one at its top.
    shown: Option<(&'static str, String)>,
}

impl Screen for Guide {
    fn place(&self) -> Place {
        Place::Guide
    }

    fn run(&mut self, command: Command, desk: &mut Desk, area: Rect) -> Outcome {
        if self.scroll.go(command, &lines(desk), areas(area).1) {
            return Outcome::Done;
        }
        let Some(step) = desk.guide.as_ref().and_then(|it| it.step.as_ref()) else {
            return Outcome::Ignored;
        };
        match (command, &step.does) {
            (Command::Open, Does::Look | Does::End) => Outcome::Guide(Answer::Yes),
            (Command::Open, Does::Other) => Outcome::Guide(Answer::Other),
            (Command::Open, Does::Check(_)) => Outcome::Check,
            (Command::Open, Does::Wait) => Outcome::Say(WAIT.to_owned()),
            (Command::Open, Does::Change(_)) => Outcome::Step,
            (Command::Open, Does::Blocked) => Outcome::Say(BLOCKED.to_owned()),
            (Command::SkipStep, Does::End) => {
                Outcome::Say("the last step is not skipped: q leaves the run open".to_owned())
            }
            (Command::SkipStep, _) => Outcome::SkipStep,
            (Command::StepBack, _) => Outcome::Guide(Answer::Back),
            _ => Outcome::Ignored,
        }
    }

    fn settle(&mut self, desk: &Desk, area: Rect) {
        let step = desk.guide.as_ref().and_then(|it| it.step.as_ref());
        let shown = step.map(|it| (it.kind.name, it.about.clone()));
        if shown != self.shown {
            self.shown = shown;
            self.scroll.reset();
        }
        self.scroll.settle(&lines(desk), areas(area).1);
    }

    fn draw(&self, desk: &Desk, area: Rect, buf: &mut Buffer) {
        let (list, text) = areas(area);
        let page = desk.page();
        if let Some(list) = list {
            detail::draw(&steps(desk), 0, &page, list, buf);
        }
        detail::draw(&lines(desk), self.scroll.first(), &page, text, buf);
    }

    fn selected(&self, desk: &Desk) -> Option<RowId> {
        let host = desk.guide.as_ref()?.hosts.first()?;
        desk.row_at(host, None)
    }

    fn hosts(&self, desk: &Desk) -> Vec<HostName> {
        desk.guide.as_ref().map_or_else(Vec::new, |it| it.hosts.clone())
    }

    fn text(&self, desk: &Desk) -> String {
        plain(&lines(desk))
    }

    fn hints(&self) -> &'static [Command] {
        &[
            Command::Open,
            Command::Rescan,
            Command::SkipStep,
            Command::StepBack,
            Command::Pager,
            Command::Help,
            Command::Quit,
        ]
    }
}

/// The steps, one to a line.
fn steps(desk: &Desk) -> Vec<Line<'static>> {
    let (theme, page) = (&desk.theme, desk.page());
    let Some(guided) = &desk.guide else { return Vec::new() };
    let line = |(kind, mark): &(&'static crate::guide::Kind, Mark)| {
        let (sign, style) = match mark {
            Mark::Done => ("+", theme.text()),
            Mark::Here => (">", theme.title().add_modifier(Modifier::REVERSED)),
            Mark::Skipped => ("-", theme.weight(Weight::Due)),
            Mark::NotNeeded | Mark::ToCome => (" ", theme.dim()),
        };
        Line::from(vec![
            Span::styled(format!(" {sign} "), style),
            Span::styled(page.shown(kind.title).into_owned(), style),
        ])
    };
    guided.marks.iter().map(line).collect()
}

/// The current step.
fn lines(desk: &Desk) -> Vec<Line<'static>> {
    let page = desk.page();
    let theme = &desk.theme;
    let mut sheet = Sheet::new(&page);
    match &desk.guide {
        None => {
            sheet.nothing("No guided run is under way here. Select what is down, then a e.");
        }
        Some(guided) => tell(guided, desk, &mut sheet),
    }
    if desk.guide.as_ref().is_some_and(|it| it.step.is_none()) {
        sheet.text(0, "The run is closed.", theme.title());
    }
    sheet.lines()
}

fn tell(guided: &Guided, desk: &Desk, sheet: &mut Sheet<'_>) {
    let theme = &desk.theme;
    let Some(step) = &guided.step else { return };
    let at = guided.marks.iter().position(|it| it.1 == Mark::Here).unwrap_or_default() + 1;
    let title = format!("{}  ({at} of {})", step.kind.title, guided.marks.len());
    sheet.text(0, &title, theme.title().add_modifier(Modifier::BOLD));
    let mut last = None;
    for (label, line) in step.lines() {
        if !label.is_empty() && last.is_none_or(str::is_empty) {
            sheet.heading("");
        }
        let shown = if last == Some(label) { "" } else { label };
        last = Some(label);
        match label {
            "" => sheet.text(0, line.as_str(), theme.text()),
            "Command" => sheet.styled_field(shown, line.as_str(), theme.title()),
            _ => sheet.field(shown, line.as_str()),
        };
    }
    sheet.heading("");
    let open = desk.keymap.key(Command::Open).unwrap_or_default();
    match step.does {
        Does::Blocked => sheet.text(0, BLOCKED, theme.weight(Weight::Due)),
        Does::Change(_) => {
            let text = format!("{open}: {}; it is reviewed and confirmed first", step.yes);
            sheet.text(0, &text, theme.title())
        }
        Does::Wait => sheet.text(0, WAIT, theme.dim()),
        Does::Other => {
            let text = format!("{open}: {}; or skip it for a reason: order all the same", step.yes);
            sheet.text(0, &text, theme.weight(Weight::Due))
        }
        Does::Look | Does::Check(_) | Does::End => {
            sheet.text(0, &format!("{open}: {}", step.yes), theme.title())
        }
    };
    sheet.field("Go on", &guided.run.resume());
}

const WAIT: &str = "the checks are under way: what each says is told as it ends";
const BLOCKED: &str = "mend what is in the way and look again, or skip the step for a reason";

/// The list of steps, where there is room for it, and the current one.
fn areas(area: Rect) -> (Option<Rect>, Rect) {
    if area.width < WIDE {
        return (None, area);
    }
    let parts = Layout::horizontal([Constraint::Length(LIST), Constraint::Fill(1)]).spacing(1);
    let [list, text] = area.layout(&parts);
    (Some(list), text)
}

/// Columns from which the steps are listed.
const WIDE: u16 = 96;
/// Columns of that list.
const LIST: u16 = 35;
