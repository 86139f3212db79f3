//! This machine as a host: everything that is done to others, with no sshd and no ssh anywhere.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use certdeck::inventory::{Become, Connection, Host};
use certdeck::remote::{Sessions, Settings, Variables};
use tokio::io::AsyncReadExt as _;

use crate::lab::certbot_host::CertbotHost;
use crate::lab::{Lab, host, processes_with, visit, wait_for};

/// This machine, as an inventory tells of it.
fn here() -> Host {
    Host { connection: Connection::Local, address: "localhost".to_owned(), ..host("here", 0) }
}

fn sessions(lab: &Lab, variables: &[(&str, &str)]) -> std::sync::Arc<Sessions> {
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    Sessions::open(Settings { variables: Variables::of(variables), ..lab.settings() }).unwrap()
}

/// A program of the lab's own, before those of the system.
fn program(folder: &Path, name: &str, script: &str) {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Lets whoever calls ssh be seen.
fn forbid_ssh(folder: &Path) {
    for name in ["ssh", "ssh-add", "ssh-keygen"] {
        program(
            folder,
            name,
            &format!("echo \"$0 $*\" >>{}/ssh-was-called; exit 97", folder.display()),
        );
    }
}

#[track_caller]
fn check(output: &Output, code: i32, parts: &[&str]) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
    let words = said.to_lowercase();
    for foreign in ["ssh", "host key", "connection"] {
        assert!(!words.contains(foreign), "`{foreign}` in: {said}");
    }
}

#[tokio::test]
async fn a_script_runs_apart_from_us_and_sees_what_it_needs() {
    let Some(lab) = Lab::new() else { return };
    let sessions = sessions(
        &lab,
        &[
            ("HOME", "/home/ops"),
            ("PATH", "/usr/bin:/bin"),
            ("KUBECONFIG", "/k"),
            ("TSIG", "canary"),
        ],
    );
    let host = here();
    let told = visit(&sessions, &host, "env; pwd; cat /proc/$$/stat | cut -d' ' -f1,5,6,7\n").await;
    let told = told.unwrap();
    for part in ["HOME=/home/ops\n", "KUBECONFIG=/k\n", "\n/\n"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(!told.contains("canary"), "{told}");
    // Number, group, session, terminal: it leads a session that has none.
    let last = told.lines().last().unwrap();
    let [number, group, session, terminal] = last.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{told}")
    };
    assert_eq!((number, number, "0"), (group, session, terminal), "{told}");

    // Of ssh nothing was started.
    assert!(processes_with(lab.path("run").to_str().unwrap()).is_empty());
    sessions.close().await;
    let closed = visit(&sessions, &host, "echo\n").await.unwrap_err();
    assert_eq!(closed.text.as_str(), "the scan was stopped");
}

#[tokio::test]
async fn whoever_hangs_is_ended_with_all_that_he_began() {
    let Some(lab) = Lab::new() else { return };
    let sessions = sessions(&lab, &[("PATH", "/usr/bin:/bin")]);
    let hangs = lab.path("hangs");
    std::os::unix::fs::symlink("/usr/bin/sleep", &hangs).unwrap();
    let hangs = hangs.to_str().unwrap();
    let is_gone = || processes_with(hangs).is_empty();

    let slow = Host { scan_timeout: Duration::from_millis(600), ..here() };
    let script = format!("echo begun; {hangs} 60 & {hangs} 61; echo over\n");
    let begin = Instant::now();
    let late = visit(&sessions, &slow, &script).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(late.text.as_str(), "no complete answer within 0.6 s");
    let hint = late.hint.unwrap();
    assert!(hint.as_str().contains("scan-timeout") && !hint.as_str().contains("ssh"), "{hint}");
    wait_for("the end of what hung", is_gone);

    // The same where nobody waits any more.
    let host = here();
    tokio::select! {
        _ = visit(&sessions, &host, &script) => panic!("it should hang"),
        () = async { while processes_with(hangs).len() < 2 { tokio::task::yield_now().await } } => {}
    }
    wait_for("the end of what was dropped", is_gone);

    // More than is read.
    let much = visit(&sessions, &host, "exec cat /dev/zero\n").await.unwrap_err();
    assert_eq!(much.text.as_str(), "the answer is larger than 1024 KiB");
    let killed = visit(&sessions, &host, "kill -9 $$\n").await.unwrap_err();
    assert!(killed.text.as_str().starts_with("the shell of this machine was ended"), "{killed:?}");
    let odd = visit(&sessions, &host, "echo no such thing >&2; exit 3\n").await.unwrap_err();
    let said = "the shell of this machine did not read the script (no such thing)";
    assert_eq!(odd.text.as_str(), said);
}

#[tokio::test]
async fn root_is_asked_for_as_everywhere() {
    let Some(lab) = Lab::new() else { return };
    let bin = lab.path("bin");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let sessions = sessions(&lab, &[("PATH", &path)]);
    let host = Host { r#become: Become::Sudo, ..here() };
    program(&bin, "sudo", "[ \"$*\" = '-n /bin/sh -s' ] && exec /bin/sh -s");
    assert_eq!(visit(&sessions, &host, "echo root\n").await.unwrap(), "root\n");
    program(&bin, "sudo", "echo 'sudo: a password is required' >&2; exit 1");
    let refused = visit(&sessions, &host, "echo root\n").await.unwrap_err();
    assert_eq!(refused.text.as_str(), "sudo wants a password");
    let lonely = self::sessions(&lab, &[("PATH", lab.path("none").to_str().unwrap())]);
    let missing = visit(&lonely, &host, "echo root\n").await.unwrap_err();
    assert_eq!(missing.text.as_str(), "sudo is not installed there");
    assert!(missing.hint.unwrap().as_str().ends_with("start certdeck as root"));
}

#[tokio::test]
async fn its_own_ports_are_reached_straight() {
    let Some(lab) = Lab::new() else { return };
    let sessions = sessions(&lab, &[]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let at = listener.local_addr().unwrap();
    let host = here();
    let read = sessions.tunnel(&host, at, |mut stream| async move {
        drop(listener.accept().unwrap());
        stream.read_to_end(&mut Vec::new()).await.unwrap()
    });
    assert_eq!(read.await.unwrap(), 0);
    let nobody = (IpAddr::from(Ipv4Addr::LOCALHOST), at.port()).into();
    let refused = sessions.tunnel(&host, nobody, |_| async {}).await.unwrap_err();
    let said = refused.unreached(&host).text.to_string();
    assert_eq!(said, format!("nothing listens at {nobody} on the host"));
}

/// A certbot of this machine, with nginx, and no way to ssh.
fn with_certbot(lab: &mut Lab) -> Option<(CertbotHost, String)> {
    let web = CertbotHost::start(lab, "here")?;
    web.issue("a.test", &[]);
    web.reload_on_deploy();
    forbid_ssh(&web.path("bin"));
    let inventory = web.local_inventory() + &web.endpoint("a.test");
    Some((web, inventory))
}

fn certdeck(lab: &Lab, web: &CertbotHost, inventory: &str, words: &[&str]) -> Command {
    let mut command = lab.certdeck(inventory);
    command.envs(web.environment()).args(words);
    command
}

#[test]
fn a_lineage_is_seen_tried_and_renewed_with_no_ssh() {
    let Some(mut lab) = Lab::new() else { return };
    let Some((web, inventory)) = with_certbot(&mut lab) else { return };
    let run = |words: &[&str]| certdeck(&lab, &web, &inventory, words).output().unwrap();
    let told = run(&["scan", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let host = &told["hosts"][0];
    assert_eq!((&host["reach"], &host["address"]), (&"up".into(), &"localhost".into()), "{told:#}");
    let layers = &host["places"][0]["layers"];
    let before = web.on_disk("a.test");
    assert_eq!(layers["disk"]["sha256"], before, "{told:#}");
    // What nginx has loaded was seen at its own port.
    assert_eq!(layers["loaded"]["sha256"], before, "{told:#}");

    check(&run(&["run", "dry-run", "here/a.test", "--yes", "a.test"]), 0, &[]);
    assert_eq!(web.on_disk("a.test"), before);
    let words = ["run", "force-renew", "here/a.test", "--yes", "a.test"];
    check(&run(&words), 0, &["a new certificate is in place"]);
    let after = web.on_disk("a.test");
    assert_ne!(after, before);
    assert_eq!(web.nginx.served("a.test"), Some(after));
    web.assert_whole("a.test");

    check(&run(&["jobs", "list"]), 0, &["here", "force"]);
    check(&run(&["audit", "verify"]), 0, &[]);
    check(&run(&["host", "trust", "here"]), 0, &["it is this machine"]);
    let looked = run(&["doctor"]);
    let said = String::from_utf8_lossy(&looked.stdout);
    assert!(!said.contains("ssh") && said.contains("ok    as a host"), "{said}");
    assert!(!web.path("bin/ssh-was-called").exists());
    assert_eq!(lab.logins(web.sshd.port), 0);
}

#[test]
fn a_job_outlives_the_program_that_began_it() {
    let Some(mut lab) = Lab::new() else { return };
    let Some((web, inventory)) = with_certbot(&mut lab) else { return };
    let before = web.on_disk("a.test");
    let go_on = web.path("go-on");
    web.hook("pre", "wait", &format!("while ! [ -e {} ]; do sleep 0.1; done", go_on.display()));
    let words = ["run", "force-renew", "here/a.test", "--yes", "a.test"];
    let mut program = certdeck(&lab, &web, &inventory, &words).spawn().unwrap();
    let jobs = web.path("root/var/lib/certdeck/jobs");
    wait_for("the job", || {
        fs::read_dir(&jobs).is_ok_and(|it| it.flatten().any(|it| it.path().join("began").exists()))
    });
    program.kill().unwrap();
    program.wait().unwrap();
    wait_for("the job in the list", || {
        let listed = certdeck(&lab, &web, &inventory, &["jobs", "list"]).output().unwrap();
        String::from_utf8_lossy(&listed.stdout).contains("running")
    });
    fs::write(&go_on, "").unwrap();
    wait_for("the certificate", || web.on_disk("a.test") != before);
    // A later start learns what became of it, before anything else; nothing is confirmed to it.
    wait_for("what became of it", || {
        certdeck(&lab, &web, &inventory, &words[..3]).output().unwrap();
        let log = certdeck(&lab, &web, &inventory, &["audit", "list"]).output().unwrap();
        String::from_utf8_lossy(&log.stdout).contains("reconcile")
    });
    assert_eq!(web.versions("a.test"), 2);
    web.assert_whole("a.test");
}

#[test]
fn a_cluster_that_cannot_be_read_is_told_of_in_its_own_words() {
    let Some(lab) = Lab::new() else { return };
    let bin = lab.path("bin");
    forbid_ssh(&bin);
    let inventory = "[[host]]\nname = 'admin'\nconnection = 'local'\ndiscover = false\n\
                     [[host.source]]\nkind = 'cert-manager'\n";
    program(&bin, "kubectl", "echo 'error: current-context is not set' >&2; exit 1");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let scan = || {
        let mut command = lab.certdeck(inventory);
        command.env("PATH", &path).env("CERTDECK_ROOT", lab.path("root")).arg("scan");
        command
    };
    check(&scan().output().unwrap(), 3, &["kubectl has no kubeconfig: set KUBECONFIG"]);
    let said = scan().env("KUBECONFIG", "gone").output().unwrap();
    check(&said, 3, &["kubectl cannot read certificates: error: current-context is not set"]);
    assert!(!bin.join("ssh-was-called").exists());
}
