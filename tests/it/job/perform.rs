//! Plans on real sshd, from the fresh look to the outcome in the log.

use std::fs;

use certdeck::action::{Answer, Review};
use certdeck::audit::read::Record;
use certdeck::perform::{Ending, failed_of, jobs, reconcile};
use serde_json::json;

use super::stage::{Stage, assert_ending};

#[track_caller]
fn outcome_of(records: &[Record], op: uuid::Uuid) -> &Record {
    let mut all = records.iter().filter(|it| it.op == op && it.kind != "intent");
    let one = all.next().unwrap();
    assert!(all.next().is_none(), "two outcomes");
    one
}

#[tokio::test]
async fn a_renewal_is_proven_and_audited() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    let desk = stage.desk();
    let report = desk.run("force-renew", "web-01").await;
    assert_ending(&report, Ending::Ok, "a new certificate is in place until");
    assert_ending(&report, Ending::Ok, "its private key fits");
    assert_eq!((stage.runs("web-01"), stage.live("web-01")), (1, 2));
    assert!(report.before.is_some() && report.after.is_some() && report.before != report.after);
    let records = stage.records();
    let op = report.op.unwrap();
    let intent = records.iter().find(|it| it.kind == "intent").unwrap();
    assert_eq!(intent.op, op);
    assert_eq!(intent.text("action"), Some("force-renew"));
    assert_eq!(intent.text("host"), Some("web-01"));
    assert_eq!(intent.text("confirmed").map(|it| it.starts_with("--yes 1")), Some(true));
    assert_eq!(intent.body["names"], json!(["www.example.net"]));
    assert!(intent.body["argv"].to_string().contains("--force-renewal"));
    let outcome = outcome_of(&records, op);
    assert_eq!(outcome.text("ending"), Some("ok"));
    assert_eq!(outcome.text("after"), Some(report.after.unwrap().to_string().as_str()));
    assert_eq!(outcome.body["exit"], json!(0));
    // The witness on the host is the record's number and hash.
    let request = stage.path("web-01", &format!("root/var/lib/certdeck/jobs/{op}/request"));
    let request = fs::read_to_string(request).unwrap();
    assert!(request.contains(&format!("\n# audit {} ", intent.seq)), "{request}");
    let listed = jobs::list(&desk.tools.sessions, desk.host("web-01")).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.op).collect::<Vec<_>>(), [op]);
    desk.close().await;
    stage.lab.no_ssh_is_left();
}

#[tokio::test]
async fn success_is_not_taken_on_trust() {
    let Some(stage) = Stage::new(&["web-01"], 3) else { return };
    let desk = stage.desk();
    // Exit 0, and a deploy hook that failed.
    stage.hook("web-01", "echo nginx: configuration file test failed; exit 7");
    let report = desk.run("force-renew", "web-01").await;
    assert_ending(&report, Ending::Failed, "deploy-hook failed with exit code 7: nginx: conf");
    assert_ending(&report, Ending::Failed, "a new certificate is on disk");
    assert_eq!(report.explanation.as_ref().unwrap().name, "hook-failed");
    // Exit 0, and a key that does not fit.
    stage.hook("web-01", "cp le/archive/www/privkey1.pem le/archive/www/privkey3.pem");
    let report = desk.run("force-renew", "web-01").await;
    assert_ending(&report, Ending::Failed, "does not belong to the certificate");
    // Nothing is left to renew.
    fs::remove_file(stage.path("web-01", "hook")).unwrap();
    let report = desk.run("force-renew", "web-01").await;
    assert_ending(&report, Ending::Failed, "failed with exit code 1");
    assert_ending(&report, Ending::Failed, "the certificate from before is still in place");
    assert_ending(&report, Ending::Failed, "there is no other version");
    assert_eq!(stage.runs("web-01"), 3);
    assert_eq!(stage.open(), 0);
    desk.close().await;
}

#[tokio::test]
async fn what_was_planned_for_something_else_is_not_begun() {
    let Some(stage) = Stage::new(&["web-01"], 3) else { return };
    let desk = stage.desk();
    let (plans, fleet) = desk.plans("force-renew", &["web-01"]).await;
    let other = desk.run("force-renew", "web-01").await;
    assert_eq!(other.ending, Ending::Ok);
    // The fleet of that console does not know yet.
    let now = desk.tools.clock.now();
    let confirmed = Review::new(plans).confirm(Answer::Yes("1"), &fleet, now).unwrap();
    let report = desk.perform(confirmed).await.remove(0).unwrap();
    assert_ending(&report, Ending::Refused, "stale");
    assert_eq!(stage.runs("web-01"), 1);
    assert_eq!(outcome_of(&stage.records(), report.op.unwrap()).text("ending"), Some("refused"));
    desk.close().await;
}

#[tokio::test]
async fn a_host_that_is_down_or_has_another_key_is_sent_nothing() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    let desk = stage.desk();
    let confirmed = desk.confirmed("force-renew", &["web-01"]).await;
    let known = fs::read_to_string(stage.lab.path("known_hosts")).unwrap();
    stage.lab.make_key("other");
    let other = fs::read_to_string(stage.lab.path("other.pub")).unwrap();
    let host = known.split(' ').next().unwrap();
    fs::write(stage.lab.path("known_hosts"), format!("{host} {other}")).unwrap();
    desk.close().await;
    let desk = stage.desk();
    let report = desk.perform(confirmed).await.remove(0).unwrap();
    assert_ending(&report, Ending::Refused, "THE HOST KEY HAS CHANGED");
    assert_ending(&report, Ending::Refused, "nothing was changed");
    assert_eq!(outcome_of(&stage.records(), report.op.unwrap()).text("cause"), Some("changed-key"));
    assert_eq!(stage.runs("web-01"), 0);
    desk.close().await;
}

#[tokio::test]
async fn waves_stop_at_the_first_failure_and_the_rest_can_be_done_again() {
    let names = ["web-01", "web-02", "web-03", "web-04"];
    let Some(stage) = Stage::new(&names, 3) else { return };
    let desk = stage.desk();
    // The canary.
    fs::write(stage.path("web-01", "fail"), "").unwrap();
    let confirmed = desk.confirmed("force-renew", &names).await;
    let reports = desk.perform(confirmed).await;
    let endings: Vec<_> = reports.iter().map(|it| it.as_ref().map(|it| it.ending)).collect();
    assert_eq!(endings, [Some(Ending::Failed), None, None, None]);
    let op = reports[0].as_ref().unwrap().op.unwrap();
    let hosts = |op| {
        let again = failed_of(&stage.records(), op);
        again.iter().map(|it| it.host.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(hosts(op), names);
    // One of the second wave, and the others of the wave end well all the same.
    fs::remove_file(stage.path("web-01", "fail")).unwrap();
    fs::write(stage.path("web-03", "fail"), "").unwrap();
    let confirmed = desk.confirmed("force-renew", &names).await;
    let reports = desk.perform(confirmed).await;
    let endings: Vec<_> = reports.iter().map(|it| it.as_ref().unwrap().ending).collect();
    assert_eq!(endings, [Ending::Ok, Ending::Ok, Ending::Failed, Ending::Ok]);
    assert_eq!(hosts(reports[0].as_ref().unwrap().op.unwrap()), ["web-03"]);
    assert_eq!(stage.open(), 0);
    desk.close().await;
}

#[tokio::test]
async fn without_a_log_nothing_begins() {
    let Some(stage) = Stage::new(&["web-01", "web-02"], 2) else { return };
    let desk = stage.desk();
    let confirmed = desk.confirmed("force-renew", &["web-01", "web-02"]).await;
    let held = fs::File::create(stage.lab.path("state/audit/LOCK")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let reports = desk.perform(confirmed).await;
    assert!(reports.iter().flatten().all(|it| it.ending == Ending::NotAudited), "{reports:#?}");
    assert_eq!((stage.runs("web-01"), stage.runs("web-02")), (0, 0));
    desk.close().await;
}

#[tokio::test]
async fn an_outcome_that_cannot_be_written_is_settled_later() {
    let Some(stage) = Stage::new(&["web-01"], 2) else { return };
    let desk = stage.desk();
    // While the job runs, somebody takes the log away.
    let lock = stage.lab.path("state/audit/LOCK");
    let taken = lock.with_extension("held");
    stage.hook("web-01", &format!("touch '{}'; sleep 1", taken.display()));
    let holder = std::thread::spawn(move || {
        crate::lab::wait_for("the hook", || taken.exists());
        let held = fs::File::create(&lock).unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        held
    });
    let report = desk.run("force-renew", "web-01").await;
    assert_ending(&report, Ending::NotAudited, "the job's folder stays on the host");
    assert_ending(&report, Ending::NotAudited, "a new certificate is in place");
    drop(holder.join().unwrap());
    assert_eq!(stage.open(), 1);
    desk.close().await;
    let desk = stage.desk();
    let settled = reconcile(&desk.tools, None).await.unwrap();
    let [one] = &settled[..] else { panic!("{settled:#?}") };
    assert_eq!(one.op, report.op.unwrap());
    assert_ending(one.report.as_ref().unwrap(), Ending::Ok, "a new certificate is in place");
    assert_eq!(stage.open(), 0);
    assert!(reconcile(&desk.tools, None).await.unwrap().is_empty());
    desk.close().await;
}
