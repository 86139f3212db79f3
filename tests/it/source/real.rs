//! The real certbot against a real CA on this machine: what it leaves behind is what is read.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};

use super::tree::{Tree, host, place, visit};

/// A Pebble that says yes to every challenge, until it is dropped.
struct Pebble {
    child: Child,
    port: u16,
}

impl Pebble {
    fn start(tree: &Tree) -> Self {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        tree.write("pebble/cert.pem", params.self_signed(&key).unwrap().pem());
        tree.write("pebble/key.pem", key.serialize_pem());
        let [port, management] = [(); 2].map(|()| free_port());
        let settings = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": tree.text("pebble/cert.pem"),
            "privateKey": tree.text("pebble/key.pem"),
            "httpPort": 5002,
            "tlsPort": 5001,
        }});
        tree.write("pebble/settings.json", settings.to_string());
        let child = Command::new("pebble")
            .args(["-config", &tree.text("pebble/settings.json")])
            .envs([("PEBBLE_VA_ALWAYS_VALID", "1"), ("PEBBLE_VA_NOSLEEP", "1")])
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pebble = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "pebble does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        pebble
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Runs certbot in the tree; gives whether it said that all went well.
fn certbot(tree: &Tree, words: &[&str]) -> bool {
    let output = Command::new("certbot")
        .args(words)
        .args(["-n", "--config-dir", &tree.text("le"), "--work-dir", &tree.text("work")])
        .args(["--logs-dir", &tree.text("log")])
        .env("REQUESTS_CA_BUNDLE", tree.path("pebble/cert.pem"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    output.status.success()
}

#[test]
fn what_certbot_makes_is_read() {
    let is_here = |it| Command::new(it).arg("--help").output().is_ok();
    if !["certbot", "pebble"].into_iter().all(is_here) {
        let is_required = std::env::var("CERTDECK_LAB").is_ok_and(|it| it == "require");
        assert!(!is_required, "certbot and pebble are not installed");
        eprintln!("skipped: certbot and pebble are not installed");
        return;
    }
    let tree = Tree::new();
    let pebble = Pebble::start(&tree);
    let server = format!("https://localhost:{}/dir", pebble.port);
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
    drop(pebble);
    std::fs::remove_file(tree.path("le/renewal-hooks/deploy/10-bad")).unwrap();
    assert!(!certbot(&tree, &renew));
    assert!(failure("b.test").contains("Connection refused"), "{}", failure("b.test"));
}
