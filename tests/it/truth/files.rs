//! What lies on disk is wrong, and something that is right lies beside it.

use std::fs;
use std::os::unix::fs::symlink;

use super::authority::{Authority, Issued, Life, lineage};
use super::node;
use super::scene::{Fault, Scene};
use crate::lab::certbot_host::CertbotHost;

/// A host with a lineage `a.test` of these versions, of which `live` is live and is served.
pub(super) fn with(
    versions: &[&Issued],
    live: usize,
    root: &Authority,
) -> Option<(Scene, CertbotHost)> {
    let mut scene = Scene::new()?;
    let web = node::certbot(&mut scene, "web-01")?;
    web.hook("deploy", "10-nginx", &web.nginx.reload());
    let webroot = web.nginx.webroot();
    let conf = format!(
        "authenticator = webroot\nserver = {}\nwebroot_path = {},\n",
        web.ca.directory(),
        webroot.display()
    );
    lineage(&web.path("le"), "a.test", versions, live, &conf);
    let file = |kind| web.live("a.test", kind);
    web.nginx.serve("a.test", &file("fullchain"), &file("privkey"));
    scene.trust(&root.root());
    scene.tell(&(web.inventory() + &web.endpoint("a.test")));
    Some((scene, web))
}

const FAULT: Fault<'_> = Fault {
    host: "web-01",
    place: Some("a.test"),
    verdict: "",
    rule: "",
    cause: "",
    remedy: "rollback",
    yes: "a.test",
};

#[test]
fn the_private_key_belongs_to_another_version() {
    let ca = Authority::new("Fjord");
    let [old, new] = [Life(61, 29), Life(1, 89)].map(|it| ca.issue(&["a.test"], it));
    let Some((scene, web)) = with(&[&old, &new], 2, &ca) else { return };
    scene.scan().assert_clean();
    let key = web.live("a.test", "privkey");
    fs::remove_file(&key).unwrap();
    symlink("../../archive/a.test/privkey1.pem", &key).unwrap();
    let served = web.nginx.served("a.test");
    scene.check(&Fault { verdict: "key", rule: "key", ..FAULT });
    web.assert_whole("a.test");
    assert_eq!(web.nginx.served("a.test"), served);
    scene.scan().assert_clean();
}

#[test]
fn a_failed_renewal_moved_the_links_back() {
    let ca = Authority::new("Fjord");
    let [old, new] = [Life(85, 5), Life(20, 70)].map(|it| ca.issue(&["a.test"], it));
    let Some((scene, web)) = with(&[&old, &new], 1, &ca) else { return };
    scene.check(&Fault { verdict: "overdue", rule: "moved-back", ..FAULT });
    web.assert_whole("a.test");
    assert_eq!(web.nginx.served("a.test"), Some(web.on_disk("a.test")));
    scene.scan().assert_clean();
}
