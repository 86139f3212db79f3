//! `force-renew`.

use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier};

pub(super) const KIND: Kind = Kind {
    name: "force-renew",
    keys: "a f",
    title: "force renew",
    about: "renew though it is not due; uses the CA's limits",
    tier: Tier::Risky,
    subject: Subject::Place,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    todo!("{target:?} {chosen:?}")
}
