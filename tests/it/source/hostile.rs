//! Things that are no PEM files where PEM files should be: bounded time, bounded answers, and a
//! word about each.

use std::fs::File;
use std::process::Command;

use certdeck::fleet::ProblemKind;

use super::tree::{Authority, Tree, answer, host, place, read, shells};

/// Puts every kind of thing under a name, with what must be said of it.
fn things(tree: &Tree) -> Vec<(&'static str, ProblemKind)> {
    let issued = Authority::new().issue(&["a.test"]);
    assert!(Command::new("mkfifo").arg(tree.path("fifo")).status().unwrap().success());
    tree.link("zero", "/dev/zero");
    tree.link("loop", "loop");
    File::create(tree.path("sparse")).unwrap().set_len(5 << 30).unwrap();
    tree.write("bundle", issued.cert.repeat(5000));
    tree.write("esc", "\x1b]52;c;AAAA\x07\x1b[2J\n");
    tree.write("nul", vec![0; 4096]);
    std::fs::create_dir(tree.path("folder")).unwrap();
    vec![
        ("bundle", ProblemKind::TooLarge),
        ("esc", ProblemKind::BadCertificate),
        ("fifo", ProblemKind::NotAFile),
        ("folder", ProblemKind::NotAFile),
        ("loop", ProblemKind::BrokenLink),
        ("nul", ProblemKind::BadCertificate),
        ("sparse", ProblemKind::BadCertificate),
        ("zero", ProblemKind::NotAFile),
    ]
}

#[test]
fn pem_files() {
    let tree = Tree::new();
    let things = things(&tree);
    tree.write("line\nbreak", "x");
    let source = format!("kind = 'pem'\npaths = ['{}']\n", tree.text("*"));
    for shell in shells() {
        let (answer, nonce) = answer(&shell, &source, &host());
        assert!(answer.len() < 1 << 20, "{shell:?}: {} bytes", answer.len());
        let seen = read(&answer, &nonce, &source, &host());
        for (name, kind) in &things {
            let place = place(&seen, &tree.text(name));
            assert_eq!(place.problems[0].kind, *kind, "{shell:?} {name} {:?}", place.problems);
            assert!(place.layers.disk.is_none() || *name == "bundle");
        }
        let broken = place(&seen, &tree.text("line"));
        assert_eq!(broken.problems[0].kind, ProblemKind::Unreadable, "{shell:?}");
        assert_eq!(seen.places.len(), things.len() + 1);
    }
}

#[test]
fn lineages() {
    let tree = Tree::new();
    let things = things(&tree);
    for (name, _) in &things {
        tree.lineage(name, &Authority::new().issue(&["a.test"]));
        tree.link(&format!("le/live/{name}/fullchain.pem"), &tree.text(name));
        tree.link(&format!("le/archive/{name}/privkey1.pem"), &tree.text(name));
    }
    tree.lineage("$(touch x) '\"`;&", &Authority::new().issue(&["b.test"]));
    tree.link("le/live/README", "/dev/zero");
    tree.link("le/renewal/zero.conf", "/dev/zero");
    tree.link("log/letsencrypt.log", "/dev/zero");
    tree.link("le/renewal-hooks/deploy/zero", "/dev/zero");
    let source = tree.certbot();
    for shell in shells() {
        let (answer, nonce) = answer(&shell, &source, &host());
        assert!(answer.len() < 1 << 20, "{shell:?}: {} bytes", answer.len());
        let seen = read(&answer, &nonce, &source, &host());
        for (name, kind) in &things {
            let place = place(&seen, name);
            let kinds: Vec<_> = place.problems.iter().map(|it| it.kind).collect();
            assert!(kinds.contains(kind), "{shell:?} {name} {:?}", place.problems);
            assert_ne!(place.key_matches(), Some(false), "{shell:?} {name}");
        }
        let odd = place(&seen, "$(touch x) '\"`;&");
        assert_eq!((odd.problems.as_slice(), odd.key_matches()), (&[][..], Some(true)));
    }
}
