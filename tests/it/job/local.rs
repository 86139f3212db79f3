//! The shell text, run here, in every shell that there is.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use certdeck::fleet::Fingerprint;
use certdeck::job::{Expect, Secret, State};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::{Local, request, sh};
use crate::lab::wait_for;

/// Shells that are `/bin/sh` somewhere.
const SHELLS: [&str; 5] = ["dash", "bash", "busybox", "mksh", "ksh"];

/// Runs a test in every shell.
fn in_every_shell(test: impl Fn(&Local)) {
    let mut tried = Vec::new();
    for shell in SHELLS {
        if let Some(local) = Local::new(shell) {
            eprintln!("in {shell}");
            test(&local);
            tried.push(shell);
        }
    }
    assert!(!tried.is_empty());
}

#[test]
fn a_job_runs_its_commands_until_one_fails() {
    in_every_shell(|host| {
        let job = request(&[
            &["sh", "-c", "echo one; echo err >&2; pwd; umask"],
            &["sh", "-c", "echo two; exit 3"],
            &["echo", "three"],
        ]);
        host.start(&job);
        let look = host.ended(job.op);
        assert_eq!(look.status.state, State::Done(3), "{look:?}");
        assert_eq!(look.status.command, 2);
        assert!(look.status.ended >= look.status.began && look.status.began.is_some());
        assert_eq!(
            (look.status.title.as_str(), look.status.who.as_str()),
            (&*job.title, &*job.who)
        );
        let root = host.root().display().to_string();
        let out = String::from_utf8(look.output).unwrap();
        // As a timer would have it, and not as our own files have it.
        assert_eq!(out, format!("one\nerr\n{root}\n0022\ntwo\n").replace("0022", umask(&out)));
        assert_eq!(look.status.printed, out.len() as u64);
        let mode = fs::metadata(host.job(job.op)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
        let rest = host.look(job.op, 4);
        assert_eq!(rest.output, &out.as_bytes()[4..]);
        assert_eq!(host.look(job.op, 1 << 40).output, b"");
    });
}

/// Shells write the same mask in two ways.
fn umask(out: &str) -> &str {
    let mask = out.lines().nth(3).unwrap();
    assert!(["0022", "022"].contains(&mask), "{out}");
    mask
}

#[test]
fn who_finds_the_folder_made_does_not_run_it_again() {
    in_every_shell(|host| {
        let file = host.path("count");
        let job = sh(&format!("echo x >> '{}'; sleep 0.2", file.display()));
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| host.start(&job));
            }
        });
        host.ended(job.op);
        host.start(&job);
        assert_eq!(host.ended(job.op).status.state, State::Done(0));
        assert_eq!(fs::read_to_string(file).unwrap(), "x\n");
    });
}

#[test]
fn a_start_that_was_cut_off_is_taken_up_by_the_next() {
    in_every_shell(|host| {
        // Whoever made the folder has not come further, or not much.
        for is_asked in [false, true] {
            let job = sh("echo ran");
            fs::create_dir_all(host.job(job.op)).unwrap();
            if is_asked {
                fs::write(host.job(job.op).join("request"), "").unwrap();
                fs::write(host.job(job.op).join("alive"), "").unwrap();
            }
            assert_eq!(host.look(job.op, 0).status.state, State::Starting);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| host.start(&job));
                }
            });
            assert_eq!(&*host.ended(job.op).output, b"ran\n");
        }
    });
}

#[test]
fn what_was_ruled_out_never_begins() {
    in_every_shell(|host| {
        let job = sh("echo ran");
        assert_eq!(host.look(job.op, 0).status.state, State::Absent);
        assert_eq!(host.void(job.op).status.state, State::Void);
        assert_eq!(host.start(&job).status.state, State::Void);
        assert_eq!(host.look(job.op, 0).output, b"");
        // And what has begun cannot be ruled out.
        let job = sh("sleep 0.3; echo ran");
        host.start(&job);
        assert_eq!(host.void(job.op).status.state, State::Running);
        let look = host.ended(job.op);
        assert_eq!((look.status.state, &*look.output), (State::Done(0), &b"ran\n"[..]));
    });
}

#[test]
fn a_start_and_a_ruling_at_once_agree() {
    in_every_shell(|host| {
        let mut seen = [0, 0];
        for _ in 0..6 {
            let job = sh("echo ran");
            std::thread::scope(|scope| {
                scope.spawn(|| host.start(&job));
                scope.spawn(|| host.void(job.op));
            });
            let look = host.ended(job.op);
            match look.status.state {
                State::Void => assert_eq!(look.output, b""),
                State::Done(0) => assert_eq!(look.output, b"ran\n"),
                other => panic!("{other:?}"),
            }
            seen[usize::from(look.status.state == State::Void)] += 1;
        }
        eprintln!("{} began, {} did not", seen[0], seen[1]);
    });
}

#[test]
fn one_lock_one_job() {
    in_every_shell(|host| {
        let mut first = sh("sleep 1");
        first.lock = "/etc/letsencrypt/www".to_owned();
        host.start(&first);
        wait_for("the first", || host.look(first.op, 0).status.state == State::Running);
        let mut second = sh("echo ran");
        second.lock.clone_from(&first.lock);
        host.start(&second);
        match host.ended(second.op).status.state {
            State::Busy { holder, since } => {
                assert_eq!(holder.as_str(), "anna@laptop: force-renew www.example.com");
                assert_eq!(since, host.look(first.op, 0).status.began);
            }
            other => panic!("{other:?}"),
        }
        let other = sh("echo ran");
        host.start(&other);
        assert_eq!(host.ended(other.op).status.state, State::Done(0));
        assert_eq!(host.ended(first.op).status.state, State::Done(0));
        let mut third = sh("echo ran");
        third.lock.clone_from(&first.lock);
        host.start(&third);
        assert_eq!(host.ended(third.op).status.state, State::Done(0));
    });
}

#[test]
fn the_certificate_must_be_the_one_that_was_seen() {
    in_every_shell(|host| {
        let file = host.path("cert.pem");
        let pem = |text: &[u8]| {
            use base64::Engine as _;
            let body = base64::engine::general_purpose::STANDARD.encode(text);
            let lines: Vec<_> = body.as_bytes().chunks(64).collect();
            let body = lines.join(&b"\r\n"[..]);
            let body = String::from_utf8(body).unwrap();
            format!(
                "words\r\n-----BEGIN CERTIFICATE-----\r\n{body}\r\n-----END CERTIFICATE-----\r\n"
            )
        };
        let (old, new) = ([b'o'; 300], [b'n'; 300]);
        let run = |expect: Expect, text: &str| {
            let mut job = sh(text);
            job.leaf = Some(file.display().to_string());
            job.expect = expect;
            host.start(&job);
            host.ended(job.op).status
        };
        let write = |text: &[u8]| fs::write(&file, pem(text) + &pem(b"chain")).unwrap();

        assert_eq!(run(Expect::Leaf(Fingerprint::of(&old)), "echo").state, State::Stale);
        assert_eq!(run(Expect::Missing, "echo").state, State::Done(0));
        write(&old);
        assert_eq!(run(Expect::Missing, "echo").state, State::Stale);
        assert_eq!(run(Expect::Leaf(Fingerprint::of(&new)), "echo").state, State::Stale);
        let other = host.path("new.pem");
        fs::write(&other, pem(&new)).unwrap();
        let copy = format!("cat '{}' > '{}'", other.display(), file.display());
        let status = run(Expect::Leaf(Fingerprint::of(&old)), &copy);
        assert_eq!(status.state, State::Done(0));
        assert_eq!(status.before, Some(Fingerprint::of(&old)));
        assert_eq!(status.after, Some(Fingerprint::of(&new)));
        fs::write(&file, "no certificate").unwrap();
        let status = run(Expect::Anything, "echo");
        assert_eq!((status.state, status.before), (State::Done(0), None));
    });
}

#[test]
fn output_is_capped_and_what_prints_goes_on() {
    in_every_shell(|host| {
        let job = sh("echo first; head -c 9000000 /dev/zero | tr '\\0' x; echo; echo last; exit 5");
        host.start(&job);
        let look = host.ended(job.op);
        assert_eq!(look.status.state, State::Done(5));
        assert!(look.status.is_cut);
        // As much as the audit log keeps of an output.
        assert!((900 << 10..=1 << 20).contains(&look.status.printed), "{}", look.status.printed);
        assert_eq!(look.output.len(), certdeck::job::OUTPUT_BYTES);
        assert!(look.output.starts_with(b"first\nxxx"));
        let end = host.look(job.op, look.status.printed - 65536 - 50).output;
        let end = [end, host.look(job.op, look.status.printed - 50).output].concat();
        let end = String::from_utf8(end).unwrap();
        assert!(
            end.contains("x\n[certdeck: what was printed here is not kept]\nxxx"),
            "{end:.200}"
        );
        assert!(end.ends_with("xxx\nlast\n"));
    });
}

#[test]
fn a_daemon_that_keeps_stdout_open_keeps_nothing_else() {
    in_every_shell(|host| {
        let go = host.path("go");
        let mut job = sh(&format!(
            "(until [ -e '{0}' ]; do sleep 0.05; done; echo late; echo alive > '{0}.said') & echo started",
            go.display()
        ));
        job.lock = "shared".to_owned();
        let begin = Instant::now();
        host.start(&job);
        let look = host.ended(job.op);
        assert_eq!((look.status.state, &*look.output), (State::Done(0), &b"started\n"[..]));
        assert!(begin.elapsed() < Duration::from_secs(9));
        // Neither the lock of the lineage nor that of the job is held by the daemon.
        let mut next = sh("echo next");
        next.lock.clone_from(&job.lock);
        host.start(&next);
        assert_eq!(host.ended(next.op).status.state, State::Done(0));
        // And it can still print.
        fs::write(&go, "").unwrap();
        wait_for("the daemon", || fs::metadata(host.path("go.said")).is_ok_and(|it| it.len() > 0));
        wait_for("its words", || host.look(job.op, 8).output == b"late\n");
    });
}

#[test]
fn a_stop_is_a_sigterm_that_lets_the_command_clean_up() {
    in_every_shell(|host| {
        let job = request(&[
            &[
                "sh",
                "-c",
                "trap 'sleep 0.3; echo undone; exit 9' TERM; echo begin; while :; do sleep 0.05; done",
            ],
            &["echo", "second"],
        ]);
        host.start(&job);
        wait_for("output", || host.look(job.op, 0).output == b"begin\n");
        let look = host.stop(job.op);
        assert!(look.status.is_stopped);
        let look = host.ended(job.op);
        assert_eq!(look.status.state, State::Done(9), "{look:?}");
        // Some shells tell of their `sleep` in between.
        assert!(look.output.ends_with(b"undone\n"), "{look:?}");
        assert!(look.status.is_stopped);
        // One that does not listen ends by the signal.
        let job = request(&[&["sleep", "30"], &["echo", "second"]]);
        host.start(&job);
        wait_for("it", || host.look(job.op, 0).status.state == State::Running);
        host.stop(job.op);
        let look = host.ended(job.op);
        assert_eq!(look.status.state, State::Done(143));
        assert!(!look.output.ends_with(b"second\n"), "{look:?}");
        // One that has not begun never will, and one that has ended stays as it is.
        let job = sh("echo ran");
        assert_eq!(host.stop(job.op).status.state, State::Absent);
        host.start(&job);
        assert_eq!(host.ended(job.op).status.state, State::Done(0));
        assert_eq!(host.stop(job.op).status.state, State::Done(0));
    });
}

#[test]
fn signals_that_end_others_do_not_end_a_job() {
    in_every_shell(|host| {
        let job = sh("sleep 0.5; echo through");
        host.start(&job);
        wait_for("it", || host.look(job.op, 0).status.state == State::Running);
        let pid = runner_of(host, job.op);
        for signal in ["HUP", "PIPE", "TERM"] {
            let status = Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
            assert!(status.success());
        }
        let look = host.ended(job.op);
        assert_eq!((look.status.state, &*look.output), (State::Done(0), &b"through\n"[..]));
    });
}

fn runner_of(host: &Local, op: Uuid) -> String {
    let status = fs::read_to_string(host.job(op).join("status")).unwrap();
    status.lines().find_map(|it| it.strip_prefix("pid ")).unwrap().to_owned()
}

#[test]
fn interrupted_and_rebooted_are_told_from_done() {
    in_every_shell(|host| {
        let kill = |what: &str| {
            let status = Command::new("kill").args(["-s", "KILL", "--", what]).status().unwrap();
            assert!(status.success());
        };
        let mut job = sh("sleep 30");
        job.input = Some(Secret::new("a private key\n".to_owned().into()));
        let input = host.job(job.op).join("input");
        host.start(&job);
        wait_for("it", || host.look(job.op, 0).status.state == State::Running);
        let pid = runner_of(host, job.op);
        // The runner alone: its command goes on, with what it was given.
        kill(&pid);
        assert_eq!(host.look(job.op, 0).status.state, State::Running);
        assert!(input.exists());
        kill(&format!("-{pid}"));
        wait_for("its end", || {
            host.look(job.op, 0).status.state == State::Interrupted { is_rebooted: false }
        });
        assert!(!input.exists(), "what it was given is still there");
        host.boot("boot-2");
        let state = host.look(job.op, 0).status.state;
        assert_eq!(state, State::Interrupted { is_rebooted: true });
        // What had ended before stays so.
        let job = sh("echo");
        host.start(&job);
        host.ended(job.op);
        host.boot("boot-3");
        assert_eq!(host.look(job.op, 0).status.state, State::Done(0));
    });
}

#[test]
fn jobs_are_listed_and_cleaned_but_those_that_run() {
    in_every_shell(|host| {
        let (old, new, running) = (sh("echo a"), sh("echo b"), sh("sleep 1"));
        for job in [&old, &new, &running] {
            host.start(job);
        }
        host.ended(old.op);
        host.ended(new.op);
        fs::create_dir(host.job(old.op).with_file_name("no-job")).unwrap();
        let list = host.list();
        let ops: Vec<_> = list.iter().map(|it| it.op).collect();
        assert_eq!(ops, [running.op, new.op, old.op]);
        assert_eq!(list[2].status.state, State::Done(0));
        assert_eq!(list[2].status.printed, 2);
        let mut removed = Vec::new();
        // Its runner may be there for a moment after it has told the end.
        wait_for("the old one to go", || {
            removed = host.clean(&[old.op, running.op, Uuid::now_v7()]);
            !removed.is_empty()
        });
        assert_eq!(removed, [old.op]);
        assert!(!host.job(old.op).exists());
        assert_eq!(host.ended(running.op).status.state, State::Done(0));
        assert_eq!(host.list().len(), 2);
    });
}

#[test]
fn what_a_host_lacks_is_said() {
    let Some(host) = Local::new("dash") else { return };
    for program in ["cat", "id", "head", "sed", "tail", "wc", "mkdir", "date", "sync", "mv", "rm"] {
        symlink(format!("/bin/{program}"), host.path("bin").join(program)).ok();
    }
    // The prelude adds the usual folders to the path, so what is missing is missing by a lie.
    let job = sh("echo ran");
    let nonce = super::nonce();
    let script = certdeck::job::start(&job, &nonce)
        .replace("command -v $program", "[ $program != flock ] && [ $program != setsid ]");
    let look = certdeck::job::read(&host.run(&script), &nonce).unwrap();
    assert_eq!(look.status.state, State::Impossible("it lacks flock setsid".into_safe()));
    assert_eq!(host.look(job.op, 0).status.state, State::Absent);
    // A folder where nothing can be made.
    fs::create_dir_all(host.root().join("var/lib")).unwrap();
    fs::write(host.root().join("var/lib/certdeck"), "").unwrap();
    let State::Impossible(words) = host.start(&job).status.state else { panic!() };
    assert!(words.as_str().contains("cannot make a folder"), "{words}");
}

trait IntoSafe {
    fn into_safe(self) -> certdeck::text::SafeText;
}

impl IntoSafe for &str {
    fn into_safe(self) -> certdeck::text::SafeText {
        certdeck::text::SafeText::new(self)
    }
}

/// dash drops a byte after what begins a line as the end of a text does.
#[test]
fn a_line_may_begin_with_anything() {
    let letters: String = ('a'..='z').flat_map(|it| [it, '\u{e4}', '\n']).collect();
    for (host, shell) in SHELLS.iter().filter_map(|it| Some((Local::new(it)?, it))) {
        for text in ["\ne\u{e4}\nend-\u{168ac}\n", &format!("\n{letters}")] {
            let job = request(&[&["printf", "%s", text]]);
            host.start(&job);
            let output = host.ended(job.op).output;
            assert_eq!(String::from_utf8_lossy(&output), text, "{shell}");
        }
    }
}

#[test]
fn any_words_arrive_as_they_are() {
    let shells: Vec<Local> = SHELLS.iter().filter_map(|it| Local::new(it)).collect();
    for host in &shells {
        let text = "#!/bin/sh\nfor it; do printf '<%s>' \"$it\"; done; printf '\\n'\n\
                    env -0 | grep -z '^X' | sort -z\n";
        fs::write(host.path("show"), text).unwrap();
        fs::set_permissions(host.path("show"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let word = || "[^\0]{0,12}";
    let env = prop::collection::btree_map("X[A-Za-z0-9_]{0,8}", word(), 0..4);
    let argv = prop::collection::vec(word(), 0..12);
    let commands = prop::collection::vec((env, argv), 1..20);
    let mut runner = TestRunner::new(Config { cases: 3, ..Config::default() });
    let checked = runner.run(&commands, |commands| {
        for host in &shells {
            let mut job = request(&[]);
            let mut expect = String::new();
            for (env, argv) in &commands {
                let mut words = vec![host.path("show").display().to_string()];
                words.extend(argv.iter().cloned());
                for word in argv {
                    write!(expect, "<{word}>").unwrap();
                }
                expect.push('\n');
                // A map has its names in the order of their bytes, as `sort` has them under LC_ALL=C.
                let mut lines: Vec<_> = env.iter().map(|(n, v)| format!("{n}={v}\0")).collect();
                lines.sort();
                expect.extend(lines);
                job.commands.push((env.clone().into_iter().collect(), words));
            }
            host.start(&job);
            let look = host.ended(job.op);
            prop_assert_eq!(String::from_utf8_lossy(&look.output), expect);
        }
        Ok(())
    });
    checked.unwrap();
}
