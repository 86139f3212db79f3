//! An incident that is not over, and whom to call when it has gone on for long. Values only.

use std::collections::BTreeMap;

use super::book::{Book, Record};
use super::guided::Guided;
use crate::fleet::{HOUR, HostName, Moment, human};
use crate::guide::whom_to_call;
use crate::inventory::Inventory;
use crate::perform::Ending;
use crate::text::SafeText;

/// Whether somebody was reminded. Each incident reminds once.
#[derive(Debug, Default)]
pub struct Escalation {
    /// When the incident began of which somebody was reminded.
    told: Option<Moment>,
}

/// A reminder: what it is about, and what is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    /// In a line.
    pub title: String,
    /// The rest, line by line.
    pub lines: Vec<SafeText>,
}

/// An incident that is not over.
#[derive(Debug, Clone)]
struct Unfinished<'b> {
    /// When it began: with the first try that failed and was not made good since, or with a guided
    /// run.
    since: Moment,
    /// What failed last, each at its place.
    failed: Vec<&'b Record>,
    /// The guided run that is under way.
    guide: Option<&'b Guided>,
}

impl Escalation {
    /// The reminder that is due now, once for each incident, and since when that goes on.
    pub fn due(
        &self,
        book: &Book,
        inventory: &Inventory,
        guide: Option<&Guided>,
        now: Moment,
    ) -> Option<(Moment, Reminder)> {
        let after = inventory.defaults.escalate_after?;
        let unfinished = unfinished(book, guide, now)?;
        let is_due = now.since(unfinished.since) >= after;
        // What has failed beside it meanwhile is the same incident.
        let is_told = self.told.is_some_and(|it| unfinished.since <= it.plus(after));
        (is_due && !is_told).then(|| (unfinished.since, unfinished.reminder(book, inventory, now)))
    }

    /// Takes in that somebody was reminded of what began then.
    pub fn tell(&mut self, since: Moment) {
        self.told = Some(since);
    }
}

fn unfinished<'b>(
    book: &'b Book,
    guide: Option<&'b Guided>,
    now: Moment,
) -> Option<Unfinished<'b>> {
    let mut failed: BTreeMap<(&str, &str), (Moment, &Record)> = BTreeMap::new();
    let recent = book.records().iter().rev().filter(|it| now.since(it.at) <= STALE);
    for record in recent.filter(|it| it.is_end()) {
        let said = |key| book.said(record, key).unwrap_or_default();
        let place = (said("host"), said("lineage"));
        match Ending::named(record.text("ending").unwrap_or_default()) {
            Ending::Ok => drop(failed.remove(&place)),
            Ending::Failed | Ending::Unknown | Ending::NotAudited => {
                failed.entry(place).or_insert((record.at, record)).1 = record;
            }
            // Nothing was begun.
            Ending::Refused | Ending::Cancelled => {}
        }
    }
    let guide = guide.filter(|it| it.run.ended.is_none());
    let begun = guide.map(|it| it.run.opened);
    let since = failed.values().map(|it| it.0).chain(begun).min()?;
    let failed = failed.into_values().map(|it| it.1).collect();
    Some(Unfinished { since, failed, guide })
}

impl Unfinished<'_> {
    fn reminder(&self, book: &Book, inventory: &Inventory, now: Moment) -> Reminder {
        let Self { since, failed, guide } = self;
        let mut lines = Vec::new();
        let mut say = |text: &str| lines.push(SafeText::new(text));
        if let Some(Guided { run, .. }) = guide {
            let age = human(now.since(run.opened));
            say(&format!("guided run about {}, begun {age} ago by {}", run.about, run.by));
        }
        for it in failed.iter().take(FEW) {
            let said = |key| book.said(it, key).unwrap_or_default();
            let (action, host, lineage) = (said("action"), said("host"), said("lineage"));
            let summary = it.text("summary").unwrap_or_default();
            say(&format!(
                "{action} {lineage} on {host}, {} ago: {summary}",
                human(now.since(it.at))
            ));
        }
        if failed.len() > FEW {
            say(&format!("and {} more", failed.len() - FEW));
        }
        say("");
        let hosts = failed.iter().filter_map(|it| book.said(it, "host")).map(HostName::new);
        let guided = guide.iter().flat_map(|it| it.hosts.iter().cloned());
        let hosts: Vec<_> = hosts.chain(guided).collect();
        for line in whom_to_call(&hosts, inventory) {
            say(&line);
        }
        say("");
        say("Gather before you call:");
        say("  the hand-over so far: :incident writes it and copies a status for the chat");
        say("  the fingerprints on disk and on the wire: layers of the certificate");
        say(
            "  what the CA said, and what the commands printed: jobs, and records of the audit log",
        );
        say("  the client's log on the host, and `log` in the state folder of certdeck");
        Reminder {
            title: format!("{} and not over: call for help", human(now.since(*since))),
            lines,
        }
    }
}

/// What failed longer ago is another shift's.
const STALE: i64 = 8 * HOUR;
/// As many failures as are named.
const FEW: usize = 4;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::audit::verify::{State, Verified};
    use crate::tui::book::Reading;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// A log of ends: how many minutes ago, on which host, and how.
    fn book(ends: &[(i64, &str, &str)]) -> Book {
        let mut reading = Reading::default();
        let mut seq = 0;
        let mut add = |ago: i64, op: u128, kind: &str, body: Value| {
            seq += 1;
            reading.add(Record {
                seq,
                at: NOW.plus(-ago * 60),
                op: Uuid::from_u128(op),
                kind: kind.to_owned(),
                line: String::new(),
                body: body.as_object().unwrap().clone(),
            });
        };
        for ((ago, host, ending), op) in ends.iter().zip(1..) {
            let intent = json!({"action": "renew", "host": host, "lineage": "a.test"});
            add(*ago, op, "intent", intent);
            let summary = "the hook \u{1b}[2J failed";
            add(*ago, op, "outcome", json!({"ending": ending, "summary": summary}));
        }
        let verified =
            Verified { state: State::Good, records: seq, segments: 1, open: 0, fault: None };
        reading.book(verified, None)
    }

    fn inventory(after: &str) -> Inventory {
        let text = format!(
            "[defaults]\nescalate-after = '{after}'\n\
             [[group]]\nname = 'edge'\nowner = 'edge team, +31 20 555'\nrunbook = 'https://wiki.test'\n\
             [[host]]\nname = 'web-01'\ngroups = ['edge']\n[[host]]\nname = 'web-02'\n"
        );
        let (inventory, complaints) = crate::inventory::read(&text);
        assert_eq!(complaints, []);
        inventory
    }

    #[track_caller]
    fn check(ends: &[(i64, &str, &str)], since: Option<i64>) {
        let due = Escalation::default().due(&book(ends), &inventory("30m"), None, NOW);
        assert_eq!(due.map(|it| NOW.since(it.0) / 60), since);
    }

    #[test]
    fn what_failed_long_ago_and_is_not_made_good_reminds() {
        check(&[], None);
        check(&[(29, "web-01", "failed")], None);
        check(&[(30, "web-01", "failed")], Some(30));
        check(&[(31, "web-01", "unknown"), (5, "web-01", "failed")], Some(31));
        check(&[(40, "web-01", "failed"), (35, "web-01", "ok")], None);
        check(&[(40, "web-01", "failed"), (35, "web-02", "ok")], Some(40));
        // It has begun anew since.
        check(&[(40, "web-01", "failed"), (35, "web-01", "ok"), (3, "web-01", "failed")], None);
        check(&[(40, "web-01", "refused"), (40, "web-02", "cancelled")], None);
        check(&[(9 * 60, "web-01", "failed")], None);
    }

    #[test]
    fn it_reminds_once_and_never_if_so_wanted() {
        let (book, hour) = (book(&[(31, "web-01", "failed")]), inventory("1h"));
        assert_eq!(Escalation::default().due(&book, &hour, None, NOW), None);
        assert!(Escalation::default().due(&book, &hour, None, NOW.plus(1800)).is_some());
        assert_eq!(Escalation::default().due(&book, &inventory("never"), None, NOW), None);
        let mut escalation = Escalation::default();
        let usual = inventory("30m");
        let (since, _) = escalation.due(&book, &usual, None, NOW).unwrap();
        escalation.tell(since);
        assert_eq!(escalation.due(&book, &usual, None, NOW.plus(3600)), None);
        // Another one, later, is another one.
        let later = self::book(&[(-120, "web-02", "failed")]);
        assert!(escalation.due(&later, &usual, None, NOW.plus(10_000)).is_some());
    }

    #[test]
    fn it_says_whom_to_call_and_what_to_gather() {
        let book = book(&[(31, "web-01", "failed"), (2, "web-02", "failed")]);
        let (_, reminder) = Escalation::default().due(&book, &inventory("30m"), None, NOW).unwrap();
        let lines: Vec<_> = reminder.lines.iter().map(SafeText::as_str).collect();
        insta::assert_snapshot!(format!("{}\n{}", reminder.title, lines.join("\n")), @r"
        31m and not over: call for help
        renew a.test on web-01, 31m ago: the hook ^[[2J failed
        renew a.test on web-02, 2m ago: the hook ^[[2J failed

        Call     edge team, +31 20 555 (group edge)
        Runbook  https://wiki.test

        Gather before you call:
          the hand-over so far: :incident writes it and copies a status for the chat
          the fingerprints on disk and on the wire: layers of the certificate
          what the CA said, and what the commands printed: jobs, and records of the audit log
          the client's log on the host, and `log` in the state folder of certdeck
        ");
    }
}
