//! What became of plans, for people and for programs.

use std::io::{self, Write};

use serde_json::{Value, json};
use uuid::Uuid;

use super::rollout;
use crate::action::Plan;
use crate::fleet::Probe;
use crate::perform::{Ending, Report};
use crate::rollout::Rollout;
use crate::text::SafeText;

/// What became of one plan.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    /// The plan.
    pub(super) plan: &'a Plan,
    /// The identity of the action that it follows from, if it was not asked for itself.
    pub(super) of: Option<Uuid>,
    /// What became of it, or why it was not begun.
    pub(super) report: Result<&'a Report, &'a SafeText>,
}

impl Outcome<'_> {
    /// The word for how it ended, as in the audit log.
    pub(super) fn word(&self) -> &'static str {
        self.report.map_or("not-begun", word)
    }

    /// Writes how it ended, where, and what happened, and below it what else somebody should know.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_line(out)?;
        self.write_more(out)
    }

    fn write_line(&self, out: &mut dyn Write) -> io::Result<()> {
        let target = SafeText::new(&self.plan.target());
        let told = self.report.map_or_else(|why| why, |it| &it.summary);
        let op = self.report.ok().and_then(|it| it.op);
        let op = op.map(|it| format!("  [{it}]")).unwrap_or_default();
        writeln!(out, "{:<9} {target}  {told}{op}", self.word())
    }

    /// In what state things are, why, and what is next.
    fn write_more(&self, out: &mut dyn Write) -> io::Result<()> {
        let Ok(report) = self.report else { return Ok(()) };
        for line in &report.state {
            writeln!(out, "  now    {line}")?;
        }
        for probe in &report.probes {
            writeln!(out, "  served {}", served(probe))?;
        }
        if let Some(why) = &report.explanation {
            writeln!(out, "  cause  {}", why.cause)?;
            if !why.next.is_empty() {
                writeln!(out, "  next   {}", why.next)?;
            }
        } else if report.ending != Ending::Ok {
            for line in &report.tail {
                writeln!(out, "  output {line}")?;
            }
        }
        match &report.log {
            Some(log) if report.ending != Ending::Ok => writeln!(out, "  log    {log}"),
            _ => Ok(()),
        }
    }

    fn value(&self) -> Value {
        let (plan, word) = (self.plan, self.word());
        let of_plan = json!({
            "target": plan.target(),
            "host": plan.host.as_str(),
            "lineage": plan.place.as_ref().map(AsRef::<str>::as_ref),
            "action": plan.action.name,
            "store": plan.delivers.as_ref().map(|it| it.store.as_str()),
            "path": plan.delivers.as_ref().map(|it| it.path.as_str()),
            "of": self.of.map(|it| it.to_string()),
            "ending": word,
        });
        let more = match self.report {
            Err(why) => json!({ "summary": why.as_str() }),
            Ok(it) => json!({
                "op": it.op.map(|it| it.to_string()),
                "summary": it.summary.as_str(),
                "state": texts(&it.state),
                "explanation": it.explanation.as_ref().map(|it| json!({
                    "name": it.name,
                    "cause": it.cause.as_str(),
                    "next": it.next.as_str(),
                })),
                "log": it.log.as_ref().map(SafeText::as_str),
                "before": it.before.map(|it| it.to_string()),
                "after": it.after.map(|it| it.to_string()),
                "probes": it.probes.iter().map(probe).collect::<Vec<_>>(),
                "tail": texts(&it.tail),
            }),
        };
        let mut object = EMPTY.iter().map(|it| ((*it).to_owned(), Value::Null)).collect();
        for part in [of_plan, more] {
            if let (Value::Object(all), Value::Object(part)) = (&mut object, part) {
                all.extend(part);
            }
        }
        object
    }
}

/// The word for how something ended, as in the audit log.
pub(super) fn word(report: &Report) -> &'static str {
    match report.ending {
        // The log has no word for what it does not have.
        Ending::NotAudited => "not-audited",
        ending => ending.name(),
    }
}

/// The keys that are there even of what was not begun.
const EMPTY: [&str; 8] = ["op", "state", "explanation", "log", "before", "after", "probes", "tail"];

/// Writes one object, schema 1. Keys are added, never renamed.
pub(super) fn write_json(
    action: &str,
    outcomes: &[Outcome<'_>],
    rollout: Option<&Rollout>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let object = json!({
        "schema": 1,
        "certdeck": env!("CARGO_PKG_VERSION"),
        "action": action,
        "roll-out": rollout.map(rollout::value),
        "results": outcomes.iter().map(Outcome::value).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &object)?;
    out.write_all(b"\n")
}

fn texts(lines: &[SafeText]) -> Vec<&str> {
    lines.iter().map(SafeText::as_str).collect()
}

fn served(probe: &Probe) -> String {
    let (name, from, address) = (&probe.name, probe.vantage.name(), &probe.address);
    match &probe.served {
        Ok(chain) => {
            let leaf = &chain.leaf;
            format!(
                "{name} at {address} ({from}): {}, until {}",
                leaf.sha256.short(),
                leaf.not_after
            )
        }
        Err(why) => format!("{name} at {address} ({from}): {why}"),
    }
}

fn probe(probe: &Probe) -> Value {
    json!({
        "name": probe.name.as_str(),
        "vantage": probe.vantage.name(),
        "address": probe.address.as_str(),
        "at": probe.at.to_string(),
        "sha256": probe.leaf().map(|it| it.to_string()),
        "not-after": probe.served.as_ref().ok().map(|it| it.leaf.not_after.to_string()),
        "error": probe.served.as_ref().err().map(ToString::to_string),
    })
}
