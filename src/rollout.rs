//! Plans for many places, in waves: one canary first, then some at once, never two on one host.

use crate::action::Plan;

/// Plans that are performed at the same time, as places in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave(pub Vec<usize>);

/// Puts plans into waves of at most `width` after the canary.
pub fn waves(plans: &[Plan], width: usize) -> Vec<Wave> {
    todo!("{plans:?} {width}")
}

/// How many places are changed at once where no group says otherwise.
pub const WIDTH: usize = 5;
