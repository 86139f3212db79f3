//! `hook`.

use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier};

pub(super) const KIND: Kind = Kind {
    name: "hook",
    keys: "a h",
    title: "hook",
    about: "run a hook again",
    tier: Tier::Change,
    subject: Subject::Place,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    todo!("{target:?} {chosen:?}")
}
