//! The guided run that this console is at: on record, and kept.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::audit::Log;
use crate::fleet::Moment;
use crate::guide;
use crate::store::{Held, Runs, Trouble};
use crate::text::SafeText;
use crate::tui::guided::Note;

/// What has happened in guided runs and is not kept yet, the oldest first.
pub(super) type Notes = Mutex<VecDeque<Note>>;

/// What makes this console the one that is at a guided run.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) runs: Runs,
    pub(super) held: Option<(Uuid, Held<guide::Run>)>,
}

impl Keeper {
    /// Makes sure that nobody has taken over the run that this console is at.
    pub(super) fn check(&self) -> Result<(), SafeText> {
        let check =
            |it: &(Uuid, Held<guide::Run>)| it.1.check().map_err(|it| SafeText::of_error(&it));
        self.held.as_ref().map_or(Ok(()), check)
    }

    /// Puts on record that a run is left open, if this console still is at one; what kept it from
    /// that.
    pub(super) fn leave(&mut self, log: &mut Log, who: &str) -> Option<SafeText> {
        let (id, held) = self.held.take()?;
        held.check().ok()?;
        let mut body = serde_json::Map::new();
        body.insert("event".to_owned(), "left".into());
        body.insert("who".to_owned(), who.into());
        log.guide(id, &body).err().map(|it| SafeText::of_error(&it))
    }
}

/// Puts on record what has happened first of what waits, then keeps the run: what it was, and what
/// kept it from that. Whoever comes first takes the oldest, so that the newest is written last: it
/// holds all before it.
pub(super) fn keep_next(
    log: &Mutex<Log>,
    keeper: &Mutex<Keeper>,
    notes: &Notes,
    by: (&str, Moment),
) -> Option<(Note, Result<(), SafeText>)> {
    let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
    let note = notes.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
    let kept = keep(log, &mut keeper, &note, by);
    Some((note, kept))
}

fn keep(
    log: &Mutex<Log>,
    keeper: &mut Keeper,
    note: &Note,
    (who, now): (&str, Moment),
) -> Result<(), SafeText> {
    let Keeper { runs, held } = keeper;
    let words = |it: Trouble| SafeText::of_error(&it);
    let is_at = held.as_ref().is_some_and(|it| it.0 == note.run.id);
    if !is_at {
        *held = Some((note.run.id, runs.begin(&note.run, who, now).map_err(words)?));
    }
    let Some(held) = held else { return Ok(()) };
    held.1.check().map_err(words)?;
    let mut body = serde_json::Map::new();
    let mut add = |key: &str, it: Option<&str>| {
        it.map(|it| body.insert(key.to_owned(), it.into()));
    };
    add("event", Some(note.event));
    add("who", Some(who));
    match &note.given {
        None if note.ending.is_some() => add("answer", note.ending),
        None => add("about", Some(&note.run.about)),
        Some(given) => {
            add("step", Some(&given.step));
            add("about", Some(&given.about));
            add("answer", Some(given.answer.word()));
            add("reason", given.reason.as_deref());
        }
    }
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.guide(note.run.id, &body).map_err(|it| SafeText::of_error(&it))?;
    held.1.save(&note.run).map_err(words)?;
    // Nobody is at what is closed.
    if note.ending.is_some() {
        keeper.held = None;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn who_is_at_a_run_changes_something_and_nobody_else_does() {
        const NOW: Moment = Moment::from_unix(1_795_403_564);
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let run = guide::Run::new(Uuid::now_v7(), "www.example.net", "ada@bastion", NOW);
        let mut keeper = Keeper { runs: runs.clone(), held: None };
        keeper.check().unwrap();
        keeper.held = Some((run.id, runs.begin(&run, "ada@bastion", NOW).unwrap()));
        keeper.check().unwrap();
        let _ben = runs.take(run.id, "ben@bastion", NOW, true).unwrap();
        let why = keeper.check().unwrap_err();
        assert_eq!(why.as_str(), "ben@bastion has taken it over, at 2026-11-23T03:12:44Z");
    }

    #[test]
    fn what_happened_first_is_kept_first_by_whoever_comes_first() {
        const NOW: Moment = Moment::from_unix(1_795_403_564);
        let state = tempfile::tempdir().unwrap();
        let log = Mutex::new(Log::open(state.path(), Clock::fixed(NOW)).unwrap());
        let runs = Runs::new(state.path());
        let keeper = Mutex::new(Keeper { runs: runs.clone(), held: None });
        let begun = guide::Run::new(Uuid::now_v7(), "www.example.net", "ada@bastion", NOW);
        let closed = guide::Run { ended: Some(NOW), ..begun.clone() };
        let note =
            |run: &guide::Run, event, ending| Note { run: run.clone(), event, ending, given: None };
        let all = [note(&begun, "begin", None), note(&closed, "end", Some("proven"))];
        let notes = Notes::new(all.into());
        let keep = || keep_next(&log, &keeper, &notes, ("ada@bastion", NOW));
        let kept = [keep(), keep(), keep()].map(|it| it.map(|(note, kept)| (note.event, kept)));
        assert_eq!(kept, [Some(("begin", Ok(()))), Some(("end", Ok(()))), None]);
        let records = log.lock().unwrap().records().unwrap();
        let events: Vec<_> = records.iter().filter_map(|it| it.text("event")).collect();
        assert_eq!(events, ["begin", "end"]);
        assert_eq!(runs.get(begun.id).unwrap().run.ended, Some(NOW));
    }
}
