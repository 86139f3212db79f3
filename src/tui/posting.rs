//! What webhooks are told from the console, beside the loop.

use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use super::Deck;
use super::guided::Note;
use crate::clock::Clock;
use crate::diagnose::diagnose;
use crate::fleet::{Fleet, HostName, Moment};
use crate::inventory::Inventory;
use crate::notice::{Event, Notices};
use crate::store::Store;
use crate::text::SafeText;

/// The webhooks, and whoever sends them what they are to be told. What is not sent when this is
/// dropped is sent by the next console.
#[derive(Debug)]
pub(super) struct Posting {
    notices: Notices,
    senders: JoinSet<()>,
    state_dir: PathBuf,
    clock: Clock,
}

impl Posting {
    /// Begins to send what waits from before.
    pub(super) fn open(deck: &Deck) -> Self {
        let mut posting = Self::of(&deck.inventory, &deck.state_dir, deck.clock);
        posting.keep_sending();
        posting
    }

    fn of(inventory: &Inventory, state_dir: &Path, clock: Clock) -> Self {
        let notices = Notices::of(inventory, state_dir, clock);
        Self { notices, senders: JoinSet::new(), state_dir: state_dir.to_owned(), clock }
    }

    /// The webhooks of this inventory; `None` if it has none.
    pub(super) fn notices(&mut self, inventory: &Inventory) -> Option<Notices> {
        if self.notices.webhooks() != inventory.notices {
            *self = Self::of(inventory, &self.state_dir, self.clock);
            self.keep_sending();
        }
        (!inventory.notices.is_empty()).then(|| self.notices.clone())
    }

    /// The webhooks of the inventory that was last looked at.
    pub(super) fn known(&self) -> Notices {
        self.notices.clone()
    }

    fn keep_sending(&mut self) {
        if !self.notices.webhooks().is_empty() {
            let notices = self.notices.clone();
            self.senders.spawn(async move { notices.keep_sending().await });
        }
    }
}

/// Writes down what is critical on hosts that were looked at; why it could not, if so.
pub(super) fn critical(
    notices: &Notices,
    fleet: &Fleet,
    hosts: Vec<HostName>,
    store: &Store,
    now: Moment,
) -> Option<SafeText> {
    let mut diagnosis = diagnose(fleet, now);
    // What cannot be read is told rather than not.
    diagnosis.acknowledge(&store.acks().unwrap_or_default(), now);
    let told = notices.tell(&[Event::critical(&diagnosis, hosts)]);
    told.err().map(|it| SafeText::of_error(&it))
}

/// Writes down that a guided run is closed, if that is what has happened to it.
pub(super) fn closed(notices: &Notices, note: &Note, who: &str) -> Option<SafeText> {
    if note.event != ENDED {
        return None;
    }
    let summary = SafeText::new(&format!("closed by {who}"));
    let (id, about) = (note.run.id.to_string(), &note.run.about);
    let ending = note.ending.unwrap_or("unknown");
    let event = Event::emergency_ended(&id, about, ending, &summary);
    notices.tell(&[event]).err().map(|it| SafeText::of_error(&it))
}

/// What has happened to a guided run that is closed.
const ENDED: &str = "end";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guide::Run;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[test]
    fn a_run_that_is_closed_is_told_once() {
        let text = "[[notice]]\nname = 'chat'\nkind = 'webhook'\nurl = 'https://a.test'\n\
                    secret-env = 'A'\n";
        let (inventory, complaints) = crate::inventory::read(text);
        assert_eq!(complaints, []);
        let state = tempfile::tempdir().unwrap();
        let notices = Notices::of(&inventory, state.path(), Clock::fixed(NOW));
        let run = Run::new(uuid::Uuid::from_u128(1), "www.example.net", "anna@laptop", NOW);
        for (event, waiting) in [("begin", 0), ("answer", 0), ("end", 1), ("end", 1)] {
            let ending = (event == "end").then_some("proven");
            let note = Note { run: run.clone(), event, ending, given: None };
            assert_eq!(closed(&notices, &note, "anna@laptop"), None);
            assert_eq!(notices.pending().len(), waiting, "{event}");
        }
        let body = &notices.pending()[0].body;
        assert!(body.contains("www.example.net: proven; closed by anna@laptop"), "{body}");
    }
}
