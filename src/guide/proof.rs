//! Proof on every node.

use super::tell::SHOWN;
use super::{Done, Kind, Scene, Step};
use crate::diagnose::{Does, at, rank};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "proof",
    title: "Proof on every node",
    why: "That a command ended with 0 proves nothing. What counts is the certificate that every address shows now.",
    step,
};

/// Whether clients get what they should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Every place shows what lies on its disk, valid, at every address that was looked at.
    Proven,
    /// Something is wrong; what, line by line.
    Broken(Vec<SafeText>),
    /// Not everything could be looked at; what not, line by line.
    Unknown(Vec<SafeText>),
}

impl Proof {
    /// Its word, in the audit log and for webhooks.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Broken(_) => "broken",
            Self::Unknown(_) => "unknown",
        }
    }

    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let lines = |found: &[&crate::diagnose::Finding]| -> Vec<_> {
            let line = |it: &&crate::diagnose::Finding| {
                SafeText::new(&format!("{}: {}", at(&it.host, it.place.as_ref()), it.summary))
            };
            found.iter().map(line).collect()
        };
        let (faults, gaps) = (scene.faults(), scene.gaps());
        if !faults.is_empty() {
            Self::Broken(lines(&faults))
        } else if !gaps.is_empty() {
            Self::Unknown(lines(&gaps))
        } else if scene.has_wire() {
            Self::Proven
        } else {
            let why = "nobody has looked at what is served: the inventory names no endpoint for it";
            Self::Unknown(vec![SafeText::new(why)])
        }
    }
}

fn step(scene: &Scene<'_>) -> Option<Step> {
    // After another change of what is served it is proven again.
    let prevents = |it: &&Done| rank(&it.action).is_some_and(|it| it.does == Does::Prevents);
    let changes = scene.run.done.iter().filter(|it| !prevents(it)).count();
    let about = changes.to_string();
    let is_needed = scene.has_acted() || !scene.faults().is_empty();
    if !is_needed || scene.run.is_past(KIND.name, &about) {
        return None;
    }
    let step = Step::look(&KIND).tell_all(scene.tell_layers());
    let (step, yes) = match scene.proof() {
        Proof::Proven => (
            step.tell("PROVEN: every address shows the certificate on the disk, valid now."),
            "go on",
        ),
        Proof::Broken(lines) => {
            let step =
                step.tell("NOT YET. What is left, and what the guide has no repair for any more:");
            let step = lines.iter().take(SHOWN).fold(step, |it, line| it.tell(format!("  {line}")));
            (tell_refused(scene, step), "leave it open, and hand it over")
        }
        Proof::Unknown(lines) => {
            let step = step.tell("IT CANNOT BE TOLD:");
            let step = lines.iter().take(SHOWN).fold(step, |it, line| it.tell(format!("  {line}")));
            (step, "go on without the proof")
        }
    };
    let expect = "the new certificate at every address of every node";
    let if_not = "look again (n): a load balancer or a slow node may show the old one for a while; what is skipped or failed comes back with `back`";
    Some(Step { about, yes, ..step.command(scene.scan()).expect(expect, if_not) })
}

/// Why what would mend it cannot be done from here.
fn tell_refused(scene: &Scene<'_>, step: Step) -> Step {
    let offers = scene.offers(&KIND, &scene.faults(), &[Does::Mends, Does::Orders]);
    let mut step = step;
    for (what, why) in offers.refused.iter().take(SHOWN) {
        step = step.tell(format!("not possible: {what}: {}", why.text));
        if let Some(hint) = &why.hint {
            step = step.tell(format!("  {hint}"));
        }
    }
    for fault in scene.faults() {
        let Some(place) = &fault.place else { continue };
        if scene.is_stopped(&fault.host, place.as_str()) {
            let text = format!(
                "{}: two orders failed for the same cause. A third would fail, too, and use up the limit: mend the cause first",
                at(&fault.host, fault.place.as_ref())
            );
            step = step.tell(text);
        }
    }
    step
}

#[cfg(test)]
mod tests {
    use super::super::run::Became;
    use super::super::sample::{done, healthy, run};

    #[test]
    fn what_was_done_is_proven_at_every_address_once() {
        let fleet = healthy();
        let mut it = run(&["certificate", "cause", "extent"]);
        assert_eq!(fleet.next(&it).unwrap().kind.name, "hand-over");
        it.done.push(done("reload", "web-01", Became::Done));
        let step = fleet.next(&it).unwrap();
        assert_eq!(step.kind.name, "proof");
        assert!(step.tells.iter().any(|it| it.as_str().starts_with("PROVEN")), "{step:?}");
    }
}
