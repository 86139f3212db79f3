//! A drill: what is to be solved and the hints so far; or, at its end, what it was worth.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::Line;

use super::{Answer, Do, Overlay, Under, sheet};
use crate::drill::Drill;
use crate::fleet::human;
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, Keymap};
use crate::tui::part::detail;
use crate::tui::part::sheet::Sheet;

/// The sheet of a drill.
#[derive(Debug, Default)]
pub(in crate::tui) struct DrillSheet {
    first: usize,
}

impl Overlay for DrillSheet {
    fn key(&mut self, key: KeyEvent, desk: &mut Desk, under: &Under<'_>) -> Answer {
        match key.code {
            KeyCode::Down | KeyCode::Char('j') => self.first += 1,
            KeyCode::Up | KeyCode::Char('k') => self.first = self.first.saturating_sub(1),
            // For terminals that have no F2.
            KeyCode::Char('h') => return Answer::Do(Do::Command(Command::Hint)),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => return Answer::Close,
            _ => return Answer::Say("esc closes this".to_owned()),
        }
        let lines = lines(desk, under.keymap);
        self.first = self.first.min(lines.len().saturating_sub(1));
        Answer::Stay
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("j k", "scroll"), ("h", "hint"), ("esc", "close")]
    }

    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let lines = lines(desk, under.keymap);
        let size = (area.width.min(WIDEST), area.height);
        let height = detail::height(&lines, size.0.saturating_sub(2)).saturating_add(2);
        let title = desk.drill.as_ref().map_or("Practice", Drill::title);
        let title = format!("Practice: {title}");
        let room = sheet::lay(&title, (size.0, height), &desk.theme, area, buf);
        let page = desk.page();
        detail::draw(&lines, detail::settled(self.first, &lines, room), &page, room, buf);
    }
}

fn lines(desk: &Desk, keymap: &Keymap) -> Vec<Line<'static>> {
    let page = desk.page();
    let mut sheet = Sheet::new(&page);
    match &desk.drill {
        None => drop(sheet.nothing("This is no drill: certdeck practice begins one.")),
        Some(drill) if drill.is_over() => tell_end(drill, desk, &mut sheet),
        Some(drill) => tell_task(drill, desk, keymap, &mut sheet),
    }
    sheet.lines()
}

fn tell_task(drill: &Drill, desk: &Desk, keymap: &Keymap, sheet: &mut Sheet<'_>) {
    let theme = &desk.theme;
    sheet.text(0, drill.task.page, theme.title().add_modifier(Modifier::BOLD));
    sheet.text(0, "", theme.text());
    sheet.field("Begun", &format!("{} ago", human(desk.now.since(drill.begun).max(0))));
    sheet.field("Look for", drill.task.about);
    for (number, hint) in (1..).zip(drill.told()) {
        sheet.field(&format!("Hint {number}"), hint);
    }
    sheet.text(0, "", theme.text());
    sheet.text(0, RULES, theme.text());
    let keys = [
        (Command::Emergency, "guides step by step"),
        (Command::Hint, "or h here gives a hint, for 10 points"),
        (Command::Practice, "shows this again"),
    ];
    let keys = keys.iter().filter_map(|(it, what)| Some(format!("{} {what}", keymap.key(*it)?)));
    let keys: Vec<_> = keys.collect();
    sheet.text(0, &format!("{}. :give-up ends it.", keys.join(", ")), theme.dim());
}

fn tell_end(drill: &Drill, desk: &Desk, sheet: &mut Sheet<'_>) {
    let score = drill.score(desk.book.records(), desk.now);
    let (lines, theme) = (score.lines(), &desk.theme);
    for (at, line) in lines.iter().enumerate() {
        let style = if at == 0 { theme.title() } else { theme.text() };
        sheet.text(0, line, style);
    }
    sheet.text(0, "", theme.text());
    if !score.is_solved {
        sheet.field("The page", drill.task.page);
        for (number, hint) in (1..).zip(drill.task.hints) {
            sheet.field(&format!("Hint {number}"), hint);
        }
    }
    sheet.text(0, "Look around as long as you like; q leaves.", theme.dim());
}

const RULES: &str = "Do as you would at night: find the cause, mend it, prove it on every node. The console is read-only until :arm 15m, as always.";

/// Columns beyond which lines are hard to read.
const WIDEST: u16 = 92;
