//! The certificate is there, and the process does not know of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::node;
use super::scene::{Fault, Scene};
use crate::lab::certbot_host::CertbotHost;

/// A healthy host with a lineage that nginx serves.
pub(super) fn healthy() -> Option<(Scene, CertbotHost)> {
    let mut scene = Scene::new()?;
    let web = node::certbot(&mut scene, "web-01")?;
    web.issue("a.test", &[]);
    scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
    scene.tell(&(web.inventory() + &web.endpoint("a.test")));
    scene.scan().assert_clean();
    Some((scene, web))
}

/// Renews: nobody tells nginx.
pub(super) fn renew(web: &CertbotHost) -> String {
    let before = web.on_disk("a.test");
    let words = ["renew", "--force-renewal", "--no-random-sleep-on-renew"];
    assert!(web.certbot(&words).status.success());
    assert_eq!(web.nginx.served("a.test"), Some(before));
    web.on_disk("a.test")
}

const UNLOADED: Fault<'_> = Fault {
    host: "web-01",
    place: Some("a.test"),
    verdict: "unloaded",
    rule: "unloaded",
    cause: "",
    remedy: "reload",
    yes: "a.test",
};

#[test]
fn renewed_but_not_reloaded() {
    let Some((scene, web)) = healthy() else { return };
    let after = renew(&web);
    scene.check(&Fault { cause: "no hook is there that tells nginx", ..UNLOADED });
    assert_eq!(web.nginx.served("a.test"), Some(after));
}

#[test]
fn the_deploy_hook_fails() {
    let Some((scene, web)) = healthy() else { return };
    web.hook("deploy", "10-nginx", "echo 'nginx: configuration test failed' >&2; exit 1");
    let after = renew(&web);
    scene.check(&Fault { cause: "the deploy hook failed", ..UNLOADED });
    assert_eq!(web.nginx.served("a.test"), Some(after));
    // It would fail again with the next renewal, until somebody mends it.
    let fault = Fault { verdict: "automation", rule: "hook-failed", remedy: "hook", ..UNLOADED };
    let finding = scene.scan().finding(&fault);
    web.reload_on_deploy();
    scene.repair(finding["repairs"][0]["command"].as_str().unwrap(), "a.test");
    assert!(scene.scan().about("web-01", Some("a.test")).is_empty());
}

#[test]
fn the_deploy_hook_is_not_executable() {
    let Some((scene, web)) = healthy() else { return };
    let hook = web.reload_on_deploy();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    let after = renew(&web);
    scene.check(&Fault { cause: "is not executable", ..UNLOADED });
    assert_eq!(web.nginx.served("a.test"), Some(after));
    // The next renewal would end in the same way.
    scene.check(&Fault {
        place: None,
        verdict: "automation",
        rule: "hook",
        remedy: "enable-hook",
        cause: "skips it",
        yes: "web-01",
        ..UNLOADED
    });
    let mode = fs::metadata(&hook).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o100);
    scene.scan().assert_clean();
}
