//! Everything that is tested from outside: the binary, the terminal, real servers, house rules.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests stop at the first thing that is wrong"
)]

mod audit;
mod budget;
mod certificate;
mod chain;
mod change;
mod cli;
mod cloud;
mod console;
mod dns;
#[cfg(feature = "practice")]
mod drill;
mod fuzz_seeds;
#[cfg(feature = "practice")]
mod incident;
mod issuer;
mod job;
mod lab;
mod local;
mod metrics;
mod mutation;
mod notice;
mod order;
mod parts;
mod picture;
mod powerdns;
#[cfg(feature = "practice")]
mod practice;
mod preflight;
mod pty;
#[cfg(feature = "practice")]
mod readme;
mod relink;
#[cfg(feature = "practice")]
mod repair;
mod review;
mod screenshots;
mod serve;
mod source;
mod stage;
mod store;
mod tidy;
mod truth;
mod unattended;
