//! certdeck: a fleet certificate console.
//!
//! It reads a host inventory, looks at every host over SSH (or straight, where it is this
//! machine), draws one timeline on which everything that expires can be seen, and changes what is
//! wrong: through one plan, one confirmation, one audit log, one proof.
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
//! | [`explain`] | what a client's failure and a CA's refusal mean, in plain words |
//! | [`filter`] | which of it to look at |
//! | [`budget`] | what a CA still allows |
//! | [`action`] | what could be done: plans, and how they are confirmed |
//! | [`rollout`] | plans for many places, in waves, and how far they are |
//! | [`preflight`] | whether a CA would issue: checks, by what was looked at |
//! | [`guide`] | the guided emergency renewal: which step comes next |
//! | [`drill`] | emergencies to practise: what is to be solved, what it was worth |
//! | [`job`] | what is done on a host when nobody is connected: shell text, answers |
//! | [`review`] | the weekly look: what changed, what ends, what crowds, what will be too slow |
//! | [`report`] | what other programs and people read |
//!
//! Effects: each touches one part of the world.
//!
//! | room | touches |
//! |---|---|
//! | [`clock`] | the wall clock |
//! | [`secret`] | secrets: files, variables, programs that print one |
//! | [`secret_store`] | stores of secrets that certificates are delivered to |
//! | [`https`] | servers that the inventory names, for rooms that know what to say there |
//! | [`remote`] | hosts, over the system's ssh, and this machine as one of them |
//! | [`scan`] | nothing itself: concurrency and deadlines of visits |
//! | [`audit`] | the audit log |
//! | [`wire`] | what is served: TLS handshakes |
//! | [`resolve`] | the DNS: questions only |
//! | [`dns`] | the DNS: records that prove control, written by providers' ways |
//! | [`acme`] | certificate authorities: accounts, orders, challenges |
//! | [`notice`] | webhooks, and what they are still to be told |
//! | [`perform`] | hosts: the only room that changes one |
//! | [`gather`] | Prometheus servers, which know of fleets that are read elsewhere |
//! | [`store`] | the snapshot of the last known fleet, what was said in reviews, guided runs and roll-outs under way |
//! | [`practice`] | the embedded practice fleet |
//! | [`export`] | whoever collects metrics: an HTTP port, a file |
//!
//! Shells: thin. They choose, wait and show.
//!
//! | room | is |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`tui`] | the console |
//!
//! # How something is changed
//!
//! ```text
//! action::Kind::plan(Target) -> Plan | Refusal      pure: what would happen, exactly
//! Review::new(plans).confirm(answer) -> Confirmed   the only maker of what may be performed
//! perform::Run::start(tools, confirmed)             for each plan, in waves:
//!     a fresh visit                                 is the host as the plan expects it?
//!     audit::Log::intent -> Permit                  on the disk before anything is sent
//!     job::start, job::look …                       a detached job, found again by its identity
//!     a fresh visit, wire::probe                    what is there, and what is served
//!     audit::Log::outcome                           what became of it
//! ```
//!
//! The console and the command line differ only in who is asked and how it is shown.
//!
//! # Laws
//!
//! 1. Pure rooms never wait, never fail on I/O, never read the clock: `now` is an argument.
//! 2. Only `perform` changes a host, only `remote` speaks SSH or starts a shell as a host's, only
//!    `acme` speaks to a CA, only `notice` to a webhook, only `secret_store` to a store of
//!    secrets.
//! 3. No job is started, stopped or removed before its audit line is on disk: that takes an
//!    [`audit::Permit`], and performing a plan takes an [`action::Confirmed`]. Each has one maker.
//! 4. No screen can pass by review or audit: the console's only way to a run is an effect that
//!    holds a `Confirmed`.
//! 5. Domain types are not serializable: what leaves the program has shapes of its own, which
//!    stand where it leaves.
//! 6. A host that fails is a fact in the fleet, not an error of the program.
//! 7. Everything the console can do, the command line can do, from the same [`action::ALL`].
//! 8. State has one owner, the loop of the console. Nobody holds a lock on the fleet.
//! 9. Nothing that a host printed reaches a terminal, a label or a log but as
//!    [`text::SafeText`].
//!
//! Who may use whom is a list in `tests/it/tidy.rs`, which holds the rooms to it.

pub mod acme;
pub mod action;
pub mod audit;
pub mod budget;
pub mod cli;
pub mod clock;
pub mod diagnose;
pub mod dns;
pub mod drill;
pub mod explain;
pub mod export;
pub mod filter;
pub mod fleet;
#[doc(hidden)]
pub mod fuzz;
pub mod gather;
pub mod guide;
pub mod https;
pub mod inventory;
pub mod job;
pub mod notice;
pub mod perform;
#[cfg(feature = "practice")]
pub mod practice;
pub mod preflight;
pub mod remote;
pub mod report;
pub mod resolve;
pub mod review;
pub mod rollout;
pub mod scan;
pub mod secret;
pub mod secret_store;
pub mod source;
pub mod spanned;
pub mod store;
pub mod text;
pub mod tui;
pub mod wire;
