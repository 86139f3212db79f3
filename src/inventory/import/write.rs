//! Hosts as the text of an inventory.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Imported, ImportedHost};

/// Writes what was imported as an inventory that [`read`](crate::inventory::read()) accepts.
pub fn write(imported: &Imported) -> String {
    let groups: BTreeSet<_> = imported.hosts.iter().flat_map(|it| &it.groups).collect();
    let mut text = String::from(HEAD);
    for group in groups {
        let _ = writeln!(text, "\n[[group]]\nname = {}", quoted(group));
    }
    for host in &imported.hosts {
        push_host(&mut text, host);
    }
    text
}

fn push_host(text: &mut String, host: &ImportedHost) {
    let ImportedHost { name, address, port, user, identity_file, r#become, groups } = host;
    let groups: Vec<_> = groups.iter().map(|it| quoted(it)).collect();
    let keys = [
        ("name", Some(quoted(name))),
        ("address", address.as_deref().map(quoted)),
        ("port", port.map(|it| it.to_string())),
        ("user", user.as_deref().map(quoted)),
        ("identity-file", identity_file.as_deref().map(quoted)),
        ("become", r#become.map(|it| quoted(&it.to_string()))),
        ("groups", (!groups.is_empty()).then(|| format!("[{}]", groups.join(", ")))),
    ];
    text.push_str("\n[[host]]\n");
    for (key, value) in keys {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text.push_str("\n  [[host.source]]\n  kind = \"certbot\"\n");
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

const HEAD: &str = "\
# Every host is read as one that runs certbot; change that where it is not so.
";
