//! What is really served: TLS handshakes with an endpoint, from here and on the host's own
//! loopback through its SSH session. Nothing is trusted and nothing is sent but the handshake.

use std::sync::Arc;

use crate::fleet::{Chain, Moment};
use crate::inventory::{Endpoint, Host, Vantage};
use crate::remote::Sessions;
use crate::text::SafeText;

/// What one handshake showed.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The name that was asked for.
    pub name: String,
    /// From where.
    pub vantage: Vantage,
    /// Where, as `198.51.100.7:443`.
    pub address: SafeText,
    /// When.
    pub at: Moment,
    /// The chain that was served, or why there is none.
    pub served: Result<Arc<Chain>, SafeText>,
}

/// Looks at an endpoint from everywhere that it asks for: one probe for each address.
pub async fn probe(
    sessions: &Sessions,
    host: &Host,
    endpoint: &Endpoint,
    now: Moment,
) -> Vec<Probe> {
    let _ = (sessions, host, endpoint, now);
    todo!()
}
