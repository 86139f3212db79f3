//! Commands as somebody would type them in a shell. Only shown and copied; nothing here runs.

use std::path::Path;

use crate::fleet::{Place, Sighting};
use crate::inventory::{Become, Connection, Host};
use crate::source::quote;

/// How a host is looked at, as far as it matters on the host; [`crate::remote`] adds options that
/// matter here.
pub(super) fn scan(config: Option<&Path>, host: &Host) -> String {
    let shell = match host.r#become {
        Become::None => "/bin/sh -s",
        Become::Sudo => "sudo -n /bin/sh -s",
    };
    match host.connection {
        Connection::Local => shell.to_owned(),
        Connection::Ssh => format!("{} 'exec {shell}'", ssh(config, host)),
    }
}

/// Leads to a host.
pub(super) fn login(config: Option<&Path>, host: &Host) -> Result<String, &'static str> {
    match host.connection {
        Connection::Local => Err("it is this machine: no command leads to it"),
        Connection::Ssh => Ok(ssh(config, host)),
    }
}

/// Shows the certificate of a place on its host.
pub(super) fn show(
    config: Option<&Path>,
    host: &Host,
    place: &Place,
) -> Result<String, &'static str> {
    on_file(config, host, place, "openssl x509 -noout -subject -issuer -serial -dates -in")
}

/// Prints the file of a place on its host.
pub(super) fn print(
    config: Option<&Path>,
    host: &Host,
    place: &Place,
) -> Result<String, &'static str> {
    on_file(config, host, place, "cat")
}

fn on_file(
    config: Option<&Path>,
    host: &Host,
    place: &Place,
    command: &str,
) -> Result<String, &'static str> {
    let disk = place.layers.disk.as_ref().or(place.layers.issued.as_ref());
    let path = disk.map(|Sighting { location, .. }| location).ok_or("no file of it is known")?;
    if !is_plain(path.as_str()) {
        return Err("its path has characters that a shell would act on");
    }
    let sudo = if host.r#become == Become::Sudo { "sudo -n " } else { "" };
    let command = format!("{sudo}{command} {path}");
    Ok(match host.connection {
        Connection::Local => command,
        Connection::Ssh => format!("{} {command}", ssh(config, host)),
    })
}

/// `ssh` with what the inventory says of a host.
fn ssh(config: Option<&Path>, host: &Host) -> String {
    let mut command = String::from("ssh");
    let port = host.port.map(|it| it.to_string());
    let config = config.map(|it| it.display().to_string());
    let options = [
        ("-F", config.as_deref()),
        ("-p", port.as_deref()),
        ("-l", host.user.as_deref()),
        ("-i", host.identity_file.as_deref()),
    ];
    for (option, value) in options {
        if let Some(value) = value {
            command = format!("{command} {option} {}", quoted(value));
        }
    }
    format!("{command} {}", quoted(&host.address))
}

fn quoted(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quote(text) }
}

/// Whether every shell takes the text as it is. The remote shell reads it a second time, so what
/// is not plain is not offered at all there.
fn is_plain(text: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"/._-@+:,".contains(&it);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(quoted(text), expect);
    }

    #[test]
    fn this_machine_needs_no_way() {
        let read = |key: &str| {
            let text = format!("[[host]]\nname = 'a'\nbecome = 'sudo'\n{key}\n");
            crate::inventory::read(&text).0.hosts.remove(0)
        };
        let (far, here) = (read("port = 22"), read("connection = 'local'"));
        assert_eq!(scan(None, &far), "ssh -p 22 a 'exec sudo -n /bin/sh -s'");
        assert_eq!(scan(None, &here), "sudo -n /bin/sh -s");
        assert_eq!(login(None, &far), Ok("ssh -p 22 a".to_owned()));
        assert!(login(None, &here).is_err());
    }

    #[test]
    fn what_a_shell_would_act_on_is_quoted() {
        check("web-1.example.net", "web-1.example.net");
        check("a b", "'a b'");
        check("it's", "'it'\\''s'");
        check("-oProxyCommand=x", "'-oProxyCommand=x'");
        check("", "''");
    }
}
