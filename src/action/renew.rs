//! `renew`.

use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier};

pub(super) const KIND: Kind = Kind {
    name: "renew",
    keys: "a r",
    title: "renew",
    about: "let certbot renew what is due",
    tier: Tier::Change,
    subject: Subject::Place,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    todo!("{target:?} {chosen:?}")
}
