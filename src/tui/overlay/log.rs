//! The command log: which command ran on which host, what came of it, how long it took.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr as _;

use super::{Answer, Overlay, Under, sheet};
use crate::fleet::{HostName, Weight};
use crate::source::{self, Nonce};
use crate::text::SafeText;
use crate::tui::commands;
use crate::tui::desk::Desk;
use crate::tui::part::detail;

/// The command log.
#[derive(Debug, Default)]
pub(in crate::tui) struct Log {
    selected: usize,
    first: usize,
}

impl Overlay for Log {
    fn key(&mut self, key: KeyEvent, _desk: &mut Desk, under: &Under<'_>) -> Answer {
        match key.code {
            KeyCode::Down | KeyCode::Char('j') => self.selected += 1,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown => self.first += 5,
            KeyCode::PageUp => self.first = self.first.saturating_sub(5),
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '@') => return Answer::Close,
            _ => return Answer::Say("j k choose one, PgUp PgDn its script, esc closes".into()),
        }
        if matches!(key.code, KeyCode::Down | KeyCode::Up | KeyCode::Char(_)) {
            self.first = 0;
        }
        self.selected = self.selected.min(under.record.entries().len().saturating_sub(1));
        self.first = self.first.min(MAX_SCRIPT);
        Answer::Stay
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("j k", "choose"), ("pgup pgdn", "its script"), ("esc", "close")]
    }

    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let theme = &desk.theme;
        let page = desk.page();
        let room = sheet::lay("Command log", (u16::MAX, u16::MAX), theme, area, buf);
        let [list, _, script] = room.layout(&Layout::vertical([
            Constraint::Fill(1),
            Constraint::Length(1),
            Constraint::Fill(1),
        ]));
        let entries = under.record.entries();
        if entries.is_empty() {
            let none = "nothing has run on any host since this console was opened";
            sheet::put(0, &Line::styled(none, theme.dim()), list, buf);
            return;
        }
        let first = sheet::first_shown(self.selected, entries.len(), list.height);
        let longest = entries.iter().map(|it| page.shown(it.host.as_str()).width()).max();
        let host = longest.unwrap_or(0).min(MAX_HOST);
        for (row, (position, entry)) in (0..list.height).zip(entries.iter().enumerate().skip(first))
        {
            let is_selected = position == self.selected;
            let mark = if is_selected { theme.glyphs().selected } else { " " };
            let took = format!("{} ms", entry.took.as_millis());
            let time = entry.at.to_string();
            let result = if entry.is_well { theme.text() } else { theme.weight(Weight::Wrong) };
            let mut line = Line::from(vec![
                Span::styled(mark, theme.key()),
                sheet::column(&time, 20, theme.dim()),
                sheet::column(&page.shown(entry.host.as_str()), host, theme.text()),
                sheet::column(&format!("{took:>9}"), 9, theme.dim()),
                Span::styled(page.shown(entry.result.as_str()).into_owned(), result),
            ]);
            if is_selected {
                line = line.style(theme.selected());
            }
            let at = Rect { y: list.y + row, height: 1, ..list };
            detail::draw(&[line], 0, &page, at, buf);
        }
        let Some(entry) = entries.get(self.selected) else { return };
        let told = match &entry.job {
            Some((op, commands)) => job_lines(&op.to_string(), commands),
            None => script_lines(&entry.host, desk),
        };
        let lines: Vec<Line<'_>> = told
            .iter()
            .map(|it| Line::from(vec![Span::raw(""), Span::raw(page.shown(it).into_owned())]))
            .collect();
        let first = self.first.min(lines.len().saturating_sub(usize::from(script.height)));
        detail::draw(&lines, first, &page, script, buf);
    }
}

/// What a job ran.
fn job_lines(op: &str, commands: &[String]) -> Vec<String> {
    let mut lines = vec![format!("a detached job on the host, {op}, ran:"), String::new()];
    lines.extend(commands.iter().map(|it| SafeText::new(it).to_string()));
    lines
}

/// The command for a host, and the script that it reads.
fn script_lines(name: &HostName, desk: &Desk) -> Vec<String> {
    let told = desk.inventory.host(name.as_str());
    let Some((told, known)) = told.zip(desk.fleet.host(name)) else {
        return vec!["this host is not in the inventory any more".to_owned()];
    };
    let nonce = Nonce::new([0; 16]);
    let script = source::ask_all(&told.sources, known, &nonce);
    let mut lines = vec![
        format!("{}   < script", commands::scan(desk.ssh_config.as_deref(), told)),
        "the script, with a random word of its own for each visit instead of zeros:".to_owned(),
        String::new(),
    ];
    lines.extend(script.lines().map(str::to_owned));
    lines
}

/// The most cells that hosts take.
const MAX_HOST: usize = 24;
/// More lines than any script has.
const MAX_SCRIPT: usize = 10_000;
