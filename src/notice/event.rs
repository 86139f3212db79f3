//! What there is to tell. Values only.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::diagnose::Diagnosis;
use crate::fleet::{HostName, Moment, Severity};
use crate::inventory::Occasion;
use crate::text::SafeText;

/// Something to be told.
#[derive(Debug, Clone)]
pub struct Event {
    /// What kind of thing it is.
    pub occasion: Occasion,
    /// What it is about, one by one: each is told once, until it changes.
    pub(super) items: Vec<Item>,
    /// The hosts of which everything is among the items: what is not there any more is over.
    pub(super) seen: BTreeSet<HostName>,
}

/// One thing of an event.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// By which it is known again.
    pub(super) key: String,
    /// By which it is known to have changed.
    pub(super) print: String,
    /// One line.
    pub(super) summary: SafeText,
    /// What else there is to say.
    pub(super) said: Value,
}

impl Event {
    /// What is critical on the hosts that were looked at.
    pub fn critical(diagnosis: &Diagnosis, seen: impl IntoIterator<Item = HostName>) -> Self {
        let seen: BTreeSet<HostName> = seen.into_iter().collect();
        // Whoever has acknowledged it knows.
        let critical = diagnosis
            .findings
            .iter()
            .filter(|it| it.severity == Severity::Critical && it.ack.is_none());
        let items = critical.filter(|it| seen.contains(&it.host)).map(|it| {
            let place = it.place.as_ref().map(ToString::to_string);
            let target = place
                .as_ref()
                .map_or_else(|| it.host.to_string(), |place| format!("{}/{place}", it.host));
            let cause = it.cause.as_str();
            Item {
                key: format!("{target} {}", it.rule),
                // How long ago, and how often, changes with each look.
                print: format!(
                    "{} {}",
                    it.verdict,
                    cause.replace(|c: char| c.is_ascii_digit(), "")
                ),
                summary: SafeText::new(&format!("{target}: {}", it.summary)),
                said: json!({
                    "host": it.host.as_str(),
                    "place": place,
                    "verdict": it.verdict.to_string(),
                    "summary": it.summary.as_str(),
                    "cause": cause,
                    "owner": it.owner.as_ref().map(SafeText::as_str),
                    "runbook": it.runbook.as_ref().map(SafeText::as_str),
                    "remedies": it.remedies.iter().map(|it| it.action).collect::<Value>(),
                }),
            }
        });
        Self { occasion: Occasion::CriticalFinding, items: items.collect(), seen }
    }

    /// Renewals with nobody there that are left alone for a while, because they fail again and
    /// again: what, why, and until when.
    pub fn exhausted(left: impl IntoIterator<Item = (String, SafeText, Moment)>) -> Self {
        let items = left.into_iter().map(|(target, why, until)| Item {
            key: target.clone(),
            // After another failure it is another time.
            print: format!("{why} {until}"),
            summary: SafeText::new(&format!("{target}: {why}; left alone until {until}")),
            said: json!({ "target": target, "why": why.as_str(), "until": until.to_string() }),
        });
        Self { occasion: Occasion::RetriesExhausted, items: items.collect(), seen: BTreeSet::new() }
    }

    /// A guided emergency is over: its identity, what it was about, how it ended in one word, and
    /// a line about that.
    pub fn emergency_ended(id: &str, about: &str, ending: &str, summary: &SafeText) -> Self {
        let item = Item {
            key: id.to_owned(),
            print: ending.to_owned(),
            summary: SafeText::new(&format!("{about}: {ending}; {summary}")),
            said: json!({ "id": id, "about": about, "ending": ending, "summary": summary.as_str() }),
        };
        Self { occasion: Occasion::EmergencyEnded, items: vec![item], seen: BTreeSet::new() }
    }

    /// Nothing, so that somebody sees whether it arrives.
    pub(super) fn test() -> Self {
        Self { occasion: Occasion::Test, items: Vec::new(), seen: BTreeSet::new() }
    }
}
