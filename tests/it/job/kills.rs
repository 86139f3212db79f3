//! The console, its ssh, or both are killed at any moment of a forced renewal: afterwards it is
//! known what became of it, it ran at most once, and nothing is half done.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use certdeck::audit::read::Record;
use certdeck::perform::reconcile;

use super::stage::{Desk, Stage, kill_all};
use crate::lab;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Console,
    Ssh,
    Both,
}

#[tokio::test]
async fn whatever_is_killed_the_outcome_is_known_and_nothing_runs_twice() {
    let rounds = super::rounds(6);
    let Some(stage) = Stage::new(&["web-01"], rounds + 3) else { return };
    stage.slow("web-01", "0.02");
    // How long it takes when nobody is killed.
    let begin = Instant::now();
    assert!(renew(&stage).wait().unwrap().success());
    let usual = begin.elapsed();
    let desk = stage.desk();
    let mut random = 0x2545_f491_u32;
    let mut seen: BTreeMap<(Victim, String), usize> = BTreeMap::new();
    for round in 0..rounds {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let moment = usual * (random >> 16) / 0xffff;
        let victim = [Victim::Console, Victim::Ssh, Victim::Both][round % 3];
        let before = (stage.runs("web-01"), stage.live("web-01"));
        let known = stage.records().len();
        kill_after(&stage, victim, moment);
        let ending = settle(&stage, &desk, &stage.records()[known..]).await;
        let after = (stage.runs("web-01"), stage.live("web-01"));
        let what = format!("round {round}, {victim:?} after {moment:?}: {ending}");
        match ending.as_str() {
            "ok" => assert_eq!(after, (before.0 + 1, before.1 + 1), "{what}"),
            "refused" | "no intent" => assert_eq!(after, before, "{what}"),
            _ => panic!("{what}, {before:?} {after:?}"),
        }
        *seen.entry((victim, ending)).or_default() += 1;
    }
    eprintln!("{rounds} rounds, usually {usual:?}: {seen:?}");
    // And nothing that was ruled out has run since.
    assert_eq!(stage.live("web-01"), stage.runs("web-01") + 1);
    assert_eq!(stage.open(), 0);
    desk.close().await;
    kill_all(stage.lab.path("run").to_str().unwrap());
}

fn renew(stage: &Stage) -> Child {
    let mut command: Command = stage.lab.certdeck(stage.inventory());
    command.args(["run", "force-renew", "web-01/www", "--yes", "www"]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Lets a renewal go on for so long, and waits until the console is gone, one way or the other.
fn kill_after(stage: &Stage, victim: Victim, moment: Duration) {
    let mut console = renew(stage);
    let begin = Instant::now();
    lab::wait_for("the moment", || begin.elapsed() >= moment);
    if victim != Victim::Ssh {
        console.kill().unwrap();
    }
    if victim != Victim::Console {
        kill_all(stage.lab.path("run").to_str().unwrap());
    }
    console.wait().unwrap();
}

/// Starts anew until nothing is open, and tells how the action of these records ended.
async fn settle(stage: &Stage, desk: &Desk, new: &[Record]) -> String {
    let op = new.iter().find(|it| it.kind == "intent").map(|it| it.op);
    lab::until("nothing to be open", async || {
        reconcile(&desk.tools, None).await.unwrap();
        (stage.open() == 0).then_some(())
    })
    .await;
    let Some(op) = op else { return "no intent".to_owned() };
    let records = stage.records();
    let mut endings = records.iter().filter(|it| it.op == op).filter_map(|it| it.text("ending"));
    let ending = endings.next().unwrap().to_owned();
    assert_eq!(endings.next(), None, "settled twice");
    ending
}
