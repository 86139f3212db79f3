//! A process that writes to the log: this test binary again, so that the product needs no door
//! for tests.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

use super::body;

/// The name of the test that is the process, and of the variable that says where it writes.
const TEST: &str = "audit::writer::writes_and_says_what_is_on_record";
const FOLDER: &str = "CERTDECK_TEST_AUDIT_FOLDER";
const APPENDS: &str = "CERTDECK_TEST_AUDIT_APPENDS";

/// A process that waits, writes, and acknowledges.
pub(super) struct Writer {
    child: Child,
    stdin: Option<ChildStdin>,
    /// The thread that writes.
    pub(super) thread: u32,
    out: BufReader<std::process::ChildStdout>,
}

impl Writer {
    /// Starts one that will write so many records, each an intent.
    pub(super) fn start(state: &Path, appends: usize) -> Self {
        Self::with(state, appends, &[])
    }

    /// The same, below another program.
    pub(super) fn with(state: &Path, appends: usize, program: &[&str]) -> Self {
        let itself = std::env::current_exe().unwrap();
        let mut words = program.iter().map(std::ffi::OsStr::new).chain([itself.as_os_str()]);
        let mut child = Command::new(words.next().unwrap())
            .args(words)
            .args([TEST, "--exact", "--nocapture", "--quiet"])
            .env(FOLDER, state)
            .env(APPENDS, appends.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut thread = None;
        let mut line = String::new();
        while thread.is_none() {
            line.clear();
            assert!(out.read_line(&mut line).unwrap() > 0, "the writer did not start");
            thread = line.trim().strip_prefix("thread ").map(|it| it.parse().unwrap());
        }
        let stdin = child.stdin.take();
        Self { child, stdin, thread: thread.unwrap(), out }
    }

    /// Lets it write.
    pub(super) fn go(&mut self) {
        // It may be dead already.
        self.stdin.take().unwrap().write_all(b"go").ok();
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for its end: what it has acknowledged, and what it has said of refusals.
    pub(super) fn finish(mut self) -> (Vec<u64>, Vec<String>) {
        drop(self.stdin.take());
        let mut text = Vec::new();
        self.out.read_to_end(&mut text).unwrap();
        self.child.wait().unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let said = |what: &str| {
            let lines = text.lines().filter_map(|it| it.strip_prefix(what).map(str::to_owned));
            lines.collect::<Vec<_>>()
        };
        let seqs = said("acknowledged ");
        (seqs.iter().map(|it| it.parse().unwrap()).collect(), said("refused "))
    }
}

#[test]
fn writes_and_says_what_is_on_record() {
    let Some(state) = std::env::var_os(FOLDER) else {
        let state = TempDir::new().unwrap();
        let mut writer = Writer::start(state.path(), 3);
        writer.go();
        // The first record of the log is before them.
        assert_eq!(writer.finish(), (vec![2, 3, 4], Vec::new()));
        return;
    };
    let appends: usize = std::env::var(APPENDS).unwrap().parse().unwrap();
    let (say, said) = std::sync::mpsc::channel::<String>();
    // Only this thread is watched and disturbed, so it does nothing but write.
    let writing = std::thread::spawn(move || {
        let itself = fs::read_link("/proc/thread-self").unwrap();
        say.send(format!("thread {}", itself.file_name().unwrap().display())).unwrap();
        io::stdin().read_exact(&mut [0; 2]).unwrap();
        let mut log = match certdeck::audit::Log::open(Path::new(&state), Default::default()) {
            Ok(log) => log,
            Err(error) => return say.send(format!("refused {error}")).unwrap(),
        };
        for _ in 0..appends {
            let written = log.intent(&body("web-01")).map(|it| it.seq());
            let line = match written {
                Ok(seq) => {
                    // Seen by whoever looks at system calls, in their order.
                    fs::symlink_metadata(format!("/acknowledged/{seq}")).ok();
                    format!("acknowledged {seq}")
                }
                Err(error) => format!("refused {error}"),
            };
            say.send(line).unwrap();
        }
    });
    for line in said {
        // Not println, which the harness may catch.
        writeln!(io::stdout(), "{line}").unwrap();
    }
    writing.join().unwrap();
}
