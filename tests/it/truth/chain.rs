//! The leaf is good, and clients find no way from it to a root.

use super::authority::{Authority, Issued, Life};
use super::node::{self, Plain};
use super::scene::{Fault, Scene};
use crate::lab::nginx::Nginx;

/// Two hosts with certificates of one authority.
pub(super) fn two(
    first: &Issued,
    second: &Issued,
    root: &Authority,
) -> Option<(Scene, Plain, Nginx, Nginx)> {
    let mut scene = Scene::new()?;
    scene.trust(&root.root());
    let web = Plain::start(&mut scene, "web-01");
    let shop = Plain::start(&mut scene, "shop-01");
    web.put("a.test", first);
    shop.put("b.test", second);
    let servers = [web.nginx(&["a.test"]), shop.nginx(&["b.test"])];
    for (host, nginx, name) in [(&web, &servers[0], "a.test"), (&shop, &servers[1], "b.test")] {
        scene.tell(&host.inventory());
        scene.endpoint(name, nginx.tls_port, "probe = ['loopback']");
    }
    let [one, two] = servers;
    scene.keep(shop);
    Some((scene, web, one, two))
}

fn check(first: &Issued, second: &Issued, root: &Authority, cause: &str) {
    let Some((scene, web, nginx, _shop)) = two(first, second, root) else { return };
    let before = nginx.served("a.test");
    let place = web.place("a.test");
    scene.check(&Fault {
        host: "web-01",
        place: Some(&place),
        verdict: "chain",
        rule: "chain",
        cause,
        remedy: "replace-chain",
        yes: &place,
    });
    // The leaf is the same, and openssl finds the way to the root.
    assert_eq!(nginx.served("a.test"), before);
    assert!(node::verifies(nginx.tls_port, "a.test", &root.root()));
    scene.scan().assert_clean();
}

#[test]
fn the_intermediate_is_missing() {
    let ca = Authority::new("Fjord");
    let [mut first, second] = ["a.test", "b.test"].map(|it| ca.issue(&[it], Life(20, 70)));
    first.chain = String::new();
    check(&first, &second, &ca, "");
}

#[test]
fn the_intermediate_has_expired() {
    let ca = Authority::until("Fjord", -2);
    let [first, mut second] = ["a.test", "b.test"].map(|it| ca.issue(&[it], Life(20, 70)));
    second.chain = ca.renewed_chain(700);
    check(&first, &second, &ca, "");
}
