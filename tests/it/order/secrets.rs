//! What is secret stays where it is: looked for in every form in all that goes to the CA, and in
//! all that is kept on this machine.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use certdeck::acme::order::Kind;
use certdeck::fleet::Fingerprint;
use certdeck::inventory::{External, SecretPlace};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use serde_json::Value;
use tempfile::TempDir;

use super::proxy::{Proxy, Strike};
use super::{Host, Machine, PROGRAMS, Told, issue};
use crate::lab::are_here;
use crate::lab::ca::{Ca, Checks, Habits};

/// What the CA knows its customer by, and nobody else may.
const HMAC: &[u8] = b"cAnary of a customer, 32 bytes ..";

/// The private part of a P-256 key in PKCS #8 (RFC 5915: an octet string of 32 bytes).
fn private(pkcs8: &[u8]) -> Vec<u8> {
    let at = pkcs8.windows(2).position(|it| it == [0x04, 0x20]).unwrap();
    pkcs8[at + 2..at + 34].to_vec()
}

/// Each form in which it may be looked for: the bytes, hex, and base64 wherever it begins.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex = secret.iter().fold(String::new(), |text, it| format!("{text}{it:02x}"));
    let mut forms = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    for lead in 0..3 {
        let shifted = [&b"\0\0"[..lead], secret].concat();
        for text in [STANDARD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            // What stands at the ends depends on what is beside it.
            forms.push(text.as_bytes()[4..text.len() - 4].to_vec());
        }
    }
    forms
}

/// Whether a secret is in there, in any of its forms.
pub(crate) fn holds(haystack: &[u8], secret: &[u8]) -> bool {
    let found = |it: &Vec<u8>| haystack.windows(it.len()).any(|that| that == it);
    forms(secret).iter().any(found)
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            all.push((path, bytes));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_leaves_the_place_where_it_is_kept() {
    if !are_here(PROGRAMS) {
        return;
    }
    let dir = TempDir::new().unwrap();
    let hmac = URL_SAFE_NO_PAD.encode(HMAC);
    let habits = Habits { customer: Some(("kid-1", &hmac)), ..Habits::default() };
    let ca = Arc::new(Ca::start_with(&dir.path().join("ca"), Checks::Told, 90, habits));
    let proxy = Proxy::start(&ca, Strike::Never).await;
    let secret = dir.path().join("hmac");
    fs::write(&secret, &hmac).unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let state = dir.path().join("state");
    let mut machine = Machine::new(&state, &ca, proxy.directory());
    machine.issuer.external = Some(External {
        kid: "kid-1".to_owned(),
        secret: SecretPlace::File(secret.display().to_string()),
    });
    let key = KeyPair::generate().unwrap();
    let names = vec!["a.test".to_owned()];
    let request = CertificateParams::new(names.clone()).unwrap().serialize_request(&key).unwrap();
    let spki = Fingerprint::of(&key.subject_public_key_info());
    let host = Host { der: request.der().to_vec(), spki, names };
    let mut solver = Told::new(&ca, Kind::Http01);
    issue(&machine, &host, &mut solver).await.unwrap();

    let account = state.join("accounts/pebble.json");
    let kept: Value = serde_json::from_slice(&fs::read(&account).unwrap()).unwrap();
    let pkcs8 = find(&kept, "key_pkcs8").expect("an account has a key");
    let account_key = private(&URL_SAFE_NO_PAD.decode(pkcs8).unwrap());
    let host_key = private(key.serialized_der());
    // The search finds what is there.
    assert!(holds(&fs::read(&account).unwrap(), &URL_SAFE_NO_PAD.decode(pkcs8).unwrap()));
    assert!(holds(key.serialized_der(), &host_key));
    assert!(holds(hmac.as_bytes(), HMAC));

    let sent: Vec<u8> = proxy.seen().into_iter().flat_map(|it| it.request).collect();
    // Signed requests carry their payload in base64url.
    let plain: Vec<u8> = proxy.seen().iter().flat_map(|it| payload(&it.request)).collect();
    assert!(plain.windows(7).any(|it| it == b"a.test\""), "no order is among what was sent");
    let token = solver.ever.lock().unwrap().iter().next().unwrap().0.clone();
    let kept = files(&state);
    assert!(kept.len() > 2, "{kept:?}");
    for (secret, what) in [(&account_key[..], "account"), (&host_key, "host"), (HMAC, "customer")] {
        for traffic in [&sent, &plain] {
            assert!(!holds(traffic, secret), "the key of the {what} was sent");
        }
        for (path, bytes) in kept.iter().filter(|it| it.0 != account || what != "account") {
            assert!(!holds(bytes, secret), "the key of the {what} is in {}", path.display());
        }
    }
    for (path, bytes) in kept.iter().filter(|it| it.0.starts_with(state.join("audit"))) {
        assert!(!holds(bytes, token.as_bytes()), "a token is in {}", path.display());
    }
    for path in [&account, &state.join("accounts")] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is for everybody", path.display());
    }
}

/// The payload of a signed request (RFC 7515, section 7.2.2), with what its header says.
fn payload(request: &[u8]) -> Vec<u8> {
    let Some(at) = request.windows(4).position(|it| it == b"\r\n\r\n") else { return Vec::new() };
    let Ok(body) = serde_json::from_slice::<Value>(&request[at + 4..]) else { return Vec::new() };
    let parts = ["protected", "payload"].map(|it| body[it].as_str().unwrap_or_default());
    parts.iter().flat_map(|it| URL_SAFE_NO_PAD.decode(it).unwrap()).collect()
}

/// The text of that name, however deep it lies.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    let object = value.as_object()?;
    let here = object.get(name).and_then(Value::as_str);
    here.or_else(|| object.values().find_map(|it| find(it, name)))
}
