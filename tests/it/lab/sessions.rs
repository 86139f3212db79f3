//! What is kept open, what is closed, and that nothing is left.

use super::{Lab, host, processes_with, visit, wait_for};

#[tokio::test]
async fn a_script_is_answered_and_its_session_stays_warm() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    let sessions = lab.sessions();
    let web = host("web-01", sshd.port);
    for _ in 0..3 {
        let answer = visit(&sessions, &web, "printf '%s' \"$0\"; echo ' here'; echo there >&2\n");
        assert!(answer.await.unwrap().ends_with("sh here\n"));
    }
    assert_eq!(lab.logins(sshd.port), 1);
    sessions.close().await;
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn a_warm_session_that_died_is_replaced() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    let sessions = lab.sessions();
    let web = host("web-01", sshd.port);
    // The shell's parent is the sshd of this connection.
    let parent = visit(&sessions, &web, "echo $PPID\n").await.unwrap();
    let parent = rustix::process::Pid::from_raw(parent.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(parent, rustix::process::Signal::KILL).unwrap();
    assert_eq!(visit(&sessions, &web, "echo again\n").await.unwrap(), "again\n");
    assert_eq!(lab.logins(sshd.port), 2);
    sessions.close().await;
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn only_as_many_stay_warm_as_settings_say() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    let settings = certdeck::remote::Settings { keep_warm: 2, ..lab.settings() };
    let sessions = certdeck::remote::Sessions::open(settings).unwrap();
    for name in ["a", "b", "c", "d"] {
        // Another user's name would be another session; another deadline is one too.
        let mut host = host(name, sshd.port);
        host.connect_timeout += std::time::Duration::from_secs(u64::from(name.as_bytes()[0]));
        visit(&sessions, &host, "echo x\n").await.unwrap();
    }
    let run = lab.path("run").display().to_string();
    wait_for("two masters", || processes_with(&run).len() == 2);
    drop(sessions);
    lab.no_ssh_is_left();
    assert_eq!(std::fs::read_dir(lab.path("run")).unwrap().count(), 0);
}

#[tokio::test]
async fn dropping_a_visit_leaves_nothing() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    let sessions = lab.sessions();
    let web = host("web-01", sshd.port);
    let begun = lab.path("begun");
    let script = format!("touch {}; sleep 30\n", begun.display());
    tokio::select! {
        _ = visit(&sessions, &web, &script) => panic!("it should hang"),
        () = async { while !begun.exists() { tokio::task::yield_now().await } } => {}
    }
    lab.no_ssh_is_left();
}
