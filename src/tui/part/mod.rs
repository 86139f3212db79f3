//! The pieces that screens are put together from: each draws plain data into a part of a buffer,
//! the same picture for the same data. Nothing here keeps state, asks the clock or reacts to keys.

pub mod detail;
pub mod findings;
pub mod footer;
pub mod header;
pub mod histogram;
pub mod hosts;
mod pen;
pub mod timeline;
pub mod window;

pub use pen::{MINIMUM, Page, too_small};
