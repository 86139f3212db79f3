//! Hosts that lie, and login shells of every kind.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use certdeck::fleet::Why;
use certdeck::job::{self, State};
use certdeck::perform::{Ending, jobs};
use uuid::Uuid;

use super::stage::{Desk, Stage, assert_ending};
use super::{nonce, sh};
use crate::lab::{Lab, host, until, visit};

#[tokio::test]
async fn endless_output_costs_its_cap() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    // 300 MB of NULs without a line break, and only then does the hook fail.
    stage.hook("web-01", "head -c 300000000 /dev/zero; exit 1");
    let certbot = fs::read_to_string(stage.path("web-01", "bin/certbot")).unwrap();
    let loud = certbot.replace("out=$(sh ./hook 2>&1)", "sh ./hook; printf '\\n'; out=boom");
    fs::write(stage.path("web-01", "bin/certbot"), loud.replace("code=$?", "code=1")).unwrap();
    let desk = stage.desk();
    let report = desk.run("force-renew", "web-01").await;
    // The line that tells of the failed hook is far beyond the cap, and in the end that is kept.
    assert_ending(&report, Ending::Failed, "the deploy-hook failed with exit code 1");
    assert_ending(&report, Ending::Failed, "a new certificate is on disk");
    let tail: usize = report.tail.iter().map(|it| it.as_str().len()).sum();
    assert!(tail < 100_000, "{tail}");
    let job = jobs::list(&desk.tools.sessions, desk.host("web-01")).await.unwrap().remove(0);
    assert!(job.status.is_cut && job.status.printed <= 2 << 20, "{job:?}");
    desk.close().await;
}

#[tokio::test]
async fn a_job_folder_can_be_anything() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    let desk = stage.desk();
    assert_ending(&desk.run("force-renew", "web-01").await, Ending::Ok, "");
    let host = desk.host("web-01");
    let folder = stage.path("web-01", "root/var/lib/certdeck/jobs");
    let new = || {
        let op = Uuid::now_v7();
        let dir = folder.join(op.to_string());
        fs::create_dir(&dir).unwrap();
        (op, dir)
    };
    let fifo = |path: &std::path::Path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let (fifos, dir) = new();
    for name in ["status", "out", "request", "alive"] {
        fifo(&dir.join(name));
    }
    let (links, dir) = new();
    for name in ["status", "out", "request"] {
        symlink("/dev/zero", dir.join(name)).unwrap();
    }
    let (large, dir) = new();
    fs::create_dir(dir.join("began")).unwrap();
    fs::write(dir.join("status"), "state running ".repeat(1 << 20)).unwrap();
    fs::write(dir.join("request"), vec![0; 5 << 20]).unwrap();
    fs::write(dir.join("out"), "\x1b]52;c;QUFB\x07".repeat(1 << 20)).unwrap();
    // A process group that is not ours to kill: everybody, init, nobody.
    let (fake, dir) = new();
    fs::create_dir(dir.join("began")).unwrap();
    fs::write(dir.join("alive"), "").unwrap();
    fs::write(dir.join("status"), "boot first\npid 1\nbegan 5\nstate running 1\n").unwrap();
    let linked = Uuid::now_v7();
    symlink("/etc", folder.join(linked.to_string())).unwrap();
    let begin = Instant::now();
    for (op, state) in [
        (fifos, State::Starting),
        (links, State::Starting),
        (large, State::Void),
        (fake, State::Interrupted { is_rebooted: false }),
        (linked, State::Absent),
    ] {
        let look = jobs::look(&desk.tools.sessions, host, op, 0).await.unwrap();
        assert_eq!(look.status.state, state, "{look:?}");
        assert!(look.output.len() <= job::OUTPUT_BYTES);
    }
    jobs::stop(&desk.tools, host, fake, "y").await.unwrap();
    jobs::clean(&desk.tools, host, &[linked], "y").await.unwrap();
    assert!(fs::exists("/etc/passwd").unwrap());
    assert_eq!(jobs::list(&desk.tools.sessions, host).await.unwrap().len(), 6);
    assert!(begin.elapsed() < Duration::from_secs(30));
    desk.close().await;
}

#[tokio::test]
async fn an_answer_that_is_no_answer_ends() {
    let Some(mut lab) = Lab::new() else { return };
    for (command, why) in [
        ("exec cat /dev/zero", Why::TooLarge),
        ("exec sh -c 'while :; do printf x; sleep 1; done'", Why::TimedOut),
        ("exec true", Why::NoShell),
    ] {
        let sshd = lab.sshd(&format!("ForceCommand {command}"));
        let mut web = host("web-01", sshd.port);
        web.scan_timeout = Duration::from_secs(4);
        let sessions = lab.sessions();
        let error = jobs::list(&sessions, &web).await.unwrap_err();
        assert_eq!(error.why, why, "{command}: {}", error.text);
        sessions.close().await;
    }
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn a_job_runs_whatever_the_login_shell() {
    for shell in ["bash", "fish", "tcsh", "zsh"] {
        if !fs::exists(format!("/usr/bin/{shell}")).unwrap() {
            eprintln!("no {shell} here");
            continue;
        }
        let Some(mut lab) = Lab::new() else { return };
        let sshd = lab.sshd(&format!(
            "SetEnv \"CERTDECK_ROOT={}\"\nForceCommand {shell} -c \"$SSH_ORIGINAL_COMMAND\"",
            lab.path("root").display()
        ));
        let sessions = lab.sessions();
        let web = host("web-01", sshd.port);
        let odd = "a 'b' \"c\" $HOME `id` \\ ! ~ * ;\né\u{7f}";
        let mut job = sh("printf '%s|' \"$@\" \"$ODD\"; exit 4");
        job.commands[0].1.extend(["sh".to_owned(), odd.to_owned()]);
        job.commands[0].0.push(("ODD".to_owned(), odd.to_owned()));
        let nonce = nonce();
        let answer = visit(&sessions, &web, &job::start(&job, &nonce)).await.unwrap();
        job::read(answer.as_bytes(), &nonce).unwrap();
        let look = until("its end", async || {
            let look = jobs::look(&sessions, &web, job.op, 0).await.unwrap();
            (look.status.state == State::Done(4)).then_some(look)
        })
        .await;
        assert_eq!(String::from_utf8_lossy(&look.output), format!("{odd}|{odd}|"), "{shell}");
        sessions.close().await;
    }
}

#[tokio::test]
async fn a_host_where_nothing_can_be_made_begins_nothing() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    // A folder where nothing can be made, as root sees it too.
    let lib = stage.path("web-01", "root/var/lib");
    fs::create_dir_all(&lib).unwrap();
    fs::write(lib.join("certdeck"), "").unwrap();
    let desk = Desk::open(&stage.lab.path(""), "anna@laptop");
    let report = desk.run("force-renew", "web-01").await;
    assert_ending(&report, Ending::Refused, "cannot make a folder");
    assert_eq!((stage.runs("web-01"), stage.open()), (0, 0));
    desk.close().await;
}
