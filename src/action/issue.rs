//! `issue`.

use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier};

pub(super) const KIND: Kind = Kind {
    name: "issue",
    keys: "a i",
    title: "issue",
    about: "order a certificate for a set of names",
    tier: Tier::Risky,
    subject: Subject::Lineage,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    todo!("{target:?} {chosen:?}")
}
