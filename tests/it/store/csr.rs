//! Key and request of an order, as a host makes them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use certdeck::fleet::Fingerprint;
use certdeck::job::{self, Csr, CsrDer, Key};
use certdeck::text::SafeText;
use uuid::Uuid;

use crate::job::{Local, nonce};
use crate::lab::are_here;

const SHELLS: [&str; 3] = ["dash", "bash", "busybox"];

struct Order {
    op: Uuid,
    names: Vec<String>,
    key: Key,
}

impl Order {
    fn new(key: Key) -> Self {
        let names = ["*.example.net", "example.net"].map(str::to_owned).into();
        Self { op: Uuid::now_v7(), names, key }
    }

    fn ask(&self, host: &Local, change: impl Fn(String) -> String) -> Result<CsrDer, SafeText> {
        let nonce = nonce();
        let wanted = Csr {
            op: self.op,
            folder: "/etc/certdeck",
            lineage: "www",
            names: &self.names,
            key: self.key,
        };
        let answer = host.run(&change(job::csr(&wanted, &nonce)));
        job::read_csr(&answer, &self.names, &nonce)
    }

    fn key(&self, host: &Local) -> std::path::PathBuf {
        host.root().join(format!("etc/certdeck/orders/{}/privkey.pem", self.op))
    }
}

/// A host with the folder of its system.
fn host(shell: &str) -> Option<Local> {
    let host = Local::new(shell)?;
    fs::create_dir_all(host.root().join("etc")).unwrap();
    Some(host)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn one_order_has_one_key_and_one_request() {
    for host in SHELLS.into_iter().filter_map(host) {
        for key in [Key::Ec("P-256"), Key::Ec("P-384"), Key::Rsa(2048), Key::Rsa(4096)] {
            let order = Order::new(key);
            let first = order.ask(&host, |it| it).unwrap();
            let path = order.key(&host);
            let made = fs::read(&path).unwrap();
            assert_eq!(order.ask(&host, |it| it).unwrap(), first, "{key:?}");
            assert_eq!(fs::read(&path).unwrap(), made, "{key:?}");
            let folder = path.parent().unwrap();
            assert_eq!((mode(&path), mode(folder)), (0o600, 0o700));
            let left: Vec<_> =
                fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
            assert_eq!(left.len(), 2, "{left:?}");
        }
    }
}

#[test]
fn certtool_makes_both_where_there_is_no_openssl() {
    if !are_here(&["certtool", "openssl"]) {
        return;
    }
    // It is there all the same, for whoever looks at the result.
    let without = |it: String| it.replace("command -v openssl", "false");
    for host in SHELLS.into_iter().filter_map(host) {
        for key in [Key::Ec("P-256"), Key::Ec("P-384"), Key::Rsa(2048)] {
            let order = Order::new(key);
            let first = order.ask(&host, without).unwrap();
            assert_eq!(order.ask(&host, without).unwrap(), first, "{key:?}");
            let path = order.key(&host);
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
            let public = Command::new("openssl")
                .args(["pkey", "-pubout", "-outform", "DER", "-in"])
                .arg(&path)
                .output()
                .unwrap();
            assert_eq!(Fingerprint::of(&public.stdout), first.spki, "{key:?}");
        }
    }
}

#[test]
fn a_key_that_others_share_is_used_again() {
    let host = host("dash").unwrap();
    let first = Order::new(Key::Rsa(2048));
    let spki = first.ask(&host, |it| it).unwrap().spki;
    let lost = Order::new(Key::Live).ask(&host, |it| it).unwrap_err();
    assert!(lost.as_str().contains("the private key of www cannot be copied"), "{lost}");
    let live = host.root().join("etc/certdeck/live/www");
    fs::create_dir_all(&live).unwrap();
    fs::copy(first.key(&host), live.join("privkey.pem")).unwrap();
    assert_eq!(Order::new(Key::Live).ask(&host, |it| it).unwrap().spki, spki);
}

#[test]
fn what_a_host_lacks_is_told() {
    let host = host("dash").unwrap();
    let order = Order::new(Key::Ec("P-256"));
    let without = |it: String| it.replace("order\n", "command() { return 1; }\norder\n");
    let none = order.ask(&host, without).unwrap_err();
    assert!(none.as_str().starts_with("there is neither openssl nor certtool"), "{none}");
    fs::write(host.root().join("etc/certdeck"), "").unwrap();
    let full = order.ask(&host, |it| it).unwrap_err();
    assert!(full.as_str().ends_with("cannot be made"), "{full}");
}
