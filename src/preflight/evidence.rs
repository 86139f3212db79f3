//! What was looked at, part by part. A part that could not be looked at says why.

use std::net::{IpAddr, SocketAddr};

use crate::fleet::{HostName, Moment};
use crate::resolve::{Caa, Error, Look, Said, Server};
use crate::text::SafeText;

use super::host::Sight;

/// Something that was looked at, or why not.
pub type Found<T> = Result<T, SafeText>;

/// All that was looked at so far.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The CA.
    pub authority: Found<Authority>,
    /// The host.
    pub host: Found<Sight>,
    /// The names, in the order of the case.
    pub names: Found<Vec<Name>>,
    /// A record that was written, seen and removed, by provider.
    pub records: Found<Vec<Record>>,
    /// A file that was placed, asked for and removed.
    pub web: Found<Web>,
    /// The zones of the names.
    pub zones: Found<Vec<Zone>>,
}

impl Default for Evidence {
    fn default() -> Self {
        let not_yet = || SafeText::new("nobody has looked yet");
        Self {
            authority: Err(not_yet()),
            host: Err(not_yet()),
            names: Err(not_yet()),
            records: Err(not_yet()),
            web: Err(not_yet()),
            zones: Err(not_yet()),
        }
    }
}

/// A name as a resolver tells of it.
#[derive(Debug, Clone)]
pub struct Name {
    /// The name, as it stands in the certificate.
    pub name: String,
    /// Its addresses.
    pub look: Look,
    /// The CAA records that hold for it.
    pub caa: Result<Caa, Error>,
}

/// A zone and what its authoritative servers say.
#[derive(Debug, Clone)]
pub struct Zone {
    /// Its apex.
    pub zone: String,
    /// The name of the certificate that they were asked for.
    pub name: String,
    /// What each server says at each of its addresses, or why none was found.
    pub servers: Found<Vec<(Server, Listed)>>,
}

/// What one server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// This machine has no way to that kind of address.
    NoRoute,
    /// It answers with authority.
    Said(Said),
    /// It says nothing, or something else.
    Trouble(SafeText),
}

/// What came of a file that was placed.
#[derive(Debug, Clone, Default)]
pub struct Web {
    /// Where it was placed, host by host.
    pub placed: Vec<Placed>,
    /// Why none was placed, if none was.
    pub unplaced: Option<SafeText>,
    /// What was seen of it.
    pub fetches: Vec<Fetch>,
    /// What could not be removed, and is told to the next start.
    pub left: Vec<SafeText>,
}

/// A file that was placed on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The host.
    pub host: HostName,
    /// The folder.
    pub folder: String,
    /// Whether it lay there, or why not.
    pub done: Found<()>,
}

/// One look at a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The name that was asked.
    pub name: String,
    /// From where.
    pub from: From,
    /// At which address, if that is known.
    pub address: Option<SocketAddr>,
    /// Where it led.
    pub hops: Vec<SafeText>,
    /// What came.
    pub saw: Saw,
}

/// From where a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum From {
    /// From here.
    Here,
    /// From the host on which it lies.
    Itself(HostName),
    /// From another host of the fleet.
    Other(HostName),
}

/// What came of one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Saw {
    /// The connection was refused: nobody listens there.
    Closed(SafeText),
    /// There is no way to it from there, which says nothing about the server.
    NoRoute,
    /// Nothing came; why.
    Nothing(SafeText),
    /// An HTTP server answered, with something else.
    Other(SafeText),
    /// The file itself.
    Token,
    /// It could not be tried from there; why.
    Untried(SafeText),
}

/// What came of a record that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The `[[dns]]`.
    pub dns: String,
    /// The name that it was written for.
    pub name: String,
    /// How many other values were at the same owner before.
    pub others: usize,
    /// What was seen, in a line, or what went wrong and what to do about it.
    pub done: Result<SafeText, (SafeText, SafeText)>,
}

/// A CA as it answers now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authority {
    /// How long its directory took, in milliseconds.
    pub took: u64,
    /// Its clock minus ours, in seconds, if it tells the time.
    pub offset: Option<i64>,
    /// What CAA records call it.
    pub identities: Vec<SafeText>,
    /// Whether it gave a nonce, without which nothing can be asked for; else why not.
    pub nonce: Option<SafeText>,
    /// Until when it wants to be left alone, and what it says of that.
    pub busy: Option<(Moment, SafeText)>,
    /// What else went wrong when its directory was asked for.
    pub trouble: Option<SafeText>,
    /// Our account there, where this program orders: its URL, or why there is none.
    pub account: Option<Found<SafeText>>,
}

impl Web {
    /// Whether a file lay somewhere, so that it could be asked for.
    pub fn is_placed(&self) -> bool {
        self.placed.iter().any(|it| it.done.is_ok())
    }
}

impl Name {
    /// Its addresses.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.look.addresses
    }
}
