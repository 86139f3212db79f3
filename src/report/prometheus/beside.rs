//! What is told of a scan beside the fleet: how it went, how orders of our own ended, and what the
//! CAs still allow.

use std::time::Duration;

use crate::budget::Bucket;
use crate::fleet::{HostName, Moment};
use crate::text::SafeText;

/// What is known beside the fleet; by default nothing.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// How long the scan took.
    pub took: Option<Duration>,
    /// How often one begins.
    pub every: Option<Duration>,
    /// How this program's own attempts to renew ended, the last of each place.
    pub attempts: Vec<Attempt>,
    /// What CAs still allow our accounts.
    pub rooms: Vec<Room>,
    /// Limits of which something is used.
    pub buckets: Vec<Bucket>,
}

/// The last attempt of this program to renew something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The host.
    pub host: HostName,
    /// The place.
    pub place: SafeText,
    /// When it ended.
    pub at: Moment,
    /// Why nothing came of it: a name of [`crate::explain`], or `other`; `None` if it went well.
    pub failure: Option<&'static str>,
}

/// What is left of a limit of a CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The issuer, as the inventory names it.
    pub issuer: SafeText,
    /// Which limit.
    pub limit: &'static str,
    /// How many are left.
    pub left: i64,
    /// How many there are at the most.
    pub size: i64,
}
