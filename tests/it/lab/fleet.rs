//! `certdeck scan --format json` of many real hosts says of every certificate what openssl says
//! of the same file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::authority::{Authority, KEYS, Order};
use super::{Lab, hosts, scan_json};
use crate::certificate;

/// One certificate that the scan must find.
struct Expected {
    host: String,
    place: String,
    /// The file of each layer; the other layers are null.
    disk: PathBuf,
    issued: Option<PathBuf>,
    versions: usize,
}

#[test]
fn every_field_of_every_layer_is_what_openssl_says() {
    let Some(mut lab) = Lab::new() else { return };
    let authority = Authority::new(lab.path("ca"));
    let log = lab.path("sudo.log");
    let sudo = lab.path("bin/sudo");
    fs::create_dir_all(sudo.parent().unwrap()).unwrap();
    // As the line of sudoers has it: that command alone, and no password.
    let fake = format!(
        "#!/bin/sh\n[ \"$*\" = '-n /bin/sh -s' ] || exit 1\necho x >>{}\nshift\nexec \"$@\"\n",
        log.display()
    );
    fs::write(&sudo, fake).unwrap();
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("SetEnv PATH={}:/usr/bin:/bin", sudo.parent().unwrap().display());

    let (mut inventory, mut expected, mut sudos) = (String::new(), Vec::new(), 0);
    for at in 0..hosts(8) {
        let name = format!("host-{at:03}");
        let dir = lab.path(&name);
        expected.extend(lineages(&authority, &dir, &name, at));
        let port = lab.sshd(&path).port;
        let by_sudo = at % 3 == 1;
        sudos += usize::from(by_sudo);
        writeln!(
            inventory,
            "[[host]]\nname = '{name}'\naddress = '127.0.0.1'\nport = {port}\nbecome = '{}'",
            if by_sudo { "sudo" } else { "none" }
        )
        .unwrap();
        if has_pem(at) {
            let paths = format!("paths = ['{0}/live/*/fullchain.pem']", dir.display());
            let key = "key = '{dir}/privkey.pem'";
            writeln!(inventory, "[[host.source]]\nkind = 'pem'\n{paths}\n{key}").unwrap();
        } else {
            let config = format!("config-dir = '{0}'\nlogs-dir = '{0}/log'", dir.display());
            writeln!(inventory, "[[host.source]]\nkind = 'certbot'\n{config}").unwrap();
        }
    }

    let told = scan_json(&lab, &inventory);
    let mut seen = BTreeSet::new();
    for host in told["hosts"].as_array().unwrap() {
        assert_eq!((&host["reach"], &host["error"]), (&json!("up"), &Value::Null), "{host:#}");
        for place in host["places"].as_array().unwrap() {
            seen.insert((text(&host["name"]), text(&place["name"])));
        }
    }
    for it in &expected {
        check(&told, it);
        assert!(seen.remove(&(it.host.clone(), it.place.clone())));
    }
    assert!(seen.is_empty(), "nobody made {seen:?}");
    let used = fs::read_to_string(log).unwrap().lines().count();
    assert_eq!(used, sudos);
    lab.no_ssh_is_left();
}

/// Four lineages of a host: every kind of key, length of life and name.
fn lineages(authority: &Authority, dir: &Path, host: &str, at: usize) -> Vec<Expected> {
    let unique = format!("DNS:{host}.example.net");
    let names: [&[&str]; 4] = [
        &[&unique, "DNS:*.example.net"],
        &[&unique, "DNS:xn--bcher-kva.example.net", "IP:192.0.2.17", "IP:2001:db8::17"],
        &["DNS:*.cdn.example.org"],
        &[&unique],
    ];
    let days = [6, 45, 90, 398];
    let mut expected = Vec::new();
    for (index, (key, _)) in KEYS.into_iter().enumerate() {
        let place = format!("{key}.example.net");
        // Every key meets every life and every list of names.
        let order = Order { key, days: days[(index + at) % 4], names: names[(index + at / 4) % 4] };
        let versions = 1 + (index + at) % 3;
        // One in four was renewed, but its links were not moved.
        let live = if index == at % 4 { 1 } else { versions };
        authority.lineage(dir, &place, &vec![order; versions], live);
        let file = |it: usize| dir.join(format!("archive/{place}/fullchain{it}.pem"));
        let disk = dir.join(format!("live/{place}/fullchain.pem"));
        expected.push(if has_pem(at) {
            let place = disk.display().to_string();
            Expected { host: host.to_owned(), place, disk, issued: None, versions: 0 }
        } else {
            let issued = Some(file(versions));
            Expected { host: host.to_owned(), place, disk, issued, versions }
        });
    }
    expected
}

fn has_pem(at: usize) -> bool {
    at % 4 == 3
}

#[track_caller]
fn check(told: &Value, expected: &Expected) {
    let find = |list: &Value, name: &str| {
        let found: Vec<_> =
            list.as_array().unwrap().iter().filter(|it| it["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    };
    let place = find(&find(&told["hosts"], &expected.host)["places"], &expected.place);
    let layers = &place["layers"];
    assert_eq!(layers["disk"], by_openssl(&expected.disk), "{place:#}");
    let issued = expected.issued.as_deref().map_or(Value::Null, by_openssl);
    assert_eq!(layers["issued"], issued, "{place:#}");
    assert_eq!((&layers["loaded"], &layers["wire"]), (&Value::Null, &json!([])));
    assert_eq!(place["names"], json!(certificate::openssl(&expected.disk).unwrap().names));
    assert_eq!(place["key-matches"], json!(true), "{place:#}");
    let versions = place["versions"].as_array().unwrap();
    assert_eq!(versions.len(), expected.versions);
    for version in versions {
        let dir = expected.issued.as_ref().unwrap().parent().unwrap();
        let file = dir.join(format!("cert{}.pem", version["number"]));
        let it = certificate::openssl(&file).unwrap();
        assert_eq!(version["sha256"], json!(it.sha256));
        assert_eq!(version["not-after"], json!(it.not_after.to_string()));
    }
}

/// A layer, as openssl reads it.
fn by_openssl(path: &Path) -> Value {
    let it = certificate::openssl(path).unwrap();
    let length = fs::read_to_string(path).unwrap().matches("BEGIN CERTIFICATE").count();
    json!({
        // Whole, and it leads to no authority that is known here.
        "chain": { "length": length, "fault": null, "anchor": null, "not-after": null },
        "sha256": it.sha256,
        "serial": it.serial,
        "issuer": it.issuer,
        "not-before": it.not_before.to_string(),
        "not-after": it.not_after.to_string(),
        "key": it.key,
        "path": path.to_str().unwrap(),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
