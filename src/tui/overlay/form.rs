//! What has to be chosen before there is a plan: a hook, a version, names.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::field::Field;
use super::{Answer, Overlay, Under, sheet};
use crate::action::{Offer, Subject};
use crate::fleet::Weight;
use crate::tui::desk::Desk;
use crate::tui::part::detail;
use crate::tui::request::{Request, with_target};

/// Choices to be made.
#[derive(Debug)]
pub(in crate::tui) struct Form {
    request: Request,
    entries: Vec<Entry>,
    at: usize,
    complaint: Option<String>,
}

#[derive(Debug)]
struct Entry {
    /// The name of the choice; `None` for the name of the lineage, which is part of the target.
    name: Option<&'static str>,
    value_name: &'static str,
    about: &'static str,
    is_required: bool,
    /// What can be chosen, best first.
    offers: Vec<Offer>,
    /// Which of them is chosen.
    chosen: Option<usize>,
    /// What is typed instead.
    field: Field,
}

impl Form {
    /// A form for everything that can be chosen, and what was wrong with it before.
    pub(in crate::tui) fn new(request: Request, complaint: Option<String>, desk: &Desk) -> Self {
        let mut entries = Vec::new();
        let first = request.targets.first();
        if request.kind.subject == Subject::Lineage && first.is_some_and(|it| it.lineage.is_none())
        {
            entries.push(Entry {
                name: None,
                value_name: "NAME",
                about: "what the lineage will be called",
                is_required: true,
                offers: Vec::new(),
                chosen: None,
                field: Field::default(),
            });
        }
        let is_alone = entries.is_empty() && request.kind.choices.len() == 1;
        for choice in request.kind.choices {
            let offers = first.and_then(|it| with_target(it, desk, |it| (choice.offers)(it)));
            let offers = offers.unwrap_or_default();
            let had = request.chosen.get(choice.name);
            if choice.is_override() && had.is_none() && complaint.is_none() {
                continue;
            }
            let chosen = offers.iter().position(|it| Some(it.value.as_str()) == had);
            let is_usual = is_alone && !choice.is_override();
            let suggested = (choice.is_required || is_usual) && had.is_none() && !offers.is_empty();
            let typed = had.filter(|_| chosen.is_none()).unwrap_or_default();
            entries.push(Entry {
                name: Some(choice.name),
                value_name: choice.value,
                about: choice.about,
                is_required: choice.is_required,
                offers,
                chosen: chosen.or_else(|| suggested.then_some(0)),
                field: Field::new(typed),
            });
        }
        Self { request, entries, at: 0, complaint }
    }

    /// The request with what is chosen now, or what is missing.
    fn filled(&self) -> Result<Request, &Entry> {
        let mut request = Request { is_filled: true, ..self.request.clone() };
        for entry in &self.entries {
            let value = entry.value();
            if entry.is_required && value.is_empty() {
                return Err(entry);
            }
            match entry.name {
                Some(name) => request.chosen.set(name, value),
                None => {
                    for target in &mut request.targets {
                        target.lineage = Some(value.clone());
                    }
                }
            }
        }
        Ok(request)
    }

    fn turn(&mut self, steps: isize) {
        let Some(entry) = self.entries.get_mut(self.at) else { return };
        entry.field = Field::default();
        let count = entry.offers.len();
        // What need not be chosen can also be left open.
        let places = count + usize::from(!entry.is_required);
        if places == 0 {
            return;
        }
        let now = entry.chosen.unwrap_or(count).min(places - 1);
        let next = (now + places).saturating_add_signed(steps) % places;
        entry.chosen = (next < count).then_some(next);
    }

    fn goes_on(&mut self) -> Answer {
        if self.at + 1 < self.entries.len() {
            self.at += 1;
            return Answer::Stay;
        }
        match self.filled() {
            Ok(request) => Answer::Ask(request),
            Err(entry) => Answer::Say(format!("{} is missing: {}", entry.title(), entry.about)),
        }
    }
}

impl Entry {
    fn value(&self) -> String {
        let typed = self.field.text().trim();
        if !typed.is_empty() {
            return typed.to_owned();
        }
        self.chosen
            .and_then(|it| self.offers.get(it))
            .map_or_else(String::new, |it| it.value.clone())
    }

    fn title(&self) -> &'static str {
        self.name.unwrap_or("lineage")
    }
}

impl Overlay for Form {
    fn key(&mut self, key: KeyEvent, _desk: &mut Desk, _under: &Under<'_>) -> Answer {
        let last = self.entries.len().saturating_sub(1);
        let is_alone = self.entries.len() == 1;
        let entry = self.entries.get(self.at);
        let has_offers = entry.is_some_and(|it| !it.offers.is_empty());
        let is_typing = entry.is_some_and(|it| !it.field.text().is_empty());
        if key.code == KeyCode::Enter {
            return self.goes_on();
        }
        self.complaint = None;
        match key.code {
            KeyCode::Esc => return Answer::CloseAnd("nothing was chosen".to_owned()),
            KeyCode::Down if is_alone && has_offers => self.turn(1),
            KeyCode::Up if is_alone && has_offers => self.turn(-1),
            KeyCode::Down | KeyCode::Tab => self.at = (self.at + 1).min(last),
            KeyCode::Up | KeyCode::BackTab => self.at = self.at.saturating_sub(1),
            KeyCode::Right if has_offers && !is_typing => self.turn(1),
            KeyCode::Left if has_offers && !is_typing => self.turn(-1),
            _ => {
                if let Some(entry) = self.entries.get_mut(self.at) {
                    entry.field.key(key);
                }
            }
        }
        Answer::Stay
    }

    fn paste(&mut self, text: &str, _desk: &mut Desk) -> bool {
        // Nothing happens by what is filled in here, and the card after it takes no paste.
        self.entries.get_mut(self.at).map(|it| it.field.paste(text)).is_some()
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("up down", "move"), ("left right", "choose"), ("enter", "go on"), ("esc", "close")]
    }

    fn draw(&self, desk: &Desk, _under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let (theme, page) = (&desk.theme, desk.page());
        let targets = match self.request.targets.as_slice() {
            [one] => one.name(),
            many => format!("{} targets", many.len()),
        };
        let title = format!("{}: {}", self.request.kind.title, page.shown(&targets));
        let offers = self.entries.get(self.at).map_or(0, |it| it.offers.len());
        // A refusal with what can be done meanwhile is longer than what a choice is about.
        let told = if self.complaint.is_some() { COMPLAINT } else { ABOUT };
        let height = self.entries.len() + offers + 4 + usize::from(told);
        let height = u16::try_from(height).unwrap_or(u16::MAX);
        let room = sheet::lay(&title, (90, height), theme, area, buf);
        let fields = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        let [fields, about, list] = room.layout(&Layout::vertical([
            Constraint::Length(fields.min(room.height.saturating_sub(told))),
            Constraint::Length(told),
            Constraint::Fill(1),
        ]));
        let first = sheet::first_shown(self.at, self.entries.len(), fields.height);
        for (row, (position, entry)) in (0..).zip(self.entries.iter().enumerate().skip(first)) {
            let is_selected = position == self.at;
            let mark = if is_selected { theme.glyphs().selected } else { " " };
            let style = if is_selected { theme.title() } else { theme.text() };
            let mut line = Line::from(vec![
                Span::styled(mark, theme.key()),
                sheet::column(entry.title(), 16, style),
            ]);
            let value = entry.value();
            let is_typed = entry.offers.is_empty() || !entry.field.text().is_empty();
            if is_selected && is_typed {
                line.extend(entry.field.line(None, theme).spans);
            } else if value.is_empty() {
                let word = if entry.is_required { "must be chosen" } else { "as usual" };
                line.push_span(Span::styled(format!("{word} ({})", entry.value_name), theme.dim()));
            } else {
                line.push_span(Span::styled(page.shown(&value).into_owned(), theme.text()));
            }
            sheet::put(row, &line, fields, buf);
        }
        let Some(entry) = self.entries.get(self.at) else { return };
        let told = match &self.complaint {
            Some(it) => Span::styled(page.shown(it).into_owned(), theme.weight(Weight::Wrong)),
            None => Span::styled(entry.about, theme.dim()),
        };
        let below = Rect { y: about.y + 1.min(about.height), ..about };
        let below = below.intersection(about);
        detail::draw(&[Line::from(vec![Span::raw("  "), told])], 0, &page, below, buf);
        draw_offers(entry, desk, list, buf);
    }
}

/// The rows for what a choice is about, and for what was wrong with it, the empty one before
/// them counted.
const ABOUT: u16 = 3;
const COMPLAINT: u16 = 8;

fn draw_offers(entry: &Entry, desk: &Desk, area: Rect, buf: &mut Buffer) {
    let (theme, page) = (&desk.theme, desk.page());
    // What is typed stands instead of all of them.
    let is_typed = !entry.field.text().is_empty();
    let chosen = entry.chosen.filter(|_| !is_typed).unwrap_or(entry.offers.len());
    let longest = entry.offers.iter().map(|it| it.value.chars().count()).max().unwrap_or(0);
    let width = longest.min(usize::from(area.width) / 2);
    let first = sheet::first_shown(chosen, entry.offers.len(), area.height);
    let shown = entry.offers.iter().enumerate().skip(first);
    for (row, (position, offer)) in (0..area.height).zip(shown) {
        let is_chosen = position == chosen;
        let sign = if is_chosen { "(x)" } else { "( )" };
        let style = if is_chosen { theme.title() } else { theme.text() };
        let line = Line::from(vec![
            Span::styled(format!("  {sign} "), theme.key()),
            sheet::column(&page.shown(&offer.value), width, style),
            Span::styled(page.shown(&offer.about).into_owned(), theme.dim()),
        ]);
        let at = Rect { y: area.y + row, height: 1, ..area };
        detail::draw(&[line], 0, &page, at, buf);
    }
}
