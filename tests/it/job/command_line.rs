//! `certdeck jobs`.

use std::process::{Output, Stdio};

use serde_json::Value;

use super::stage::Stage;
use crate::lab::wait_for;

#[track_caller]
fn certdeck(stage: &Stage, words: &[&str], code: i32) -> String {
    let Output { status, stdout, stderr } =
        stage.lab.certdeck(stage.inventory()).args(words).output().unwrap();
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(code), "{words:?}: {text}");
    text
}

#[track_caller]
fn listed(stage: &Stage) -> Vec<Value> {
    let text = certdeck(stage, &["jobs", "list", "--format", "json"], 0);
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["jobs"].as_array_mut().map(std::mem::take).unwrap()
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    for it in words {
        assert!(text.contains(it), "`{it}` is not in {text}");
    }
}

#[test]
fn jobs_are_listed_shown_followed_and_stopped() {
    let Some(stage) = Stage::new(&["web-01", "web-02"], 4) else { return };
    has(&certdeck(&stage, &["jobs"], 0), &["no jobs"]);
    certdeck(&stage, &["run", "force-renew", "web-01/www", "--yes", "www"], 0);
    let job = listed(&stage).remove(0);
    let id = job["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&job["state"], &job["audit"], &job["exit"]),
        (&"done".into(), &"ok".into(), &0.into())
    );
    let text = certdeck(&stage, &["jobs", "list", "host:web-01"], 0);
    has(&text, &["JOB", "web-01", "done", "force-renew www", &id[..13]]);
    has(&certdeck(&stage, &["jobs", "list", "host:web-02"], 0), &["no jobs"]);
    let text = certdeck(&stage, &["jobs", "show", &id[..14]], 0);
    has(&text, &["state      done", "audit log  ok", "Congratulations"]);
    has(&certdeck(&stage, &["jobs", "attach", &id], 0), &["Congratulations"]);
    has(&certdeck(&stage, &["jobs", "show", "ffff"], 2), &["there is no job ffff"]);
    certdeck(&stage, &["jobs", "stop", &id, "--yes"], 2);

    // One that a console has left: attached, followed to its proof, and settled.
    stage.slow("web-02", "0.2");
    let mut console = stage.lab.certdeck(stage.inventory());
    console.args(["run", "force-renew", "web-02/www", "--yes", "www"]);
    let mut console = console.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("certbot", || stage.runs("web-02") == 1);
    console.kill().unwrap();
    console.wait().unwrap();
    let running = listed(&stage).remove(0);
    let id = running["id"].as_str().unwrap();
    assert_eq!((&running["state"], &running["audit"]), (&"running".into(), &"open".into()));
    let text = certdeck(&stage, &["jobs", "attach", id], 0);
    has(&text, &["Congratulations", "ok: a new certificate is in place"]);
    assert_eq!(listed(&stage)[0]["audit"], "ok");

    // And one that is stopped, by somebody who means it.
    stage.slow("web-02", "1");
    let mut console = stage.lab.certdeck(stage.inventory());
    console.args(["run", "force-renew", "web-02/www", "--yes", "www"]);
    let mut console = console.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("certbot", || stage.runs("web-02") == 2);
    let id = listed(&stage)[0]["id"].as_str().unwrap().to_owned();
    has(&certdeck(&stage, &["jobs", "stop", &id], 2), &["SIGTERM", "--yes"]);
    has(&certdeck(&stage, &["jobs", "stop", &id, "--yes"], 0), &["was asked to stop"]);
    assert_eq!(console.wait().unwrap().code(), Some(1));
    assert_eq!(listed(&stage)[0]["audit"], "cancelled");
    assert_eq!(stage.live("web-02"), 2);
}

#[test]
fn old_jobs_are_cleaned_away_by_number() {
    let Some(stage) = Stage::new(&["web-01"], 4) else { return };
    for _ in 0..2 {
        certdeck(&stage, &["run", "force-renew", "web-01/www", "--yes", "www"], 0);
    }
    let clean = |more: &[&str], code| certdeck(&stage, &[&["jobs", "clean"], more].concat(), code);
    has(&clean(&["--older-than", "1h"], 2), &["not an age of a day or more"]);
    has(&clean(&["--older-than", "1d"], 0), &["no job is older than 1d"]);
    let later = ["--now", "2199-01-01T00:00:00Z"];
    has(&clean(&later, 2), &["force-renew www", "--yes 2 removes them"]);
    has(&clean(&[&later[..], &["--yes", "3"]].concat(), 2), &["there are 2; nothing was removed"]);
    assert_eq!(listed(&stage).len(), 2);
    has(&clean(&[&later[..], &["--yes", "2"]].concat(), 0), &["2 of 2 removed"]);
    assert_eq!(listed(&stage).len(), 0);
    let records = stage.records();
    let intent = records.iter().find(|it| it.text("action") == Some("clean")).unwrap();
    let outcome = records.iter().find(|it| it.op == intent.op && it.kind == "outcome").unwrap();
    assert_eq!(outcome.text("summary"), Some("2 folders removed"));
}
