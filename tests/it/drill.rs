//! Drills: each is in the trouble that it says, is solved with keys alone, and leaves nothing behind
//! but its result.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use certdeck::action;
use certdeck::clock::Clock;
use certdeck::diagnose::{self, diagnose};
use certdeck::fleet::{HostName, Severity};
use certdeck::practice::{Practice, drill};
use serde_json::Value;

use crate::practice::{program, scan};
use crate::pty::{Fixture, Pty};
use crate::serve::{Home, binary, shown};

#[test]
fn every_drill_is_in_the_trouble_that_it_says_and_nothing_else_is() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for kind in drill::ALL {
        let name = kind.task.name;
        let start = Practice::start_drill(kind, Clock::default().now(), program());
        let practice = runtime.block_on(start).unwrap();
        let fleet = scan(&runtime, &practice);
        let found = diagnose(&fleet, Clock::default().now()).findings;
        let worth: Vec<_> = found.iter().filter(|it| it.severity > Severity::Info).collect();
        assert!(worth.iter().any(|it| it.rule == kind.task.cause), "{name}: {found:#?}");
        let fine = ["api-ber-1", "docs-ber-1", "git-ber-1", "mail-ber-1"];
        for host in fine.map(HostName::new) {
            assert!(found.iter().all(|it| it.host != host), "{name}: {found:#?}");
        }
        // Whoever reads the inventory is told what is practised, and not what is wrong.
        let text = practice.inventory_text();
        assert!(text.contains("\npractice = true\n") && !text.contains(name), "{text}");
    }
}

#[test]
fn what_a_drill_names_exists() {
    let readme = fs::read_to_string("README.md").unwrap();
    for drill::Kind { task, .. } in drill::ALL {
        assert!(readme.contains(&format!("| `{}` |", task.name)), "README lacks {}", task.name);
        assert!(diagnose::ALL.iter().any(|it| it.name == task.cause), "{}", task.cause);
        for wrong in task.wrong {
            assert!(action::named(wrong.action).is_some(), "{}: {}", task.name, wrong.action);
        }
    }
}

/// Every drill, twice: with the keys of somebody who follows the guide, in a window of the
/// usual size and in the smallest.
#[test]
fn every_drill_is_solved_with_keys_alone_and_again() {
    let sizes = [(120, 40), (60, 14)];
    let queue = sizes.into_iter().flat_map(|size| drill::ALL.iter().map(move |it| (it, size)));
    let queue = Mutex::new(queue);
    let next = || queue.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((kind, size)) = next() {
                    solve(kind, size);
                }
            });
        }
    });
}

fn solve(kind: &drill::Kind, (columns, rows): (u16, u16)) {
    let name = kind.task.name;
    let fixture = Fixture::new();
    let folder = fixture.path().to_owned();
    let before = tree(&folder);
    let words = [env!("CARGO_BIN_EXE_certdeck"), "practice", name];
    let mut console = Pty::start(fixture, &words, columns, rows);
    console.wait_for(&format!("Practice: {name}"));
    console.wait_for("PRACTICE · nothing here is real");
    wait_until_read(&mut console);
    console.send(":arm 15m\r");
    console.wait_for("ARMED");
    let elsewhere = MENDED_ELSEWHERE.iter().find(|it| it.0 == name);
    if let Some((_, host)) = elsewhere {
        console.send(&format!("/host:{host}\r"));
        console.wait_for("1 of ");
    }
    // The worst is at the top.
    console.send("ggae");
    console.wait_for("(1 of 11)");
    follow_guide(&mut console, name);
    console.wait_for("PRACTICE · nothing here is real");
    console.send("\x1b");
    console.send("\x03\x03");
    assert_eq!(console.end(), 0, "{name}");
    console.wait_for("PRACTICE: nothing of this was real.");
    console.wait_for(&format!("{name}: solved, 100 of 100 points"));

    let results = results(&folder.join("state"));
    let [result] = results.as_slice() else { panic!("{name}: {results:?}") };
    assert_eq!((&result["drill"], &result["solved"]), (&name.into(), &true.into()));
    assert_eq!((&result["points"], &result["hints"]), (&100.into(), &0.into()));
    assert_eq!(result["orders"], Value::from(kind.task.orders), "{name}");
    let mut after = tree(&folder);
    assert!(after.remove(Path::new("state/practice/results.jsonl")).is_some(), "{name}");
    after.remove(Path::new("state/practice"));
    assert_eq!(after, before, "{name} has touched something else");
}

/// Closes the page, and waits until every host has been read and the console can be armed.
fn wait_until_read(console: &mut Pty) {
    console.send("\x1b");
    let open = ["Practice: ", "not read yet", "reading ", " scan "];
    console.wait_until("every host is read", |it| open.iter().all(|word| !it.contains(word)));
    console.wait_until_quiet();
}

/// Goes on from step to step, confirms what is asked, waits for jobs, and looks once more at every
/// host, until it is solved.
fn follow_guide(console: &mut Pty, name: &str) {
    let began = Instant::now();
    let (mut last, mut sent) = (String::new(), began);
    loop {
        assert!(began.elapsed() < PATIENCE, "{name} is never solved\n{}", console.screen());
        let screen = console.screen();
        if screen.contains("solved, 100 of 100 points") {
            return;
        }
        if screen.contains("Keep as is") {
            // Nothing counts that comes faster than anybody reads.
            console.wait_until_quiet();
            console.send(&asked(&screen).unwrap_or_else(|| "y".to_owned()));
            console.wait_until("it is confirmed", |it| !it.contains("Keep as is"));
            last.clear();
        } else if screen.contains("Happened") {
            // Not before it could have been told that this was the last of it.
            console.wait_until_quiet();
            if !console.screen().contains("solved, ") {
                console.send("q");
                console.wait_until("the guide goes on", |it| !it.contains("Happened"));
            }
        } else if let Some(step) =
            step(&screen).filter(|it| *it != last || sent.elapsed() > THINKING)
        {
            console.send("\r");
            (last, sent) = (step, Instant::now());
        } else if screen.contains("The run is closed.") && last != "closed" {
            console.send("R");
            "closed".clone_into(&mut last);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The word that a card asks for.
fn asked(screen: &str) -> Option<String> {
    let line = screen.lines().find(|it| it.contains(" to go on:"))?;
    let (_, text) = line.split_once("Type ")?;
    Some(text.split_once(" to go on:")?.0.trim().to_owned())
}

/// The step of the guide that is shown, with what it is about.
fn step(screen: &str) -> Option<String> {
    let at = screen.lines().find(|it| it.contains(" of 11)"))?;
    let about = screen.lines().find(|it| it.contains("certdeck run ")).unwrap_or_default();
    Some(format!("{} {}", at.trim(), about.trim()))
}

/// Prompts in one shell, and somebody who helps from another on the same hosts.
#[test]
fn a_drill_is_solved_with_plain_prompts_and_with_help_from_another_shell() {
    let home = Home::new();
    let mut command = home.command(binary());
    command.args(["practice", "not-reloaded", "--plain"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut exports = Vec::new();
    let mut said = Vec::new();
    while exports.len() < 3 {
        let line = lines.next().unwrap();
        let export = line.trim().strip_prefix("export ").and_then(|it| it.split_once('='));
        exports.extend(export.map(|(name, value)| (name.to_owned(), value.to_owned())));
        said.push(line);
    }
    assert_eq!(said[0], "PRACTICE: nothing here is real.");
    assert!(said[2].contains("www.example.net is down"), "{said:?}");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"hint\ny\n").unwrap();
    let mut wait = |text: &str| {
        let mut before = Vec::new();
        let mut is_it = |line: &String| {
            before.push(line.clone());
            line.contains(text)
        };
        assert!(lines.by_ref().any(|it| is_it(&it)), "{text} is not in {before:#?}");
        before
    };
    wait("is there a good certificate on the host already?");
    let told = wait("Step 2: Which cause?");
    assert!(told.iter().any(|it| it == "PRACTICE: nothing here is real."), "{told:?}");
    stdin.write_all(b"y\n").unwrap();
    wait("Step 3: How wide?");

    let mut other = home.command(binary());
    other.envs(exports).args(["emergency", "--plain", "www.example.net"]);
    let mut other = other.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let answers = b"y\ny\ny\ny\nwww.example.net\ny\ny\n";
    other.stdin.take().unwrap().write_all(answers).unwrap();
    let output = other.wait_with_output().unwrap();
    let helped = shown(&output);
    assert!(output.status.success(), "{helped}");
    assert!(helped.matches("PRACTICE: nothing here is real.").count() > 5, "{helped}");

    stdin.write_all(b"n\n").unwrap();
    wait("SOLVED: all is well again");
    stdin.write_all(b"quit\n").unwrap();
    // Its folder is gone afterwards: nobody goes on with it.
    let told = wait("not-reloaded: solved, 90 of 100 points");
    assert!(told.iter().any(|it| it == "The run ends with the drill."), "{told:?}");
    assert!(child.wait().unwrap().success());

    let table = home.certdeck(&["practice", "--results"]);
    let table = shown(&table);
    assert!(table.contains("not-reloaded") && table.contains(" 90 "), "{table}");
    let json = home.certdeck(&["practice", "--results", "--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let result = &json["results"][0];
    assert_eq!((&json["schema"], &result["hints"]), (&1.into(), &1.into()));
    assert_eq!((&result["solved"], &result["wrong-moves"]), (&true.into(), &Value::Array(vec![])));
}

#[test]
fn a_forced_renewal_where_none_was_needed_costs_what_is_said() {
    let mut console = Pty::start(
        Fixture::new(),
        &[env!("CARGO_BIN_EXE_certdeck"), "practice", "not-reloaded"],
        200,
        50,
    );
    console.wait_for("Practice: not-reloaded");
    wait_until_read(&mut console);
    console.send("\x1bOQ");
    console.wait_for("Hint 1");
    console.send("\x1b");
    console.send(":arm 15m\r");
    console.wait_for("ARMED");
    console.send("ggaf");
    console.wait_for("to go on:");
    let word = asked(&console.screen()).unwrap();
    console.wait_until_quiet();
    console.send(&word);
    console.wait_for("solved, 25 of 100 points");
    console.wait_for(
        "wrong: force-renew web-ber-1/www.example.net: a good certificate lay on the disk",
    );
    console.wait_for("1 order where 0 would have done");
    console.send("\x1b\x03\x03");
    assert_eq!(console.end(), 0);
}

#[test]
fn what_chance_picks_is_the_same_again_and_has_no_name_before_its_end() {
    let home = Home::new();
    let seed = |seed: &str| {
        let mut child = home
            .command(binary())
            .args(["practice", "--plain", "--seed", seed])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Nobody answers, so that it is given up at once.
        drop(child.stdin.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", shown(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let picked = drill::picked(11).unwrap().task.name;
    let (first, second) = (seed("11"), seed("11"));
    for said in [&first, &second] {
        let (before, after) = said.split_once("PRACTICE: nothing of this was real.").unwrap();
        assert!(!before.contains(picked), "{before}");
        assert!(after.contains(&format!("{picked}: not solved, 0 of 100 points")), "{after}");
        assert!(after.contains("the same again: certdeck practice --seed 11"), "{after}");
    }
    let results = results(&home.path().join(".local/state/certdeck"));
    assert_eq!(results.len(), 2);
    assert!(results.iter().all(|it| it["drill"] == picked && it["seed"] == 11), "{results:?}");
}

#[test]
fn what_is_no_drill_is_said() {
    let home = Home::new();
    insta::assert_snapshot!(shown(&home.certdeck(&["practice", "not-relaoded"])), @r"
    -- stderr
    error: there is no drill `not-relaoded`
    hint: `certdeck practice --list` shows them
    -- exit status: 2
    ");
    insta::assert_snapshot!(shown(&home.certdeck(&["practice", "--results"])), @r"
    -- stdout
    nobody has practised here; `certdeck practice` begins
    -- exit status: 0
    ");
    let list = home.certdeck(&["practice", "--list"]);
    let list = String::from_utf8(list.stdout).unwrap();
    assert_eq!(list.lines().count(), drill::ALL.len());
    let without = home.certdeck(&["practice"]);
    assert_eq!(without.status.code(), Some(2), "{}", shown(&without));
    assert_eq!(tree(home.path()), BTreeMap::new());
}

/// The results that lie in that folder of state.
fn results(state: &Path) -> Vec<Value> {
    let text = fs::read_to_string(state.join("practice/results.jsonl")).unwrap_or_default();
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// Everything below a folder: of files, what is in them.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let below = path.strip_prefix(folder).unwrap().to_owned();
            if path.is_dir() {
                all.insert(below, Vec::new());
                open.push(path);
            } else {
                all.insert(below, fs::read(&path).unwrap_or_default());
            }
        }
    }
    all
}

/// Where clients see the trouble is not always where it is mended.
const MENDED_ELSEWHERE: &[(&str, &str)] = &[("balancer", "edge-ber-2")];
/// Most of the time is spent with waiting until somebody could have read.
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(60);
/// After so long a step that is still there wants another answer: its checks have run, say.
const THINKING: Duration = Duration::from_secs(3);
