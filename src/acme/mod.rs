//! Our own orders with a CA: accounts, orders, challenges. The only room that speaks to one.
//!
//! What is kept on this machine lies in the folder of state, readable by its owner only:
//!
//! ```text
//! <state>/accounts/   a file per account: its key and its address at the CA
//! <state>/orders/     a file per order that has begun: what was asked for, and how far it is
//! ```

pub mod account;
pub mod caa;
pub mod desk;
mod directory;
mod error;
pub mod health;
mod http;
mod keep;
pub mod ledger;
mod nonce;
pub mod order;
mod wait;
pub mod window;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::resolve::Resolver;
use crate::text::SafeText;

pub use account::Account;
pub use desk::Desk;
pub use directory::Directory;
pub use error::{Error, Problem, Subproblem};
pub use http::{Answer, Http, Pace};

/// What orders need of this machine: where accounts and orders are kept, and the time.
#[derive(Debug, Clone)]
pub struct Office {
    state: PathBuf,
    clock: Clock,
}

impl Office {
    /// An office in the folder of state; nothing is touched yet.
    pub fn new(state: &Path, clock: Clock) -> Self {
        Self { state: state.to_owned(), clock }
    }
}

/// Who answers for the DNS: these, or whom the system asks where nobody is named.
pub async fn resolver(servers: &[SocketAddr]) -> Resolver {
    if servers.is_empty() {
        let conf = tokio::fs::read_to_string(desk::RESOLV_CONF).await;
        Resolver::of_system(&conf.unwrap_or_default())
    } else {
        Resolver::new(servers.to_vec())
    }
}

/// Something that happens to an order, for people who wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How far the order is.
    pub stage: Stage,
    /// What happens, in one line: which server was asked, what it said, how long is waited.
    pub text: SafeText,
}

/// How far an order is. It is stored before the request that leads on from it, so that it can be
/// resumed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The account is opened, the host makes key and request.
    Begun,
    /// The CA has an order.
    Ordered,
    /// What answers the challenges is in place.
    Placed,
    /// The CA was told to look at it.
    Triggered,
    /// Control of every name is proven.
    Ready,
    /// The CA has the request of the host.
    Finalizing,
    /// There is a certificate.
    Valid,
    /// Its chain is here.
    Downloaded,
}
