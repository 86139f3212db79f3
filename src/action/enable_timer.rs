//! `enable-timer`.

use super::{Chosen, Kind, Plan, Refusal, Subject, Target, Tier};

pub(super) const KIND: Kind = Kind {
    name: "enable-timer",
    keys: "a m",
    title: "enable timer",
    about: "let certbot renew by itself again",
    tier: Tier::Change,
    subject: Subject::Host,
    choices: &[],
    plan,
};

fn plan(target: &Target<'_>, chosen: &Chosen) -> Result<Plan, Refusal> {
    todo!("{target:?} {chosen:?}")
}
