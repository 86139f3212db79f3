//! The program is killed at any moment of a forced renewal by the real certbot: afterwards it is
//! known what became of it, nothing is half done, and nothing was done twice.

use std::time::{Duration, Instant};

use super::{World, records};
use crate::lab::wait_for;

#[test]
fn a_program_that_is_killed_knows_afterwards_what_became_of_it() {
    let Some(it) = World::new() else { return };
    it.web.reload_on_deploy();
    let words = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
    let begin = Instant::now();
    it.certdeck(&words).check(0, &[]);
    let whole = begin.elapsed();
    let rounds = std::env::var("CERTDECK_LAB_ROUNDS").map_or(10, |it| it.parse().unwrap());
    let (mut done, mut never) = (0, 0);
    for round in 0..rounds {
        let versions = it.web.versions("a.test");
        let intents = count(&it, "intent");
        let mut program = it.begin(&words);
        // Every part of a run has its turn, a little past its end as well.
        let moment = whole.mul_f64((f64::from(round) + 0.5) / f64::from(rounds));
        let deadline = Instant::now() + moment;
        while Instant::now() < deadline && matches!(program.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(program);

        // The next start finds out; it may have to wait for the job to end.
        wait_for("the outcome", || {
            // Nothing is confirmed, so nothing is done but that.
            it.certdeck(&words[..3]);
            count(&it, "intent") == count(&it, "outcome") + count(&it, "reconcile")
        });
        it.web.assert_whole("a.test");
        let new = it.web.versions("a.test") - versions;
        let begun = count(&it, "intent") - intents;
        let label = format!("round {round}, killed after {moment:?}");
        assert!(begun <= 1 && new <= begun, "{label}: {begun} intents, {new} new versions");
        if begun == 1 {
            let (_, ended) = it.last_action();
            let expect = if new == 1 { &["ok"][..] } else { &["refused", "cancelled", "failed"] };
            let ending = ended["ending"].as_str().unwrap();
            assert!(expect.contains(&ending), "{label}: {new} new, {ended:#}");
        }
        done += new;
        never += 1 - begun;
    }
    eprintln!("{rounds} kills: {done} renewed, {never} before the intent, 0 twice, 0 half done");
    it.verified();
    assert!(done > 0);
}

fn count(it: &World, kind: &str) -> usize {
    records(&it.lab).iter().filter(|it| it.kind() == kind).count()
}
