//! Something that is in place for a while, to see whether it is found: on record before, kept on
//! the disk as that of an order is, and gone afterwards however this program ends.

use std::fs::File;

use serde_json::json;

use crate::acme::Step;
use crate::acme::order::{Kept, Placed};
use crate::audit::Permit;
use crate::perform::errand::Errand;
use crate::perform::record::{Body, with_log};
use crate::perform::solve::{Answers, Precheck};
use crate::perform::{Ending, Tools};
use crate::preflight::Case;
use crate::text::SafeText;

/// Something that may be placed.
pub(super) struct Trial {
    errand: Errand,
    kept: Kept,
    /// As long as it is open, nobody else takes away what was placed.
    _held: Option<File>,
}

impl Trial {
    /// Writes down what is about to be placed.
    ///
    /// # Errors
    /// In words; then nothing may be placed.
    pub(super) async fn begin(
        case: &Case,
        tools: &Tools,
        what: &str,
        placed: Vec<Placed>,
    ) -> Result<Self, SafeText> {
        let mut body = Body::new();
        let mut add = |key: &str, value| body.insert(key.to_owned(), value);
        add("action", json!("preflight"));
        add("what", json!(what));
        add("target", json!(case.target()));
        add("names", case.names().take(MAX_NAMES).map(|it| json!(it)).collect());
        add("who", json!(tools.who));
        let errand = with_log(tools, move |log| Errand::begin(log, body)).await;
        let errand = errand.map_err(|it| {
            SafeText::new(&format!("the audit log refused, so nothing is placed: {it}"))
        })?;
        let op = errand.permit().op();
        let names = case.names().map(str::to_owned).collect();
        let kept = Kept::trial(op, names, placed);
        let written = Kept::hold(&tools.office, op).and_then(|held| {
            kept.write(&tools.office)?;
            Ok(held)
        });
        match written {
            Ok(held) => Ok(Self { errand, kept, _held: held }),
            Err(error) => {
                let text = SafeText::new(&error.to_string());
                let told = text.clone();
                with_log(tools, move |log| errand.end(log, Ending::Failed, &told)).await.ok();
                Err(text)
            }
        }
    }

    /// What places and takes away.
    pub(super) fn answers<'a>(&'a self, tools: &'a Tools) -> Answers<'a> {
        Answers::new(tools, &[], Precheck::No, self.errand.permit())
    }

    /// The permit to place it.
    pub(super) fn permit(&self) -> &Permit {
        self.errand.permit()
    }

    /// What is to be placed.
    pub(super) fn placed(&self) -> &[Placed] {
        &self.kept.placed
    }

    /// Takes everything away, and writes down what became of it: what is left, and why. What was
    /// refused when it was to be written may be as refused when it is to be removed: that it is
    /// not there is then enough.
    pub(super) async fn end(
        mut self,
        tools: &Tools,
        ending: Ending,
        summary: SafeText,
    ) -> Vec<SafeText> {
        let mut told = Vec::new();
        let mut answers = self.answers(tools);
        let mut tell = |step: Step| told.push(step.text);
        let mut left = Vec::new();
        for it in answers.take_away(self.placed(), &mut tell).await {
            if ending != Ending::Failed || !answers.lacks(&it).await {
                left.push(it);
            }
        }
        drop(answers);
        let op = self.kept.op;
        self.kept.placed = left;
        let is_clear = self.kept.placed.is_empty();
        // What cannot be written down is found by the next start all the same.
        if is_clear {
            self.kept.forget(&tools.office).ok();
            Kept::release(&tools.office, op);
            told.clear();
        } else {
            self.kept.write(&tools.office).ok();
        }
        let errand = self.errand;
        let ended = with_log(tools, move |log| errand.end(log, ending, &summary)).await;
        if let Err(error) = ended {
            told.push(SafeText::new(&format!("the audit log refused the end: {error}")));
        }
        told
    }
}

/// A record has 16 KiB.
const MAX_NAMES: usize = 20;
