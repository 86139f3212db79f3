//! What a server is configured for, and what it was given.

use std::fs;
use std::process::Command;

use super::node;
use super::scene::{Fault, Scene};
use crate::lab::certbot_host::CertbotHost;

const FAULT: Fault<'_> = Fault {
    host: "web-01",
    place: Some("a.test"),
    verdict: "",
    rule: "",
    cause: "",
    remedy: "",
    yes: "a.test",
};

pub(super) fn host() -> Option<(Scene, CertbotHost)> {
    let mut scene = Scene::new()?;
    let web = node::certbot(&mut scene, "web-01")?;
    web.reload_on_deploy();
    scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
    scene.tell(&format!("[[issuer]]\nname = 'lab'\ndirectory = '{}'", web.ca.directory()));
    scene.tell(&(web.inventory() + &web.endpoint("a.test")));
    Some((scene, web))
}

fn reload(web: &CertbotHost) {
    assert!(Command::new("/bin/sh").args(["-c", &web.nginx.reload()]).status().unwrap().success());
}

#[test]
fn a_configured_name_is_not_covered() {
    let Some((mut scene, web)) = host() else { return };
    web.issue("a.test", &[]);
    scene.tell(&web.endpoint("www.a.test"));
    let site = web.path("nginx/sites/a.test.conf");
    let text = fs::read_to_string(&site).unwrap();
    fs::write(&site, text.replace("server_name a.test;", "server_name a.test www.a.test;"))
        .unwrap();
    reload(&web);
    scene.check(&Fault { verdict: "name", rule: "name", remedy: "issue", ..FAULT });
    let leaf = crate::certificate::openssl(&web.live("a.test", "cert")).unwrap();
    assert_eq!(leaf.names, ["a.test", "www.a.test"]);
    assert_eq!(web.nginx.served("www.a.test"), Some(leaf.sha256));
    scene.scan().assert_clean();
}

/// Somebody asked for the same names again, and nginx loads the second of the two, which is not
/// the one that is renewed.
pub(super) fn fall_behind(web: &CertbotHost) {
    web.issue("a.test", &[]);
    web.order("a.test-0001", &["-d", "a.test", "--duplicate"]);
    let file = |kind| web.live("a.test-0001", kind);
    web.nginx.serve("a.test", &file("fullchain"), &file("privkey"));
    let words = ["renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "a.test"];
    assert!(web.certbot(&words).status.success());
}

#[test]
fn nginx_loads_a_second_lineage_that_falls_behind() {
    let Some((scene, web)) = host() else { return };
    fall_behind(&web);
    scene.check(&Fault {
        place: Some("a.test-0001"),
        verdict: "unloaded",
        rule: "wrong-lineage",
        remedy: "repoint",
        yes: "a.test-0001",
        ..FAULT
    });
    assert_eq!(web.nginx.served("a.test"), Some(web.on_disk("a.test")));
}
