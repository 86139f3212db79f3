//! Scans of many hosts.

use std::net::TcpListener;
use std::sync::Arc;

use certdeck::clock::Clock;
use certdeck::fleet::{HostName, Outcome, Visit, Why};
use certdeck::inventory::{Defaults, Host, Inventory};
use certdeck::remote::Sessions;
use certdeck::scan::{Progress, Scan};

use super::{Lab, free_port, host};

fn start(hosts: Vec<Host>, concurrency: usize, sessions: &Arc<Sessions>) -> Scan {
    // Asked for twice, visited once.
    let names: Vec<HostName> = hosts.iter().chain(&hosts).map(|it| it.name.clone()).collect();
    let defaults = Defaults { concurrency, ..Defaults::default() };
    let inventory = Arc::new(Inventory { defaults, hosts, ..Inventory::default() });
    let fleet = inventory.fleet();
    Scan::start(inventory, Arc::clone(sessions), &fleet, names, Clock::default())
}

async fn all(mut scan: Scan) -> Vec<Visit> {
    let mut visits = Vec::new();
    let mut begun = 0;
    while let Some(progress) = scan.next().await {
        match progress {
            Progress::Began(_) => begun += 1,
            Progress::Ended(visit) => visits.push(visit),
            Progress::Gathered(told) => panic!("nobody was asked: {told:?}"),
        }
    }
    assert_eq!(begun, visits.len());
    visits
}

#[tokio::test]
async fn every_host_is_visited_once_and_failures_are_facts() {
    let Some(mut lab) = Lab::new() else { return };
    let ports = [lab.sshd("").port, lab.sshd("").port];
    let mut hosts: Vec<_> =
        (0..20).map(|it| host(&format!("web-{it:02}"), ports[it % 2])).collect();
    hosts.push(host("xdown", free_port()));
    let sessions = lab.sessions();
    let visits = all(start(hosts, 8, &sessions)).await;
    assert_eq!(visits.len(), 21);
    for visit in &visits {
        match &visit.outcome {
            Outcome::Seen(seen) => assert!(seen.clock_offset.unwrap().abs() < 5),
            Outcome::Unreached(why) => {
                assert_eq!((visit.host.as_str(), why.why), ("xdown", Why::Refused));
            }
        }
    }
    sessions.close().await;
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn silent_hosts_do_not_hold_up_the_others() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    let silent: Vec<_> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let mut hosts: Vec<_> = silent
        .iter()
        .enumerate()
        .map(|(at, it)| host(&format!("silent-{at}"), it.local_addr().unwrap().port()))
        .collect();
    hosts.extend((0..4).map(|it| host(&format!("web-{it}"), sshd.port)));
    let sessions = lab.sessions();
    let mut scan = start(hosts, 2, &sessions);
    let mut begun = 0;
    let mut visits = Vec::new();
    while let Some(progress) = scan.next().await {
        match progress {
            Progress::Began(_) if visits.is_empty() => begun += 1,
            Progress::Began(_) => {}
            Progress::Ended(visit) => visits.push(visit),
            Progress::Gathered(told) => panic!("nobody was asked: {told:?}"),
        }
    }
    // Two may be visited at once, and both are silent for longer than a visit takes.
    assert!(begun > 2, "the third waited for the first");
    let read = visits.iter().filter(|it| matches!(it.outcome, Outcome::Seen(_))).count();
    assert_eq!((visits.len(), read), (10, 4));
    sessions.close().await;
    lab.no_ssh_is_left();
}

#[tokio::test]
async fn a_scan_that_is_dropped_leaves_nothing() {
    let Some(mut lab) = Lab::new() else { return };
    let sshd = lab.sshd("");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut hosts: Vec<_> = (0..12).map(|it| host(&format!("web-{it:02}"), sshd.port)).collect();
    hosts.push(host("silent", silent.local_addr().unwrap().port()));
    let sessions = lab.sessions();
    let mut scan = start(hosts, 8, &sessions);
    while !matches!(scan.next().await.unwrap(), Progress::Ended(_)) {}
    drop(scan);
    sessions.close().await;
    lab.no_ssh_is_left();
}
