//! The real clients against a real CA on this machine: what they leave behind is what is read.

use std::process::{Command, Output, Stdio};

use certdeck::fleet::{HookStage, NeedKind, NeedState};
use certdeck::text::SafeText;

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
        let mut told: Vec<_> = chain.leaf.names.iter().map(SafeText::as_str).collect();
        told.sort_by_key(|it| it.len());
        assert_eq!(told, names);
        assert!(chain.rest.len() == 1 && chain.leaf.authority().starts_with("Pebble"));
        let renewal = place.renewal.as_ref().unwrap();
        assert_eq!(renewal.authenticator.as_ref().unwrap().as_str(), "webroot");
        assert_eq!(renewal.server.as_ref().unwrap().as_str(), server);
        assert!(renewal.last_failure.is_none() && renewal.last_dry_run.is_none());
        let needs: Vec<_> = renewal.needs.iter().map(|it| (it.kind, it.state)).collect();
        let [webroot, .., account] = needs.as_slice() else { panic!("{needs:?}") };
        assert_eq!(*webroot, (NeedKind::Webroot, NeedState::There), "{name}");
        assert_eq!(*account, (NeedKind::Account, NeedState::There), "{name}");
    }
    // The command of b.test's hook is built into every shell, and a program as well.
    let renewal = place(&seen, "b.test").renewal.as_ref().unwrap();
    assert_eq!(renewal.needs[1].state, NeedState::There);
    assert!(certbot(
        &tree,
        &[
            "renew",
            "--dry-run",
            "--cert-name",
            "a.test",
            "--server",
            &server,
            "--no-random-sleep-on-renew"
        ]
    ));
    let dry_run = place(&look(), "a.test").renewal.as_ref().unwrap().last_dry_run;
    assert!(dry_run.unwrap().is_ok);
    let automation = &seen.automation[0];
    assert!(automation.is_installed && automation.last_run.is_some() && automation.lock.is_none());

    // A deploy hook that fails: certbot says that all went well.
    tree.write("le/renewal-hooks/deploy/10-bad", "#!/bin/sh\nexit 7\n");
    tree.chmod("le/renewal-hooks/deploy/10-bad", 0o755);
    let renew = ["renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "b.test"];
    assert!(certbot(&tree, &renew));
    let hook = place(&look(), "b.test").renewal.as_ref().unwrap().failed_hook.clone().unwrap();
    let command = hook.command.unwrap();
    assert_eq!((hook.stage, hook.code), (HookStage::Deploy, 7));
    assert!(command.as_str().ends_with("/renewal-hooks/deploy/10-bad"), "{command}");
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

/// Runs another client, which trusts the CA; a client that fails is a failed test unless it should.
#[track_caller]
fn run(tree: &Tree, program: &str, words: &[&str]) -> Output {
    Command::new(program)
        .args(words)
        .env("CURL_CA_BUNDLE", tree.path("ca/cert.pem"))
        .env("LEGO_CA_CERTIFICATES", tree.path("ca/cert.pem"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn run_well(tree: &Tree, program: &str, words: &[&str]) {
    let output = run(tree, program, words);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {words:?}: {out}{err}");
}

#[test]
fn what_dehydrated_makes_is_read() {
    if !are_here(&["dehydrated", "pebble", "pebble-challtestsrv"]) {
        return;
    }
    let tree = Tree::new();
    let ca = Ca::start(&tree.path("ca"), Checks::Believed, 90);
    tree.write("www/x", "");
    tree.write("base/hook.sh", "#!/bin/sh\ntrue\n");
    tree.chmod("base/hook.sh", 0o755);
    tree.write("base/domains.txt", "A.test www.a.test\n*.b.test > star\n");
    let config = format!(
        "CA={}\nBASEDIR={}\nWELLKNOWN={}\nHOOK=\"${{BASEDIR}}/hook.sh\"\nRENEW_DAYS=40\n\
         CHALLENGETYPE=http-01\nKEY_ALGO=prime256v1\n",
        ca.directory(),
        tree.text("base"),
        tree.text("www")
    );
    tree.write("etc/config", &config);
    // A wildcard takes dns-01, for that certificate alone.
    tree.write("base/certs/star/config", "CHALLENGETYPE=dns-01\n");
    let config = tree.text("etc/config");
    run_well(&tree, "dehydrated", &["-f", &config, "--register", "--accept-terms"]);
    run_well(&tree, "dehydrated", &["-f", &config, "-c"]);
    let source = format!("kind = 'dehydrated'\nconfig = '{config}'\n");
    let look = || visit(&["sh"], &source, &host());
    let seen = look();
    assert_eq!((seen.places.len(), seen.problems.as_slice()), (2, &[][..]));
    for (name, names, way) in
        [("a.test", vec!["a.test", "www.a.test"], "http-01"), ("star", vec!["*.b.test"], "dns-01")]
    {
        let place = place(&seen, name);
        assert_eq!((place.problems.as_slice(), place.key_matches()), (&[][..], Some(true)));
        let disk = place.layers.disk.as_ref().unwrap();
        let mut told: Vec<_> = disk.chain.leaf.names.iter().map(SafeText::as_str).collect();
        told.sort_by_key(|it| it.len());
        assert_eq!((told, disk.chain.rest.len()), (names, 1));
        let renewal = place.renewal.as_ref().unwrap();
        assert_eq!(renewal.authenticator.as_ref().unwrap().as_str(), way);
        assert_eq!(renewal.server.as_ref().unwrap().as_str(), ca.directory());
        assert_eq!(renewal.planned, Some(disk.chain.leaf.not_after.plus(-40 * 86_400)));
        assert!(renewal.is_enabled && renewal.is_unattended && renewal.last_failure.is_none());
        assert!(renewal.needs.iter().all(|it| it.state == NeedState::There), "{renewal:?}");
        assert_eq!(place.versions.len(), 1);
    }
    let automation = &seen.automation[0];
    assert!(automation.is_installed && automation.lock.is_none());
    assert!(automation.release().is_some(), "{automation:?}");

    // Another order is another version; without the CA there is one that gave nothing.
    run_well(&tree, "dehydrated", &["-f", &config, "-c", "-x", "-d", "a.test", "-d", "www.a.test"]);
    let numbers: Vec<_> = place(&look(), "a.test")
        .versions
        .iter()
        .map(|it| (it.number, it.certificate.is_some()))
        .collect();
    assert_eq!(numbers, [(1, true), (2, true)]);
}

#[test]
fn what_lego_makes_is_read() {
    if !are_here(&["lego", "pebble", "pebble-challtestsrv"]) {
        return;
    }
    let tree = Tree::new();
    let ca = Ca::start(&tree.path("ca"), Checks::Believed, 90);
    tree.write("www/x", "");
    let (path, www, server) = (tree.text("lego"), tree.text("www"), ca.directory());
    let common = [
        "--accept-tos",
        "-m",
        "ops@lab.test",
        "-s",
        &server,
        "--path",
        &path,
        "--http",
        "--http.webroot",
        &www,
    ];
    let run_lego = |more: &[&str]| run_well(&tree, "lego", &[&common, more].concat());
    run_lego(&["-d", "a.test", "-d", "www.a.test", "run"]);
    run_lego(&["-d", "b.test", "-k", "rsa2048", "run"]);
    let source = format!("kind = 'lego'\npath = '{path}'\n");
    let look = || visit(&["sh"], &source, &host());
    let seen = look();
    assert_eq!((seen.places.len(), seen.problems.as_slice()), (2, &[][..]));
    for (name, key, names) in [
        ("a.test", "ecdsa-p256", vec!["a.test", "www.a.test"]),
        ("b.test", "rsa-2048", vec!["b.test"]),
    ] {
        let place = place(&seen, name);
        assert_eq!((place.problems.as_slice(), place.key_matches()), (&[][..], Some(true)));
        let chain = &place.layers.disk.as_ref().unwrap().chain;
        assert_eq!((chain.leaf.key.to_string().as_str(), chain.fault), (key, None));
        let mut told: Vec<_> = chain.leaf.names.iter().map(SafeText::as_str).collect();
        told.sort_by_key(|it| it.len());
        assert_eq!((told, chain.rest.len()), (names, 1));
    }
    assert!(seen.automation[0].is_installed);

    let first = place(&seen, "a.test").leaf().unwrap().sha256;
    run_lego(&["-d", "a.test", "-d", "www.a.test", "renew", "--no-random-sleep", "--days", "120"]);
    assert_ne!(place(&look(), "a.test").leaf().unwrap().sha256, first);
}
