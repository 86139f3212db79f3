//! Hosts behind jump hosts.

use std::sync::Arc;

use certdeck::clock::Clock;
use certdeck::fleet::{Outcome, Why};
use certdeck::inventory::Inventory;
use certdeck::scan::{Progress, Scan};

use super::{Lab, free_port, host, visit};

fn behind(port: u16, extra: &str) -> String {
    format!(
        "Host bastion\n  HostName 127.0.0.1\n  Port {port}\n{extra}\nHost 127.0.0.1\n  ProxyJump bastion\n"
    )
}

#[tokio::test]
async fn twenty_hosts_are_read_through_a_bastion_that_drops_the_fourth_connection() {
    let Some(mut lab) = Lab::new() else { return };
    let bastion = lab.sshd("MaxStartups 3");
    let inner = lab.sshd("");
    lab.configure(&behind(bastion.port, ""));
    let hosts: Vec<_> = (0..20).map(|it| host(&format!("web-{it:02}"), inner.port)).collect();
    let names = hosts.iter().map(|it| it.name.clone()).collect();
    let inventory = Arc::new(Inventory { hosts, ..Inventory::default() });
    let sessions = lab.sessions();
    let mut scan = Scan::start(
        Arc::clone(&inventory),
        Arc::clone(&sessions),
        &inventory.fleet(),
        names,
        Clock::default(),
    );
    let mut seen = 0;
    while let Some(progress) = scan.next().await {
        if let Progress::Ended(visit) = progress {
            assert!(matches!(visit.outcome, Outcome::Seen(_)), "{visit:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 20);
    sessions.close().await;
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn a_fault_names_the_hop_that_it_is_about() {
    let Some(mut lab) = Lab::new() else { return };
    let bastion = lab.sshd("");
    let stranger = lab.unknown_sshd("");
    let inner = lab.sshd("");
    let cases = [
        (behind(bastion.port, ""), free_port(), Why::Refused, false),
        (behind(bastion.port, ""), stranger.port, Why::UnknownKey, false),
        (behind(free_port(), ""), inner.port, Why::Refused, true),
        (behind(stranger.port, ""), inner.port, Why::UnknownKey, true),
        (behind(bastion.port, "  User nobody-here"), inner.port, Why::Authentication, true),
    ];
    for (config, port, why, is_jump) in cases {
        lab.configure(&config);
        let failed = visit(&lab.sessions(), &host("web-01", port), "").await.unwrap_err();
        assert_eq!(failed.why, why, "{failed:?}");
        assert_eq!(failed.text.as_str().contains("jump host bastion"), is_jump, "{failed:?}");
    }
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn two_jump_hosts_are_passed_in_order() {
    let Some(mut lab) = Lab::new() else { return };
    let outer = lab.sshd("");
    let middle = lab.sshd("");
    let inner = lab.sshd("");
    let config = |outer: u16| {
        format!(
            "Host outer\n  HostName 127.0.0.1\n  Port {outer}\nHost middle\n  HostName 127.0.0.1\n  \
             Port {}\nHost 127.0.0.1\n  ProxyJump outer,middle\n",
            middle.port
        )
    };
    lab.configure(&config(outer.port));
    let web = host("web-01", inner.port);
    assert_eq!(visit(&lab.sessions(), &web, "echo x\n").await.unwrap(), "x\n");
    assert_eq!([outer.port, middle.port, inner.port].map(|it| lab.logins(it)), [1, 1, 1]);
    lab.configure(&config(free_port()));
    let failed = visit(&lab.sessions(), &web, "").await.unwrap_err();
    assert!(failed.text.as_str().starts_with("jump host outer: connection refused"), "{failed:?}");
    lab.configure("ProxyCommand false");
    let failed = visit(&lab.sessions(), &web, "").await.unwrap_err();
    assert!(failed.text.as_str().contains("ProxyCommand"), "{failed:?}");
    lab.configure("Host 127.0.0.1 two\n  ProxyJump one\nHost one\n  ProxyJump two\n");
    let failed = visit(&lab.sessions(), &web, "").await.unwrap_err();
    assert!(failed.text.as_str().contains("circle"), "{failed:?}");
    lab.no_ssh_is_left();
}
