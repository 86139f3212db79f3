//! So that it does not come back.

use super::{Kind, Scene, Step};
use crate::diagnose::Does;

pub(super) const KIND: Kind = Kind {
    name: "prevent",
    title: "So that it does not come back",
    why: "Clients are served again. What let it happen is still there: a timer that is off, a hook that is skipped. It can be skipped now, and it is on record that it was.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    if !scene.faults().is_empty() {
        return None;
    }
    let offers = scene.offers(&KIND, &scene.worries(), &[Does::Prevents, Does::Mends]);
    Some(offers.all.into_iter().next()?.step(&KIND))
}
