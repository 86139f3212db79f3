//! What a drill was worth: points that everybody can count again, from the drill's own audit log.

use super::Drill;
use crate::audit::read::Record;
use crate::diagnose::{Does, rank};
use crate::fleet::{Moment, human};
use crate::text::SafeText;

/// What a drill was worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// The name of the task.
    pub name: &'static str,
    /// Whether it was solved.
    pub is_solved: bool,
    /// Seconds until the cause was looked at, if it was.
    pub to_cause: Option<i64>,
    /// Seconds until everything was proven to be well, if it was.
    pub to_proof: Option<i64>,
    /// How many orders there were.
    pub orders: usize,
    /// How many were needed.
    pub least: usize,
    /// What was done and was wrong, line by line.
    pub wrong: Vec<SafeText>,
    /// How many hints were asked for.
    pub hints: usize,
    /// What each part is worth.
    pub items: Vec<Item>,
    /// From 0 to 100.
    pub points: i64,
    /// What to take along.
    pub lesson: &'static str,
}

/// A part of a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it adds, or takes away.
    pub points: i64,
    /// What for.
    pub what: String,
}

impl Score {
    pub(super) fn of(drill: &Drill, records: &[Record], now: Moment) -> Self {
        let task = drill.task;
        let end = drill.ended_at().unwrap_or(now);
        let is_within = |it: &&Record| (drill.begun..=end).contains(&it.at);
        let records: Vec<&Record> = records.iter().filter(is_within).collect();
        let changes: Vec<Change<'_>> = records.iter().filter_map(|it| Change::of(it)).collect();
        let cause_at = drill.cause_at.into_iter().chain(records.iter().filter_map(|it| named(it)));
        let cause_at = cause_at.min();
        let orders = changes.iter().filter(|it| it.is_order()).count();
        let wrong = wrong(drill, &changes);
        let mut score = Self {
            name: task.name,
            is_solved: drill.solved_at.is_some(),
            to_cause: cause_at.map(|it| it.since(drill.begun).max(0)),
            to_proof: drill.solved_at.map(|it| it.since(drill.begun).max(0)),
            orders,
            least: task.orders,
            wrong,
            hints: drill.hints,
            items: Vec::new(),
            points: 0,
            lesson: task.lesson,
        };
        let first = changes.iter().map(|it| it.at).min();
        score.count(cause_at.zip(first).is_none_or(|(cause, change)| cause <= change));
        score
    }

    /// Counts the points. Whoever has not solved it keeps those for the cause alone.
    fn count(&mut self, is_cause_first: bool) {
        match (self.to_cause, is_cause_first) {
            (Some(took), true) => self.add(CAUSE, format!("the cause, after {}", human(took))),
            (Some(took), false) => {
                let what = format!("the cause, after {}, and after the first change", human(took));
                self.add(CAUSE / 2, what);
            }
            (None, _) => self.add(0, "the cause was not looked at".to_owned()),
        }
        match self.to_proof {
            Some(took) => self.add(PROOF, format!("proof on every node, after {}", human(took))),
            None => self.add(0, "not solved".to_owned()),
        }
        let slow = self.to_proof.map_or(0, |it| (it / 60 - UNHURRIED).clamp(0, SLOWEST));
        if slow > 0 {
            self.add(-slow, format!("a point for each minute after the first {UNHURRIED}"));
        }
        let more = self.orders.saturating_sub(self.least);
        if more > 0 {
            let what = format!("{} where {} would have done", orders(self.orders), self.least);
            self.add(-ORDER * as_points(more), what);
        }
        for wrong in self.wrong.clone() {
            self.add(-WRONG, format!("wrong: {wrong}"));
        }
        if self.hints > 0 {
            self.add(-HINT * as_points(self.hints), many(self.hints, "hint"));
        }
        let sum: i64 = self.items.iter().map(|it| it.points).sum();
        self.points = sum.clamp(0, CAUSE + PROOF);
    }

    fn add(&mut self, points: i64, what: String) {
        self.items.push(Item { points, what });
    }

    /// Everything as text, line by line.
    pub fn lines(&self) -> Vec<String> {
        let became = if self.is_solved { "solved" } else { "not solved" };
        let mut lines = vec![format!("{}: {became}, {} of 100 points", self.name, self.points)];
        lines.extend(self.items.iter().map(|it| format!("  {:>+4}  {}", it.points, it.what)));
        let (used, least) = (orders(self.orders), self.least);
        let wrong = many(self.wrong.len(), "wrong move");
        lines.push(format!("  {used}, {least} needed; {wrong}"));
        lines.push(format!("  {}", self.lesson));
        lines
    }
}

/// An action that was begun, as its record has it.
struct Change<'r> {
    at: Moment,
    action: &'r str,
    host: &'r str,
    target: String,
}

impl<'r> Change<'r> {
    fn of(record: &'r Record) -> Option<Self> {
        let action = record.text("action").filter(|_| record.kind == "intent")?;
        let host = record.text("host")?;
        // What only tries something changes nothing.
        let is_trial = rank(action).is_some_and(|it| it.does == Does::Tries);
        let target = match record.text("lineage") {
            Some(lineage) => format!("{host}/{lineage}"),
            None => host.to_owned(),
        };
        (!is_trial).then_some(Self { at: record.at, action, host, target })
    }

    fn is_order(&self) -> bool {
        rank(self.action).is_some_and(|it| it.does == Does::Orders)
    }
}

/// When somebody went on from the step of the guide that names the cause, if that is it.
fn named(record: &Record) -> Option<Moment> {
    let is_it = record.kind == "guide"
        && record.text("step") == Some("cause")
        && record.text("answer") == Some("yes");
    is_it.then_some(record.at)
}

/// What was wrong among what was done: what the task says, and changes where nothing was broken.
fn wrong(drill: &Drill, changes: &[Change<'_>]) -> Vec<SafeText> {
    let line = |it: &Change<'_>| {
        let known = drill.task.wrong.iter().find(|wrong| wrong.action == it.action);
        let is_elsewhere = drill.hosts.iter().all(|host| host.as_str() != it.host);
        let why = match known {
            Some(wrong) => wrong.why,
            None if is_elsewhere => "nothing was broken there",
            None => return None,
        };
        Some(SafeText::new(&format!("{} {}: {why}", it.action, it.target)))
    };
    changes.iter().filter_map(line).collect()
}

fn orders(count: usize) -> String {
    many(count, "order")
}

fn many(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

fn as_points(many: usize) -> i64 {
    i64::try_from(many).unwrap_or(i64::MAX / 100)
}

/// For the cause, if it was looked at before the first change.
const CAUSE: i64 = 30;
/// For the proof.
const PROOF: i64 = 70;
/// What an order costs that was not needed.
const ORDER: i64 = 15;
/// What a wrong move costs.
const WRONG: i64 = 20;
/// What a hint costs.
const HINT: i64 = 10;
/// So many minutes cost nothing.
const UNHURRIED: i64 = 10;
/// The most that time costs.
const SLOWEST: i64 = 30;

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::super::tests::TASK;
    use super::*;
    use crate::fleet::HostName;

    const BEGUN: Moment = Moment::from_unix(1_795_403_564);

    fn record(after: i64, kind: &str, body: &serde_json::Value) -> Record {
        let body = body.as_object().unwrap().clone();
        let (kind, line) = (kind.to_owned(), String::new());
        Record { seq: 1, at: BEGUN.plus(after), op: Uuid::nil(), kind, body, line }
    }

    fn intent(after: i64, action: &str, host: &str) -> Record {
        record(after, "intent", &json!({"action": action, "host": host, "lineage": "www"}))
    }

    fn cause(after: i64) -> Record {
        record(after, "guide", &json!({"event": "answer", "step": "cause", "answer": "yes"}))
    }

    fn solved(after: i64) -> Drill {
        let mut drill = Drill::new(&TASK, None, BEGUN);
        drill.hosts = vec![HostName::new("web-01")];
        drill.solved_at = Some(BEGUN.plus(after));
        drill
    }

    #[track_caller]
    fn check(drill: &Drill, records: &[Record], points: i64, expect: &[&str]) {
        let score = drill.score(records, BEGUN.plus(5000));
        assert_eq!(score.points, points, "{score:#?}");
        let text = score.lines().join("\n");
        for it in expect {
            assert!(text.contains(it), "{it} is not in\n{text}");
        }
    }

    #[test]
    fn the_cause_before_any_change_and_the_proof_are_all_of_it() {
        let done = [cause(60), intent(90, "reload", "web-01")];
        check(&solved(120), &done, 100, &["+30  the cause, after 1m", "+70  proof on every node"]);
        let late = [intent(90, "reload", "web-01"), cause(100)];
        check(&solved(120), &late, 85, &["and after the first change"]);
        check(&solved(120), &[intent(90, "reload", "web-01")], 70, &["was not looked at"]);
    }

    #[test]
    fn orders_and_wrong_moves_cost_what_they_are_said_to() {
        let done = [cause(60), intent(70, "force-renew", "web-01"), intent(90, "reload", "web-02")];
        let expect = [
            "-15  1 order where 0 would have done",
            "-20  wrong: force-renew web-01/www: nothing had to be ordered",
            "-20  wrong: reload web-02/www: nothing was broken there",
            "2 wrong moves",
        ];
        check(&solved(120), &done, 45, &expect);
        // What came after the proof is no part of it, and what only tries is no change.
        let after =
            [intent(50, "dry-run", "web-01"), cause(60), intent(900, "force-renew", "web-01")];
        check(&solved(120), &after, 100, &["no order, 0 needed; no wrong move"]);
    }

    #[test]
    fn hints_and_time_cost_little_and_points_end_at_nothing() {
        let mut drill = solved(13 * 60);
        drill.hints = 2;
        check(&drill, &[cause(60)], 77, &["-3  a point for each minute after", "-20  2 hints"]);
        let wrong: Vec<_> = (0..9).map(|it| intent(it, "force-renew", "web-01")).collect();
        check(&drill, &wrong, 0, &["9 wrong moves"]);
        let mut open = Drill::new(&TASK, None, BEGUN);
        open.hints = 1;
        check(&open, &[cause(60)], 20, &["not solved, 20 of 100", "+0  not solved"]);
    }
}
