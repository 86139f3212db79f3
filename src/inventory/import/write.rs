//! Hosts as the text of an inventory.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Imported, ImportedHost};
use crate::inventory::Connection;

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
    let ImportedHost { name, connection, address, port, user, .. } = host;
    let ImportedHost { identity_file, r#become, groups, .. } = host;
    let groups: Vec<_> = groups.iter().map(|it| quoted(it)).collect();
    let keys = [
        ("name", Some(quoted(name))),
        (
            "connection",
            (*connection != Connection::default()).then(|| quoted(&connection.to_string())),
        ),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ALL;
    use super::*;
    use crate::inventory::read;

    /// Imports in every format; what is printed must be accepted.
    fn check(text: &str) {
        for kind in ALL {
            let imported = (kind.read)(text);
            let written = write(&imported);
            let (inventory, complaints) = read(&written);
            let drawn: Vec<_> =
                complaints.iter().map(|it| it.render("f", &written, false)).collect();
            assert!(drawn.is_empty(), "{}", drawn.join("\n"));
            assert_eq!(inventory.hosts.len(), imported.hosts.len());
            for (read, imported) in inventory.hosts.iter().zip(&imported.hosts) {
                assert_eq!(read.name.as_str(), imported.name);
                assert_eq!(read.connection, imported.connection);
                let usual = match read.connection {
                    Connection::Local => "localhost",
                    Connection::Ssh => &imported.name,
                };
                assert_eq!(read.address, imported.address.as_deref().unwrap_or(usual));
                assert_eq!((read.port, &read.user), (imported.port, &imported.user));
                assert_eq!(read.identity_file, imported.identity_file);
                assert_eq!(read.groups, imported.groups);
            }
        }
    }

    #[test]
    fn is_what_people_would_write() {
        let kind = ALL.iter().find(|it| it.name == "ansible").unwrap();
        let text = "[web]\nweb-01 ansible_host=192.0.2.1 ansible_port=2222 ansible_become=yes\n";
        insta::assert_snapshot!(write(&(kind.read)(text)), @r#"
        # Every host is read as one that runs certbot; change that where it is not so.

        [[group]]
        name = "web"

        [[host]]
        name = "web-01"
        address = "192.0.2.1"
        port = 2222
        become = "sudo"
        groups = ["web"]

          [[host.source]]
          kind = "certbot"
        "#);
    }

    proptest! {
        #[test]
        fn lists_of_any_names_are_accepted(
            names in prop::collection::vec(".{0,20}", 1..8),
            group in "[!-~]{1,8}",
        ) {
            let mut text = format!("[{group}]\n");
            for name in &names {
                text.extend([name, " ansible_host=", name, " ansible_user=", name, "\n"]);
            }
            check(&text);
            check(&names.iter().flat_map(|it| ["Host ", it, "\n"]).collect::<String>());
            let hosts: serde_json::Map<_, _> =
                names.iter().map(|it| (it.clone(), serde_json::json!({"ansible_host": it}))).collect();
            check(&serde_json::json!({ group: { "hosts": hosts } }).to_string());
        }

        #[test]
        fn any_text_is_answered(text in r#"([a-z]{1,4}|[\[\]{}:="'#,*&!\\ \n-]|all:|hosts:|Host |\[a\]\n){0,40}"#) {
            check(&text);
        }
    }
}
