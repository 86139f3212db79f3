//! What is said in a review: about findings, and that it is done.

use super::App;
use crate::diagnose::Finding;
use crate::fleet::{DAY, human};
use crate::review::Word;
use crate::tui::keys::Command;
use crate::tui::msg::{Effect, Reviews};
use crate::tui::overlay::{Asked, Remark};
use crate::tui::screen;

impl App {
    /// Makes the review, and shows it.
    pub(super) fn open_review(&mut self) {
        if self.trail.screen().is_review() {
            self.say("this is the review");
            return;
        }
        self.desk.look_back();
        self.trail.open(screen::open_review());
    }

    /// Why nothing can be said now.
    pub(super) fn remark_refusal(&self, command: Command) -> Option<String> {
        let screen = self.trail.screen();
        if command == Command::SignOff {
            let age = self.desk.fleet.scanned_at.map(|it| self.desk.now.since(it));
            return match age {
                _ if !screen.is_review() => Some("only on the review; W opens it".to_owned()),
                _ if self.scan.is_some() => Some("a scan is running".to_owned()),
                None => Some("no host was read yet".to_owned()),
                Some(it) if it > DAY => {
                    Some(format!("the fleet was read {} ago; R reads it again", human(it)))
                }
                Some(_) => None,
            };
        }
        let findings = screen.findings(&self.desk);
        let is_known = |it: &&Finding| it.ack.is_some();
        match command {
            _ if findings.is_empty() => Some("no finding is selected; f shows them".to_owned()),
            Command::TakeBack if !findings.iter().any(is_known) => {
                Some("nothing was said about it".to_owned())
            }
            _ => None,
        }
    }

    /// Asks for what is to be said, and for a confirmation.
    pub(super) fn remark(&mut self, command: Command) {
        let findings = self.trail.screen().findings(&self.desk);
        let asked = match command {
            Command::Snooze => Asked::Snooze,
            Command::TakeBack => Asked::TakeBack,
            Command::SignOff => Asked::SignOff,
            _ => Asked::Acknowledge,
        };
        let remark = Remark::new(asked, &findings);
        self.lay(remark);
    }

    /// Puts on record what was said and confirmed.
    pub(super) fn put(&mut self, asked: Asked, words: Vec<Word>) -> Vec<Effect> {
        if !self.arming.is_armed(self.desk.now) {
            self.say("read-only: nothing was put on record");
            return Vec::new();
        }
        self.say(&format!("{}: being put on record", asked.word()));
        vec![Effect::Put(words), Effect::ReadLog]
    }

    /// Takes in what was said in reviews, by others as well.
    pub(super) fn take_reviews(&mut self, reviews: Reviews) {
        if let Some(problem) = &reviews.problem {
            self.say(&format!("what was said in reviews cannot be read: {problem}"));
        }
        // The order of what lies below an overlay stays as it is.
        (self.desk.acks, self.desk.mark) = (reviews.acks, reviews.mark);
        self.is_stale = true;
    }
}
