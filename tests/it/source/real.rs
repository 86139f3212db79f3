//! The real certbot against a real CA on this machine: what it leaves behind is what is read.

use std::process::{Command, Stdio};

use super::tree::{Tree, host, place, visit};
use crate::lab::are_here;
use crate::lab::ca::{self, Ca, Checks};

/// Runs certbot in the tree; gives whether it said that all went well.
fn certbot(tree: &Tree, words: &[&str]) -> bool {
    let output = Command::new("certbot")
        .args(words)
        .args(["-n", "--config-dir", &tree.text("le"), "--work-dir", &tree.text("work")])
        .args(["--logs-dir", &tree.text("log")])
        .env("REQUESTS_CA_BUNDLE", tree.path("ca/cert.pem"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    output.status.success()
}

#[test]
fn what_certbot_makes_is_read() {
    if !are_here(ca::PROGRAMS) {
        return;
    }
    let tree = Tree::new();
    let ca = Ca::start(&tree.path("ca"), Checks::Believed, 90);
    let server = ca.directory();
    tree.write("www/index.html", "");
    let webroot = tree.text("www");
    let issue = |name: &str, more: &[&str]| {
        let mut words = vec!["certonly", "--agree-tos", "--register-unsafely-without-email"];
        words.extend(["--server", &server, "--webroot", "-w", &webroot, "--cert-name", name]);
        words.extend(more);
        assert!(certbot(&tree, &words), "certbot could not issue {name}");
    };
    issue("a.test", &["-d", "a.test", "-d", "www.a.test", "--key-type", "rsa"]);
    issue("b.test", &["-d", "b.test", "--key-type", "ecdsa", "--deploy-hook", "true"]);

    let look = || visit(&["sh"], &tree.certbot(), &host());
    let seen = look();
    assert_eq!((seen.places.len(), seen.problems.as_slice()), (2, &[][..]));
    for (name, key, names) in [
        ("a.test", "rsa-2048", vec!["a.test", "www.a.test"]),
        ("b.test", "ecdsa-p256", vec!["b.test"]),
    ] {
        let place = place(&seen, name);
        assert_eq!((place.problems.as_slice(), place.key_matches()), (&[][..], Some(true)));
        let chain = &place.layers.disk.as_ref().unwrap().chain;
        assert_eq!((chain.leaf.key.to_string().as_str(), chain.fault), (key, None));
        let mut told: Vec<_> =
            chain.leaf.names.iter().map(certdeck::text::SafeText::as_str).collect();
        told.sort_by_key(|it| it.len());
        assert_eq!(told, names);
        assert!(chain.rest.len() == 1 && chain.leaf.authority().starts_with("Pebble"));
        let renewal = place.renewal.as_ref().unwrap();
        assert_eq!(renewal.authenticator.as_ref().unwrap().as_str(), "webroot");
        assert_eq!(renewal.server.as_ref().unwrap().as_str(), server);
        assert!(renewal.last_failure.is_none());
    }
    let automation = &seen.automation[0];
    assert!(automation.is_installed && automation.last_run.is_some() && automation.lock.is_none());

    // A deploy hook that fails: certbot says that all went well.
    tree.write("le/renewal-hooks/deploy/10-bad", "#!/bin/sh\nexit 7\n");
    tree.chmod("le/renewal-hooks/deploy/10-bad", 0o755);
    let renew = ["renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "b.test"];
    assert!(certbot(&tree, &renew));
    let failure = |name: &str| {
        let seen = look();
        let renewal = place(&seen, name).renewal.clone().unwrap();
        renewal.last_failure.map(|it| it.text.as_str().to_owned()).unwrap_or_default()
    };
    assert!(
        failure("b.test").contains("deploy-hook failed with exit code 7"),
        "{}",
        failure("b.test")
    );
    assert_eq!(failure("a.test"), "");
    let numbers: Vec<_> = place(&look(), "b.test")
        .versions
        .iter()
        .map(|it| (it.number, it.certificate.is_some()))
        .collect();
    assert_eq!(numbers, [(1, true), (2, true)]);

    // Without the CA, renewal fails.
    drop(ca);
    std::fs::remove_file(tree.path("le/renewal-hooks/deploy/10-bad")).unwrap();
    assert!(!certbot(&tree, &renew));
    assert!(failure("b.test").contains("Connection refused"), "{}", failure("b.test"));
}
