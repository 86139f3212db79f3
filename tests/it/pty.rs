//! The console in a real terminal: it starts, and however it ends, the terminal is as it was.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn it_starts_resizes_and_quits() {
    let mut console = Pty::console(80, 24);
    console.wait_for("2 hosts");
    for (columns, rows) in [(1, 1), (500, 200), (59, 14), (60, 14), (120, 36), (80, 24)] {
        console.resize(columns, rows);
    }
    console.wait_for("q quit");
    console.send("?");
    console.wait_for("Help");
    console.send("\x1b");
    console.send("q");
    assert_eq!(console.end(), 0);
    console.check_restored();
}

#[test]
fn the_worst_cause_is_read_without_a_key_and_mended_with_three() {
    let mut console = Pty::demo(80, 24);
    console.wait_for("expired  edge-ams-1/legacy.example.org: expired");
    console.wait_for("cause   The last renewal failed: legacy.example.org is not in the DNS");
    console.wait_for("first   dry-run edge-ams-1/legacy.example.org");
    console.send("f");
    console.wait_for("CAUSE");
    console.send("\r");
    console.wait_for("What would mend it, the cheapest and safest first");
    console.send("\r");
    console.wait_for("Undo");
    console.send("\x1b");
    console.send("\x03\x03");
    assert_eq!(console.end(), 0);
    console.check_restored();
}

/// The guide, on the practice fleet: from the first look to the proof, and to what keeps it from
/// coming back.
#[test]
fn keys_alone_lead_from_the_first_look_to_the_proof() {
    let mut console = Pty::demo(120, 40);
    console.wait_for("read ");
    console.send("/web-lhr-1/tickets.example.com\r");
    console.wait_for("1 of ");
    console.send(":arm 15m\r");
    console.wait_for("ARMED");
    console.send("ae");
    console.wait_for("YES:");
    for step in ["Which cause?  (2", "How wide?  (3", "Repair without an order  (4"] {
        console.send("\r");
        console.wait_for(step);
    }
    console.wait_for("certdeck run reload web-lhr-1/tickets.example.com");
    console.send("\r");
    console.wait_for("Keep as is");
    // Nothing counts that comes faster than anybody reads.
    console.wait_until_quiet();
    console.send("tickets.example.com");
    console.wait_for("Happened");
    console.wait_for("Audit");
    console.send("q");
    console.wait_for("Proof on every node  (9");
    console.wait_for("PROVEN");
    console.send("\r");
    console.wait_until("what is next", |it| it.contains("(10 of") || it.contains("(11 of"));
    while console.screen().contains("(10 of") {
        console.send("s");
        console.wait_for("Skip it, why?");
        console.send("tomorrow\r");
        console.wait_until("the next", |it| !it.contains("Skip it, why?"));
    }
    console.wait_for("Done and proven on the wire.");
    console.send("\r");
    console.wait_for("The run is closed.");
    console.wait_for("PRACTICE · nothing here is real");
    console.send("\x03\x03");
    assert_eq!(console.end(), 0);
    console.check_restored();
}

#[test]
fn pasted_text_is_no_key() {
    let mut console = Pty::console(80, 24);
    console.wait_for("2 hosts");
    let text = "q\r\x03y".repeat(250_000);
    console.send(&format!("\x1b[200~{text}\x1b[201~"));
    console.wait_for("pasted text is no command");
    console.send("q");
    assert_eq!(console.end(), 0);
    console.check_restored();
}

#[test]
fn ctrl_c_twice_leaves_from_anywhere() {
    let mut console = Pty::console(80, 24);
    console.wait_for("2 hosts");
    console.send("/web");
    console.wait_for("1 of 2");
    console.send("\x03");
    console.wait_for("again within a second");
    console.send("\x03");
    assert_eq!(console.end(), 0);
    console.check_restored();
}

#[test]
fn signals_end_it_in_order() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let mut console = Pty::console(80, 24);
        console.wait_for("2 hosts");
        kill_process(console.pid(), signal).unwrap();
        assert_eq!(i32::try_from(console.end()).unwrap(), 128 + signal.as_raw());
        console.check_restored();
    }
}

#[test]
#[cfg(debug_assertions)]
fn a_panic_is_read_in_a_usable_terminal() {
    let mut console = Pty::console(80, 24);
    console.wait_for("2 hosts");
    console.send(":panic");
    console.wait_for("fall over");
    console.send("\r");
    assert_eq!(console.end(), 101);
    console.wait_for("asked for in the palette");
    console.check_restored();
}

#[test]
fn it_can_be_suspended() {
    let fixture = Fixture::new();
    let script = format!(
        "set -m; {} --inventory {}; echo STOPPED; read -r line; fg; echo ENDED $?",
        env!("CARGO_BIN_EXE_certdeck"),
        fixture.inventory().display()
    );
    let mut shell = Pty::start(fixture, &["bash", "--norc", "-c", &script], 80, 24);
    shell.wait_for("2 hosts");
    shell.send("\x1a");
    shell.wait_for("STOPPED");
    shell.check_restored();
    shell.send("\n");
    shell.wait_for("2 hosts");
    shell.send("q");
    shell.wait_for("ENDED 0");
    assert_eq!(shell.end(), 0);
    shell.check_restored();
}

#[test]
fn without_a_shell_it_is_not_suspended() {
    let mut console = Pty::console(80, 24);
    console.wait_for("2 hosts");
    console.send("\x1a");
    console.wait_for("no shell to come back from");
    console.send("q");
    assert_eq!(console.end(), 0);
}

#[test]
fn an_editor_has_the_terminal_to_itself() {
    let fixture = Fixture::new();
    fixture
        .write("editor", "#!/bin/sh\necho READY $1\nread -r line\necho GOT $line\nread -r line\n");
    let mut console = Pty::of(fixture, 80, 24);
    console.wait_for("2 hosts");
    console.send("e");
    console.wait_for("READY /");
    console.send("jjq\r");
    console.wait_for("GOT jjq");
    console.send("\r");
    console.wait_for("the inventory was read again");
    console.send("q");
    assert_eq!(console.end(), 0);
    console.check_restored();
}

#[test]
fn a_vanished_terminal_ends_it() {
    let mut console = Pty::console(80, 24);
    console.wait_for("2 hosts");
    let pid = console.pid();
    console.vanish();
    wait_until("the console is gone", Duration::from_secs(2), || !is_alive(pid));
}

#[test]
fn a_vanished_terminal_ends_it_without_a_signal() {
    let fixture = Fixture::new();
    let inventory = fixture.inventory();
    let script = format!(
        "trap '' HUP; {} --inventory {}; true",
        env!("CARGO_BIN_EXE_certdeck"),
        inventory.display()
    );
    let mut shell = Pty::start(fixture, &["bash", "--norc", "-c", &script], 80, 24);
    shell.wait_for("2 hosts");
    let pid = child_of(shell.pid());
    shell.vanish();
    wait_until("the console is gone", Duration::from_secs(2), || !is_alive(pid));
}

/// The practice fleet is in memory that nobody else would give back.
#[test]
fn nothing_of_a_practice_fleet_outlives_a_vanished_terminal() {
    let mut console = Pty::demo(80, 24);
    console.wait_for("q quit");
    let pid = console.pid();
    let own = format!("certdeck-practice-{}-", pid.as_raw_nonzero());
    let folders = || -> Vec<_> {
        let places = [Path::new("/dev/shm").to_owned(), std::env::temp_dir()];
        let entries = places.iter().filter_map(|it| fs::read_dir(it).ok()).flatten().flatten();
        entries.filter(|it| it.file_name().to_string_lossy().starts_with(&own)).collect()
    };
    assert_eq!(folders().len(), 1);
    console.vanish();
    wait_until("the console is gone", PATIENCE, || !is_alive(pid));
    assert!(folders().is_empty());
}

/// The hand-over is in a file, and its status on its way to the clipboard of whoever sits there.
#[test]
fn a_hand_over_is_written_and_its_status_copied() {
    let fixture = Fixture::new();
    let state = fixture.folder.path().join("state");
    let mut console = Pty::of(fixture, 100, 30);
    console.wait_for("2 hosts");
    console.wait_until_quiet();
    console.send("i");
    console.wait_for("Copied, to be pasted into a chat:");
    let files = fs::read_dir(&state).unwrap().map(|it| it.unwrap().path());
    let name = |it: &Path| it.file_name().unwrap().to_string_lossy().into_owned();
    let written: Vec<_> = files.filter(|it| name(it).starts_with("hand-over-")).collect();
    let text = fs::read_to_string(&written[0]).unwrap();
    assert!(text.starts_with("# Hand-over, ") && text.contains("## Open points"), "{text}");
    let copied = fs::read_to_string(state.join("copied")).unwrap();
    assert!(copied.starts_with("certdeck: nothing was changed"), "{copied}");
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &copied);
    wait_until("it is offered to the clipboard", PATIENCE, || {
        let bytes = console.shown.lock().unwrap().bytes.clone();
        String::from_utf8_lossy(&bytes).contains(&format!("\x1b]52;c;{encoded}\x07"))
    });
    let path = state.join("mine.md");
    console.send("\x1b");
    console.send(&format!(":incident 3h {}\r", path.display()));
    console.wait_for("mine.md");
    console.send("\x1b");
    // What somebody else has written is never overwritten.
    console.send(&format!(":incident 3h {}\r", path.display()));
    console.wait_for("no hand-over was written");
    console.send("q");
    assert_eq!(console.end(), 0);
    console.check_restored();
}

/// What failed half an hour ago and is not made good calls somebody who does not look.
#[test]
fn an_incident_that_goes_on_rings() {
    for (bell, expect) in [
        ("osc9", "\x1b]9;certdeck: 31m and not over: call for help\x1b\\\x07"),
        ("osc777", "\x1b]777;notify;certdeck;31m and not over: call for help\x1b\\\x07"),
        ("off", ""),
    ] {
        let fixture = Fixture::new();
        let folder = fixture.folder.path();
        fs::create_dir_all(folder.join("config")).unwrap();
        fs::write(folder.join("config/config.toml"), format!("bell = '{bell}'\n")).unwrap();
        let clock = certdeck::clock::Clock::default();
        let before = certdeck::clock::Clock::fixed(clock.now().plus(-31 * 60 - 20));
        let mut log = certdeck::audit::Log::open(&folder.join("state"), before).unwrap();
        let body = |it: serde_json::Value| it.as_object().unwrap().clone();
        let intent = serde_json::json!({"action": "renew", "host": "web-01", "lineage": "a.test"});
        let permit = log.intent(&body(intent)).unwrap();
        let failed = serde_json::json!({"ending": "failed", "summary": "the hook \u{1b}]9;x\u{7}"});
        log.outcome(permit, &body(failed)).unwrap();
        let mut console = Pty::of(fixture, 100, 30);
        console.wait_for("31m and not over: call for help");
        console.wait_for("the hook ^[]9,x^G".replace(',', ";").as_str());
        console.wait_until_quiet();
        let bytes = console.shown.lock().unwrap().bytes.clone();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains(expect), "{bell}");
        let is_rung =
            text.contains("\x1b]9;") || text.contains("\x1b]777;") || text.contains('\x07');
        assert_eq!(is_rung, bell != "off", "{bell}");
        console.send("\x1b");
        console.send("q");
        assert_eq!(console.end(), 0);
        console.check_restored();
    }
}

#[test]
fn it_does_nothing_while_nothing_happens() {
    let mut console = Pty::console(120, 36);
    console.wait_for("2 hosts");
    console.wait_for("refused");
    console.wait_for("s ago ");
    console.wait_until_quiet();
    let (bytes, ticks) = (console.written(), ticks(console.pid()));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(console.written() - bytes, 0, "bytes in five seconds");
    assert_eq!(self::ticks(console.pid()) - ticks, 0, "ticks in five seconds");
    console.send("q");
    assert_eq!(console.end(), 0);
}

#[test]
fn without_a_terminal_it_does_not_start() {
    let fixture = Fixture::new();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_certdeck"))
        .arg("--inventory")
        .arg(fixture.inventory())
        .envs(fixture.environment())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(talk.contains("the console needs a terminal"), "{talk}");
}

/// Two hosts that refuse, and folders of their own.
pub(crate) struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["state", "config", "run", "home"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let fixture = Self { folder };
        let host = |name: &str| {
            format!(
                "[[host]]\nname = '{name}'\naddress = '127.0.0.1'\nport = 1\n\n  \
                 [[host.source]]\n  kind = 'pem'\n  paths = ['/etc/ssl/certs/no-such-*.pem']\n\n"
            )
        };
        fixture.write("inventory.toml", &(host("web-1") + &host("db-1")));
        fixture
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn inventory(&self) -> std::path::PathBuf {
        self.folder.path().join("inventory.toml")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn environment(&self) -> BTreeMap<&'static str, String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        BTreeMap::from([
            ("CERTDECK_STATE_DIR", path("state")),
            ("CERTDECK_CONFIG_DIR", path("config")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("HOME", path("home")),
            ("TERM", "xterm-256color".to_owned()),
            ("EDITOR", path("editor")),
            ("VISUAL", path("editor")),
        ])
    }
}

/// A program in a terminal of its own, which ends with this.
pub(crate) struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    keyboard: Option<Box<dyn Write + Send>>,
    reader: Option<JoinHandle<()>>,
    shown: Arc<Mutex<Shown>>,
    is_vanishing: Arc<AtomicBool>,
    modes: String,
    _fixture: Fixture,
}

/// What came from the program so far.
struct Shown {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

impl Pty {
    fn console(columns: u16, rows: u16) -> Self {
        Self::of(Fixture::new(), columns, rows)
    }

    /// The console on the practice fleet.
    fn demo(columns: u16, rows: u16) -> Self {
        Self::start(Fixture::new(), &[env!("CARGO_BIN_EXE_certdeck"), "demo"], columns, rows)
    }

    pub(crate) fn of(fixture: Fixture, columns: u16, rows: u16) -> Self {
        let inventory = fixture.inventory().display().to_string();
        let program = env!("CARGO_BIN_EXE_certdeck");
        Self::start(fixture, &[program, "--inventory", &inventory], columns, rows)
    }

    /// The program in another environment than that of the fixture.
    pub(crate) fn with(words: &[&str], environment: &[(String, String)]) -> Self {
        let words = [&[env!("CARGO_BIN_EXE_certdeck")], words].concat();
        Self::start_in(Fixture::new(), &words, environment, (120, 48))
    }

    pub(crate) fn start(fixture: Fixture, words: &[&str], cols: u16, rows: u16) -> Self {
        Self::start_in(fixture, words, &[], (cols, rows))
    }

    fn start_in(
        fixture: Fixture,
        words: &[&str],
        environment: &[(String, String)],
        (cols, rows): (u16, u16),
    ) -> Self {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::from_argv(words.iter().map(Into::into).collect());
        for (name, value) in fixture.environment() {
            command.env(name, value);
        }
        for (name, value) in environment {
            command.env(name, value);
        }
        // A backtrace would push the message of a panic off the screen.
        command.env_remove("RUST_BACKTRACE");
        let modes = format!("{:?}", pair.master.get_termios());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);

        let screen = vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0);
        let shown = Arc::new(Mutex::new(Shown { screen, bytes: Vec::new() }));
        let is_vanishing = Arc::new(AtomicBool::new(false));
        let mut from = pair.master.try_clone_reader().unwrap();
        let (sink, stop) = (Arc::clone(&shown), Arc::clone(&is_vanishing));
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                let mut shown = sink.lock().unwrap();
                shown.screen.process(&buffer[..read]);
                shown.bytes.extend_from_slice(&buffer[..read]);
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let keyboard = Some(pair.master.take_writer().unwrap());
        Self {
            child,
            keyboard,
            master: Some(pair.master),
            reader: Some(reader),
            shown,
            is_vanishing,
            modes,
            _fixture: fixture,
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.process_id().unwrap()).unwrap()).unwrap()
    }

    pub(crate) fn send(&mut self, keys: &str) {
        self.keyboard.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&self, cols: u16, rows: u16) {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().unwrap().resize(size).unwrap();
        let (rows, cols) = (rows.try_into().unwrap(), cols.try_into().unwrap());
        self.shown.lock().unwrap().screen.screen_mut().set_size(rows, cols);
    }

    pub(crate) fn screen(&self) -> String {
        self.shown.lock().unwrap().screen.screen().contents()
    }

    fn written(&self) -> usize {
        self.shown.lock().unwrap().bytes.len()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let began = Instant::now();
        while !is_so(&self.screen()) {
            assert!(began.elapsed() < PATIENCE, "never: {what}\n{}", self.screen());
            std::thread::sleep(STEP);
        }
    }

    /// Waits until nothing was written for half a second.
    pub(crate) fn wait_until_quiet(&self) {
        let began = Instant::now();
        let mut last = (Instant::now(), self.written());
        while last.0.elapsed() < Duration::from_millis(500) {
            assert!(began.elapsed() < PATIENCE, "it never is quiet");
            std::thread::sleep(STEP);
            if self.written() != last.1 {
                last = (Instant::now(), self.written());
            }
        }
    }

    /// The exit code, once it has ended.
    #[track_caller]
    pub(crate) fn end(&mut self) -> u32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(began.elapsed() < PATIENCE, "it does not end\n{}", self.screen());
            std::thread::sleep(STEP);
        }
    }

    /// Takes the terminal away.
    fn vanish(&mut self) {
        self.is_vanishing.store(true, Ordering::SeqCst);
        // Something to read, so that the reader sees that it is to end.
        self.send("\x0c");
        self.reader.take().unwrap().join().unwrap();
        self.keyboard = None;
        self.master = None;
    }

    /// Every mode that was set is reset, and lines are read as before.
    #[track_caller]
    fn check_restored(&self) {
        let modes = || format!("{:?}", self.master.as_ref().unwrap().get_termios());
        wait_until("the terminal is as before", PATIENCE, || modes() == self.modes);
        // All are off in a fresh terminal, but for the cursor.
        let is_fresh = |(mode, is_set): (&String, &bool)| *is_set == (mode == "25");
        wait_until("every mode is reset", PATIENCE, || {
            let states = private_modes(&self.shown.lock().unwrap().bytes);
            states.len() >= 5 && states.iter().all(is_fresh)
        });
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The last state of every private mode that was switched.
fn private_modes(bytes: &[u8]) -> BTreeMap<String, bool> {
    let text = String::from_utf8_lossy(bytes);
    let mut states = BTreeMap::new();
    for part in text.split("\x1b[?").skip(1) {
        let number: String = part.chars().take_while(char::is_ascii_digit).collect();
        match part[number.len()..].chars().next() {
            Some('h') => states.insert(number, true),
            Some('l') => states.insert(number, false),
            _ => None,
        };
    }
    states
}

/// Processor time of a process, in ticks.
fn ticks(pid: Pid) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // proc(5): utime and stime are fields 14 and 15; the second field ends with the parenthesis.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|it| !it.contains(") Z "))
}

fn child_of(parent: Pid) -> Pid {
    let parent = parent.as_raw_nonzero();
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(Path::new(&path)).unwrap();
    let first = children.split_whitespace().next().unwrap().parse().unwrap();
    Pid::from_raw(first).unwrap()
}

#[track_caller]
fn wait_until(what: &str, patience: Duration, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < patience, "never: {what}");
        std::thread::sleep(STEP);
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(10);
