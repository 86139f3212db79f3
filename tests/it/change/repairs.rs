//! Repairs that need no order, on a real nginx and with a real certbot: each once as it should
//! go, and once where it must leave everything as it was.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::json;

use super::{Told, World, verified};
use crate::lab::certbot_host::CertbotHost;
use crate::lab::{Lab, wait_for};

/// Lets nginx of a host be found where the root of the host has it.
fn show_nginx(web: &CertbotHost) {
    for folder in ["root/run", "root/etc/nginx"] {
        fs::create_dir_all(web.path(folder)).unwrap();
    }
    symlink(web.path("nginx/pid"), web.path("root/run/nginx.pid")).unwrap();
    symlink(web.path("nginx/nginx.conf"), web.path("root/etc/nginx/nginx.conf")).unwrap();
}

fn world() -> Option<World> {
    let it = World::new()?;
    show_nginx(&it.web);
    Some(it)
}

/// Renews as a timer would where no hook reloads anything.
#[track_caller]
fn renew(web: &CertbotHost, lineage: &str) {
    let words = ["renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", lineage];
    let output = web.certbot(&words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_reload_lets_the_server_load_what_is_on_disk() {
    let Some(it) = world() else { return };
    let before = it.web.on_disk("a.test");
    renew(&it.web, "a.test");
    let after = it.web.on_disk("a.test");
    assert_eq!(it.web.nginx.served("a.test"), Some(before.clone()));

    // Nothing is reloaded with a configuration that is not sound.
    let broken = it.web.path("nginx/sites/broken.conf");
    fs::write(&broken, "server { listen nowhere; }\n").unwrap();
    let words = ["run", "reload", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(1, &["[emerg]", "nowhere"]);
    assert_eq!(it.web.nginx.served("a.test"), Some(before));
    let (_, outcome) = it.last_action();
    assert_eq!(outcome["ending"], "failed", "{outcome:#}");

    fs::remove_file(broken).unwrap();
    it.certdeck(&words).check(0, &["is served"]);
    assert_eq!(it.web.nginx.served("a.test"), Some(after));
    let (intent, outcome) = it.last_action();
    assert_eq!((&intent["action"], &outcome["ending"]), (&json!("reload"), &json!("ok")));

    // The server as a whole; what it serves lies in its files.
    let whole = ["run", "reload", "web-01", "--server", "nginx", "--yes", "web-01"];
    it.certdeck(&whole).check(0, &["lies in the files"]);
}

/// Where nothing of certbot makes a server load it, that is done after it, and proven; what a hook
/// says that it does is proven as well.
#[test]
fn what_nobody_reloads_is_reloaded_with_the_renewal() {
    let Some(it) = world() else { return };
    let renew = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&renew).check(0, &["no hook runs afterwards", "and is served"]);
    let after = it.web.on_disk("a.test");
    assert_eq!(it.web.nginx.served("a.test"), Some(after.clone()));

    it.web.hook("deploy", "10-hidden", "false || true");
    it.certdeck(&renew).check(1, &["serves another one", "certdeck run reload"]);
    assert_ne!(it.web.on_disk("a.test"), after);
    assert_eq!(it.web.nginx.served("a.test"), Some(after));
}

#[test]
fn a_server_is_led_to_another_lineage() {
    let Some(it) = world() else { return };
    let webroot = it.web.nginx.webroot();
    let words = ["certonly", "--webroot", "-w", webroot.to_str().unwrap(), "--cert-name", "new"];
    let output = it.web.certbot(&[&words[..], &["-d", "a.test", "--force-renewal"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let site = it.web.path("nginx/sites/a.test.conf");
    let was = fs::read_to_string(&site).unwrap();
    let old = it.web.nginx.served("a.test");

    // A test that fails puts back what was there.
    let broken = it.web.path("nginx/sites/broken.conf");
    fs::write(&broken, "server { listen nowhere; }\n").unwrap();
    let words = ["run", "repoint", "web-01/a.test", "--to", "new", "--yes", "a.test"];
    it.certdeck(&words).check(1, &["nowhere"]);
    assert_eq!(fs::read_to_string(&site).unwrap(), was);
    assert_eq!(it.web.nginx.served("a.test"), old);

    fs::remove_file(broken).unwrap();
    it.certdeck(&words).check(0, &[]);
    let new = it.web.on_disk("new");
    assert_ne!(Some(&new), old.as_ref());
    assert_eq!(it.web.nginx.served("a.test"), Some(new));
    assert_eq!(fs::read_to_string(&site).unwrap(), was.replace("live/a.test/", "live/new/"));
}

#[test]
fn a_chain_is_written_behind_its_leaf() {
    let Some(it) = world() else { return };
    it.web.issue("b.test", &[]);
    let archive = |name: &str| it.web.path(&format!("le/archive/a.test/{name}1.pem"));
    // The leaf alone, as when somebody took the wrong file.
    fs::copy(archive("cert"), archive("fullchain")).unwrap();
    fs::write(archive("chain"), fs::read(archive("cert")).unwrap()).unwrap();
    let reload =
        std::process::Command::new("/bin/sh").args(["-c", &it.web.nginx.reload()]).status();
    assert!(reload.unwrap().success());
    let words = ["run", "replace-chain", "web-01/a.test", "--from", "web-01/b.test", "--yes", "1"];
    it.certdeck(&words).check(0, &["the chain is whole"]);
    it.web.assert_whole("a.test");
    it.certdeck(&words).check(2, &["has these intermediates already"]);
}

#[test]
fn a_sibling_gives_its_certificate_and_key() {
    let Some(mut lab) = Lab::new() else { return };
    let Some(one) = CertbotHost::start(&mut lab, "web-01") else { return };
    let Some(two) = CertbotHost::start(&mut lab, "web-02") else { return };
    let mut inventory = String::new();
    for host in [&one, &two] {
        show_nginx(host);
        host.issue("a.test", &[]);
        inventory += &(host.inventory() + &host.endpoint("a.test"));
    }
    // Longer by some seconds.
    renew(&two, "a.test");
    let (before, good) = (one.on_disk("a.test"), two.on_disk("a.test"));
    let certdeck =
        |words: &[&str]| Told::new(lab.certdeck(&inventory).args(words).output().unwrap());
    let words = ["run", "transplant", "web-01/a.test", "--from", "web-02/a.test", "--yes"];
    // The name alone does not move a key.
    certdeck(&[&words[..], &["a.test"]].concat()).check(2, &["move key a.test"]);
    assert_eq!(one.on_disk("a.test"), before);
    certdeck(&[&words[..], &["move key a.test"]].concat()).check(0, &["is served"]);
    assert_eq!(one.on_disk("a.test"), good);
    assert_eq!(one.nginx.served("a.test"), Some(good));
    assert_eq!(one.versions("a.test"), 2);
    one.assert_whole("a.test");
    let key = fs::read_to_string(one.live("a.test", "privkey")).unwrap();
    assert_eq!(key, fs::read_to_string(two.live("a.test", "privkey")).unwrap());

    // On no disk but the two: not in the state of the console, and not in the job's folder.
    let line = key.lines().nth(1).unwrap();
    for folder in [lab.path("state"), one.path("root/var/lib/certdeck")] {
        let found = std::process::Command::new("grep").args(["-rlF", line]).arg(&folder).output();
        assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "", "{}", folder.display());
    }
    let records = verified(&lab);
    let intent = records.iter().rfind(|it| it.kind() == "intent").unwrap();
    assert_eq!((&intent.0["from"], &intent.0["moves-key"]), (&json!("web-02"), &json!(true)));

    // certbot goes on from there, and what is the same is not brought again.
    assert!(one.certbot(&["certificates"]).status.success());
    certdeck(&[&words[..], &["move key a.test"]].concat()).check(2, &["has the same"]);
}

#[test]
fn a_lineage_that_was_issued_by_hand_renews_by_itself() {
    let Some(it) = world() else { return };
    let conf = it.web.path("le/renewal/a.test.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let by_hand =
        text.replace("authenticator = webroot", "authenticator = manual\npref_challs = dns-01,");
    let by_hand = by_hand.split("[[webroot_map]]").next().unwrap();
    let lines = by_hand.lines().filter(|it| !it.starts_with("webroot_path"));
    fs::write(&conf, lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
    let was = fs::read_to_string(&conf).unwrap();
    let before = it.web.on_disk("a.test");

    // Files that nobody serves prove nothing.
    let words = ["run", "convert", "web-01/a.test", "--yes", "a.test", "--webroot"];
    let wrong = it.web.path("nowhere");
    fs::create_dir_all(&wrong).unwrap();
    it.certdeck(&[&words[..], &[wrong.to_str().unwrap()]].concat()).check(1, &[]);
    assert_eq!(fs::read_to_string(&conf).unwrap(), was);

    let webroot = it.web.nginx.webroot();
    it.certdeck(&[&words[..], &[webroot.to_str().unwrap()]].concat()).check(0, &["by itself"]);
    assert_eq!(it.web.on_disk("a.test"), before);
    renew(&it.web, "a.test");
    assert_eq!(it.web.versions("a.test"), 2);
}

#[test]
fn a_hook_that_is_skipped_becomes_executable() {
    let Some(it) = world() else { return };
    let hook = it.web.reload_on_deploy();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o644)).unwrap();
    let words = ["run", "enable-hook", "web-01", "--hook", hook.to_str().unwrap(), "--yes", "1"];
    it.certdeck(&words).check(0, &["is executable"]);
    let mode = fs::metadata(&hook).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o744);
    it.certdeck(&words).check(2, &["executable already"]);
    renew(&it.web, "a.test");
    let after = it.web.on_disk("a.test");
    wait_for("the new certificate", || it.web.nginx.served("a.test").as_ref() == Some(&after));
}
