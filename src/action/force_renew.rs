//! `force-renew`.

use super::card::Lineage;
use super::certbot::Certbot;
use super::gate::OVER;
use super::renew::renewal_plan;
use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier, cluster, issue, renew};

pub(super) const KIND: Kind = Kind {
    name: "force-renew",
    keys: "a f",
    title: "force renew",
    about: "renew though it is not due; uses the CA's limits",
    tier: Tier::Risky,
    subject: Subject::Place,
    choices: &[OVER],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    if renew::is_own(target) {
        let mut plan = issue::renewal_plan(&KIND, target, chosen)?;
        plan.notes.extend(cheaper(&Lineage::of(target)?));
        return Ok(plan);
    }
    if cluster::holds(target) {
        return cluster::renewal_plan(&KIND, &cluster::lineage(target)?, chosen);
    }
    let certbot = Certbot::of(target)?;
    let lineage = Lineage::of(target)?;
    let mut plan = renewal_plan(&KIND, &lineage, &certbot, &["--force-renewal"], chosen)?;
    plan.notes.extend(cheaper(&lineage));
    if lineage.place.renewal.as_ref().is_some_and(|it| !it.is_enabled) {
        plan.notes.push("its renewal is switched off (autorenew = False), and stays so".to_owned());
    }
    Ok(plan)
}

/// What would mend it without an order.
fn cheaper(lineage: &Lineage<'_>) -> Option<String> {
    let now = lineage.target.now;
    if let Some(newer) = lineage.place.newer().filter(|it| it.chain.leaf.not_after > now) {
        let until = newer.chain.leaf.not_after;
        return Some(format!(
            "cheaper: `rollback` leads the links to the newer certificate in the archive, valid until {until}"
        ));
    }
    let failure = lineage.place.last_failure()?;
    // As the log of certbot is read: the certificate came, and only the hook after it failed.
    let is_hook = failure.text.as_str().contains("-hook failed with exit code");
    is_hook.then(|| {
        "cheaper: the certificate was renewed and only a hook failed; `hook` runs it again"
            .to_owned()
    })
}
