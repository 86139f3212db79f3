//! A roll-out that is cut off, paused, taken over or fails, gone on with from another process:
//! nothing is done twice, and nothing is lost. The CA and certbot's archives count.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Running, Told, records, verified};
use crate::lab::certbot_host::CertbotHost;
use crate::lab::{Lab, wait_for};

/// Hosts with the lineage `a.test` each, in waves of two.
pub(super) struct Crowd {
    pub(super) hosts: Vec<CertbotHost>,
    /// Last, so that what is in it ends first.
    pub(super) lab: Lab,
}

impl Crowd {
    pub(super) fn new(count: usize) -> Option<Self> {
        let mut lab = Lab::new()?;
        let mut hosts = Vec::new();
        for at in 0..count {
            let host = CertbotHost::start(&mut lab, &format!("web-{at}"))?;
            host.issue("a.test", &[]);
            host.reload_on_deploy();
            hosts.push(host);
        }
        Some(Self { hosts, lab })
    }

    pub(super) fn inventory(&self) -> String {
        let mut inventory = "[[group]]\nname = 'edge'\nwave = 2\n".to_owned();
        for host in &self.hosts {
            let told = host.inventory();
            let told = told.replace("\n[[host.source]]", "\ngroups = ['edge']\n[[host.source]]");
            inventory += &(told + &host.endpoint("a.test"));
        }
        inventory
    }

    fn certdeck(&self, line: &str) -> Told {
        let words = line.split_whitespace();
        Told::new(self.lab.certdeck(&self.inventory()).args(words).output().unwrap())
    }

    /// A program that goes on beside the test.
    pub(super) fn begin(&self, line: &str) -> Running {
        Running(self.child(line))
    }

    pub(super) fn child(&self, line: &str) -> Child {
        let said = fs::File::create(self.lab.path("said")).unwrap();
        let mut command = self.lab.certdeck(&self.inventory());
        command.args(line.split_whitespace()).stdin(Stdio::null());
        command.stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap()
    }

    pub(super) fn said(&self) -> String {
        fs::read_to_string(self.lab.path("said")).unwrap()
    }

    /// The whole roll-out: a forced renewal everywhere.
    pub(super) fn whole(&self) -> String {
        let names: Vec<_> = self.hosts.iter().map(|it| format!("{}/a.test", it.name)).collect();
        format!("run force-renew {} --yes {}", names.join(" "), names.len())
    }

    /// Roll-outs that are not finished.
    pub(super) fn open(&self) -> Vec<Value> {
        let told = self.certdeck("jobs list --format json");
        let all: Value = serde_json::from_str(&told.stdout).unwrap();
        all["roll-outs"].as_array().unwrap().clone()
    }

    /// The only one of them.
    #[track_caller]
    fn only(&self) -> Value {
        let [it] = &self.open()[..] else { panic!("{:#?}", self.open()) };
        it.clone()
    }

    /// How many targets are done, failed, running and waiting.
    #[track_caller]
    fn counts(&self) -> [u64; 4] {
        let it = self.only();
        ["done", "failed", "running", "waiting"].map(|key| it[key].as_u64().unwrap())
    }

    /// How many certificates each host has got since it was set up, as its CA and its archive
    /// have it.
    #[track_caller]
    pub(super) fn renewed(&self) -> Vec<usize> {
        let renewed = |it: &CertbotHost| {
            it.assert_whole("a.test");
            assert_eq!(it.ca.issued().len(), it.versions("a.test"), "{}", it.name);
            it.versions("a.test") - 1
        };
        self.hosts.iter().map(renewed).collect()
    }

    /// Every host serves what it got, and the audit log is whole and has no loose end.
    #[track_caller]
    pub(super) fn assert_proven(&self) {
        for host in &self.hosts {
            assert_eq!(host.nginx.served("a.test"), Some(host.on_disk("a.test")), "{}", host.name);
        }
        verified(&self.lab);
    }
}

/// A hook that waits until it may go on, at one host.
pub(super) struct Gate {
    at: PathBuf,
    open: PathBuf,
}

impl Gate {
    pub(super) fn new(host: &CertbotHost) -> Self {
        let (at, open) = (host.path("at-the-gate"), host.path("gate-is-open"));
        let script = format!(
            "touch '{}'; while [ ! -e '{}' ]; do sleep 0.05; done",
            at.display(),
            open.display()
        );
        host.hook("deploy", "20-gate", &script);
        Self { at, open }
    }

    pub(super) fn wait(&self) {
        wait_for("a job at the gate", || self.at.exists());
    }

    pub(super) fn open(&self) {
        fs::write(&self.open, "").unwrap();
    }
}

fn id(rollout: &Value) -> &str {
    rollout["id"].as_str().unwrap()
}

#[test]
fn a_kill_in_the_middle_of_a_wave_loses_nothing_and_does_nothing_twice() {
    let Some(it) = Crowd::new(5) else { return };
    let gates = [Gate::new(&it.hosts[1]), Gate::new(&it.hosts[2])];
    let first = it.begin(&it.whole());
    gates.iter().for_each(Gate::wait);

    // Nobody else goes on with it while somebody is at it.
    assert_eq!(it.counts(), [1, 0, 2, 2]);
    let rollout = it.only();
    let resume = format!("run --resume {} --yes 2", id(&rollout));
    it.certdeck(&resume).check(2, &["is at it", "--take-over"]);
    drop(first);

    // It is told what was left, and how to go on; so does whoever knows the end of its identity.
    let listed = it.certdeck("jobs");
    listed.check(
        0,
        &["1 done, 2 running, 2 wait; wave 2 of 3", "nobody is at it; `certdeck run --resume"],
    );
    assert_eq!(it.counts(), [1, 0, 2, 2]);
    let shown = it.certdeck(&format!("jobs show {}", &id(&rollout)[24..]));
    shown.check(
        0,
        &["wave 1, the canary\n  done     web-0/a.test", "wave 3\n  waiting  web-3/a.test"],
    );

    // The wave that was begun comes to its end before the next one begins.
    let mut second = it.child(&resume);
    wait_for("a word about what still runs", || it.said().matches("from before").count() == 2);
    assert_eq!(it.renewed()[3..], [0, 0]);
    gates.iter().for_each(Gate::open);
    assert_eq!(second.wait().unwrap().code(), Some(0), "{}", it.said());
    assert!(it.said().contains("5 done\n"), "{}", it.said());
    assert_eq!(it.renewed(), [1; 5]);
    assert!(it.open().is_empty());
    it.assert_proven();
    // Every action bears its identity, and none is there twice.
    let log = records(&it.lab);
    let intents: Vec<_> = log.iter().filter(|it| it.kind() == "intent").collect();
    assert!(intents.len() == 5 && intents.iter().all(|it| it.0["run"] == rollout["id"]));
    it.certdeck(&resume).check(0, &["nothing remains to be done"]);
}

/// The program is killed at any moment, again and again, until nothing remains.
#[test]
fn a_roll_out_that_is_killed_again_and_again_comes_to_its_end() {
    let Some(it) = Crowd::new(4) else { return };
    let mut kills = 0;
    for round in 0.. {
        assert!(round < 60, "{:#?}", it.open());
        let line = match &it.open()[..] {
            [] if round > 0 && it.renewed() == [1; 4] => break,
            // It was killed before it had written down what is to be done.
            [] => it.whole(),
            [rollout] => {
                let [done, failed, running, waiting] = it.counts();
                assert_eq!((failed, done + running + waiting), (0, 4), "{rollout:#}");
                let count = running + waiting;
                // What still runs may have ended, well, by the time it is asked.
                format!(
                    "run --resume {} --yes {}",
                    id(rollout),
                    if running == 0 { count } else { waiting }
                )
            }
            many => panic!("{many:#?}"),
        };
        let mut program = it.child(&line);
        // Longer each time, so that something comes of it in the end.
        let moment = Duration::from_millis(150 + 400 * (round % 10));
        let deadline = Instant::now() + moment;
        while Instant::now() < deadline && matches!(program.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        kills += usize::from(program.try_wait().unwrap().is_none());
        drop(Running(program));
    }
    eprintln!("{kills} kills");
    assert!(kills > 3);
    it.assert_proven();
}

#[test]
fn what_failed_is_tried_again_only_if_that_is_meant() {
    let Some(it) = Crowd::new(4) else { return };
    let bad = it.hosts[1].hook("deploy", "20-bad", "echo 'no such fleet' >&2; exit 3");
    let first = it.certdeck(&it.whole());
    first.check(1, &["2 done, 1 failed, 1 wait; `certdeck run --resume", "--retry-failed"]);
    assert_eq!(it.counts(), [2, 1, 0, 1]);
    let id = id(&it.only()).to_owned();

    // What waits, and nothing else.
    it.certdeck(&format!("run --resume {id} --yes 2")).check(2, &["--yes a.test"]);
    it.certdeck(&format!("run --resume {id} --yes a.test")).check(0, &["3 done, 1 failed;"]);
    assert_eq!(it.renewed(), [1; 4]);
    let stuck = it.certdeck(&format!("run --resume {id} --yes 1"));
    stuck.check(1, &["nothing waits", "--retry-failed` tries again"]);
    it.certdeck("jobs").check(0, &["3 done, 1 failed"]);

    fs::remove_file(bad).unwrap();
    it.certdeck(&format!("run --resume {id} --retry-failed --yes 1")).check(0, &["4 done\n"]);
    assert_eq!(it.renewed(), [1, 2, 1, 1]);
    assert!(it.open().is_empty());
    it.assert_proven();
}

#[test]
fn what_is_mended_by_hand_is_not_done_again_and_what_is_closed_is_not_listed() {
    let Some(it) = Crowd::new(2) else { return };
    let bad = it.hosts[0].hook("deploy", "20-bad", "exit 3");
    it.certdeck(&it.whole()).check(1, &["1 failed, 1 wait"]);
    let id = id(&it.only()).to_owned();
    fs::remove_file(bad).unwrap();
    it.certdeck("run force-renew web-0/a.test --yes a.test").check(0, &[]);
    assert_eq!(it.counts(), [1, 0, 0, 1]);

    it.certdeck(&format!("jobs close {id}")).check(0, &["closed: 1 done, 1 wait"]);
    assert!(it.open().is_empty());
    // Once is enough: when it was closed stays.
    let file = it.lab.path(&format!("state/rollouts/{id}.json"));
    let before = fs::read_to_string(&file).unwrap();
    it.certdeck(&format!("jobs close {id}")).check(0, &["it is over since", "1 done, 1 wait"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    it.certdeck(&format!("run --resume {id} --yes 1")).check(2, &["was closed"]);
    assert_eq!(it.renewed(), [2, 0]);
}

#[test]
fn a_pause_lets_what_runs_end_and_begins_nothing_more() {
    let Some(it) = Crowd::new(4) else { return };
    let gate = Gate::new(&it.hosts[1]);
    let mut program = it.child(&it.whole());
    gate.wait();
    let id = id(&it.only()).to_owned();
    it.certdeck(&format!("jobs pause {id}")).check(0, &["nothing more begins: ", "jobs resume"]);
    wait_for("a word of it", || it.said().contains("wants it to wait: what runs ends"));
    gate.open();
    wait_for("what runs to end", || it.said().contains("it waits, as "));
    assert!(it.said().contains("3 done, 1 wait\n"), "{}", it.said());
    assert_eq!(it.renewed(), [1, 1, 1, 0]);
    it.certdeck("jobs").check(0, &["3 done, 1 wait", "wants it to wait, since"]);
    it.certdeck(&format!("jobs resume {id}")).check(0, &["it goes on"]);
    assert_eq!(program.wait().unwrap().code(), Some(0), "{}", it.said());
    assert_eq!(it.renewed(), [1; 4]);
    it.certdeck(&format!("jobs pause {id}")).check(2, &["nobody is at it", "it is over: 4 done"]);
    it.assert_proven();
}

/// The first looks at the hosts of a wave when somebody takes it over: it begins nothing there.
#[test]
fn who_is_taken_over_within_a_wave_begins_nothing_more() {
    let Some(it) = Crowd::new(3) else { return };
    let gate = Gate::new(&it.hosts[0]);
    let mut first = it.child(&it.whole());
    gate.wait();
    let id = id(&it.only()).to_owned();
    // From here on, looks at the others wait.
    let [seen, open] = ["seen", "open"].map(|name| it.lab.path(name));
    for host in &it.hosts[1..] {
        let date = host.path("bin/date");
        let script = format!(
            "#!/bin/sh\necho >> '{}'; while [ ! -e '{}' ]; do sleep 0.05; done\n\
             exec /bin/date \"$@\"\n",
            seen.display(),
            open.display()
        );
        fs::write(&date, script).unwrap();
        fs::set_permissions(&date, fs::Permissions::from_mode(0o755)).unwrap();
    }
    gate.open();
    let looks = || fs::read_to_string(&seen).map_or(0, |it| it.lines().count());
    wait_for("the looks of the wave", || looks() >= 2);
    let resume = format!("run --resume {id} --take-over --yes 2");
    let mut second = it.lab.certdeck(&it.inventory());
    let second = second.args(resume.split_whitespace()).stdin(Stdio::null());
    let second = second.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the looks of somebody else", || looks() >= 4);
    fs::write(&open, "").unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(1), "{}", it.said());
    assert!(it.said().contains("has taken it over"), "{}", it.said());
    assert!(!it.said().contains("web-1/a.test: begun"), "{}", it.said());
    Told::new(second.wait_with_output().unwrap()).check(0, &["3 done\n"]);
    assert_eq!(it.renewed(), [1; 3]);
    // Every intent but the canary's is of whoever has taken it over.
    let log = records(&it.lab);
    let intents: Vec<_> = log.iter().filter(|it| it.kind() == "intent").collect();
    assert_eq!(intents.len(), 3, "{intents:#?}");
    it.assert_proven();
}

#[test]
fn who_is_taken_over_begins_nothing_more() {
    let Some(it) = Crowd::new(4) else { return };
    let gate = Gate::new(&it.hosts[0]);
    let mut first = it.child(&it.whole());
    gate.wait();
    let id = id(&it.only()).to_owned();
    // What runs is theirs until it has ended.
    let resume = format!("run --resume {id} --take-over --yes 3");
    let mut second = it.lab.certdeck(&it.inventory());
    let second = second.args(resume.split_whitespace()).stdin(Stdio::null());
    let second = second.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_held = |it: &fs::DirEntry| it.path().extension().is_some_and(|it| it == "held");
    wait_for("somebody else to be at it", || {
        let files = fs::read_dir(it.lab.path("state/rollouts")).unwrap();
        files.filter(|it| it.as_ref().is_ok_and(is_held)).count() == 2
    });
    gate.open();
    assert_eq!(first.wait().unwrap().code(), Some(1), "{}", it.said());
    assert!(it.said().contains("has taken it over"), "{}", it.said());
    Told::new(second.wait_with_output().unwrap()).check(0, &["4 done\n"]);
    assert_eq!(it.renewed(), [1; 4]);
    it.assert_proven();
}
