//! The drill in the console: its page, its hints, and its end.

use super::App;
use crate::drill::Drill;
use crate::tui::keys::{Command, Place};
use crate::tui::overlay::DrillSheet;

impl App {
    /// The drill as far as it went.
    pub fn into_drill(self) -> Option<Drill> {
        self.desk.drill
    }

    /// Shows what is to be solved.
    pub(super) fn open_drill(&mut self) {
        if self.desk.drill.is_some() {
            self.lay(DrillSheet::default());
        }
    }

    /// Does what a command about the drill means.
    pub(super) fn drill(&mut self, command: Command) {
        let now = self.desk.now;
        let Some(drill) = &mut self.desk.drill else { return };
        match command {
            Command::Hint if drill.hint().is_none() => {
                return self.say("there is no plainer hint");
            }
            Command::GiveUp => {
                drill.give_up(now);
                self.is_drill_told = true;
            }
            _ => {}
        }
        self.lay(DrillSheet::default());
    }

    /// Takes in what somebody has opened: a cause, or the certificate or host of one. What only
    /// stands in a list was not opened.
    pub(super) fn follow_drill(&mut self) {
        if self.desk.drill.is_none() {
            return;
        }
        if self.trail.number().is_none() {
            let screen = self.trail.screen();
            let mut found = screen.findings(&self.desk);
            if screen.place() == Place::Details
                && let Some(id) = screen.selected(&self.desk)
            {
                found.extend(self.desk.findings_of(&id).1);
            }
            let rules: Vec<_> = found.iter().map(|it| it.rule).collect();
            if let Some(drill) = &mut self.desk.drill {
                drill.opened(&rules, self.desk.now);
            }
        }
        self.tell_drill();
    }

    /// Shows that the drill is solved: once, and not over a dialog or between two keys.
    pub(super) fn tell_drill(&mut self) {
        let is_solved = self.desk.drill.as_ref().is_some_and(|it| it.solved_at.is_some());
        let is_free = self.overlay.is_none() && self.pressed.is_empty();
        if is_solved && is_free && !self.is_drill_told {
            self.is_drill_told = true;
            self.lay(DrillSheet::default());
        }
    }
}
