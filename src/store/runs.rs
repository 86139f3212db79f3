//! Guided runs that are under way, as they are kept.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::held::{Lasting, Shelf};
use crate::fleet::Moment;
use crate::guide::{Answer, Given, Run};
use crate::text::SafeText;

/// Where guided runs are kept.
pub type Runs = Shelf<Run>;

/// The file of a run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wire {
    about: String,
    opened: String,
    by: String,
    ended: Option<String>,
    answers: Vec<WireGiven>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WireGiven {
    at: String,
    who: String,
    step: String,
    about: String,
    answer: String,
    reason: Option<String>,
}

impl Lasting for Run {
    const FOLDER: &'static str = "runs";
    const WHAT: &'static str = "guided run";
    /// A thousand answers with their reasons take less.
    const MAX_BYTES: u64 = 4 * 1024 * 1024;

    fn id(&self) -> Uuid {
        self.id
    }

    fn wire(&self) -> serde_json::Result<Value> {
        let given = |it: &Given| WireGiven {
            at: it.at.to_string(),
            who: it.who.to_string(),
            step: it.step.clone(),
            about: it.about.clone(),
            answer: it.answer.word().to_owned(),
            reason: it.reason.clone(),
        };
        serde_json::to_value(Wire {
            about: self.about.clone(),
            opened: self.opened.to_string(),
            by: self.by.to_string(),
            ended: self.ended.map(|it| it.to_string()),
            answers: self.answers.iter().map(given).collect(),
        })
    }

    fn read(id: Uuid, wire: Value) -> Option<Self> {
        let wire: Wire = serde_json::from_value(wire).ok()?;
        let given = |it: WireGiven| {
            Some(Given {
                at: Moment::parse(&it.at)?,
                who: SafeText::new(&it.who),
                step: it.step,
                about: it.about,
                answer: Answer::ALL.into_iter().find(|answer| answer.word() == it.answer)?,
                reason: it.reason,
            })
        };
        let ended = match &wire.ended {
            Some(it) => Some(Moment::parse(it)?),
            None => None,
        };
        Some(Self {
            id,
            about: wire.about,
            opened: Moment::parse(&wire.opened)?,
            by: SafeText::new(&wire.by),
            answers: wire.answers.into_iter().map(given).collect::<Option<_>>()?,
            done: Vec::new(),
            ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;
    use crate::store::Trouble;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    fn run() -> Run {
        let mut run = Run::new(Uuid::now_v7(), "www.example.net", "ada@bastion", NOW);
        run.answers.push(Given {
            at: NOW,
            who: SafeText::new("ada@bastion"),
            step: "repair".to_owned(),
            about: "certdeck run reload web-01/www".to_owned(),
            answer: Answer::Skip,
            reason: Some("the load balancer has it".to_owned()),
        });
        run
    }

    #[test]
    fn a_run_comes_back_as_it_was_once_nobody_is_at_it() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let mut run = run();
        let held = runs.begin(&run, "ada@bastion", NOW).unwrap();
        run.ended = Some(NOW);
        held.save(&run).unwrap();
        drop(held);
        let (kept, _held) = runs.take(run.id, "ben@bastion", NOW, false).unwrap();
        assert_eq!(kept.run, run);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&runs.path(run.id)), 0o600);
        assert_eq!(mode(&state.path().join("runs")), 0o700);
    }

    #[test]
    fn one_is_at_a_run_and_another_takes_it_over_only_if_that_is_meant() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let run = run();
        let ada = runs.begin(&run, "ada@bastion", NOW).unwrap();
        let busy = runs.take(run.id, "ben@bastion", NOW.plus(60), false).unwrap_err();
        assert_eq!(busy.to_string(), "ada@bastion is at it, since 2026-11-23T03:12:44Z");
        let (_, ben) = runs.take(run.id, "ben@bastion", NOW.plus(60), true).unwrap();
        let over = ada.save(&run).unwrap_err();
        assert_eq!(over.to_string(), "ben@bastion has taken it over, at 2026-11-23T03:13:44Z");
        assert!(ada.check().is_err());
        ben.save(&run).unwrap();
        // Who was at it goes away: that changes nothing for the one who is.
        drop(ada);
        ben.check().unwrap();
        assert!(runs.all()[0].holder.as_ref().unwrap().is_there);
    }

    #[test]
    fn a_run_is_found_by_a_part_of_its_identity() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        assert!(matches!(runs.find("0193"), Err(Trouble::Unknown { .. })));
        let [first, second] = [run(), run()];
        for it in [&first, &second] {
            runs.begin(it, "ada@bastion", NOW).unwrap();
        }
        let name = second.id.to_string();
        assert_eq!(runs.find(&name).unwrap(), second.id);
        assert_eq!(runs.find(&name[24..]).unwrap(), second.id);
        assert!(matches!(runs.find(&name[..2]), Err(Trouble::Ambiguous { count: 2, .. })));
        assert_eq!(
            runs.all().iter().map(|it| it.run.id).collect::<Vec<_>>(),
            [second.id, first.id]
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test damages a file on purpose")]
    fn what_is_no_run_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let run = run();
        runs.begin(&run, "ada@bastion", NOW).unwrap();
        let text = std::fs::read_to_string(runs.path(run.id)).unwrap();
        for bad in ["", "{}", &text.replace("\"version\": 1", "\"version\": 2")] {
            std::fs::write(runs.path(run.id), bad).unwrap();
            let refused = runs.take(run.id, "ben", NOW, false).unwrap_err();
            assert!(matches!(refused, Trouble::Damaged { .. }), "{refused}");
        }
    }
}
