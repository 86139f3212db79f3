//! The console.

pub mod mask;
pub mod part;
pub mod rows;
#[doc(hidden)]
pub mod sample;
pub mod theme;
