//! Every command by its name, found by a few of its letters.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use super::field::Field;
use super::{Answer, Do, Overlay, Under, sheet};
use crate::fleet::{human, seconds};
use crate::tui::arm;
use crate::tui::desk::Desk;
use crate::tui::keys::{Command, table};
use crate::tui::part::window::Window;
use crate::tui::rows::{GroupBy, Sort};
use crate::tui::theme;

/// The palette.
#[derive(Debug, Default)]
pub(in crate::tui) struct Palette {
    field: Field,
    selected: usize,
    /// Whether something in it was pasted: that arms nothing.
    is_pasted: bool,
}

/// Something to choose.
#[derive(Debug, Clone)]
struct Entry {
    name: String,
    about: String,
    does: Do,
}

impl Palette {
    /// What fits to what is typed, best first.
    fn entries(&self) -> Vec<Entry> {
        let typed = self.field.text().trim_start();
        if let Some(filter) = typed.strip_prefix("filter ") {
            return vec![Entry {
                name: format!("filter {filter}"),
                about: "show only what matches".to_owned(),
                does: Do::Filter(filter.to_owned()),
            }];
        }
        if let Some(entry) = arming(typed).or_else(|| hand_over(typed)) {
            return vec![entry];
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
        let mut letters = Vec::new();
        let mut score = |text: &str| pattern.score(Utf32Str::new(text, &mut letters), &mut matcher);
        let mut found: Vec<_> = all()
            .into_iter()
            .filter_map(|it| {
                // Letters in the name, or else whole words in the explanation.
                let has_words = || typed.split(' ').all(|word| it.about.contains(word));
                let rank = score(&it.name).or_else(|| has_words().then_some(0))?;
                Some((u32::from(it.name == typed), rank, it))
            })
            .collect();
        found.sort_by_key(|it| std::cmp::Reverse((it.0, it.1)));
        found.into_iter().map(|it| it.2).collect()
    }

    fn choose(&self, under: &Under<'_>) -> Answer {
        let typed = self.field.text();
        let time = typed.trim().strip_prefix("arm ");
        if let Some(wrong) = time.and_then(|it| arm::parse(it.trim()).err()) {
            return Answer::Say(format!("arm: {wrong}"));
        }
        let Some(entry) = self.entries().into_iter().nth(self.selected) else {
            return Answer::Say(format!("no command has `{typed}` in it"));
        };
        match (refusal(&entry, under), &entry.does) {
            (Some(why), _) => Answer::Say(format!("{}: {why}", entry.name)),
            (None, Do::Arm(_)) if self.is_pasted => {
                Answer::Say("arm: this is typed, not pasted".to_owned())
            }
            (None, Do::Arm(_)) if arming(typed.trim()).is_none() => {
                Answer::Say("arm: this is typed in full, as in arm 15m".to_owned())
            }
            (None, _) => Answer::Do(entry.does),
        }
    }
}

impl Overlay for Palette {
    fn key(&mut self, key: KeyEvent, _desk: &mut Desk, under: &Under<'_>) -> Answer {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let last = self.entries().len().saturating_sub(1);
        match (key.code, is_control) {
            (KeyCode::Esc, _) => return Answer::Close,
            (KeyCode::Enter, _) => return self.choose(under),
            (KeyCode::Down, _) | (KeyCode::Char('n'), true) => self.selected += 1,
            (KeyCode::Up, _) | (KeyCode::Char('p'), true) => {
                self.selected = self.selected.saturating_sub(1);
            }
            (KeyCode::PageDown, _) => self.selected += 10,
            (KeyCode::PageUp, _) => self.selected = self.selected.saturating_sub(10),
            _ => {
                if self.field.key(key) {
                    self.selected = 0;
                    self.is_pasted &= !self.field.text().is_empty();
                }
            }
        }
        self.selected = self.selected.min(last);
        Answer::Stay
    }

    fn paste(&mut self, text: &str, _desk: &mut Desk) -> bool {
        self.field.paste(text);
        self.selected = 0;
        self.is_pasted = true;
        true
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("up down", "choose"), ("enter", "run"), ("esc", "close")]
    }

    fn draw(&self, desk: &Desk, under: &Under<'_>, area: Rect, buf: &mut Buffer) {
        let theme = &desk.theme;
        let room = sheet::lay("Commands", (96, 24), theme, area, buf);
        let mut typed = self.field.line(None, theme);
        typed.spans.insert(0, Span::styled(": ", theme.key()));
        sheet::put(0, &typed, room, buf);
        let entries = self.entries();
        if entries.is_empty() {
            let none = Line::styled("no command has this in it", theme.dim());
            sheet::put(2, &none, room, buf);
        }
        let page = room.height.saturating_sub(2);
        let first = sheet::first_shown(self.selected, entries.len(), page);
        for (row, (position, entry)) in (2..).zip(entries.iter().enumerate().skip(first)) {
            let why = refusal(entry, under);
            let keys = match entry.does {
                Do::Command(command) => under.keymap.keys(command),
                _ => String::new(),
            };
            let style = if why.is_some() { theme.dim() } else { theme.text() };
            let is_selected = position == self.selected;
            let mark = if is_selected { theme.glyphs().selected } else { " " };
            let about =
                why.as_ref().map_or_else(|| entry.about.clone(), |it| format!("not now: {it}"));
            let mut line = Line::from(vec![
                Span::styled(mark, theme.key()),
                sheet::column(&entry.name, 20, style),
                sheet::column(&keys, 14, theme.key()),
            ]);
            let left = usize::from(room.width).saturating_sub(line.width());
            line.push_span(sheet::cut(&about, left, style, theme));
            if is_selected {
                line = line.style(theme.selected().add_modifier(Modifier::BOLD));
            }
            sheet::put(row, &line, room, buf);
        }
    }
}

fn refusal(entry: &Entry, under: &Under<'_>) -> Option<String> {
    match entry.does {
        Do::Command(command) => under.refusal(command).map(str::to_owned),
        Do::Arm(_) => under.arming.bar().map(ToString::to_string),
        _ => None,
    }
}

/// What `arm`, `arm 15m` and `disarm` do when they are typed in full.
fn arming(typed: &str) -> Option<Entry> {
    let mut words = typed.split_whitespace();
    let (command, time) = (words.next()?, words.next());
    if words.next().is_some() {
        return None;
    }
    match (command, time) {
        ("disarm", None) => {
            Some(entry("disarm".to_owned(), "read-only again, at once", Do::Disarm))
        }
        ("arm", None) => Some(arm_entry(arm::USUAL)),
        ("arm", Some(time)) => match arm::parse(time) {
            Ok(seconds) => Some(arm_entry(seconds)),
            Err(_) => None,
        },
        _ => None,
    }
}

/// What `incident 3h` and `incident 3h FILE` do.
fn hand_over(typed: &str) -> Option<Entry> {
    let rest = typed.strip_prefix("incident ")?.trim();
    let (length, file) = rest.split_once(' ').unwrap_or((rest, ""));
    let length = seconds(length).filter(|it| *it > 0)?;
    let file = Some(file.trim()).filter(|it| !it.is_empty()).map(str::to_owned);
    let about = "write the hand-over of that time, and copy a status for the chat";
    Some(entry(format!("incident {rest}"), about, Do::HandOver(length, file)))
}

fn arm_entry(seconds: i64) -> Entry {
    let (hours, minutes, seconds_left) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "m"), (seconds_left, "s")];
    let time: Vec<_> =
        parts.iter().filter(|it| it.0 > 0).map(|(many, unit)| format!("{many}{unit}")).collect();
    let name = format!("arm {}", time.join(" "));
    entry(name, "let this console change things, for that long", Do::Arm(seconds))
}

/// Everything that can be chosen.
fn all() -> Vec<Entry> {
    // The palette itself, and what needs no name, are left out.
    let skipped = [Command::Palette, Command::Interrupt, Command::Escape];
    let mut all: Vec<_> = table()
        .iter()
        .filter(|it| !skipped.contains(&it.command))
        .map(|it| entry(it.name.to_owned(), it.help, Do::Command(it.command)))
        .collect();
    all.extend(Sort::ALL.map(|it| {
        let name = format!("sort {}", it.word().trim_start_matches("time "));
        entry(name, "put rows in this order", Do::Sort(it))
    }));
    all.extend(
        GroupBy::ALL
            .map(|it| entry(format!("group {}", it.word()), "gather rows by this", Do::Group(it))),
    );
    all.extend(Window::LADDER.map(|it| {
        let days = if it < 172_800 { human(it) } else { format!("{}d", it / 86_400) };
        entry(format!("zoom {days}"), "a window of this length", Do::Zoom(it))
    }));
    all.extend(
        theme::ALL
            .iter()
            .map(|it| entry(format!("theme {}", it.name), it.about, Do::Theme(it.name))),
    );
    all.push(arm_entry(arm::USUAL));
    all.push(entry("disarm".to_owned(), "read-only again, at once", Do::Disarm));
    all.push(entry("quit".to_owned(), "leave from here", Do::Leave));
    // Where nothing is typed, what does something stands first: nobody looks for the arrows here.
    all.sort_by_key(|it| matches!(it.does, Do::Command(it) if MOTIONS.contains(&it)));
    #[cfg(debug_assertions)]
    all.push(entry("panic".to_owned(), "fall over", Do::Panic));
    all
}

/// What moves to another row, or to the next tab or part of a window.
const MOTIONS: [Command; 20] = [
    Command::Down,
    Command::Up,
    Command::Top,
    Command::Bottom,
    Command::HalfDown,
    Command::HalfUp,
    Command::PageDown,
    Command::PageUp,
    Command::Open,
    Command::NextPane,
    Command::PreviousPane,
    Command::PanLeft,
    Command::PanRight,
    Command::PanFarLeft,
    Command::PanFarRight,
    Command::PointLeft,
    Command::PointRight,
    Command::NextTab,
    Command::PreviousTab,
    Command::LastScreen,
];

fn entry(name: String, about: &str, does: Do) -> Entry {
    Entry { name, about: about.to_owned(), does }
}
