//! The first step: is it the certificate at all?

use super::tell::SHOWN;
use super::{Kind, Scene, Step};
use crate::diagnose::at;

pub(super) const KIND: Kind = Kind {
    name: "certificate",
    title: "Is it the certificate?",
    why: "The obvious repair, a renewal, is wrong often enough to make an outage hours longer. So look first at what clients get, what the process has loaded, what lies on the disk, and what the CA gave.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    if scene.run.is_past(KIND.name, "") {
        return None;
    }
    let step = Step::look(&KIND);
    let (faults, gaps) = (scene.faults(), scene.gaps());
    let step = match (faults.first(), gaps.first()) {
        (Some(_), _) => faults.iter().take(SHOWN).fold(step.tell("YES:"), |it, fault| {
            it.tell(format!("  {}: {}", at(&fault.host, fault.place.as_ref()), fault.summary))
        }),
        (None, Some(_)) => {
            let step = step.tell("IT CANNOT BE TOLD: not everything could be looked at.");
            gaps.iter().take(SHOWN).fold(step, |it, gap| {
                it.tell(format!("  {}: {}", at(&gap.host, gap.place.as_ref()), gap.summary))
            })
        }
        (None, None) if scene.has_wire() => step
            .tell("NO. Every address shows a certificate that is valid now, for this name, with its chain.")
            .tell("  If clients still fail: what error do they show? A refused connection, a timeout or an HTTP status is not the certificate.")
            .tell("  If only some clients fail: their clock, their list of roots, a proxy or a load balancer between you and them."),
        (None, None) => step
            .tell("IT CANNOT BE TOLD: what lies on the disk is good, and nobody has looked at what is served.")
            .tell("  Tell the inventory of an [[host.endpoint]] with this name, so that it is looked at."),
    };
    let if_not = if faults.is_empty() {
        "look again (n); a name that leads elsewhere is seen at its addresses above"
    } else {
        "go on: the next step names the cause"
    };
    let step = step.expect("the same certificate in every layer, valid now", if_not);
    Some(step.tell_all(scene.tell_layers()).command(scene.scan()))
}

impl Scene<'_> {
    /// Whether something that is served was seen of what the run is about.
    pub(super) fn has_wire(&self) -> bool {
        self.case
            .places(self.find)
            .any(|(_, place)| place.probes.iter().any(|it| it.served.is_ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{check_step, healthy, unloaded};

    #[test]
    fn four_layers_say_whether_it_is_the_certificate() {
        check_step(
            &unloaded(),
            &[],
            "certificate",
            &["web-01/shop", "disk    89.0d left", "loaded  127.0.0.1:443", "YES:"],
        );
        check_step(&healthy(), &[], "certificate", &["NO. Every address shows"]);
    }
}
