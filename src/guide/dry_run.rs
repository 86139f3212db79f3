//! A dry run before the first order of a client.

use super::{Became, Kind, Scene, Step};
use crate::action::{DRY_RUN, Plan};
use crate::diagnose::{Remedy, command};
use crate::fleet::{DAY, Place};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "dry-run",
    title: "Dry run",
    why: "The staging twin of the CA says whether the order would go well, and what it refuses costs nothing in production. It is not a proof: another account is used, and deploy hooks are skipped.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    let next = scene.next_order().filter(|it| !it.is_proven && it.is_by_client)?;
    let (remedy, _) = next.at.first()?;
    // What is issued anew may go to another CA, of which a dry run of the old one says nothing.
    if !RENEWALS.contains(&remedy.action) {
        return None;
    }
    let (host, name) = (&remedy.host, remedy.place.as_ref()?);
    let trial = Remedy::new(DRY_RUN, host, Some(name));
    let about = command(&[&trial]);
    let was_done =
        scene.run.of(DRY_RUN, host, Some(name.as_str())).any(|it| it.became == Became::Done);
    let place = scene.find.fleet.host(host)?.places.iter().find(|it| it.name == *name)?;
    let last = place.renewal.as_ref().and_then(|it| it.last_dry_run);
    let is_fresh = last.is_some_and(|it| it.is_ok && scene.find.now.since(it.at) < DAY);
    if was_done || is_fresh || scene.run.is_past(KIND.name, &about) {
        return None;
    }
    let plan = scene.plan(&trial)?.ok()?;
    if asks_itself(&plan, place) {
        return None;
    }
    let headline = SafeText::new(&format!("the order at {}", plan.target()));
    let offer = super::offer::Offer::of(about, vec![plan], headline, trial.why);
    let mut step = offer.step(&KIND);
    step.why = SafeText::new(KIND.why);
    step.if_not = SafeText::new(
        "its client is not used for the order: certdeck orders itself, if the inventory has an [[issuer]]",
    );
    Some(step)
}

/// The orders that a dry run tries.
const RENEWALS: [&str; 2] = ["renew", "force-renew"];

/// Whether the CA itself would be asked, for want of a twin: then the order is as good a trial.
fn asks_itself(plan: &Plan, place: &Place) -> bool {
    let server = place.renewal.as_ref().and_then(|it| it.server.as_ref()).map(SafeText::as_str);
    let words = plan.commands.iter().flat_map(|it| it.argv.windows(2));
    server.is_some_and(|server| words.into_iter().any(|it| it == ["--server", server]))
}
