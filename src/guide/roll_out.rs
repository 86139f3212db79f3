//! The same order at all the other places.

use super::{Kind, Scene, Step};

pub(super) const KIND: Kind = Kind {
    name: "roll-out",
    title: "The other places",
    why: "The first place is proven. The others follow in waves, one change per host at a time; each is proven before the next wave begins, and a failure stops what has not begun.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    let next = scene.next_order().filter(|it| it.is_proven)?;
    Some(next.offer(false).step(&KIND))
}
