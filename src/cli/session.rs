//! Who sits here, and with what: for the audit log and for the hosts on which something is done.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Context, Environment};
use crate::text::SafeText;

/// User and machine, as in `alice@laptop`.
pub(super) fn who(environment: &Environment) -> String {
    let user = environment.user.clone().unwrap_or_else(|| format!("uid {}", uid()));
    SafeText::capped(&format!("{user}@{}", machine()), MAX_WHO).to_string()
}

/// What the record of a session says.
pub(super) fn body(context: &Context, command: &str) -> Map<String, Value> {
    let Context { environment, paths, .. } = context;
    let fields = [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("command", json!(command)),
        ("inventory", json!(digest_of(&paths.inventory))),
        ("who", json!(who(environment))),
        ("user", json!(environment.user)),
        ("uid", json!(uid())),
        ("tty", json!(terminal())),
        ("ssh-client", json!(environment.ssh_client)),
        ("machine", json!(machine())),
        ("pid", json!(std::process::id())),
    ];
    let is_known = |it: &(&str, Value)| !it.1.is_null();
    fields.into_iter().filter(is_known).map(|(key, value)| (key.to_owned(), value)).collect()
}

#[expect(clippy::disallowed_methods, reason = "the inventory is a file of the operator")]
fn digest_of(path: &std::path::Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(Sha256::digest(text).iter().map(|it| format!("{it:02x}")).collect())
}

fn terminal() -> Option<String> {
    let name = rustix::termios::ttyname(std::io::stdin(), Vec::new()).ok()?;
    name.into_string().ok()
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn uid() -> u32 {
    rustix::process::getuid().as_raw()
}

/// Longer names say nothing more.
const MAX_WHO: usize = 128;
