//! The pieces that screens are put together from: each draws plain data into a part of a buffer,
//! the same picture for the same data. Nothing here keeps state, asks the clock or reacts to keys.

pub mod audit;
mod automation;
mod axis;
pub mod budget;
pub mod card;
pub mod cause;
pub mod checks;
pub mod detail;
pub mod findings;
pub mod footer;
pub mod header;
pub mod histogram;
mod host;
pub mod hosts;
pub mod jobs;
mod layers;
pub mod menu;
mod pen;
pub mod practice;
pub mod review;
pub(in crate::tui) mod sheet;
pub mod timeline;
pub mod window;

pub use pen::{MINIMUM, Page, cut, too_small};
