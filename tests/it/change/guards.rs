//! What keeps a change from being made, and that nothing is changed then.

use std::fs::{self, File};

use super::{World, records};
use crate::lab::wait_for;

const WORDS: [&str; 5] = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];

impl World {
    /// Stops with an assertion unless the host is as it was made.
    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!(self.web.versions("a.test"), 1);
        self.web.assert_whole("a.test");
        assert!(!self.web.path("root/var/lib/certdeck").exists(), "a job was there");
    }

    /// Stops with an assertion if the audit log tells of an intent.
    #[track_caller]
    fn assert_no_intent(&self) {
        let has_log = super::audit(&self.lab).join("000001.jsonl").exists();
        assert!(!has_log || !records(&self.lab).iter().any(|it| it.kind() == "intent"));
    }
}

#[test]
fn a_group_that_is_read_only_refuses() {
    let groups = "[[group]]\nname = 'guarded'\nprotect = 'read-only'\n";
    let Some(it) = World::with(90, groups) else { return };
    it.certdeck(&WORDS).check(2, &["guarded", "read-only"]);
    it.certdeck(&["plan", "force-renew", "web-01/a.test"]).check(2, &["read-only"]);
    it.assert_no_intent();
    it.assert_untouched();
}

#[test]
fn nothing_is_done_without_the_right_yes() {
    let Some(it) = World::new() else { return };
    it.certdeck(&["run", "force-renew", "web-01/a.test"]).check(2, &["--yes a.test"]);
    for wrong in ["b.test", "A.TEST", "a.test ", "", "y", "2"] {
        let words = ["run", "force-renew", "web-01/a.test", "--yes", wrong];
        it.certdeck(&words).check(2, &["a.test"]);
    }
    it.certdeck(&["run", "force-renew", "web-01/b.test", "--yes", "b.test"]).check(2, &["b.test"]);
    it.certdeck(&["run", "force-renew", "web-02/a.test", "--yes", "a.test"]).check(2, &["web-02"]);
    it.certdeck(&["run", "destroy", "web-01/a.test", "--yes", "a.test"]).check(2, &["destroy"]);
    it.assert_no_intent();
    it.assert_untouched();
}

#[test]
fn a_plan_is_only_shown() {
    let Some(it) = World::new() else { return };
    it.web.reload_on_deploy();
    it.certdeck(&["plan", "force-renew", "web-01/a.test"])
        .check(0, &["--force-renewal", "--cert-name", "a.test", "10-nginx"]);
    let json = it.certdeck(&["plan", "force-renew", "web-01/a.test", "--format", "json"]);
    json.check(0, &[]);
    let plan: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(plan.to_string().contains("--force-renewal"), "{plan:#}");
    it.assert_no_intent();
    it.assert_untouched();
}

#[test]
fn what_cannot_be_put_on_record_is_not_done() {
    let Some(it) = World::new() else { return };
    // A folder that cannot be made.
    fs::create_dir_all(it.lab.path("state")).unwrap();
    let audit = super::audit(&it.lab);
    fs::write(&audit, "in the way").unwrap();
    it.certdeck(&WORDS).check(74, &["audit"]);
    it.assert_untouched();
    fs::remove_file(&audit).unwrap();

    // Somebody else keeps the log to himself.
    fs::create_dir(&audit).unwrap();
    fs::set_permissions(&audit, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let lock = File::create(audit.join("LOCK")).unwrap();
    lock.lock().unwrap();
    it.certdeck(&WORDS).check(74, &["5 s"]);
    it.assert_untouched();
    lock.unlock().unwrap();

    // Somebody has changed it.
    it.web.reload_on_deploy();
    it.certdeck(&WORDS).check(0, &[]);
    let file = audit.join("000001.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("force-renew", "force-remew")).unwrap();
    it.certdeck(&WORDS).check(74, &["changed"]);
    assert_eq!(it.web.versions("a.test"), 2);
}

#[test]
fn nothing_is_begun_where_certbot_is_at_work() {
    let Some(it) = World::new() else { return };
    it.web.reload_on_deploy();
    let [begun, go] = ["begun", "go"].map(|name| it.lab.path(name));
    let wait =
        format!("touch {}; while ! [ -e {} ]; do sleep 0.1; done", begun.display(), go.display());
    it.web.hook("pre", "10-slow", &wait);
    let mut first = it.begin(&WORDS);
    wait_for("the first", || begun.exists());
    it.certdeck(&WORDS).check(2, &["certbot is at work on web-01", "nothing was changed"]);
    fs::write(&go, "").unwrap();
    assert_eq!(first.0.wait().unwrap().code(), Some(0));
    assert_eq!(it.web.versions("a.test"), 2);
    assert_eq!(it.last_action().1["ending"], "ok");
}
