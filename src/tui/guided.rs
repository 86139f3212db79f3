//! The guided run that this console is at, as screens look at it.

use uuid::Uuid;

use super::checks::ChecksId;
use super::desk::Desk;
use super::request::{Request, Wanted};
use crate::action::{Find, Subject};
use crate::audit::read::Record;
use crate::fleet::HostName;
use crate::guide::{Answer, Does, Given, Kind, Mark, Proof, Run, Scene, Step};
use crate::perform::done_in;
use crate::preflight;
use crate::text::SafeText;

/// A guided run, and where it stands.
#[derive(Debug)]
pub struct Guided {
    /// The run.
    pub run: Run,
    /// The step that is next; `None` once the run is closed.
    pub step: Option<Step>,
    /// Every step with where it stands.
    pub marks: Vec<(&'static Kind, Mark)>,
    /// Whether clients get what they should.
    pub proof: Option<Proof>,
    /// The hosts that it is about.
    pub hosts: Vec<HostName>,
    /// The look before an order, and what that is about; of this console alone.
    pub look: Option<(String, ChecksId)>,
}

/// What is kept of a guided run, and put on record.
#[derive(Debug, Clone)]
pub struct Note {
    /// The run as it is now.
    pub run: Run,
    /// What has happened: `begin`, `resume`, `answer`, `end`.
    pub event: &'static str,
    /// How it ended, in a word, if that is it.
    pub ending: Option<&'static str>,
    /// What was answered, if that is it.
    pub given: Option<Given>,
}

impl Desk {
    /// Takes up a run.
    pub(super) fn take_guide(&mut self, run: Run) {
        self.guide = Some(Guided {
            run,
            step: None,
            marks: Vec::new(),
            proof: None,
            hosts: Vec::new(),
            look: None,
        });
        self.settle_guide();
    }

    /// Finds out which step is next, after anything has changed.
    pub(super) fn settle_guide(&mut self) {
        let Some(guided) = &self.guide else { return };
        let (inventory, fleet, history) = (&self.inventory, &self.fleet, self.history());
        let find = Find { inventory, fleet, history, now: self.now };
        let looked = guided.look.as_ref().and_then(|(about, id)| self.looks.looked(about, *id));
        let scene = Scene::new(find, &guided.run).after(looked.as_ref());
        let (step, marks, hosts) = (scene.next(), scene.marks(), scene.case().hosts());
        let proof = Some(scene.proof());
        if let Some(guided) = &mut self.guide {
            (guided.step, guided.marks, guided.hosts) = (step, marks, hosts);
            guided.proof = proof;
        }
    }

    /// Takes from the audit log, newest first, what was done in the run.
    pub(super) fn learn_guide(&mut self) {
        let Some(guided) = &mut self.guide else { return };
        let records: Vec<Record> = self.book.records().iter().rev().cloned().collect();
        guided.run.done = done_in(&records, guided.run.id);
        self.settle_guide();
    }

    /// Begins a look before the order that the current step is about: which, and at what.
    pub(super) fn begin_look(&mut self) -> Option<(ChecksId, preflight::Wanted)> {
        let step = self.guide.as_ref()?.step.as_ref()?;
        let Does::Check(wanted) = &step.does else { return None };
        let (about, wanted) = (step.about.clone(), wanted.clone());
        let row = self.row_at(&wanted.host, wanted.lineage.as_deref())?;
        let lineage = wanted.lineage.as_deref().unwrap_or_default();
        let target = SafeText::new(&format!("{}/{lineage}", wanted.host)).to_string();
        let id = self.looks.begin(row, target, self.now);
        self.guide.as_mut()?.look = Some((about, id));
        self.settle_guide();
        Some((id, wanted))
    }

    /// Forgets the look before the order that the current step is about, if it has ended; whether
    /// there was one.
    pub(super) fn forget_look(&mut self) -> bool {
        let Some(guided) = &mut self.guide else { return false };
        let about = guided.step.as_ref().map(|it| &it.about);
        let is_over = |id| self.looks.find(id).is_none_or(|it| it.is_over);
        let is_it = |it: &(String, ChecksId)| Some(&it.0) == about && is_over(it.1);
        let is_forgotten = guided.look.as_ref().is_some_and(is_it);
        if is_forgotten {
            guided.look = None;
            self.settle_guide();
        }
        is_forgotten
    }

    /// Gives an answer to the current step; what is to be kept of it.
    pub(super) fn answer_guide(
        &mut self,
        who: &str,
        answer: Answer,
        reason: Option<String>,
    ) -> Option<Note> {
        let now = self.now;
        let look = self.guide.as_ref()?.look.as_ref().filter(|_| answer == Answer::Other);
        let looked = look.and_then(|(about, id)| self.looks.looked(about, *id));
        let reason = reason.or_else(|| looked.map(|it| it.obstacles()));
        let guided = self.guide.as_mut()?;
        let step = guided.step.as_ref()?;
        let given = Given {
            at: now,
            who: SafeText::new(who),
            step: step.kind.name.to_owned(),
            about: step.about.clone(),
            answer,
            reason,
        };
        guided.run.answers.push(given.clone());
        let run = guided.run.clone();
        self.settle_guide();
        Some(Note { run, event: "answer", ending: None, given: Some(given) })
    }
}

impl Request {
    /// What a step of a guided run would do, if it would do anything.
    pub(super) fn of_step(step: &Step, run: Uuid) -> Option<Self> {
        let first = step.plans().first()?;
        let target = |it: &crate::action::Plan| {
            let is_of_host = it.action.subject == Subject::Host;
            let lineage = it.place.as_ref().filter(|_| !is_of_host).map(ToString::to_string);
            Wanted { host: it.host.clone(), lineage, is_hidden: false }
        };
        let targets = step.plans().iter().map(target).collect();
        let request = Self::at(first.action, targets, first.chosen.clone());
        Some(Self { guide: Some(run), ..request })
    }
}
