//! The console.

pub mod mask;
pub mod part;
pub mod rows;
pub mod theme;
