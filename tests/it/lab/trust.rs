//! First contact: keys are shown, put on record and added, never replaced.

use std::fs;
use std::process::Command;

use certdeck::audit::Log;
use certdeck::clock::Clock;
use certdeck::fleet::Why;
use certdeck::remote::keys;
use serde_json::Map;

use super::{Lab, host, visit};

#[tokio::test]
async fn an_unknown_key_is_shown_as_ssh_keygen_shows_it_and_then_trusted() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.unknown_sshd("");
    let web = host("web-01", sshd.port);
    for hashed in ["no", "yes"] {
        fs::remove_file(lab.path("known_hosts")).unwrap();
        lab.configure(&format!("HashKnownHosts {hashed}"));
        let sessions = lab.sessions();
        let offer = sessions.unknown_key(&web).await.unwrap().unwrap();
        let said = Command::new("ssh-keygen")
            .arg("-lf")
            .arg(lab.path(&format!("host-{}.pub", sshd.port)))
            .output()
            .unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains(&offer.fingerprint), "{said} {}", offer.fingerprint);
        assert_eq!(offer.known_as, format!("[127.0.0.1]:{}", sshd.port).as_str());
        assert_eq!(visit(&sessions, &web, "").await.unwrap_err().why, Why::UnknownKey);
        let permit = Log::open(&lab.path("state"), Clock::default()).unwrap().change(&Map::new());
        keys::trust(&offer, &permit.unwrap()).unwrap();
        let known = fs::read_to_string(lab.path("known_hosts")).unwrap();
        assert_eq!(known.starts_with("|1|"), hashed == "yes", "{known}");
        assert_eq!(sessions.unknown_key(&web).await.unwrap(), None);
        assert_eq!(visit(&sessions, &web, "echo x\n").await.unwrap(), "x\n");
        sessions.close().await;
    }
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn a_changed_key_is_no_offer() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.unknown_sshd("");
    lab.make_key("other");
    lab.know(sshd.port, "other");
    let web = host("web-01", sshd.port);
    let error = lab.sessions().unknown_key(&web).await.unwrap_err();
    assert_eq!(error.unreached(&web).why, Why::ChangedKey);
}

#[tokio::test]
async fn the_jump_host_comes_first() {
    let Some(mut lab) = Lab::new() else { return };
    let bastion = lab.unknown_sshd("");
    let inner = lab.unknown_sshd("");
    lab.configure(&format!(
        "Host bastion\n  HostName 127.0.0.1\n  Port {}\nHost 127.0.0.1\n  ProxyJump bastion\n",
        bastion.port
    ));
    let sessions = lab.sessions();
    let web = host("web-01", inner.port);
    let mut log = Log::open(&lab.path("state"), Clock::default()).unwrap();
    let mut names = Vec::new();
    while let Some(offer) = sessions.unknown_key(&web).await.unwrap() {
        names.push(offer.name.to_string());
        keys::trust(&offer, &log.change(&Map::new()).unwrap()).unwrap();
    }
    assert_eq!(names, ["bastion", "127.0.0.1"]);
    assert_eq!(visit(&sessions, &web, "echo x\n").await.unwrap(), "x\n");
    sessions.close().await;
    lab.no_ssh_is_left();
}
