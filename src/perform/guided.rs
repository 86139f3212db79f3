//! What was done in a guided run, as the audit log has it or as a report tells it.

use serde_json::Value;
use uuid::Uuid;

use super::again::ends;
use super::{Ending, Report};
use crate::action::Plan;
use crate::audit::read::Record;
use crate::fleet::{HostName, Moment};
use crate::guide::{Became, Done};
use crate::text::SafeText;

/// What the log has of a guided run, in the order in which it was begun.
///
/// What has no end yet is among it as open: reconcile first, so that nothing is.
pub fn done_in(records: &[Record], run: Uuid) -> Vec<Done> {
    let name = run.to_string();
    let ends = ends(records);
    let intents = records.iter().filter(|it| it.kind == "intent");
    intents
        .filter(|it| it.text("guide") == Some(&name))
        .filter_map(|it| {
            let end = ends.get(&it.op);
            let ending = end.and_then(|it| it.text("ending")).map(Ending::named);
            Some(Done {
                op: Some(it.op),
                at: it.at,
                action: it.text("action")?.to_owned(),
                host: HostName::new(it.text("host")?),
                place: it.text("lineage").map(str::to_owned),
                chosen: chosen(it),
                became: became(ending.unwrap_or(Ending::Unknown)),
                cause: end.and_then(|it| it.text("cause")).map(str::to_owned),
                summary: SafeText::new(end.and_then(|it| it.text("summary")).unwrap_or_default()),
            })
        })
        .collect()
}

/// What became of a plan of a guided run.
pub fn done_by(plan: &Plan, report: &Report, now: Moment) -> Done {
    Done {
        op: report.op,
        at: now,
        action: plan.action.name.to_owned(),
        host: plan.host.clone(),
        place: plan.place.as_ref().map(ToString::to_string),
        chosen: plan.chosen.all().map(|(name, it)| (name.to_owned(), it.to_owned())).collect(),
        became: became(report.ending),
        cause: report.explanation.as_ref().map(|it| it.name.to_owned()),
        summary: report.summary.clone(),
    }
}

const fn became(ending: Ending) -> Became {
    match ending {
        Ending::Ok => Became::Done,
        Ending::Failed => Became::Failed,
        Ending::Refused | Ending::Cancelled | Ending::Unknown | Ending::NotAudited => Became::Open,
    }
}

fn chosen(intent: &Record) -> Vec<(String, String)> {
    let Some(Value::Object(chosen)) = intent.body.get("chosen") else { return Vec::new() };
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    chosen.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(op: u128, kind: &str, body: Value) -> Record {
        let Value::Object(body) = body else { panic!() };
        let (op, kind) = (Uuid::from_u128(op), kind.to_owned());
        Record { seq: 1, at: Moment::default(), op, kind, body, line: String::new() }
    }

    #[test]
    fn a_run_is_known_by_what_the_log_has_of_it() {
        let run = Uuid::from_u128(7);
        let intent = |op, guide: u128, lineage: &str| {
            let guide = Uuid::from_u128(guide).to_string();
            let body = json!({"guide": guide, "action": "reload", "host": "a", "lineage": lineage,
                "chosen": {"server": "nginx"}});
            record(op, "intent", body)
        };
        let end = |op, kind, ending| record(op, kind, json!({"ending": ending, "cause": "x"}));
        let records = [
            intent(1, 7, "www"),
            intent(2, 8, "other"),
            end(1, "reconcile", "unknown"),
            end(1, "outcome", "ok"),
            intent(3, 7, "shop"),
            end(3, "outcome", "failed"),
            intent(4, 7, "mail"),
        ];
        let done = done_in(&records, run);
        let told = |it: &Done| (it.target(), it.became);
        let expected = [
            ("a/www".to_owned(), Became::Done),
            ("a/shop".to_owned(), Became::Failed),
            ("a/mail".to_owned(), Became::Open),
        ];
        assert_eq!(done.iter().map(told).collect::<Vec<_>>(), expected);
        assert_eq!(done[1].cause.as_deref(), Some("x"));
        assert_eq!(done[0].chosen, [("server".to_owned(), "nginx".to_owned())]);
    }
}
