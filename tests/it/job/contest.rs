//! Two consoles that want the same, and connections that break.

use std::fs;

use certdeck::fleet::HostName;
use certdeck::job::State;
use certdeck::perform::{Ending, Progress, Report, Run, jobs, reconcile};

use super::stage::{Desk, Stage, assert_ending, kill_all};
use crate::lab::{self, wait_for};

/// Performs at two desks at once.
async fn both(one: &Desk, other: &Desk) -> [Report; 2] {
    let first = one.confirmed("force-renew", &["web-01"]).await;
    let second = other.confirmed("force-renew", &["web-01"]).await;
    let (first, second) = tokio::join!(one.perform(first), other.perform(second));
    [first, second].map(|mut it| it.remove(0).unwrap())
}

#[tokio::test]
async fn of_two_consoles_one_runs_and_the_other_names_it() {
    let rounds = super::rounds(3);
    let Some(stage) = Stage::new(&["web-01"], 2 * rounds + 1) else { return };
    stage.slow("web-01", "0.15");
    let lab = stage.lab.path("");
    // Two machines, which share no log: only the lock on the host tells them of each other.
    let anna = Desk::with_state(&lab, &lab.join("state"), "anna@laptop");
    let bert = Desk::with_state(&lab, &lab.join("state-2"), "bert@tower");
    // And two consoles of one machine, which share the log.
    let anna_too = Desk::open(&lab, "anna@laptop");
    for (name, other, others) in
        [("bert", &bert, "bert@tower"), ("anna too", &anna_too, "anna@laptop")]
    {
        let mut won = [0, 0];
        for round in 0..rounds {
            let runs = stage.runs("web-01");
            let reports = both(&anna, other).await;
            assert_eq!(stage.runs("web-01"), runs + 1, "{reports:#?}");
            let winner = usize::from(reports[1].ending == Ending::Ok);
            won[winner] += 1;
            assert_ending(&reports[winner], Ending::Ok, "a new certificate");
            let holder = if winner == 0 { "anna@laptop" } else { others };
            assert_ending(&reports[1 - winner], Ending::Refused, holder);
            assert_eq!(stage.live("web-01"), stage.runs("web-01") + 1, "round {round}");
        }
        eprintln!("{rounds} rounds against {name}: {won:?}");
    }
    assert_eq!(stage.open(), 0);
    for desk in [anna, bert, anna_too] {
        desk.close().await;
    }
}

#[tokio::test]
async fn a_job_goes_on_while_the_network_is_gone() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    stage.slow("web-01", "0.3");
    let desk = stage.desk();
    let confirmed = desk.confirmed("force-renew", &["web-01"]).await;
    let mut run = Run::start(desk.tools.clone(), confirmed);
    let (run_dir, known_hosts) = (stage.lab.path("run"), stage.lab.path("known_hosts"));
    let known = fs::read_to_string(&known_hosts).unwrap();
    let (mut cuts, mut lost, mut looks) = (0, 0, 0);
    let report = loop {
        match run.next().await.unwrap() {
            Progress::Looked { look, .. } if look.status.state == State::Running => {
                looks += 1;
                // The first cut is mended by a new session, the others only after a while.
                if looks % 2 == 0 && cuts < 3 {
                    fs::write(&known_hosts, if cuts == 0 { &*known } else { "" }).unwrap();
                    kill_all(run_dir.to_str().unwrap());
                    cuts += 1;
                }
            }
            Progress::Lost { .. } => {
                fs::write(&known_hosts, &known).unwrap();
                lost += 1;
            }
            Progress::Ended { report, .. } => break report,
            _ => {}
        }
    };
    eprintln!("{cuts} cuts, {lost} times lost");
    assert!(cuts > 0 && lost > 0);
    assert_ending(&report, Ending::Ok, "a new certificate");
    assert_eq!(stage.runs("web-01"), 1);
    desk.close().await;
}

#[tokio::test]
async fn a_boot_in_the_middle_is_no_success() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    stage.slow("web-01", "0.5");
    let desk = stage.desk();
    let confirmed = desk.confirmed("force-renew", &["web-01"]).await;
    let mut run = Run::start(desk.tools.clone(), confirmed);
    let report = loop {
        match run.next().await.unwrap() {
            Progress::Looked { look, .. }
                if look.status.state == State::Running && stage.runs("web-01") == 1 =>
            {
                stage.reboot("web-01");
                // As all processes are then.
                let jobs = stage.path("web-01", "root/var/lib/certdeck/jobs");
                kill_group_of(&jobs);
            }
            Progress::Ended { report, .. } => break report,
            _ => {}
        }
    };
    assert_ending(&report, Ending::Failed, "the host was started anew while it ran");
    assert_ending(&report, Ending::Failed, "the certificate from before is still in place");
    desk.close().await;
}

fn kill_group_of(jobs: &std::path::Path) {
    for entry in fs::read_dir(jobs).unwrap().flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let pid =
            status.lines().find_map(|it| it.strip_prefix("pid ")).and_then(|it| it.parse().ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).ok();
        }
    }
}

#[tokio::test]
async fn a_stop_is_audited_and_ends_as_cancelled() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    stage.slow("web-01", "0.5");
    let desk = stage.desk();
    let confirmed = desk.confirmed("force-renew", &["web-01"]).await;
    let mut run = Run::start(desk.tools.clone(), confirmed);
    let mut op = None;
    let report = loop {
        match run.next().await.unwrap() {
            Progress::Began { op: it, .. } => op = Some(it),
            Progress::Looked { look, .. }
                if look.status.state == State::Running
                    && stage.runs("web-01") == 1
                    && !look.status.is_stopped =>
            {
                jobs::stop(&desk.tools, desk.host("web-01"), op.unwrap(), "y").await.unwrap();
            }
            Progress::Ended { report, .. } => break report,
            _ => {}
        }
    };
    assert_ending(&report, Ending::Cancelled, "it was stopped");
    assert_ending(&report, Ending::Cancelled, "the certificate from before is still in place");
    let records = stage.records();
    let stop = records.iter().find(|it| it.text("action") == Some("stop")).unwrap();
    assert_eq!(stop.body["jobs"][0], op.unwrap().to_string());
    assert_eq!(stage.open(), 0);
    desk.close().await;
}

#[tokio::test]
async fn who_left_the_console_is_not_waited_for() {
    let Some(stage) = Stage::new(&["web-01"], 3) else { return };
    stage.slow("web-01", "0.1");
    let desk = stage.desk();
    let confirmed = desk.confirmed("force-renew", &["web-01"]).await;
    let mut run = Run::start(desk.tools.clone(), confirmed);
    loop {
        if let Progress::Looked { look, .. } = run.next().await.unwrap()
            && look.status.state == State::Running
        {
            break;
        }
    }
    drop(run);
    // It still runs, so nothing else may begin there, and who has begun it is said.
    let other = Desk::open(&stage.lab.path(""), "bert@laptop");
    let report = other.run("force-renew", "web-01").await;
    assert_ending(&report, Ending::Refused, "anna@laptop is at it: force-renew www, since ");
    let hosts = [HostName::new("web-01")];
    lab::until("its end", async || {
        let settled = reconcile(&other.tools, Some(&hosts)).await.unwrap();
        settled.iter().all(|it| it.report.is_some()).then_some(())
    })
    .await;
    assert_eq!((stage.runs("web-01"), stage.live("web-01"), stage.open()), (1, 2, 0));
    let report = other.run("force-renew", "web-01").await;
    assert_ending(&report, Ending::Ok, "a new certificate");
    desk.close().await;
    other.close().await;
}

#[tokio::test]
async fn what_never_began_never_will() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    let desk = stage.desk();
    let confirmed = desk.confirmed("force-renew", &["web-01"]).await;
    let mut run = Run::start(desk.tools.clone(), confirmed);
    // The intent is on record, and the console ends.
    while !matches!(run.next().await.unwrap(), Progress::Visited(_)) {}
    wait_for("the intent", || stage.open() == 1);
    drop(run);
    let report = lab::until("its end", async || {
        reconcile(&desk.tools, None).await.unwrap().remove(0).report
    })
    .await;
    // Either it got out in time or never will.
    match report.ending {
        Ending::Refused => {
            assert_ending(&report, Ending::Refused, "it never began");
            assert_eq!(stage.runs("web-01"), 0);
        }
        _ => assert_ending(&report, Ending::Ok, "a new certificate"),
    }
    assert_eq!(stage.open(), 0);
    desk.close().await;
}
