//! Hooks that print more than is kept: what certbot's own log says counts then.

use super::World;

/// Prints 3 MiB.
const NOISE: &str = "yes 'nothing of any interest, over and over again' | head -c 3145728";

#[test]
fn a_hook_that_fails_amid_a_flood_is_found() {
    let Some(it) = World::new() else { return };
    it.web.hook("pre", "10-noise", NOISE);
    it.web.hook("deploy", "10-bad", "echo 'the proxy is on fire' >&2; exit 7");
    it.web.hook("post", "10-noise", NOISE);
    let before = it.web.on_disk("a.test");
    it.certdeck(&WORDS).check(1, &["deploy-hook failed with exit code 7", "10-bad"]);
    assert_ne!(it.web.on_disk("a.test"), before);
    let (_, outcome) = it.last_action();
    assert_eq!((&outcome["ending"], &outcome["exit"]), (&"failed".into(), &0.into()));
    assert_eq!(outcome["cause"], "hook-failed", "{outcome:#}");
    // Both ends of the output are kept, and a line between them tells that they are only that.
    let gap = "\n[certdeck: what was printed here is not kept]\n";
    let jobs = it.certdeck(&["jobs", "show", outcome["op"].as_str().unwrap()]);
    jobs.check(0, &["Processing", gap]);
    let blob = outcome["output"].as_str().unwrap();
    let blob = format!("state/audit/blobs/{}/{blob}", &blob[..2]);
    let blob = std::fs::read_to_string(it.lab.path(&blob)).unwrap();
    let [head, tail] = blob.split(gap).collect::<Vec<_>>()[..] else { panic!("{blob:.900}") };
    assert!(head.contains("Processing") && head.len() > 900_000);
    assert_eq!(tail.len(), 65_536);
}

#[test]
fn a_flood_alone_is_no_failure() {
    let Some(it) = World::new() else { return };
    it.web.hook("pre", "10-noise", NOISE);
    it.web.reload_on_deploy();
    it.web.hook("post", "10-noise", NOISE);
    it.certdeck(&WORDS).check(0, &[]);
    assert_eq!(it.last_action().1["ending"], "ok");
    // Unless the log says nothing of it either.
    it.web.hook(
        "post",
        "10-noise",
        &format!("{NOISE}; rm -f {}/letsencrypt.log*", it.web.path("log").display()),
    );
    it.certdeck(&WORDS).check(1, &["whether a hook failed is not proven"]);
    assert_eq!(it.last_action().1["cause"], "cut");
}

const WORDS: [&str; 5] = ["run", "force-renew", "web-01/a.test", "--yes", "a.test"];
