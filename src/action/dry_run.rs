//! `dry-run`.

use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier};

pub(super) const KIND: Kind = Kind {
    name: "dry-run",
    keys: "d",
    title: "dry run",
    about: "ask the CA's staging twin whether a renewal would work",
    tier: Tier::Safe,
    subject: Subject::Place,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    todo!("{target:?} {chosen:?}")
}
