//! The third step: how wide?

use std::collections::BTreeSet;

use super::tell::SHOWN;
use super::{Kind, Scene, Step, is_fault};
use crate::diagnose::{at, gather};
use crate::filter::leaves;
use crate::fleet::{Certificate, Fingerprint, Host, Place};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "extent",
    title: "How wide?",
    why: "The same certificate may be served elsewhere, and the same cause may have struck elsewhere. Know it before the first change: the order of repairs depends on it, and so does what you tell others.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    if scene.faults().is_empty() || scene.run.is_past(KIND.name, "") {
        return None;
    }
    let step = Step::look(&KIND);
    let step = tell_names(scene, step);
    let step = tell_twins(scene, step);
    let step = tell_causes(scene, step);
    let unread = scene.find.fleet.hosts().filter(|it| it.reach != crate::fleet::Reach::Up).count();
    let step = match unread {
        0 => step,
        many => {
            step.tell(format!("hosts that could not be read, of which nothing is known: {many}"))
        }
    };
    Some(step.command("certdeck scan 'state:expired,overdue,unloaded,drift,chain,name,key,staging,revoked'").expect(
        "all places that are hit, and nothing that you did not know of",
        "a place that is hit and not part of this run: note it, and begin another run for it afterwards",
    ))
}

/// The other names that clients cannot reach either.
fn tell_names(scene: &Scene<'_>, step: Step) -> Step {
    let places: Vec<_> = scene.case.places(scene.find).collect();
    let names: BTreeSet<&SafeText> = places
        .iter()
        .filter_map(|it| it.1.leaf())
        .flat_map(|it| &it.names)
        .filter(|it| !it.as_str().eq_ignore_ascii_case(&scene.run.about))
        .collect();
    let hosts = scene.case.hosts().len();
    let step = step.tell(format!(
        "this run is about {} at {}",
        count(places.len(), "place"),
        count(hosts, "host")
    ));
    if names.is_empty() {
        return step.tell("no other name is on these certificates");
    }
    let shown: Vec<_> = names.iter().take(SHOWN).map(|it| it.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    step.tell(format!("other names on the same certificates: {}{more}", shown.join(", ")))
}

/// Where the same certificate, or one for the same names, is elsewhere.
fn tell_twins(scene: &Scene<'_>, step: Step) -> Step {
    let places: Vec<_> = scene.case.places(scene.find).collect();
    let prints: BTreeSet<Fingerprint> =
        places.iter().flat_map(|it| leaves(it.1)).map(|it| it.sha256).collect();
    let sets: BTreeSet<Vec<&str>> =
        places.iter().filter_map(|it| it.1.leaf()).map(names_of).collect();
    let others = || scene.find.fleet.places().filter(|(host, place)| !scene.case.has(host, place));
    let same = others().filter(|it| leaves(it.1).any(|it| prints.contains(&it.sha256)));
    let step = tell_places(step, "the same certificate is at", same);
    let alike = others().filter(|it| {
        !leaves(it.1).any(|it| prints.contains(&it.sha256))
            && it.1.leaf().is_some_and(|it| sets.contains(&names_of(it)))
    });
    tell_places(step, "another one for the same names is at", alike)
}

fn tell_places<'a>(
    step: Step,
    what: &str,
    places: impl Iterator<Item = (&'a Host, &'a Place)>,
) -> Step {
    let all: Vec<_> = places.map(|(host, place)| at(&host.name, Some(&place.name))).collect();
    match all.as_slice() {
        [] => step,
        all if all.len() <= SHOWN => step.tell(format!("{what}: {}", all.join(", "))),
        all => {
            let shown = all.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            step.tell(format!("{what}: {shown} and {} more", all.len() - SHOWN))
        }
    }
}

/// The same cause at places that the run is not about.
fn tell_causes(scene: &Scene<'_>, step: Step) -> Step {
    let all: Vec<_> = scene.diagnosis.findings.iter().filter(|it| is_fault(it)).collect();
    let mine = scene.faults();
    let mut step = step;
    let mut is_alone = true;
    for cause in gather(&all) {
        let is_mine = cause.among(&all).any(|it| mine.contains(&it));
        let others: Vec<_> = cause.among(&all).filter(|it| !mine.contains(it)).collect();
        if is_mine && !others.is_empty() {
            is_alone = false;
            let what = format!("the same cause ({}) elsewhere", cause.verdict);
            let shown: Vec<_> =
                others.iter().take(SHOWN).map(|it| at(&it.host, it.place.as_ref())).collect();
            let more = others.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            step = step.tell(format!("{what}: {}{more}", shown.join(", ")));
        }
    }
    let rest = all.iter().filter(|it| !mine.contains(it)).count();
    match (is_alone, rest) {
        (true, 0) => step.tell("nothing else in the fleet is wrong"),
        (true, rest) => step.tell(format!(
            "no other place has the same cause; {} elsewhere with other causes",
            count(rest, "fault")
        )),
        (false, _) => step,
    }
}

fn names_of(leaf: &Certificate) -> Vec<&str> {
    let mut names: Vec<_> = leaf.names.iter().map(SafeText::as_str).collect();
    names.sort_unstable();
    names
}

pub(super) fn count(many: usize, what: &str) -> String {
    if many == 1 { format!("1 {what}") } else { format!("{many} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{check_step, unloaded};

    #[test]
    fn twins_and_names_are_told() {
        check_step(
            &unloaded(),
            &["certificate", "cause"],
            "extent",
            &["this run is about 2 places at 2 hosts", "nothing else in the fleet is wrong"],
        );
    }
}
