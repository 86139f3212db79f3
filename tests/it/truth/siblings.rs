//! What one host has and another lacks.

use std::fs;

use super::authority::{Authority, Life};
use super::node::{self, Haproxy, Plain};
use super::scene::{Fault, Scene};

#[test]
fn one_of_five_was_missed() {
    let Some(mut scene) = Scene::new() else { return };
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
        cause: "",
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
    let site = format!(
        "server {{ listen [::1]:{} ssl; server_name a.test; ssl_certificate {}; \
         ssl_certificate_key {}; }}\n",
        nginx.tls_port,
        before.path("tls/a.test.pem").display(),
        before.path("tls/a.test.key").display()
    );
    fs::write(before.path("nginx/sites/a.test.conf"), site).unwrap();
    node::shell(&other.reload());
    let at = format!("[::1]:{}", nginx.tls_port);
    crate::lab::wait_for("the other host", || node::served(&at, "a.test").is_some());
    scene.resolve("a.test", "127.0.0.1");
    scene.resolve("a.test", "::1");
    scene.tell(&web.inventory());
    scene.endpoint("a.test", nginx.tls_port, "");
    scene.tell(&before.inventory());
    let place = web.place("a.test");
    scene.check(&Fault {
        host: "web-01",
        place: Some(&place),
        verdict: "drift",
        rule: "elsewhere",
        cause: "AAAA",
        remedy: "transplant",
        yes: &format!("move key {}", before.place("a.test")),
    });
    assert_eq!(node::served(&at, "a.test"), nginx.served("a.test"));
}
