//! A part of the log with all that is needed to write about it: the records around it, whether
//! the log is as it was written, and the ends of what commands have printed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use uuid::Uuid;

use super::read::{self, Record};
use super::verify::{Verified, verify};
use super::{Error, Selection};
use crate::text::SafeText;

/// Some records, and what is needed to write about them.
#[derive(Debug)]
pub struct Extract {
    /// Every good record of the log, oldest first.
    pub records: Vec<Record>,
    /// The numbers of those that were asked for.
    pub chosen: BTreeSet<u64>,
    /// Whether the log is as it was written.
    pub verified: Verified,
    /// The last lines of what commands printed, by the hash that records have of it.
    pub tails: BTreeMap<String, Vec<SafeText>>,
    /// Why the log could not be read further.
    pub problem: Option<Error>,
}

impl Extract {
    /// Reads the log below the state folder. Of a log that is damaged, what is good of it.
    pub fn read(state_dir: &Path, selection: &Selection) -> Self {
        let mut records = Vec::new();
        let problem = read::scan(state_dir, &mut |it| records.push(it)).err();
        let chosen = selection.choose(&records).iter().map(|it| it.seq).collect();
        let tails = BTreeMap::new();
        Self { records, chosen, verified: verify(state_dir), tails, problem }
    }

    /// The same without the actions at other places than those that are kept: a host, and its
    /// lineage if it is about one.
    #[must_use]
    pub fn narrow(mut self, keeps: impl Fn(&str, Option<&str>) -> bool) -> Self {
        let mut places: HashMap<Uuid, (Option<&str>, Option<&str>)> = HashMap::new();
        // The machine of whoever begins a session is no place.
        for record in self.records.iter().filter(|it| it.kind != "session") {
            let (host, lineage) = places.entry(record.op).or_default();
            *host = host.or(record.text("host"));
            *lineage = lineage.or(record.text("lineage"));
        }
        let is_kept = |record: &&Record| {
            let (host, lineage) = places.get(&record.op).copied().unwrap_or_default();
            host.is_some_and(|host| keeps(host, lineage))
        };
        let kept: BTreeSet<u64> = self.records.iter().filter(is_kept).map(|it| it.seq).collect();
        self.chosen.retain(|it| kept.contains(it));
        self
    }

    /// The same with the ends of what the chosen actions printed that did not end well.
    #[must_use]
    pub fn with_tails(mut self, state_dir: &Path) -> Self {
        let has_failed = |it: &&Record| it.is_end() && it.text("ending") != Some("ok");
        let names: Vec<String> = self
            .chosen()
            .filter(has_failed)
            .filter_map(|it| it.text("output").map(str::to_owned))
            .collect();
        for name in names {
            // One that is gone is told to be gone by whoever shows the record.
            let Some(output) = read::output(state_dir, &name) else { continue };
            let lines: Vec<_> = output.trim_ascii_end().split(|it| *it == b'\n').collect();
            let last = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default();
            let last = last.iter().map(|it| SafeText::from_bytes(it)).collect();
            self.tails.insert(name, last);
        }
        self
    }

    /// The records that were asked for, oldest first.
    pub fn chosen(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|it| self.chosen.contains(&it.seq))
    }
}

/// How many lines of an output are taken.
const TAIL: usize = 20;

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::Log;
    use super::*;
    use crate::clock::Clock;

    fn body(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_was_asked_for_is_there_with_what_was_printed() {
        let state = tempfile::tempdir().unwrap();
        let mut log = Log::open(state.path(), Clock::default()).unwrap();
        log.begin_session(&body(&json!({"who": "anna@laptop", "host": "web-01"}))).unwrap();
        let intent = json!({"action": "renew", "host": "web-01", "lineage": "a.test"});
        let permit = log.intent(&body(&intent)).unwrap();
        let lines: Vec<_> = (0..50).map(|it| format!("line {it}")).collect();
        let output = log.keep(lines.join("\n").as_bytes()).unwrap();
        log.outcome(permit, &body(&json!({"ending": "failed", "output": output}))).unwrap();
        log.change(&body(&json!({"what": "host-key", "host": "web-02"}))).unwrap();
        let all = Extract::read(state.path(), &Selection::default());
        assert_eq!((all.chosen.len(), all.tails.len()), (5, 0));
        let narrow = all.narrow(|host, lineage| host == "web-01" && lineage == Some("a.test"));
        assert_eq!(narrow.chosen.iter().copied().collect::<Vec<_>>(), [3, 4]);
        let tails = narrow.with_tails(state.path()).tails;
        let tail = &tails[&output];
        assert_eq!((tail.len(), tail[0].as_str(), tail[19].as_str()), (20, "line 30", "line 49"));
    }
}
