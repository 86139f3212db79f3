//! Commands as somebody would type them in a shell. Only shown and copied; nothing here runs.

use crate::fleet::{Place, Sighting};
use crate::inventory::{Become, Host};

/// How a host is looked at.
pub(super) fn scan(host: &Host) -> String {
    match host.r#become {
        Become::None => format!("{} /bin/sh", ssh(host)),
        Become::Sudo => format!("{} sudo -n /bin/sh", ssh(host)),
    }
}

/// Shows the certificate of a place on its host.
pub(super) fn show(host: &Host, place: &Place) -> Result<String, &'static str> {
    on_file(host, place, "openssl x509 -noout -subject -issuer -serial -dates -in")
}

/// Prints the file of a place on its host.
pub(super) fn print(host: &Host, place: &Place) -> Result<String, &'static str> {
    on_file(host, place, "cat")
}

fn on_file(host: &Host, place: &Place, command: &str) -> Result<String, &'static str> {
    let disk = place.layers.disk.as_ref().or(place.layers.issued.as_ref());
    let path = disk.map(|Sighting { location, .. }| location).ok_or("no file of it is known")?;
    if !is_plain(path.as_str()) {
        return Err("its path has characters that a shell would act on");
    }
    let sudo = if host.r#become == Become::Sudo { "sudo -n " } else { "" };
    Ok(format!("{} {sudo}{command} {path}", ssh(host)))
}

/// `ssh` with what the inventory says of a host.
pub(super) fn ssh(host: &Host) -> String {
    let mut command = String::from("ssh");
    let port = host.port.map(|it| it.to_string());
    let options = [
        ("-p", port.as_deref()),
        ("-l", host.user.as_deref()),
        ("-i", host.identity_file.as_deref()),
    ];
    for (option, value) in options {
        if let Some(value) = value {
            command.push_str(&format!(" {option} {}", quoted(value)));
        }
    }
    format!("{command} {}", quoted(&host.address))
}

fn quoted(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Whether every shell takes the text as it is. The remote shell reads it a second time, so what
/// is not plain is not offered at all there.
fn is_plain(text: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"/._-@+:,".contains(&it);
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain)
}
