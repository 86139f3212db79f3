//! The program is killed at any moment of a forced renewal by the real certbot: afterwards it is
//! known what became of it, nothing is half done, and nothing was done twice.

use std::time::{Duration, Instant};

use certdeck::clock::Clock;

use super::{World, audit, records};
use crate::lab::{end_processes_with, wait_for};

#[test]
fn a_program_that_is_killed_knows_afterwards_what_became_of_it() {
    let Some(it) = World::new() else { return };
    it.web.reload_on_deploy();
    let begin = Instant::now();
    it.certdeck(&WORDS).check(0, &[]);
    let whole = begin.elapsed();
    let rounds = rounds();
    let seed = seed();
    eprintln!("CERTDECK_LAB_SEED={seed}");
    let mut random = seed;
    let (mut done, mut never) = (0, 0);
    for round in 0..rounds {
        let versions = it.web.versions("a.test");
        let intents = count(&it, "intent");
        let mut program = it.begin(&WORDS);
        let moment = whole.mul_f64(1.1 * next(&mut random));
        let deadline = Instant::now() + moment;
        while Instant::now() < deadline && matches!(program.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(program);

        // The next start finds out; it may have to wait for the job to end.
        wait_for("the outcome", || {
            // Nothing is confirmed, so nothing is done but that.
            it.certdeck(&WORDS[..3]);
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

#[test]
fn a_connection_that_is_cut_is_made_again_and_nothing_is_done_twice() {
    let Some(it) = World::new() else { return };
    it.web.reload_on_deploy();
    let rounds = rounds();
    for round in 0..rounds {
        let versions = it.web.versions("a.test");
        let mut program = it.begin(&WORDS);
        // Every connection that it makes is cut for a while: in one round of four from the intent
        // on, else once the job has begun.
        wait_for("the intent", || count(&it, "intent") > usize::try_from(round).unwrap());
        if round % 4 != 3 {
            let records = records(&it.lab);
            let intent = records.iter().rfind(|it| it.kind() == "intent").unwrap();
            let op = intent.0["op"].as_str().unwrap();
            let began = it.web.path(&format!("root/var/lib/certdeck/jobs/{op}/began"));
            wait_for("the job", || began.exists());
        }
        let cuts = Instant::now() + Duration::from_millis(100 + 300 * u64::from(round % 10));
        while Instant::now() < cuts {
            end_processes_with(&it.lab.path("run"));
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut ended = None;
        wait_for("the end", || {
            ended = program.0.try_wait().unwrap();
            ended.is_some()
        });
        let said = std::fs::read_to_string(it.lab.path("said")).unwrap();
        assert_eq!(ended.unwrap().code(), Some(0), "round {round}: {said}");
        assert_eq!(it.web.versions("a.test"), versions + 1, "round {round}: {said}");
        assert_eq!(it.last_action().1["ending"], "ok", "round {round}: {said}");
        it.web.assert_whole("a.test");
    }
    eprintln!("{rounds} cuts: all renewed once");
}

/// How often a program is killed or cut off; `CERTDECK_LAB_ROUNDS` makes it more or less.
fn rounds() -> u32 {
    std::env::var("CERTDECK_LAB_ROUNDS").map_or(10, |it| it.parse().unwrap())
}

/// Another one each time; `CERTDECK_LAB_SEED` repeats one.
fn seed() -> u64 {
    let now = || u64::try_from(Clock::default().now().unix()).unwrap();
    std::env::var("CERTDECK_LAB_SEED").map_or_else(|_| now(), |it| it.parse().unwrap())
}

/// A number from 0 to 1 (`SplitMix64`).
fn next(random: &mut u64) -> f64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut it = *random;
    it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let bits = u32::try_from((it ^ (it >> 31)) >> 32).unwrap();
    f64::from(bits) / f64::from(u32::MAX)
}

const WORDS: [&str; 5] = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];

fn count(it: &World, kind: &str) -> usize {
    let is_there = audit(&it.lab).join("000001.jsonl").exists();
    if is_there { records(&it.lab).iter().filter(|it| it.kind() == kind).count() } else { 0 }
}
