//! certdeck: a fleet certificate console.
//!
//! It reads a host inventory, looks at every host over SSH, and draws one timeline on which
//! everything that expires can be seen.
//!
//! # The rooms
//!
//! Pure: values in, values out. No clock, disk, network, terminal, async, environment.
//!
//! | room | holds |
//! |---|---|
//! | [`text`] | foreign text made safe to show |
//! | [`spanned`] | TOML that remembers where it stands, and complaints that point there |
//! | [`fleet`] | what we know: certificates, places, hosts, visits |
//! | [`source`] | where certificates live on a host: what to ask, how to read the answer |
//! | [`inventory`] | what we were told |
//! | [`diagnose`] | why something is broken |
//! | [`explain`] | what a client's failure means, in plain words |
//! | [`filter`] | which of it to look at |
//! | [`action`] | what could be done: plans, and how they are confirmed |
//! | [`rollout`] | plans for many places, in waves |
//! | [`job`] | what is done on a host when nobody is connected: shell text, answers |
//! | [`report`] | what other programs and people read |
//!
//! Effects: each touches one part of the world.
//!
//! | room | touches |
//! |---|---|
//! | [`clock`] | the wall clock |
//! | [`remote`] | hosts, over the system's ssh |
//! | [`scan`] | nothing itself: concurrency and deadlines of visits |
//! | [`audit`] | the audit log |
//! | [`wire`] | what is served: TLS handshakes |
//! | [`perform`] | hosts: the only room that changes one |
//! | [`store`] | the snapshot of the last known fleet |
//! | [`practice`] | the embedded practice fleet |
//!
//! Shells: thin. They choose, wait and show.
//!
//! | room | is |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`tui`] | the console |
//!
//! # Laws
//!
//! 1. Pure rooms never wait, never fail on I/O, never read the clock: `now` is an argument.
//! 2. Only `perform` changes a host, only `remote` speaks SSH.
//! 3. Nothing is changed before its audit line is on disk: what changes anything takes an
//!    [`audit::Permit`], and what performs a plan takes an [`action::Confirmed`]. Each has one
//!    maker.
//! 4. Domain types are not serializable: wire shapes live in `report`, `audit` and `store`.
//! 5. A host that fails is a fact in the fleet, not an error of the program.
//! 6. State has one owner, the loop of the console. Nobody holds a lock on the fleet.
//! 7. Nothing that a host printed reaches a terminal, a label or a log but as
//!    [`text::SafeText`].

pub mod action;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod diagnose;
pub mod explain;
pub mod filter;
pub mod fleet;
#[doc(hidden)]
pub mod fuzz;
pub mod inventory;
pub mod job;
pub mod perform;
#[cfg(feature = "practice")]
pub mod practice;
pub mod remote;
pub mod report;
pub mod rollout;
pub mod scan;
pub mod source;
pub mod spanned;
pub mod store;
pub mod text;
pub mod tui;
pub mod wire;
