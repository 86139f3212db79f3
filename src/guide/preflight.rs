//! If a new one is needed: will it work?

use super::tell::SHOWN;
use super::{Does, Kind, Scene, Step};
use crate::diagnose::{Finding, Remedy, at, word};
use crate::fleet::Severity;

pub(super) const KIND: Kind = Kind {
    name: "preflight",
    title: "Before an order: will it work?",
    why: "An order that fails uses up what the CA allows for the same name, and five failures in an hour lock it out. What can be known before is looked at before.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    let next = scene.next_order().filter(|it| !it.is_proven)?;
    let key = next.key();
    if scene.run.is_past(KIND.name, &key) {
        return None;
    }
    let (remedy, plan) = next.at.first()?;
    let is_here =
        |it: &&Finding| it.host == remedy.host && (it.place.is_none() || it.place == remedy.place);
    let rules = if next.is_by_client { OF_CLIENT } else { OF_ANY };
    let in_the_way: Vec<&Finding> = scene
        .diagnosis
        .findings
        .iter()
        .filter(is_here)
        .filter(|it| it.severity >= Severity::Warning && rules.contains(&it.rule))
        .collect();
    let mut step = Step::look(&KIND)
        .tell(format!("order  {}", remedy.why))
        .tell(format!("cost   {}", plan.cost));
    for it in in_the_way.iter().take(SHOWN) {
        step =
            step.tell(format!("in the way: {}: {}", at(&it.host, it.place.as_ref()), it.summary));
        step = step.tell(format!("  {}", it.cause));
    }
    if in_the_way.is_empty() {
        step = step.tell("nothing that was read of the host is in the way");
    }
    let last = scene.last_renewal(remedy);
    step = last.into_iter().fold(step, Step::tell);
    let failures: Vec<_> = scene
        .run
        .done
        .iter()
        .filter(|it| it.became == super::Became::Failed && it.host == remedy.host)
        .collect();
    for it in failures.iter().take(SHOWN) {
        step = step.tell(format!("before: {} {}: {}", it.action, it.target(), it.summary));
    }
    let step = step
        .command(format!("certdeck preflight {}", word(&remedy.target())))
        .command(format!("certdeck plan {}", key.trim_start_matches("certdeck run ")))
        .expect("nothing in the way", "mend what is in the way and look again (n)");
    let does = if in_the_way.is_empty() { Does::Look } else { Does::Blocked };
    Some(Step { about: key, does, ..step })
}

impl Scene<'_> {
    /// How the last renewal by the client failed, which the next one may do as well.
    fn last_renewal(&self, remedy: &Remedy) -> Option<String> {
        let host = self.find.fleet.host(&remedy.host)?;
        let place = host.places.iter().find(|it| remedy.place.as_ref() == Some(&it.name))?;
        let failure = place.last_failure()?;
        let when = failure.at.map(|it| format!(", {it}")).unwrap_or_default();
        Some(format!("the last renewal failed{when}: {}", failure.text))
    }
}

/// Rules that tell of what any order fails for.
const OF_ANY: &[&str] = &["clock"];

/// Rules that tell of what an order by the host's client fails for.
const OF_CLIENT: &[&str] = &["clock", "needs", "credential", "lock", "authenticator"];
