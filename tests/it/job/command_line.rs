//! `certdeck jobs`.

use std::fs;
use std::process::{Output, Stdio};

use certdeck::perform::Ending;
use serde_json::Value;

use super::stage::{Desk, Stage};
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

#[test]
fn a_host_that_cannot_be_asked_is_a_row_of_its_own() {
    let Some(mut stage) = Stage::new(&["web-01"], 2) else { return };
    certdeck(&stage, &["run", "force-renew", "web-01/www", "--yes", "www"], 0);
    let endless = stage.lab.sshd("ForceCommand exec cat /dev/zero").port;
    let slow = stage.lab.sshd("ForceCommand sleep 60").port;
    let odd = stage.lab.sshd("ForceCommand echo 'Welcome!'; exec cat").port;
    // Nobody listens there.
    let down = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut inventory =
        format!("[defaults]\nconnect-timeout = '2s'\nscan-timeout = '3s'\n{}", stage.inventory());
    for (name, port) in [("down", down), ("endless", endless), ("odd", odd), ("slow", slow)] {
        let host = format!("[[host]]\nname = '{name}'\naddress = '127.0.0.1'\nport = {port}\n");
        inventory.push_str(&host);
    }
    let run = |words: &[&str]| {
        let Output { status, stdout, stderr } =
            stage.lab.certdeck(&inventory).args(words).output().unwrap();
        let [out, err] = [stdout, stderr].map(|it| String::from_utf8(it).unwrap());
        assert_eq!(status.code(), Some(3), "{out}{err}");
        out
    };
    let text = run(&["jobs"]);
    let row =
        |name: &str| text.lines().find(|it| it.contains(name)).unwrap_or_else(|| panic!("{text}"));
    has(row("web-01"), &["done", "force-renew www"]);
    has(row(" down "), &["-  ", "not known", "refused"]);
    has(row(" endless "), &["not known", "larger than"]);
    has(row(" odd "), &["not known"]);
    has(row(" slow "), &["not known", "3 s"]);
    let value: Value = serde_json::from_str(&run(&["jobs", "list", "--format", "json"])).unwrap();
    assert_eq!(value["unreached"].as_array().unwrap().len(), 4);
    assert_eq!(value["jobs"].as_array().unwrap().len(), 1);
    // Where only such hosts are asked, it does not say that there are no jobs.
    assert!(!run(&["jobs", "list", "host:down"]).contains("no jobs"));
}

#[tokio::test]
async fn the_hosts_are_witnesses_of_the_log() {
    let Some(stage) = Stage::new(&["web-01", "web-02"], 4) else { return };
    let run = |words: &[&str], code: i32| certdeck(&stage, words, code);
    let verify = ["audit", "verify", "--witness"];
    run(&["run", "force-renew", "web-01/www", "--yes", "www"], 0);
    let log = stage.lab.path("state/audit");
    let segment = fs::read(log.join("000001.jsonl")).unwrap();
    run(&["run", "force-renew", "web-02/www", "--yes", "www"], 0);
    has(&run(&verify, 0), &["good", "2 of 2 witnesses agree"]);
    // What somebody else has begun there is in another log.
    let lab = stage.lab.path("");
    let bert = Desk::with_state(&lab, &lab.join("state-2"), "bert@tower");
    assert_eq!(bert.run("force-renew", "web-01").await.ending, Ending::Ok);
    bert.close().await;
    has(&run(&verify, 0), &["good", "2 of 2 witnesses agree"]);
    // Who cuts the log and its head has not cut the host's memory.
    fs::write(log.join("000001.jsonl"), segment).unwrap();
    fs::remove_file(log.join("head")).unwrap();
    run(&verify[..2], 0);
    has(&run(&verify, 4), &["web-02: record", "was there", "1 of 2 witnesses agree"]);
}
