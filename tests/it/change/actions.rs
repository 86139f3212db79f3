//! Every action, once as it should go and once as it should not.

use certdeck::clock::Clock;
use certdeck::fleet::DAY;
use serde_json::json;

use super::World;
use crate::certificate;
use crate::lab::wait_for;

#[test]
fn a_forced_renewal_is_proven_on_disk_and_on_the_wire() {
    let Some(it) = World::new() else { return };
    it.web.reload_on_deploy();
    let before = it.web.on_disk("a.test");
    let words = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(0, &["a.test"]);
    let after = it.web.on_disk("a.test");
    assert_ne!(before, after);
    assert_eq!(it.web.nginx.served("a.test"), Some(after.clone()));
    assert_eq!(it.web.versions("a.test"), 2);
    it.web.assert_whole("a.test");

    let (intent, outcome) = it.last_action();
    for (key, value) in [
        ("action", json!("force-renew")),
        ("host", json!("web-01")),
        ("lineage", json!("a.test")),
        ("expect", json!(format!("leaf {before}"))),
    ] {
        assert_eq!(intent[key], value, "{intent:#}");
    }
    let argv = intent["argv"].as_array().unwrap();
    let argv = argv[0].as_array().unwrap();
    for word in ["certbot", "-n", "--no-random-sleep-on-renew", "--force-renewal"] {
        assert!(argv.contains(&json!(word)), "{argv:?}");
    }
    for (key, value) in
        [("ending", json!("ok")), ("before", json!(before)), ("after", json!(after))]
    {
        assert_eq!(outcome[key], value, "{outcome:#}");
    }
    it.lab.no_ssh_is_left();
}

#[test]
fn a_failing_deploy_hook_is_a_failure_though_certbot_says_otherwise() {
    let Some(it) = World::new() else { return };
    it.web.hook("deploy", "10-bad", "echo 'the proxy is on fire' >&2; exit 7");
    let before = it.web.on_disk("a.test");
    let words = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(1, &["the proxy is on fire"]);
    let after = it.web.on_disk("a.test");
    assert_ne!(before, after);
    // The new one is on disk, and nobody serves it.
    assert_eq!(it.web.nginx.served("a.test"), Some(before.clone()));
    let (_, outcome) = it.last_action();
    assert_eq!(outcome["ending"], "failed", "{outcome:#}");
    assert_eq!((&outcome["before"], &outcome["after"]), (&json!(before), &json!(after)));
    assert_eq!(outcome["exit"], 0, "{outcome:#}");

    // The hook is mended and run again: that is all it takes.
    it.web.hook("deploy", "10-bad", &it.web.nginx.reload());
    let words = ["run", "hook", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(0, &[]);
    assert_eq!(it.web.on_disk("a.test"), after);
    wait_for("the new certificate", || it.web.nginx.served("a.test").as_ref() == Some(&after));
    assert_eq!(it.last_action().1["ending"], "ok");
}

#[test]
fn a_renewal_without_a_reload_is_not_proven() {
    let Some(it) = World::new() else { return };
    let before = it.web.on_disk("a.test");
    let words = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(1, &["a.test"]);
    assert_ne!(it.web.on_disk("a.test"), before);
    assert_eq!(it.web.nginx.served("a.test"), Some(before));
    assert_eq!(it.last_action().1["ending"], "failed");
}

#[test]
fn a_dry_run_changes_nothing() {
    let Some(it) = World::new() else { return };
    let before = it.web.on_disk("a.test");
    it.certdeck(&["run", "dry-run", "web-01/a.test"]).check(0, &[]);
    assert_eq!((it.web.on_disk("a.test"), it.web.versions("a.test")), (before.clone(), 1));
    let (intent, outcome) = it.last_action();
    assert_eq!((&intent["action"], &outcome["ending"]), (&json!("dry-run"), &json!("ok")));

    // Nobody can see the challenge any more.
    std::fs::remove_dir_all(it.web.nginx.webroot()).unwrap();
    std::fs::write(it.web.nginx.webroot(), "").unwrap();
    it.certdeck(&["run", "dry-run", "web-01/a.test"]).check(1, &["a.test"]);
    assert_eq!(it.web.on_disk("a.test"), before);
    assert_eq!(it.last_action().1["ending"], "failed");
}

#[test]
fn the_ca_that_is_away_is_named_as_the_cause() {
    let Some(mut it) = World::new() else { return };
    it.web.ca.stop();
    let before = it.web.on_disk("a.test");
    let words = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(1, &["Connection refused"]);
    assert_eq!(it.web.on_disk("a.test"), before);
    let (_, outcome) = it.last_action();
    assert_eq!((&outcome["ending"], &outcome["exit"]), (&json!("failed"), &json!(1)));
}

#[test]
fn a_roll_back_leads_the_links_to_the_version_before() {
    let Some(it) = World::new() else { return };
    it.web.reload_on_deploy();
    let first = it.web.on_disk("a.test");
    let words = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(0, &[]);
    let words = ["run", "rollback", "web-01/a.test", "--to", "1", "--yes", "a.test"];
    it.certdeck(&words).check(0, &[]);
    assert_eq!(it.web.on_disk("a.test"), first);
    assert_eq!(it.web.nginx.served("a.test"), Some(first.clone()));
    it.web.assert_whole("a.test");
    let (intent, outcome) = it.last_action();
    assert_eq!((&intent["action"], &outcome["ending"]), (&json!("rollback"), &json!("ok")));
    assert_eq!(outcome["after"], json!(first));
    // certbot goes on from there.
    assert!(it.web.certbot(&["certificates"]).status.success());
}

#[test]
fn a_timer_is_not_enabled_where_there_is_no_systemd() {
    let Some(it) = World::new() else { return };
    let told = it.certdeck(&["run", "enable-timer", "web-01", "--yes", "web-01"]);
    told.check(2, &["neither systemd nor cron runs on web-01", "nothing was changed"]);
    assert!(it.verified().iter().all(|it| it.kind() != "intent"));
}

#[test]
fn a_lineage_is_issued_by_webroot() {
    let Some(it) = World::new() else { return };
    let webroot = it.web.nginx.webroot();
    let mut words = vec!["run", "issue", "web-01/b.test", "--names", "b.test,www.b.test"];
    words.extend(["--authenticator", "webroot", "--webroot", webroot.to_str().unwrap()]);
    words.extend(["--issuer", "lab", "--key-type", "rsa", "--yes", "b.test", "--format", "json"]);
    let told = it.certdeck(&words);
    told.check(0, &[]);
    let results: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let leaf = certificate::openssl(&it.web.live("b.test", "cert")).unwrap();
    assert!(told.stdout.contains(&leaf.sha256), "{results:#}");
    assert_eq!(leaf.names, ["b.test", "www.b.test"]);
    assert_eq!(leaf.key, "rsa-2048");
    it.web.assert_whole("b.test");
    let (intent, outcome) = it.last_action();
    assert_eq!((&intent["action"], &outcome["ending"]), (&json!("issue"), &json!("ok")));
    assert_eq!(outcome["after"], json!(leaf.sha256));

    // A name for which nobody answers: the other lineages stay as they are.
    std::fs::remove_dir_all(&webroot).unwrap();
    std::fs::write(&webroot, "").unwrap();
    let other: Vec<_> = words.iter().map(|it| it.replace("b.test", "c.test")).collect();
    let other: Vec<_> = other.iter().map(String::as_str).collect();
    it.certdeck(&other).check(1, &["c.test"]);
    assert!(!it.web.path("le/live/c.test").exists());
    assert_eq!(it.last_action().1["ending"], "failed");
}

#[test]
fn what_is_due_is_renewed_and_what_is_not_is_refused() {
    // certbot renews in the last thirty days, certdeck in the last third.
    let Some(it) = World::with(20, "") else { return };
    it.web.reload_on_deploy();
    let before = it.web.on_disk("a.test");
    let words = ["run", "renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(2, &["a.test is not due", "force-renew"]);
    assert_eq!(it.web.on_disk("a.test"), before);
    let later = Clock::default().now().plus(15 * DAY).to_string();
    it.certdeck(&[&words[..], &["--now", &later]].concat()).check(0, &[]);
    let after = it.web.on_disk("a.test");
    assert_ne!(before, after);
    assert_eq!(it.web.nginx.served("a.test"), Some(after));
    assert_eq!(it.last_action().1["ending"], "ok");
}

#[test]
fn a_hook_of_the_inventory_is_run_with_the_environment_of_certbot() {
    let Some(mut it) = World::new() else { return };
    let told = it.lab.path("told");
    it.groups = format!(
        "[[hook]]\nname = 'note'\nrun = 'echo \"$RENEWED_LINEAGE $RENEWED_DOMAINS\" >{}'\nimpact = 'none'\n",
        told.display()
    );
    it.certdeck(&["run", "hook", "web-01/a.test", "--hook", "note", "--yes", "a.test"])
        .check(0, &[]);
    let expect = format!("{} a.test\n", it.web.path("le/live/a.test").display());
    assert_eq!(std::fs::read_to_string(&told).unwrap(), expect);

    // One of the folder, by its name, and alone.
    let one = it.web.hook("deploy", "10-one", "echo one; exit 9");
    it.web.hook("deploy", "20-two", &format!("rm {}", told.display()));
    let words = ["run", "hook", "web-01/a.test", "--hook", one.to_str().unwrap()];
    it.certdeck(&[&words[..], &["--yes", "a.test"]].concat()).check(1, &["one"]);
    assert!(told.exists());
    let (_, outcome) = it.last_action();
    assert_eq!((&outcome["ending"], &outcome["exit"]), (&json!("failed"), &json!(9)));
}

#[test]
fn a_renewal_that_fails_after_a_roll_back_tells_that_it_undid_it() {
    let Some(mut it) = World::new() else { return };
    it.web.reload_on_deploy();
    let first = it.web.on_disk("a.test");
    let renew = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&renew).check(0, &[]);
    let second = it.web.on_disk("a.test");
    let back = ["run", "rollback", "web-01/a.test", "--to", "1", "--yes", "a.test"];
    it.certdeck(&back).check(0, &[]);
    it.web.ca.stop();
    let told = "certdeck run rollback web-01/a.test --to 1";
    let words = ["the live certificate is another one all the same", "version 2 is live now", told];
    it.certdeck(&renew).check(1, &words);
    assert_eq!(it.web.on_disk("a.test"), second);
    let (_, outcome) = it.last_action();
    assert_eq!((&outcome["before"], &outcome["after"]), (&json!(first), &json!(second)));
    // As it was told.
    it.certdeck(&back).check(0, &[]);
    assert_eq!(it.web.on_disk("a.test"), first);
}

#[test]
fn a_dry_run_after_a_roll_back_does_not_undo_it() {
    let Some(it) = World::new() else { return };
    it.web.reload_on_deploy();
    let first = it.web.on_disk("a.test");
    it.certdeck(&["run", "force-renew", "web-01/a.test", "--yes", "a.test"]).check(0, &[]);
    let words = ["run", "rollback", "web-01/a.test", "--yes", "a.test"];
    it.certdeck(&words).check(0, &["until the next `certbot renew`"]);
    it.certdeck(&["run", "dry-run", "web-01/a.test"]).check(2, &["to version 2"]);
    assert_eq!(it.web.on_disk("a.test"), first);
    // This is what would have happened.
    assert!(it.web.certbot(&["renew", "--dry-run", "--no-random-sleep-on-renew"]).status.success());
    assert_ne!(it.web.on_disk("a.test"), first);
}
