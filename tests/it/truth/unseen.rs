//! What could not be looked at is never called good.

use std::fs;

use serde_json::Value;

use super::authority::{Authority, Life};
use super::node::Plain;
use super::scene::{Scan, Scene};

/// A healthy host, with more lines for its `sshd_config`.
fn host(more: &str) -> Option<(Scene, Plain)> {
    let mut scene = Scene::alone()?;
    let ca = Authority::new("Fjord");
    scene.trust(&ca.root());
    let web = Plain::start_with(&mut scene, "web-01", more);
    web.put("a.test", &ca.issue(&["a.test"], Life(20, 70)));
    scene.tell(&web.inventory());
    Some((scene, web))
}

/// The first place and every finding.
fn verdict(scan: &Scan) -> &str {
    scan.0["hosts"][0]["places"][0]["verdict"].as_str().unwrap()
}

fn severities(scan: &Scan) -> Vec<&Value> {
    scan.0["findings"].as_array().unwrap().iter().map(|it| &it["severity"]).collect()
}

#[test]
fn a_host_that_cannot_be_read_any_more() {
    let Some((mut scene, web)) = host("") else { return };
    let nginx = web.nginx(&["a.test"]);
    scene.endpoint("a.test", nginx.tls_port, "probe = ['loopback']");
    let scan = scene.scan();
    scan.assert_clean();
    assert_eq!(verdict(&scan), "ok");
    scene.lab.stop(web.ssh_port());
    let scan = scene.scan();
    assert_eq!(scan.0["hosts"][0]["reach"], "down");
    assert_eq!(verdict(&scan), "unreachable", "{:#}", scan.0);
    assert!(!severities(&scan).is_empty());
    assert!(!scene.screen().contains("● ok"));
    assert_ne!(scene.shell("certdeck check").status.code(), Some(0));
}

#[test]
fn a_server_that_cannot_be_asked_through_ssh() {
    let Some((mut scene, web)) = host("AllowTcpForwarding no") else { return };
    let nginx = web.nginx(&["a.test"]);
    // Whether the inventory tells of it, or its own configuration alone.
    let check = |scene: &Scene| {
        let scan = scene.scan();
        assert_ne!(verdict(&scan), "ok", "{:#}", scan.0);
        assert!(!scene.screen().contains("● ok"));
    };
    check(&scene);
    scene.endpoint("a.test", nginx.tls_port, "probe = ['loopback']");
    check(&scene);
}

#[test]
fn a_server_that_is_not_there() {
    let Some((mut scene, web)) = host("") else { return };
    scene.endpoint("a.test", crate::lab::free_port(), "probe = ['loopback']");
    let scan = scene.scan();
    assert_ne!(verdict(&scan), "ok", "{:#}", scan.0);
    assert!(severities(&scan).iter().any(|it| **it != "info"), "{:#}", scan.0["findings"]);
    drop(web);
}

#[test]
fn files_that_may_not_be_read() {
    let Some((scene, web)) = host("") else { return };
    fs::remove_file(web.path("tls/a.test.pem")).unwrap();
    fs::create_dir(web.path("tls/a.test.pem")).unwrap();
    let scan = scene.scan();
    let words = scan.0["hosts"][0]["places"].as_array().unwrap();
    assert!(words.iter().all(|it| it["verdict"] != "ok"), "{:#}", scan.0);
    assert!(severities(&scan).iter().any(|it| **it != "info"), "{:#}", scan.0);
}
