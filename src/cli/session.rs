//! Who sits here, and with what: for the audit log and for the hosts on which something is done.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use super::Context;
use crate::audit::Session;
use crate::fleet::Fingerprint;
use crate::text::SafeText;

impl Context {
    /// Who works here, and with what.
    pub fn session(&self, what: &'static str) -> Session {
        let uid = rustix::process::getuid().as_raw();
        // An inventory that cannot be read has no hash, and whoever needs it says why.
        let inventory = std::fs::read(&self.paths.inventory).ok();
        Session {
            what,
            version: env!("CARGO_PKG_VERSION"),
            inventory: inventory.map(|it| Fingerprint::of(&it).to_string()),
            user: text(self.environment.user.as_ref()).unwrap_or_else(|| format!("uid {uid}")),
            uid,
            sudo_user: text(self.environment.sudo_user.as_ref()),
            tty: terminal(),
            ssh_client: text(self.environment.ssh_connection.as_ref()),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
        }
    }
}

fn terminal() -> Option<String> {
    let stdin = io::stdin();
    let name = stdin.is_terminal().then(|| rustix::termios::ttyname(&stdin, Vec::new()).ok())?;
    name.map(|it| it.to_string_lossy().into_owned())
}

fn text(value: Option<&OsString>) -> Option<String> {
    value.map(|it| SafeText::new(&it.to_string_lossy()).to_string())
}
