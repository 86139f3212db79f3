//! The ssh client of this machine: which it is, and what its agent holds. Asks no host.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::text::SafeText;

/// What the agent of this session holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent {
    /// So many keys.
    Keys(usize),
    /// Nothing answers.
    Silent,
}

/// What `ssh -V` says, as in `OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.14`.
#[expect(clippy::disallowed_methods, reason = "a program of this machine, started in its room")]
pub fn version() -> io::Result<SafeText> {
    let output = Command::new("ssh").arg("-V").stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    Ok(SafeText::new(text.lines().next().unwrap_or_default()))
}

/// Asks the agent for its keys; `ssh-add` exits with 1 if it has none and 2 if it is not there.
#[expect(clippy::disallowed_methods, reason = "a program of this machine, started in its room")]
pub fn agent() -> io::Result<Agent> {
    let output = Command::new("ssh-add").arg("-l").stdin(Stdio::null()).output()?;
    Ok(match output.status.code() {
        Some(0) => Agent::Keys(output.stdout.split(|it| *it == b'\n').count() - 1),
        Some(1) => Agent::Keys(0),
        _ => Agent::Silent,
    })
}

/// Where ssh looks for keys of hosts first, by its own files or by that `ssh_config`.
#[expect(clippy::disallowed_methods, reason = "a program of this machine, started in its room")]
pub fn known_hosts(config: Option<&Path>) -> io::Result<Option<PathBuf>> {
    let mut ssh = Command::new("ssh");
    if let Some(config) = config {
        ssh.arg("-F").arg(config);
    }
    // A name of no host (RFC 6761, section 6.4): what holds for all hosts.
    let output = ssh.args(["-G", "host.invalid"]).stdin(Stdio::null()).output()?;
    Ok(first_known_hosts(&String::from_utf8_lossy(&output.stdout)).map(PathBuf::from))
}

/// The first file of `userknownhostsfile` in what `ssh -G` prints.
fn first_known_hosts(told: &str) -> Option<&str> {
    let files = told.lines().find_map(|it| it.strip_prefix("userknownhostsfile "))?;
    files.split(' ').find(|it| !it.is_empty())
}

/// The version in what `ssh -V` says: `(9, 2)`.
pub fn parse_version(text: &str) -> Option<(u32, u32)> {
    let rest = text.strip_prefix("OpenSSH_")?;
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_of_host_keys_counts() {
        let told = "user ops\nuserknownhostsfile /home/a/.ssh/known_hosts /home/a/.ssh/more\n";
        assert_eq!(first_known_hosts(told), Some("/home/a/.ssh/known_hosts"));
        assert_eq!(first_known_hosts("user ops\n"), None);
    }

    #[test]
    fn versions_are_read() {
        let cases = [
            ("OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.14 4 Jun 2024", Some((9, 2))),
            ("OpenSSH_10.0p2 Debian-7, OpenSSL 3.5.1 1 Jul 2025", Some((10, 0))),
            ("Dropbear v2022.83", None),
        ];
        for (text, expect) in cases {
            assert_eq!(parse_version(text), expect, "{text}");
        }
    }
}
