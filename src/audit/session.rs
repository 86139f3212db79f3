//! Who works, from where, and with what.

use serde_json::{Map, Value, json};

/// What the record says that begins a session.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// What is running: `console`, `run`, …
    pub what: &'static str,
    /// The version of this program.
    pub version: &'static str,
    /// SHA-256 of the inventory, in hex, if it could be read.
    pub inventory: Option<String>,
    /// The name of the user, as the environment has it.
    pub user: String,
    /// The number of the user, as the kernel has it.
    pub uid: u32,
    /// Who became that user through sudo.
    pub sudo_user: Option<String>,
    /// The terminal.
    pub tty: Option<String>,
    /// Where the user's own ssh session came from: `SSH_CONNECTION`.
    pub ssh_client: Option<String>,
    /// The name of this machine.
    pub host: String,
    /// The number of this process.
    pub pid: u32,
    /// Whether nothing of what is done is real.
    pub practice: bool,
}

impl Session {
    /// Who works, in one word: `ops@laptop`, and through sudo `ops(root)@laptop`.
    pub fn who(&self) -> String {
        match &self.sudo_user {
            Some(it) if *it != self.user => format!("{it}({})@{}", self.user, self.host),
            _ => format!("{}@{}", self.user, self.host),
        }
    }

    /// The body of the record.
    pub fn body(&self) -> Map<String, Value> {
        [
            ("who", json!(self.who())),
            ("what", json!(self.what)),
            ("version", json!(self.version)),
            ("inventory", json!(self.inventory)),
            ("user", json!(self.user)),
            ("uid", json!(self.uid)),
            ("sudo-user", json!(self.sudo_user)),
            ("tty", json!(self.tty)),
            ("ssh-client", json!(self.ssh_client)),
            ("host", json!(self.host)),
            ("pid", json!(self.pid)),
        ]
        .into_iter()
        .chain(self.practice.then_some(("practice", json!(true))))
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_came_through_sudo_is_named() {
        let mut session =
            Session { user: "root".to_owned(), host: "bastion".to_owned(), ..Session::default() };
        assert_eq!(session.who(), "root@bastion");
        session.sudo_user = Some("anna".to_owned());
        assert_eq!(session.body().get("who"), Some(&json!("anna(root)@bastion")));
    }
}
