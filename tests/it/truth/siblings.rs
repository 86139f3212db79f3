//! What one host has and another lacks.

use std::fs;

use super::authority::{Authority, Life};
use super::node::{self, Haproxy, Plain};
use super::scene::{Fault, Scene};
use crate::lab::nginx::Nginx;

/// Five hosts that should serve one certificate, the fourth of which was missed.
pub(super) fn five() -> Option<(Scene, Vec<(Plain, Nginx)>)> {
    let mut scene = Scene::new()?;
    let ca = Authority::new("Fjord");
    scene.trust(&ca.root());
    let [old, new] = [Life(50, 40), Life(1, 89)].map(|it| ca.issue(&["a.test"], it));
    let hosts: Vec<_> = (1..=5)
        .map(|at| {
            let host = Plain::start(&mut scene, &format!("web-0{at}"));
            host.put("a.test", if at == 4 { &old } else { &new });
            let nginx = host.nginx(&["a.test"]);
            scene.tell(&host.inventory());
            scene.endpoint("a.test", nginx.tls_port, "probe = ['loopback']");
            (host, nginx)
        })
        .collect();
    Some((scene, hosts))
}

#[test]
fn one_of_five_was_missed() {
    let Some((scene, hosts)) = five() else { return };
    let place = hosts[3].0.place("a.test");
    scene.check(&Fault {
        host: "web-04",
        place: Some(&place),
        verdict: "drift",
        rule: "drift",
        cause: "was missed",
        remedy: "transplant",
        yes: &format!("move key {place}"),
    });
    let served: Vec<_> = hosts.iter().map(|it| it.1.served("a.test").unwrap()).collect();
    assert!(served.iter().all(|it| *it == served[0]), "{served:?}");
    scene.scan().assert_clean();
}

#[test]
fn the_load_balancer_alone_has_the_old_one() {
    let Some(mut scene) = Scene::new() else { return };
    let ca = Authority::new("Fjord");
    scene.trust(&ca.root());
    let [old, new] = [Life(50, 40), Life(1, 89)].map(|it| ca.issue(&["a.test"], it));
    let balancer = Plain::start(&mut scene, "lb-01");
    fs::write(balancer.path("tls/a.test.pem"), old.full() + &old.key).unwrap();
    let Some(haproxy) = Haproxy::start(&balancer, "a.test") else { return };
    let web = Plain::start(&mut scene, "web-01");
    web.put("a.test", &new);
    let nginx = web.nginx(&["a.test"]);
    scene.tell(&web.inventory());
    scene.resolve("a.test", "127.0.0.1");
    let more = format!("addresses = ['127.0.0.1:{}']", haproxy.port);
    scene.endpoint("a.test", nginx.tls_port, &more);
    scene.tell(&balancer.inventory());
    let place = balancer.place("a.test");
    scene.check(&Fault {
        host: "lb-01",
        place: Some(&place),
        verdict: "drift",
        rule: "drift",
        cause: "a.test is served here as well",
        remedy: "transplant",
        yes: &format!("move key {place}"),
    });
    let at = format!("127.0.0.1:{}", haproxy.port);
    assert_eq!(node::served(&at, "a.test"), nginx.served("a.test"));
    scene.scan().assert_clean();
}

#[test]
fn the_ipv6_address_leads_to_another_host() {
    let Some(mut scene) = Scene::new() else { return };
    let ca = Authority::new("Fjord");
    scene.trust(&ca.root());
    let [old, new] = [Life(50, 40), Life(1, 89)].map(|it| ca.issue(&["a.test"], it));
    let web = Plain::start(&mut scene, "web-01");
    web.put("a.test", &new);
    let nginx = web.nginx(&["a.test"]);
    let before = Plain::start(&mut scene, "old-01");
    before.put("a.test", &old);
    let other = before.nginx(&[]);
    let at = before.serve("a.test", &format!("[::1]:{}", nginx.tls_port));
    node::shell(&other.reload());
    crate::lab::wait_for("the other host", || node::served(&at, "a.test").is_some());
    scene.resolve("a.test", "127.0.0.1");
    scene.resolve("a.test", "::1");
    scene.tell(&web.inventory());
    scene.endpoint("a.test", nginx.tls_port, "");
    scene.tell(&before.inventory());
    let place = before.place("a.test");
    scene.check(&Fault {
        host: "old-01",
        place: Some(&place),
        verdict: "drift",
        rule: "drift",
        cause: "the AAAA ::1 of a.test leads here",
        remedy: "transplant",
        yes: &format!("move key {place}"),
    });
    assert_eq!(node::served(&at, "a.test"), nginx.served("a.test"));
}

#[test]
fn the_load_balancer_has_the_new_file_and_serves_the_old_one() {
    let Some(mut scene) = Scene::new() else { return };
    let ca = Authority::new("Fjord");
    scene.trust(&ca.root());
    let [old, new] = [Life(50, 40), Life(1, 89)].map(|it| ca.issue(&["a.test"], it));
    let balancer = Plain::start(&mut scene, "lb-01");
    let file = balancer.path("tls/a.test.pem");
    fs::write(&file, old.full() + &old.key).unwrap();
    let Some(haproxy) = Haproxy::start(&balancer, "a.test") else { return };
    scene.tell(&balancer.inventory());
    scene.endpoint("a.test", haproxy.port, "probe = ['loopback']");
    scene.scan().assert_clean();
    fs::write(&file, new.full() + &new.key).unwrap();
    let place = balancer.place("a.test");
    scene.check(&Fault {
        host: "lb-01",
        place: Some(&place),
        verdict: "unloaded",
        rule: "unloaded",
        cause: "haproxy was not reloaded",
        remedy: "reload",
        yes: &place,
    });
    let at = format!("127.0.0.1:{}", haproxy.port);
    assert_eq!(node::served(&at, "a.test"), crate::certificate::openssl(&file).map(|it| it.sha256));
    scene.scan().assert_clean();
}

#[test]
fn the_ipv6_address_leads_to_nobody_that_is_known() {
    let Some(mut scene) = Scene::new() else { return };
    let ca = Authority::new("Fjord");
    scene.trust(&ca.root());
    let web = Plain::start(&mut scene, "web-01");
    web.put("a.test", &ca.issue(&["a.test"], Life(1, 89)));
    let nginx = web.nginx(&["a.test"]);
    // A host of somebody else, which nobody has told of.
    let other = Plain::start(&mut scene, "other");
    other.put("b.test", &ca.issue(&["b.test"], Life(1, 89)));
    let server = other.nginx(&[]);
    let at = other.serve("b.test", &format!("[::1]:{}", nginx.tls_port));
    node::shell(&server.reload());
    crate::lab::wait_for("the other host", || node::served(&at, "a.test").is_some());
    scene.resolve("a.test", "127.0.0.1");
    scene.resolve("a.test", "::1");
    scene.tell(&web.inventory());
    scene.endpoint("a.test", nginx.tls_port, "");
    // Whose address it is nobody here can say, so that nothing here can mend it.
    let place = web.place("a.test");
    let finding = scene.scan().finding(&Fault {
        host: "web-01",
        place: Some(&place),
        verdict: "drift",
        rule: "elsewhere",
        cause: "the AAAA ::1 of a.test",
        remedy: "",
        yes: "",
    });
    assert_eq!(finding["repairs"], serde_json::json!([]));
    assert!(scene.screen().contains("the AAAA ::1 of a.test"));
}
