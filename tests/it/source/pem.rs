//! PEM files: chains, keys in the same file and beside it, and globs.

use certdeck::fleet::{Place, ProblemKind, Seen};

use super::tree::{Authority, Tree, answer, forget_stamps, host, place, shells, visit};

fn source(tree: &Tree, glob: &str, key: &str) -> String {
    format!("kind = 'pem'\npaths = ['{}']\n{key}", tree.text(glob))
}

/// Reads with every shell and gives what all of them saw.
#[track_caller]
fn look(source: &str) -> Seen {
    let mut all: Vec<_> = shells().iter().map(|it| visit(it, source, &host())).collect();
    for seen in &mut all {
        forget_stamps(seen);
        seen.places.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let first = all.remove(0);
    for other in all {
        assert_eq!(format!("{:?}", first.places), format!("{:?}", other.places));
    }
    first
}

fn kinds(place: &Place) -> Vec<ProblemKind> {
    place.problems.iter().map(|it| it.kind).collect()
}

#[test]
fn files_and_their_keys_are_read() {
    let authority = Authority::new();
    let (a, b) = (authority.issue(&["a.test"]), authority.issue(&["b.test"]));
    let tree = Tree::new();
    tree.write("certs/a.crt", a.fullchain());
    tree.write("keys/a.key", &a.key);
    tree.write("certs/b b'\"$(touch x)`.crt", b.fullchain());
    tree.write("keys/b b'\"$(touch x)`.key", &a.key);
    let key = format!("key = '{}/{{name}}.key'\n", tree.text("keys"));
    let seen = look(&source(&tree, "certs/*.crt", &key));
    assert_eq!(seen.places.len(), 2);
    let a = place(&seen, &tree.text("certs/a.crt"));
    assert_eq!((a.key_matches(), kinds(a)), (Some(true), vec![]));
    assert_eq!(a.layers.disk.as_ref().unwrap().chain.rest.len(), 1);
    let b = place(&seen, &tree.text("certs/b b'\"$(touch x)`.crt"));
    assert_eq!((b.key_matches(), kinds(b)), (Some(false), vec![]));
}

/// Every way in which a key and a certificate get into one file: the certificate is read, the
/// key is compared where openssl finds it, and not one byte of it leaves the host.
#[test]
fn private_keys_stay_on_the_host() {
    let issued = Authority::new().issue(&["a.test"]);
    let (key, cert) = (&issued.key, &issued.fullchain());
    let tail = key.split_once("KEY-----").unwrap().1.to_owned();
    let legacy = format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n{}", &tail);
    let no_begin = tail.trim_start();
    let cases: [(&str, String, bool); 13] = [
        ("key-first", format!("{key}{cert}"), true),
        ("key-last", format!("{cert}{key}"), true),
        ("crlf", format!("{key}{cert}").replace('\n', "\r\n"), true),
        ("bom", format!("\u{feff}{key}{cert}"), true),
        ("bom-cert", format!("\u{feff}{cert}{key}"), true),
        ("cr-only", format!("{cert}{key}").replace('\n', "\r"), false),
        ("one-line", format!("{}{}", cert.replace('\n', ""), key.replace('\n', "")), false),
        ("glued", format!("{}{key}", cert.trim_end()), true),
        ("no-end-of-key", format!("{}\n{cert}", key.split("-----END").next().unwrap()), true),
        ("no-begin-of-key", format!("{cert}{no_begin}"), true),
        (
            "no-end-of-cert",
            format!("{}{key}", issued.cert.split("-----END").next().unwrap()),
            false,
        ),
        ("legacy", format!("{legacy}{cert}"), true),
        ("indented", format!("{cert}{}", key.replace('\n', "\n  ")), true),
    ];
    for (name, text, is_read) in cases {
        let tree = Tree::new();
        tree.write(&format!("{name}.pem"), text);
        let source = source(&tree, "*.pem", "");
        for shell in shells() {
            let (answer, _) = answer(&shell, &source, &host());
            for part in secret(key).windows(12) {
                let leaks = answer.windows(part.len()).any(|it| it == part);
                assert!(!leaks, "{name} {shell:?}: {}", String::from_utf8_lossy(&answer));
            }
        }
        let seen = look(&source);
        let place = place(&seen, &tree.text(&format!("{name}.pem")));
        assert_eq!(place.layers.disk.is_some(), is_read, "{name}: {:?}", place.problems);
        assert_ne!(place.key_matches(), Some(false), "{name}");
    }
}

/// The part of a P-256 key in PKCS#8 that holds the secret number, on its first line of base64:
/// bytes 36 to 67 (RFC 5915, section 3), of which the line has the first 12.
fn secret(key: &str) -> &[u8] {
    &key.lines().nth(1).unwrap().as_bytes()[48..64]
}

#[test]
fn a_key_in_the_same_file_is_compared() {
    let authority = Authority::new();
    let (a, b) = (authority.issue(&["a.test"]), authority.issue(&["b.test"]));
    let tree = Tree::new();
    tree.write("good.pem", a.fullchain() + &a.key);
    tree.write("wrong.pem", a.fullchain() + &b.key);
    tree.write("none.pem", a.fullchain());
    let seen = look(&source(&tree, "*.pem", ""));
    let matches = |name| place(&seen, &tree.text(name)).key_matches();
    assert_eq!(
        (matches("good.pem"), matches("wrong.pem"), matches("none.pem")),
        (Some(true), Some(false), None)
    );
}

#[test]
fn what_is_no_certificate_is_told() {
    let authority = Authority::new();
    let issued = authority.issue(&["a.test"]);
    let tree = Tree::new();
    tree.write("empty.pem", "");
    tree.write("key.pem", &issued.key);
    tree.write("garbage.pem", "what is this\n");
    tree.write("der.pem", b"0\x82\x01\x00\0\0\n\n-----BEGIN CERTIFICATE-----\n");
    let other = Authority::new();
    tree.write("store.pem", authority.pem() + &other.pem() + &other.pem());
    let seen = look(&source(&tree, "*.pem", ""));
    let told = |name| {
        let place = place(&seen, &tree.text(name));
        assert!(place.layers.disk.is_none());
        (place.problems[0].kind, place.problems[0].text.as_str().to_owned())
    };
    assert_eq!(told("empty.pem").0, ProblemKind::Empty);
    assert!(told("key.pem").1.ends_with("holds a private key and no certificate"));
    assert!(told("garbage.pem").1.ends_with("holds no certificate"));
    assert!(told("der.pem").1.ends_with("holds DER or PKCS#12, not PEM"));
    assert_eq!(seen.places.len(), 4, "a store of authorities is no place");
    assert!(seen.problems[0].text.as_str().contains("a bundle of authorities"));
}

#[test]
fn globs_mean_what_they_mean() {
    let issued = Authority::new().issue(&["a.test"]);
    let tree = Tree::new();
    for name in ["d/a1.pem", "d/a2.pem", "d/b1.pem", "d/[x].pem", "d/$HOME.pem"] {
        tree.write(name, issued.fullchain());
    }
    let names = |glob: &str| -> Vec<String> {
        let seen = look(&source(&tree, glob, ""));
        let at = tree.text("d/");
        seen.places.iter().map(|it| it.name.as_str().replace(&at, "")).collect()
    };
    assert_eq!(names("d/a?.pem"), ["a1.pem", "a2.pem"]);
    assert_eq!(names("d/[ab]1.pem"), ["a1.pem", "b1.pem"]);
    assert_eq!(names("d/[!a]1.pem"), ["b1.pem"]);
    assert_eq!(names("d/$HOME.pem"), ["$HOME.pem"]);
    assert_eq!(names("*/a1.pem"), ["a1.pem"]);
    assert_eq!(names("d/nothing*"), Vec::<String>::new());
    assert_eq!(look(&source(&tree, "d/nothing*", "")).problems[0].kind, ProblemKind::Missing);
}
