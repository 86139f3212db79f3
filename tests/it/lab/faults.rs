//! Everything that ssh can say when a host cannot be read, from real servers.

use std::io::Write as _;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use certdeck::fleet::Why;

use super::{Lab, free_port, host, scan_json, visit};

#[tokio::test]
async fn an_unknown_key_and_a_changed_key_are_never_the_same() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.unknown_sshd("");
    let sessions = lab.sessions();
    let web = host("web-01", sshd.port);
    let unknown = visit(&sessions, &web, "echo x").await.unwrap_err();
    assert_eq!(unknown.why, Why::UnknownKey);
    assert_eq!(unknown.hint.unwrap(), "certdeck host trust web-01");
    lab.make_key("other");
    lab.know(sshd.port, "other");
    let changed = visit(&sessions, &web, "echo x").await.unwrap_err();
    assert_eq!(changed.why, Why::ChangedKey);
    assert!(changed.text.as_str().contains("HOST KEY HAS CHANGED"), "{}", changed.text);
    assert!(!changed.hint.unwrap().as_str().contains("trust"));
    sessions.close().await;
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn no_key_is_accepted() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    lab.make_key("stranger");
    let mut web = host("web-01", sshd.port);
    let stranger = lab.path("stranger").display().to_string();
    web.identity_file = Some(stranger.clone());
    let failed = visit(&lab.sessions(), &web, "echo x").await.unwrap_err();
    assert_eq!(failed.why, Why::Authentication);
    let hint = failed.hint.unwrap();
    assert!(hint.as_str().contains(&stranger) && hint.as_str().contains("user "), "{hint}");
}

#[tokio::test]
async fn nobody_listens_or_the_name_is_nowhere() {
    let Some(lab) = Lab::new() else { return };
    let sessions = lab.sessions();
    let refused = visit(&sessions, &host("web-01", free_port()), "").await.unwrap_err();
    assert_eq!(refused.why, Why::Refused);
    assert!(
        refused.text.as_str().starts_with("connection refused (ssh: connect to host 127.0.0.1")
    );
    let mut nowhere = host("web-02", 22);
    nowhere.address = "nowhere.invalid".to_owned();
    assert_eq!(visit(&sessions, &nowhere, "").await.unwrap_err().why, Why::NoSuchName);
}

#[test]
fn a_session_that_failed_is_in_the_log() {
    let Some(lab) = Lab::new() else { return };
    let port = free_port();
    scan_json(&lab, &format!("[[host]]\nname = 'web-01'\naddress = '127.0.0.1'\nport = {port}\n"));
    let logs = std::fs::read_dir(lab.path("state/log")).unwrap();
    let text: String =
        logs.map(|it| std::fs::read_to_string(it.unwrap().path()).unwrap()).collect();
    assert!(text.contains("web-01") && text.contains("connection refused"), "{text}");
}

#[tokio::test]
async fn an_address_cannot_be_an_option() {
    let Some(lab) = Lab::new() else { return };
    let mut evil = host("web-01", 22);
    evil.address = format!("-oProxyCommand=touch {}", lab.path("touched").display());
    assert_eq!(visit(&lab.sessions(), &evil, "").await.unwrap_err().why, Why::Other);
    assert!(!lab.path("touched").exists());
}

#[tokio::test]
async fn a_server_that_never_answers_or_drips_costs_its_deadline_only() {
    let Some(lab) = Lab::new() else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let dripping = TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [&silent, &dripping].map(|it| it.local_addr().unwrap().port());
    thread::spawn(move || {
        let (mut stream, _) = dripping.accept().unwrap();
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let sessions = lab.sessions();
    for port in ports {
        let mut slow = host("slow-01", port);
        slow.connect_timeout = Duration::from_secs(1);
        let begin = Instant::now();
        let failed = visit(&sessions, &slow, "").await.unwrap_err();
        assert_eq!(failed.why, Why::TimedOut, "{}", failed.text);
        assert!(begin.elapsed() < Duration::from_secs(3));
    }
    sessions.close().await;
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn a_script_that_hangs_ends_at_the_deadline_and_leaves_no_ssh() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    let sessions = lab.sessions();
    let mut slow = host("slow-01", sshd.port);
    slow.scan_timeout = Duration::from_secs(2);
    let failed = visit(&sessions, &slow, "sleep 30\n").await.unwrap_err();
    assert_eq!(failed.why, Why::TimedOut);
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn nothing_of_the_operators_configuration_takes_effect_that_should_not() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    let stranger = lab.unknown_sshd("");
    let touched = lab.path("touched");
    lab.configure(&format!(
        "ForwardAgent yes\nPermitLocalCommand yes\nLocalCommand touch {0}\nRemoteCommand touch {0}\n\
         StrictHostKeyChecking no\nRequestTTY force\nDynamicForward {1}\nControlMaster auto\n\
         ControlPath {2}/theirs\nSendEnv *\n",
        touched.display(),
        free_port(),
        lab.path("").display(),
    ));
    let sessions = lab.sessions();
    let script = "echo \"agent=$SSH_AUTH_SOCK tty=$SSH_TTY\"\n";
    let answer = visit(&sessions, &host("web-01", sshd.port), script).await.unwrap();
    assert_eq!(answer, "agent= tty=\n");
    let unknown = visit(&sessions, &host("web-02", stranger.port), script).await.unwrap_err();
    assert_eq!(unknown.why, Why::UnknownKey);
    assert!(!touched.exists() && !lab.path("theirs").exists());
    sessions.close().await;
    lab.no_ssh_is_left();
}
