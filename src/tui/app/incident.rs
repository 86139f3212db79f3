//! An incident that goes on: its hand-over, whom to call, and telling whoever does not look.

use std::time::Duration;

use super::App;
use crate::fleet::DAY;
use crate::text::SafeText;
use crate::tui::desk::Desk;
use crate::tui::keys::Command;
use crate::tui::msg::{Effect, HandOver};
use crate::tui::overlay::Notice;
use crate::tui::screen;

/// Whether somebody looks at the terminal.
#[derive(Debug, Default)]
pub(super) struct Attention {
    /// What the terminal says; not every one does.
    pub(super) has_focus: Option<bool>,
    /// When the last key was pressed.
    pub(super) key_at: Option<Duration>,
}

impl Attention {
    /// Where a terminal does not tell, whoever has just pressed a key looks.
    fn is_there(&self, up: Duration) -> bool {
        let is_at_keys = || self.key_at.is_some_and(|it| up.saturating_sub(it) < AT_KEYS);
        self.has_focus.unwrap_or_else(is_at_keys)
    }
}

impl App {
    /// Writes the hand-over of the last day; where the audit log is searched, of what was found.
    pub(super) fn hand_over(&mut self) -> Vec<Effect> {
        let audit = screen::ALL.iter().position(|it| it.command == Command::Screen5);
        let is_searched = self.trail.number() == audit && !self.desk.search.is_empty();
        let only = is_searched.then(|| self.desk.found.iter().copied().collect());
        // What was found may be older.
        let seconds = if is_searched { i64::MAX } else { DAY };
        self.say("the hand-over is being written");
        vec![Effect::HandOver(HandOver { seconds, only, path: None })]
    }

    /// Shows where the hand-over is, and offers its status to the clipboard.
    pub(super) fn take_handed_over(
        &mut self,
        written: Result<(std::path::PathBuf, String), SafeText>,
    ) -> Vec<Effect> {
        let (path, status) = match written {
            Ok(written) => written,
            Err(why) => {
                self.say(&format!("no hand-over was written: {why}"));
                return Vec::new();
            }
        };
        let path = path.display().to_string();
        if self.overlay.is_none() {
            let text = format!("It is in {path}\n\nCopied, to be pasted into a chat:\n\n{status}");
            self.lay(Notice::new("Hand-over", &text));
        } else {
            self.say(&format!("the hand-over is in {path}"));
        }
        vec![Effect::Copy { what: "the status", text: self.masked(status) }]
    }

    /// Says whom to call about an incident that goes on for long: once, and not over a dialog.
    pub(super) fn escalate(&mut self) -> Vec<Effect> {
        if self.overlay.is_some() || !self.pressed.is_empty() {
            return Vec::new();
        }
        let Desk { book, inventory, guide, now, .. } = &self.desk;
        let due = self.escalation.due(book, inventory, guide.as_ref(), *now);
        let Some((since, reminder)) = due else { return Vec::new() };
        self.escalation.tell(since);
        let lines: Vec<_> = reminder.lines.iter().map(SafeText::as_str).collect();
        self.lay(Notice::new(reminder.title.clone(), &lines.join("\n")));
        self.ring(LONG, &reminder.title)
    }

    /// Tells that something ended which took so many seconds, to whoever does not look.
    pub(super) fn ring(&self, took: i64, text: &str) -> Vec<Effect> {
        if took < LONG || self.attention.is_there(self.up) {
            return Vec::new();
        }
        // It is read where nothing else of the console is seen.
        let practice = if self.desk.is_practice() { "PRACTICE: " } else { "" };
        vec![Effect::Ring(SafeText::new(&format!("{practice}{}", self.masked(text.to_owned()))))]
    }
}

/// Whoever waits longer than that looks elsewhere, in seconds.
const LONG: i64 = 10;
/// Whoever has pressed a key since then is there.
const AT_KEYS: Duration = Duration::from_secs(10);
