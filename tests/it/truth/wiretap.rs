//! What goes through SSH, taken down in plain text on the host: the private key of a certificate
//! that is ordered for it is not among it, nor anywhere on the machine of the operator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::shop::{Shop, files};
use crate::order::secrets;

/// Where a host takes down what goes in and comes out.
struct Tap {
    dir: PathBuf,
}

impl Tap {
    /// All that went that way.
    fn read(&self, way: &str) -> Vec<u8> {
        let all = files(&self.dir);
        let ours =
            all.iter().filter(|it| it.file_name().unwrap().to_str().unwrap().starts_with(way));
        ours.flat_map(|it| fs::read(it).unwrap()).collect()
    }
}

/// The number that a private key is, what is in its file, and what openssl makes of it in DER.
fn forms(key: &Path) -> [Vec<u8>; 3] {
    let ask = |args: &[&str]| {
        let output = Command::new("openssl").args(["pkey", "-in"]).arg(key).args(args).output();
        output.unwrap().stdout
    };
    let text = String::from_utf8(ask(&["-noout", "-text"])).unwrap();
    let hex = text.split_once("priv:").unwrap().1.split_once("pub:").unwrap().0;
    let hex: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let number = hex.as_bytes().chunks(2);
    let number = number.map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap());
    let number: Vec<u8> = number.skip_while(|it| *it == 0).collect();
    let pem = fs::read_to_string(key).unwrap();
    let body: String = pem.lines().filter(|it| !it.starts_with('-')).collect();
    [number, STANDARD.decode(body).unwrap(), ask(&["-outform", "DER"])]
}

/// Whether it is in there; PEM has line breaks in it.
fn holds(text: &[u8], secret: &[u8]) -> bool {
    let flat: Vec<u8> = text.iter().filter(|it| !b"\r\n".contains(it)).copied().collect();
    secrets::holds(text, secret) || secrets::holds(&flat, secret)
}

#[test]
fn no_private_key_leaves_its_host() {
    let Some(shop) = Shop::open_with(TAPPED) else { return };
    let tap = Tap { dir: shop.host.path("tap") };
    let run = |line: &str| {
        let output = shop.scene.shell(line);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        [output.stdout, output.stderr].concat()
    };
    let mut said = run(Shop::ISSUE);
    let first = forms(&shop.store("live/shop/privkey.pem"));
    said.extend(run("certdeck run force-renew shop-1/shop --yes shop"));
    let second = forms(&shop.store("live/shop/privkey.pem"));
    said.extend(run("certdeck run rollback shop-1/shop --yes shop"));
    said.extend(run("certdeck scan --format json"));
    said.extend(run("certdeck audit list"));
    assert_ne!(first, second);

    let (sent, came) = (tap.read("in"), tap.read("out"));
    // It is taken down, both ways: what the host was told, and the request that it made.
    let has = |text: &[u8], word: &str| text.windows(word.len()).any(|it| it == word.as_bytes());
    assert!(has(&sent, "-----BEGIN CERTIFICATE-----") && has(&sent, "genpkey"));
    assert!(has(&came, "-----BEGIN CERTIFICATE REQUEST-----"));
    // And the search finds what is there.
    let key = fs::read(shop.store("live/shop/privkey.pem")).unwrap();
    assert!(first[..2].iter().all(|it| holds(&key, it)));
    let mut kept: Vec<_> =
        ["state", "home", "run"].iter().flat_map(|it| files(&shop.scene.lab.path(it))).collect();
    kept.push(shop.scene.lab.path("inventory.toml"));
    assert!(kept.iter().any(|it| it.ends_with("audit/000001.jsonl")), "{kept:?}");
    for secret in first.iter().chain(&second) {
        for (what, text) in [("sent", &sent), ("came", &came), ("said", &said)] {
            assert!(!holds(text, secret), "the key was {what}");
        }
        for file in &kept {
            // Sockets have nothing to read.
            let Ok(text) = fs::read(file) else { continue };
            assert!(!holds(&text, secret), "the key is in {}", file.display());
        }
    }
}

/// Everything in plain text, a file for each session; `DIR` is the folder of the host.
const TAPPED: &str = "ForceCommand mkdir -p DIR/tap; tee DIR/tap/in.$$ | /bin/sh -c \"$SSH_ORIGINAL_COMMAND\" | tee DIR/tap/out.$$";
