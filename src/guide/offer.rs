//! What can be offered: an action at some places, with a plan for each; the cheapest first.

use std::cmp::Reverse;

use super::tell::SHOWN;
use super::{Became, Does, Done, Kind, Scene, Step};
use crate::action::{self, Chosen, Plan, Refusal};
use crate::diagnose::{self, Cause, Finding, RANKS, Remedy, gather, rank};
use crate::fleet::{HostName, PlaceName};
use crate::text::SafeText;

/// An action at some places.
#[derive(Debug)]
pub(super) struct Offer {
    /// The same as on the command line.
    pub(super) command: String,
    pub(super) plans: Vec<Plan>,
    /// Where it cannot be done, and why.
    refused: Vec<(String, Refusal)>,
    /// What it is for.
    headline: SafeText,
    /// Why it would help, or what it costs.
    why: SafeText,
    /// What happened the last time, if it failed before.
    failed: Option<SafeText>,
}

/// What is known of the way to mend something.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// Those that can be done, the cheapest of the worst first.
    pub(super) all: Vec<Offer>,
    /// What would mend it and cannot be done, and why.
    pub(super) refused: Vec<(String, Refusal)>,
}

impl Scene<'_> {
    /// What would mend these findings, of those kinds of remedies, and was neither done nor left
    /// out: of each cause one. What failed comes once more, after all others.
    pub(super) fn offers(
        &self,
        step: &Kind,
        findings: &[&Finding],
        does: &[diagnose::Does],
    ) -> Offers {
        let mut offers = Offers::default();
        let mut found = Vec::new();
        for cause in gather(findings) {
            let offer = [0, 1].into_iter().find_map(|failures| {
                self.offer(step, &cause, findings, does, failures, &mut offers.refused)
            });
            found.extend(offer.map(|it| (cause.severity, it)));
        }
        found.sort_by_key(|(severity, it)| {
            let place = it
                .plans
                .first()
                .and_then(|it| RANKS.iter().position(|rank| rank.action == it.action.name));
            (it.failed.is_some(), Reverse(*severity), place)
        });
        offers.all = found.into_iter().map(|it| it.1).collect();
        offers.refused.dedup();
        offers
    }

    /// The first remedy of a cause that can be offered to places at which it failed so often.
    fn offer(
        &self,
        step: &Kind,
        cause: &Cause,
        findings: &[&Finding],
        does: &[diagnose::Does],
        failures: usize,
        refused: &mut Vec<(String, Refusal)>,
    ) -> Option<Offer> {
        let groups = cause.remedies(findings);
        let is_meant = |it: &&Vec<&Remedy>| {
            let action = it.first().map_or("", |it| it.action);
            rank(action).is_some_and(|it| does.contains(&it.does))
        };
        groups.iter().filter(is_meant).find_map(|group| {
            let is_open = |it: &&&Remedy| {
                let place = it.place.as_ref().map(SafeText::as_str);
                !self.is_done(it) && self.run.failures(it.action, &it.host, place) == failures
            };
            let remedies: Vec<&Remedy> = group.iter().filter(is_open).copied().collect();
            let command = diagnose::command(&remedies);
            if remedies.is_empty() || self.run.is_past(step.name, &command) {
                return None;
            }
            let mut offer = Offer {
                command,
                plans: Vec::new(),
                refused: Vec::new(),
                headline: cause.headline(findings),
                why: remedies.first().map(|it| it.why.clone()).unwrap_or_default(),
                failed: remedies.first().and_then(|it| self.last_failure(it)),
            };
            for remedy in &remedies {
                match self.plan(remedy) {
                    Some(Ok(plan)) => offer.plans.push(plan),
                    Some(Err(why)) => offer.refused.push((told(remedy), why)),
                    None => {}
                }
            }
            if offer.plans.is_empty() {
                refused.append(&mut offer.refused);
                return None;
            }
            // What was refused is not on the command line that is shown.
            let planned: Vec<&Remedy> = remedies
                .into_iter()
                .filter(|it| {
                    offer.plans.iter().any(|plan| is_at(plan, &it.host, it.place.as_ref()))
                })
                .collect();
            offer.command = diagnose::command(&planned);
            (!self.run.is_past(step.name, &offer.command)).then_some(offer)
        })
    }

    /// Plans a remedy.
    pub(super) fn plan(&self, remedy: &Remedy) -> Option<Result<Plan, Refusal>> {
        let kind = action::named(remedy.action)?;
        let mut chosen = Chosen::default();
        for (name, value) in &remedy.chosen {
            chosen.set(name, value.as_str());
        }
        let is_of_host = kind.subject == action::Subject::Host;
        let place = remedy.place.as_ref().filter(|_| !is_of_host).map(SafeText::as_str);
        let target = self.find.target(&remedy.host, place)?;
        Some(kind.plan(&target, &chosen))
    }

    /// Whether it was done in this run, and nothing else since that could have undone it.
    fn is_done(&self, remedy: &Remedy) -> bool {
        let done = &self.run.done;
        let at = done.iter().rposition(|it| it.became == Became::Done && is_of(it, remedy));
        at.is_some_and(|at| {
            let mut later = done.iter().skip(at + 1);
            !later.any(|it| it.became == Became::Done && it.host == remedy.host)
        })
    }

    fn last_failure(&self, remedy: &Remedy) -> Option<SafeText> {
        let place = remedy.place.as_ref().map(SafeText::as_str);
        let failed = self.run.of(remedy.action, &remedy.host, place);
        Some(failed.filter(|it| it.became == Became::Failed).last()?.summary.clone())
    }
}

/// Whether that was done is what a remedy asks for.
fn is_of(done: &Done, remedy: &Remedy) -> bool {
    let mut chosen: Vec<_> = remedy.chosen.iter().map(|it| (it.0, it.1.as_str())).collect();
    chosen.sort_unstable();
    let mut was: Vec<_> = done.chosen.iter().map(|it| (it.0.as_str(), it.1.as_str())).collect();
    was.sort_unstable();
    let is_host =
        action::named(remedy.action).is_some_and(|it| it.subject == action::Subject::Host);
    let place = remedy.place.as_ref().filter(|_| !is_host).map(SafeText::as_str);
    done.action == remedy.action
        && done.host == remedy.host
        && done.place.as_deref() == place
        && was == chosen
}

fn is_at(plan: &Plan, host: &HostName, place: Option<&PlaceName>) -> bool {
    plan.host == *host && (plan.place.is_none() || plan.place.as_ref() == place)
}

fn told(remedy: &Remedy) -> String {
    format!("{} {}", remedy.action, remedy.target())
}

impl Offer {
    /// An offer of plans that were made.
    pub(super) fn of(command: String, plans: Vec<Plan>, headline: SafeText, why: SafeText) -> Self {
        Self { command, plans, refused: Vec::new(), headline, why, failed: None }
    }

    /// The step that offers it.
    pub(super) fn step(self, kind: &'static Kind) -> Step {
        let mut step = Step::look(kind).tell(format!("for    {}", self.headline));
        if let Some(first) = self.plans.first() {
            step = step.tell(format!("offer  {}: {}", first.action.title, self.why));
        }
        if let Some(failed) = &self.failed {
            step = step.tell(format!("before it failed: {failed}"));
            step = step.tell("  Try again only if that is mended. A second failure ends it: there is no third try.");
        }
        for (what, why) in self.refused.iter().take(SHOWN) {
            step = step.tell(format!("not possible: {what}: {}", why.text));
        }
        step = step.command(&self.command);
        if let Some(first) = self.plans.first() {
            for command in &first.commands {
                step = step.command(format!("  on {}: {}", first.host, command.brief()));
            }
            step.effects = first.effect.iter().map(|it| SafeText::new(it)).collect();
            step.effects.push(SafeText::new(&format!("cost: {}", first.cost)));
            step.effects.extend(first.notes.iter().map(|it| SafeText::new(&format!("note: {it}"))));
            step = step.expect(&first.proof, IF_NOT);
            step.undo = SafeText::new(&first.undo);
        }
        match self.plans.len() {
            0 | 1 => {}
            many => {
                let others: Vec<_> = self.plans.iter().skip(1).map(Plan::target).collect();
                let shown = others.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>();
                let more = others.len().saturating_sub(SHOWN);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                step = step.tell(format!("likewise: {}{more}", shown.join(", ")));
                let text = format!(
                    "{many} places in waves: the first alone, and the others only once it is proven; a failure stops what has not begun"
                );
                step.effects.push(SafeText::new(&text));
            }
        }
        let about = self.command.clone();
        Step { about, does: Does::Change(self.plans), yes: "do it", ..step }
    }
}

const IF_NOT: &str = "what happened is told, nothing else is tried by itself, and the next cheapest repair is offered";
