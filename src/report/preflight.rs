//! What was checked before an order, for people and for programs.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::preflight::{Case, Client, Kind, Outcome, Refusal, Verdict, worst};
use crate::text::SafeText;

/// The checks of one certificate.
#[derive(Debug)]
pub struct Checks {
    /// The host and the lineage that were asked for.
    pub target: String,
    /// What would be ordered; why nothing could be checked.
    pub case: Result<Box<Case>, Refusal>,
    /// What each check says, in the order of the checks.
    pub verdicts: Vec<(&'static Kind, Verdict)>,
}

/// The checks of all that were asked for.
#[derive(Debug)]
pub struct Preflights<'a> {
    /// Each of them.
    pub all: &'a [Checks],
    /// Whether the evidence of what is good is told, too.
    pub is_whole: bool,
}

impl Checks {
    /// How it is altogether.
    pub fn outcome(&self) -> Outcome {
        match &self.case {
            Ok(_) => worst(self.verdicts.iter().map(|it| &it.1)),
            Err(_) => Outcome::Failed,
        }
    }

    fn write_text(&self, is_whole: bool, out: &mut dyn Write) -> io::Result<()> {
        let target = SafeText::new(&self.target);
        let case = match &self.case {
            Ok(case) => case,
            Err(refusal) => {
                writeln!(out, "{target}: {}", refusal.text)?;
                return writeln!(out, "  hint: {}", refusal.hint);
            }
        };
        let names = case.names().take(MOST_NAMES).collect::<Vec<_>>().join(", ");
        let more = case.proofs.len().saturating_sub(MOST_NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let by = by(case);
        let head = format!("{names}{more}; ordered by {by} from {}", case.ca.host());
        writeln!(out, "{target}: {}", SafeText::new(&head))?;
        for (kind, verdict) in &self.verdicts {
            let Verdict { outcome, text, evidence, fix } = verdict;
            writeln!(out, "  {:<10}  {:<13}  {text}", outcome.name(), kind.name)?;
            if *outcome > Outcome::Ok || is_whole {
                let more = evidence.iter().filter(|it| *it != text);
                for line in more.take(if is_whole { usize::MAX } else { MOST_LINES }) {
                    writeln!(out, "{:29}{line}", "")?;
                }
                for line in fix {
                    writeln!(out, "{:24}fix  {line}", "")?;
                }
            }
        }
        writeln!(out, "  {}", self.counts())
    }

    /// How many checks are how.
    fn counts(&self) -> String {
        let count = |outcome| self.verdicts.iter().filter(|it| it.1.outcome == outcome).count();
        let worded = Outcome::ALL.iter().filter_map(|it| {
            let count = count(*it);
            (count > 0).then(|| format!("{count} {}", it.name()))
        });
        worded.collect::<Vec<_>>().join(", ")
    }

    fn value(&self) -> Value {
        let case = self.case.as_ref().ok();
        let refusal = self.case.as_ref().err();
        let checks = self.verdicts.iter().map(|(kind, it)| {
            json!({
                "name": kind.name,
                "about": kind.about,
                "outcome": it.outcome.name(),
                "text": it.text.as_str(),
                "evidence": texts(&it.evidence),
                "fix": texts(&it.fix),
            })
        });
        let (host, lineage) = self.target.split_once('/').unwrap_or((&self.target, ""));
        json!({
            "target": SafeText::new(&self.target).as_str(),
            "host": host,
            "lineage": (!lineage.is_empty()).then(|| SafeText::new(lineage).to_string()),
            "names": case.map(|it| it.names().map(SafeText::new).map(|it| it.to_string()).collect::<Vec<_>>()),
            "by": case.map(|it| by(it)),
            "directory": case.map(|it| SafeText::new(&it.ca.directory).to_string()),
            "outcome": self.outcome().name(),
            "checks": checks.collect::<Vec<_>>(),
            "refused": refusal.map(|it| json!({
                "text": it.text.as_str(),
                "hint": it.hint.as_str(),
            })),
        })
    }
}

impl Preflights<'_> {
    /// How all of it is.
    pub fn outcome(&self) -> Outcome {
        self.all.iter().map(Checks::outcome).max().unwrap_or(Outcome::Unknown)
    }

    /// Writes one line for each check, and below it what should be known and done.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for (at, checks) in self.all.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            checks.write_text(self.is_whole, out)?;
        }
        Ok(())
    }

    /// Writes one object, schema 1. Keys are added, never renamed.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let object = json!({
            "schema": 1,
            "certdeck": env!("CARGO_PKG_VERSION"),
            "outcome": self.outcome().name(),
            "targets": self.all.iter().map(Checks::value).collect::<Vec<_>>(),
        });
        serde_json::to_writer_pretty(&mut *out, &object)?;
        out.write_all(b"\n")
    }
}

fn by(case: &Case) -> &'static str {
    match case.client {
        Client::OnHost(source) => source,
        Client::Us => "certdeck",
    }
}

fn texts(lines: &[SafeText]) -> Vec<&str> {
    lines.iter().map(SafeText::as_str).collect()
}

/// So many names stand in the first line.
const MOST_NAMES: usize = 4;
/// So many lines of evidence stand below a check, unless all of it is wanted.
const MOST_LINES: usize = 8;
