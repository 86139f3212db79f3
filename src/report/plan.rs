//! Plans, for people and for programs: exactly what would happen, and what is asked for.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::action::{Ask, Expect, Kind, Plan, Promise, Refusal, Review, Tier, Why};
use crate::inventory::{Endpoint, Impact, StartTls};
use crate::rollout::Wave;
use crate::text::SafeText;

/// Plans that were made at the same time.
#[derive(Debug)]
pub struct Plans<'a> {
    /// The action.
    pub action: &'a Kind,
    /// The plans, up for review; `None` if every target was refused.
    pub review: Option<&'a Review>,
    /// In which order they would be performed.
    pub waves: &'a [Wave],
    /// The targets that were refused, and why.
    pub refused: &'a [(String, Refusal)],
}

impl Plans<'_> {
    fn plans(&self) -> &[Plan] {
        self.review.map_or(&[], Review::plans)
    }

    /// Writes one card for each plan, and a line for each target that was refused.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        for plan in self.plans() {
            write_card(plan, out)?;
            write_scripts(plan, out)?;
            writeln!(out)?;
        }
        self.write_refused(out)?;
        if let [_, _, ..] = self.plans() {
            write_waves(self.plans(), self.waves, out)?;
        }
        match self.review.map(Review::ask) {
            None => Ok(()),
            Some(Ask::Nothing) => writeln!(out, "It is safe: nothing is asked."),
            Some(Ask::Key) => writeln!(out, "A key is asked for, or --yes {}.", self.yes_word()),
            Some(Ask::Type(text)) => {
                let text = safe(&text);
                writeln!(out, "To be typed: {text}; or --yes {}.", self.yes_word())
            }
        }
    }

    /// Writes a line for each target that was refused, and what to do instead.
    pub fn write_refused(&self, out: &mut dyn Write) -> io::Result<()> {
        for (target, refusal) in self.refused {
            writeln!(out, "refused  {}: {}", safe(target), safe(&refusal.text))?;
            if let Some(hint) = &refusal.hint {
                writeln!(out, "  hint: {}", safe(hint))?;
            }
        }
        Ok(())
    }

    /// What `--yes` has to be.
    pub fn yes(&self) -> String {
        let plans = self.plans();
        if let (true, Some(Ask::Type(text))) =
            (plans.iter().any(|it| it.phrase.is_some()), self.review.map(Review::ask))
        {
            return safe(&text).to_string();
        }
        match plans {
            [one] => safe(one.name()).to_string(),
            many => many.len().to_string(),
        }
    }

    /// The same as a word of a command line.
    pub fn yes_word(&self) -> String {
        let yes = self.yes();
        if yes.contains(' ') { format!("'{}'", yes.replace('\'', r"'\''")) } else { yes }
    }

    /// Writes one object, schema 1. Keys are added, never renamed.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let plans = self.plans();
        let waves: Vec<Vec<String>> = self.waves.iter().map(|it| names(it, plans)).collect();
        let object = json!({
            "schema": 1,
            "certdeck": env!("CARGO_PKG_VERSION"),
            "action": self.action.name,
            "tier": self.review.map(|it| tier(it.tier())),
            "ask": self.review.map(|it| ask(&it.ask())),
            "yes": self.review.map(|_| self.yes()),
            "waves": waves,
            "plans": plans.iter().map(WirePlan::of).collect::<Vec<_>>(),
            "refused": self.refused.iter().map(|(target, it)| refused(target, it)).collect::<Vec<_>>(),
        });
        serde_json::to_writer_pretty(&mut *out, &object)?;
        out.write_all(b"\n")
    }
}

/// Writes the card of a plan.
pub fn write_card(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}", plan.action.title, safe(&plan.target()))?;
    let mut last = "";
    for (label, line) in plan.card() {
        // A label stands before the first of its lines.
        let shown = if label == last { "" } else { label };
        last = label;
        writeln!(out, "  {shown:<7} {}", safe(&line))?;
    }
    Ok(())
}

/// Writes the scripts that the card only names.
fn write_scripts(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    for script in plan.commands.iter().flat_map(|it| &it.argv).filter(|it| it.contains('\n')) {
        writeln!(out, "  Script")?;
        for line in script.trim_matches('\n').lines() {
            writeln!(out, "    {}", safe(line))?;
        }
    }
    Ok(())
}

fn write_waves(plans: &[Plan], waves: &[Wave], out: &mut dyn Write) -> io::Result<()> {
    for (number, wave) in waves.iter().enumerate() {
        let canary = if number == 0 { " (the canary)" } else { "" };
        let names: Vec<_> = names(wave, plans).iter().map(|it| safe(it).to_string()).collect();
        writeln!(out, "wave {}{canary}: {}", number + 1, names.join(", "))?;
    }
    Ok(())
}

fn names(wave: &Wave, plans: &[Plan]) -> Vec<String> {
    wave.0.iter().filter_map(|it| plans.get(*it)).map(Plan::target).collect()
}

/// Names that came from hosts stand in plans, and so does what somebody typed.
fn safe(text: &str) -> SafeText {
    SafeText::capped(text, MAX_LINE)
}

/// A hundred names of 253 characters are longer than any text of a host.
const MAX_LINE: usize = 32 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WirePlan<'a> {
    target: String,
    host: &'a str,
    lineage: Option<&'a str>,
    source: Option<&'static str>,
    tier: &'static str,
    what: &'a str,
    effect: &'a [String],
    cost: &'a str,
    undo: &'a str,
    proof: &'a str,
    notes: &'a [String],
    files: &'a [String],
    commands: Vec<WireCommand<'a>>,
    expect: Value,
    promise: Value,
    impact: &'static str,
    config_dir: Option<&'a str>,
    endpoints: Vec<Value>,
}

#[derive(Serialize)]
struct WireCommand<'a> {
    argv: &'a [String],
    env: Map<String, Value>,
}

impl<'a> WirePlan<'a> {
    fn of(plan: &'a Plan) -> Self {
        let command = |it: &'a crate::action::Command| WireCommand {
            argv: &it.argv,
            env: it.env.iter().map(|(name, value)| (name.clone(), json!(value))).collect(),
        };
        Self {
            target: plan.target(),
            host: plan.host.as_str(),
            lineage: plan.place.as_ref().map(AsRef::as_ref),
            source: plan.source,
            tier: tier(plan.tier),
            what: &plan.what,
            effect: &plan.effect,
            cost: &plan.cost,
            undo: &plan.undo,
            proof: &plan.proof,
            notes: &plan.notes,
            files: &plan.files,
            commands: plan.commands.iter().map(command).collect(),
            expect: match &plan.expect {
                Expect::Anything => json!({ "kind": "anything" }),
                Expect::Leaf(it) => json!({ "kind": "leaf", "sha256": it.to_string() }),
                Expect::NoLineage => json!({ "kind": "no-lineage" }),
            },
            promise: match &plan.promise {
                Promise::Leaf(it) => json!({ "kind": "leaf", "sha256": it.to_string() }),
                Promise::NewLeaf => json!({ "kind": "new-leaf" }),
                Promise::SameLeaf => json!({ "kind": "same-leaf" }),
                Promise::Served => json!({ "kind": "served" }),
                Promise::Chain(it) => json!({ "kind": "chain", "sha256": it.to_string() }),
                Promise::Serves(it) => json!({ "kind": "serves", "sha256": it.to_string() }),
                Promise::Delivered(it) => json!({ "kind": "delivered", "sha256": it.to_string() }),
                Promise::Renewable => json!({ "kind": "renewable" }),
                Promise::ClockRight => json!({ "kind": "clock-right" }),
                Promise::Executable(path) => json!({ "kind": "executable", "path": path }),
                Promise::TimerArmed => json!({ "kind": "timer-armed" }),
            },
            impact: match plan.impact {
                Impact::None => "none",
                Impact::Reload => "reload",
                Impact::Restart => "restart",
            },
            config_dir: plan.config_dir.as_deref(),
            endpoints: plan.endpoints.iter().map(endpoint).collect(),
        }
    }
}

fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Safe => "safe",
        Tier::Change => "change",
        Tier::Risky => "risky",
        Tier::Many => "many",
    }
}

fn ask(ask: &Ask) -> Value {
    match ask {
        Ask::Nothing => json!({ "kind": "nothing" }),
        Ask::Key => json!({ "kind": "key" }),
        Ask::Type(text) => json!({ "kind": "type", "text": text }),
    }
}

fn refused(target: &str, refusal: &Refusal) -> Value {
    let why = match refusal.why {
        Why::BadRequest => "bad-request",
        Why::OverBudget => "over-budget",
        Why::Pointless => "pointless",
        Why::ReadOnly => "read-only",
        Why::Unknown => "unknown",
    };
    json!({
        "target": target,
        "why": why,
        "text": refusal.text,
        "hint": refusal.hint,
        "until": refusal.until.map(|it| it.to_string()),
    })
}

fn endpoint(endpoint: &Endpoint) -> Value {
    let starttls = match endpoint.starttls {
        StartTls::None => "none",
        StartTls::Smtp => "smtp",
        StartTls::Imap => "imap",
        StartTls::Postgres => "postgres",
        StartTls::Ldap => "ldap",
    };
    let probe: Vec<_> = endpoint.probe.iter().map(|it| it.name()).collect();
    json!({ "name": endpoint.name, "port": endpoint.port, "starttls": starttls, "probe": probe })
}
