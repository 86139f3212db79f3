//! `rollback`.

use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier};

pub(super) const KIND: Kind = Kind {
    name: "rollback",
    keys: "a b",
    title: "roll back",
    about: "link an archived version whose key fits",
    tier: Tier::Risky,
    subject: Subject::Place,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    todo!("{target:?} {chosen:?}")
}
