//! What is served is fine, and nothing would renew it.

use std::fs;

use super::node;
use super::scene::{self, Fault, Scene};

#[test]
fn the_timer_is_disabled() {
    let Some(mut scene) = Scene::new() else { return };
    let Some(web) = node::certbot(&mut scene, "web-01") else { return };
    web.issue("a.test", &[]);
    web.reload_on_deploy();
    scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
    scene.tell(&(web.inventory() + &web.endpoint("a.test")));
    scene.scan().assert_clean();

    node::systemctl(&web, "disable --now certbot.timer");
    scene.check(&Fault {
        host: "web-01",
        place: None,
        verdict: "automation",
        rule: "schedule",
        cause: "it will not fire",
        remedy: "enable-timer",
        yes: "web-01",
    });
    let unit = fs::read_to_string(web.path("units/certbot.timer")).unwrap();
    assert!(unit.contains("UnitFileState=enabled"), "{unit}");
    scene.scan().assert_clean();
}

#[test]
fn it_was_issued_by_hand() {
    let Some(mut scene) = Scene::new() else { return };
    let Some(web) = node::certbot(&mut scene, "web-01") else { return };
    web.issue("b.test", &[]);
    web.issue("a.test", &[]);
    web.reload_on_deploy();
    scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
    scene.tell(&(web.inventory() + &web.endpoint("a.test")));
    // What `certonly --manual` leaves.
    let conf = web.path("le/renewal/a.test.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let lines =
        text.lines().filter(|it| !it.contains("webroot") || it.starts_with("authenticator"));
    let lines: Vec<_> = lines.take_while(|it| !it.starts_with("[[")).collect();
    let text = lines.join("\n").replace("authenticator = webroot", "authenticator = manual");
    fs::write(&conf, text + "\npref_challs = http-01,\n").unwrap();
    scene.check(&Fault {
        host: "web-01",
        place: Some("a.test"),
        verdict: "automation",
        rule: "authenticator",
        cause: "never handed over to automation",
        remedy: "convert",
        yes: "a.test",
    });
    let words = ["renew", "--dry-run", "--no-random-sleep-on-renew"];
    assert!(web.certbot(&words).status.success());
    scene.scan().assert_clean();
}

#[test]
fn the_clock_of_the_host_is_two_days_off() {
    let Some(mut scene) = Scene::new() else { return };
    let Some(web) = node::certbot(&mut scene, "web-01") else { return };
    web.issue("a.test", &[]);
    web.reload_on_deploy();
    scene.trust(&fs::read_to_string(web.ca.root()).unwrap());
    scene.tell(&(web.inventory() + &web.endpoint("a.test")));
    let offset = web.path("offset");
    fs::write(&offset, "-172800\n").unwrap();
    let [date, chronyc] = [DATE, CHRONYC].map(|it| it.replace("OFFSET", offset.to_str().unwrap()));
    scene::program(&web.path("bin/date"), &date);
    scene::program(&web.path("bin/chronyc"), &chronyc);
    scene.check(&Fault {
        host: "web-01",
        place: None,
        verdict: "clock",
        rule: "clock",
        cause: "",
        remedy: "sync-clock",
        yes: "web-01",
    });
    assert_eq!(fs::read_to_string(&offset).unwrap().trim(), "0");
    scene.scan().assert_clean();
}

/// A clock that is off by what a file says; nobody sets that of the machine.
const DATE: &str = "#!/bin/sh
case $* in *-s*|*--set*) echo 0 >OFFSET; exit;; esac
exec /bin/date -d \"@$(($(/bin/date +%s) + $(cat OFFSET)))\" \"$@\"
";

/// chrony, as far as anybody asks it.
const CHRONYC: &str = "#!/bin/sh
case $* in
*makestep*) echo 0 >OFFSET; echo '200 OK';;
*tracking*) echo 'Leap status     : Normal';;
*) echo '200 OK';;
esac
";
