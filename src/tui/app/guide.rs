//! The guided emergency renewal in the console.

use uuid::Uuid;

use super::App;
use super::act::name_of;
use crate::guide::{Answer, Does, Proof, Run};
use crate::text::SafeText;
use crate::tui::guided::Note;
use crate::tui::msg::Effect;
use crate::tui::overlay::Reason;
use crate::tui::request::{NOWHERE, Request};
use crate::tui::rows::RowId;
use crate::tui::screen;

impl App {
    /// Begins a run about what is selected, or shows the one that is under way.
    pub(super) fn emergency(&mut self) -> Vec<Effect> {
        if self.desk.guide.as_ref().is_some_and(|it| it.run.ended.is_none()) {
            self.trail.open(screen::open_guide());
            return Vec::new();
        }
        let about = match self.trail.screen().selected(&self.desk) {
            Some(RowId::Place { host, place, .. }) => format!("{host}/{place}"),
            Some(id @ RowId::Host(_)) => format!("host:{}", name_of(&id)),
            _ => {
                self.say(&format!("emergency: {NOWHERE}"));
                return Vec::new();
            }
        };
        let run = Run::new(Uuid::now_v7(), &about, &self.settings.who, self.desk.now);
        let note = Note { run: run.clone(), event: "begin", ending: None, given: None };
        self.take_guide(run);
        vec![Effect::Guide(note)]
    }

    /// Shows a run that is begun or taken up.
    pub(super) fn take_guide(&mut self, run: Run) {
        self.desk.take_guide(run);
        self.trail.open(screen::open_guide());
    }

    /// Answers the current step.
    pub(super) fn answer_guide(&mut self, answer: Answer, reason: Option<String>) -> Vec<Effect> {
        let Some(guided) = &self.desk.guide else { return Vec::new() };
        if answer == Answer::Back && !guided.run.can_go_back() {
            self.say("this is the first step");
            return Vec::new();
        }
        let is_end = answer == Answer::Yes
            && guided.step.as_ref().is_some_and(|it| matches!(it.does, Does::End));
        let who = self.settings.who.clone();
        let Some(mut note) = self.desk.answer_guide(&who, answer, reason) else {
            return Vec::new();
        };
        if is_end && let Some(guided) = &mut self.desk.guide {
            let ending = guided.proof.as_ref().map(Proof::word);
            guided.run.ended = Some(self.desk.now);
            note.run = guided.run.clone();
            let end = Note { run: guided.run.clone(), event: "end", ending, given: None };
            self.desk.settle_guide();
            return vec![Effect::Guide(note), Effect::Guide(end)];
        }
        vec![Effect::Guide(note)]
    }

    /// Puts what the current step would do up for review.
    pub(super) fn ask_step(&mut self) -> Vec<Effect> {
        let request =
            self.desk.guide.as_ref().and_then(|it| Request::of_step(it.step.as_ref()?, it.run.id));
        request.map_or_else(Vec::new, |it| self.ask(it))
    }

    /// Asks why the current step is left out.
    pub(super) fn skip_step(&mut self) {
        self.lay(Reason::default());
    }

    /// The run cannot be kept, or somebody has taken it over: nothing more is done in it here.
    pub(super) fn lose_guide(&mut self, why: &SafeText) {
        self.desk.guide = None;
        self.say(&format!("emergency: {why}; nothing more is done in it from here"));
    }
}
