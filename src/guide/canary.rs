//! The first order, at one place alone.

use super::{Kind, Scene, Step};

pub(super) const KIND: Kind = Kind {
    name: "canary",
    title: "Order at one place",
    why: "Nothing cheaper is left. One order at one place shows whether it works; what it teaches is free for all others.",
    step,
};

fn step(scene: &Scene<'_>) -> Option<Step> {
    let next = scene.next_order().filter(|it| !it.is_proven)?;
    Some(next.offer(true).step(&KIND))
}
