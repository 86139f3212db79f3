//! A folder that cannot be written, a full disk, a lock that somebody holds: nothing is written,
//! nothing hangs, and the words say what to do.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use certdeck::audit::{Log, verify};
use certdeck::clock::Clock;
use tempfile::TempDir;

use super::writer::Writer;
use super::{body, is_there, log, recover};

#[test]
fn a_lock_that_is_held_is_waited_for_and_no_longer_than_that() {
    let state = TempDir::new().unwrap();
    let mut log = log(state.path());
    log.change(&body("first")).unwrap();
    let lock = File::open(state.path().join("audit/LOCK")).unwrap();
    lock.lock().unwrap();
    let begun = Instant::now();
    let refused = log.intent(&body("web-01")).unwrap_err().to_string();
    assert!(begun.elapsed() >= Duration::from_secs(5));
    assert!(refused.contains("another process has held the audit log for 5 s"), "{refused}");
    assert!(refused.contains("try again"), "{refused}");
    lock.unlock().unwrap();
    recover(state.path(), &[2], "held lock");
    log.intent(&body("web-01")).unwrap();
}

#[test]
fn a_short_write_is_a_torn_record_and_the_last_of_its_process() {
    if !is_there("prlimit") {
        return;
    }
    for room in [0, 1, 100, 300] {
        let state = TempDir::new().unwrap();
        log(state.path()).change(&body("first")).unwrap();
        let size = fs::metadata(state.path().join("audit/000001.jsonl")).unwrap().len();
        let limit = format!("--fsize={}", size + room);
        let mut writer = Writer::with(state.path(), 2, &["prlimit", &limit]);
        writer.go();
        let (acknowledged, refused) = writer.finish();
        assert_eq!(acknowledged, Vec::<u64>::new());
        // Without room for a byte the kernel ends the process; else it writes a part.
        if room > 0 {
            assert!(refused[0].contains(&format!("only {room} of ")), "{refused:?}");
            assert!(refused[1].contains("start certdeck again"), "{refused:?}");
            assert_eq!(verify::verify(state.path()).state, verify::State::Torn);
        }
        recover(state.path(), &[2], "short write");
    }
}

#[test]
fn on_a_full_disk_nothing_begins() {
    let disk = TempDir::new().unwrap();
    if !mount(disk.path()) {
        eprintln!("skipped: a small file system cannot be mounted here");
        return;
    }
    let ended = std::panic::catch_unwind(|| fill(disk.path()));
    assert!(Command::new("umount").arg(disk.path()).status().unwrap().success());
    ended.unwrap();
}

fn mount(at: &Path) -> bool {
    rustix::process::geteuid().is_root()
        && Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"])
            .arg(at)
            .status()
            .is_ok_and(|it| it.success())
}

fn fill(disk: &Path) {
    let mut log = log(disk);
    let permit = log.intent(&body("web-01")).unwrap();
    let open = log.intent(&body("web-02")).unwrap().op();
    // What is kept for outcomes is more than what is left.
    fs::write(disk.join("ballast"), vec![b'x'; 1 << 20]).unwrap_err();
    let left = fs::metadata(disk.join("ballast")).unwrap().len() - 20_000;
    File::options().write(true).open(disk.join("ballast")).unwrap().set_len(left).unwrap();
    let refused = log.intent(&body("web-03")).unwrap_err().to_string();
    assert!(refused.contains("too little space is left for the audit log"), "{refused}");
    // But what was begun can be ended.
    log.outcome(permit, &body("web-01")).unwrap();
    fs::write(disk.join("more"), vec![b'x'; 1 << 20]).unwrap_err();
    let mut number = 0;
    let refused = loop {
        match log.reconcile(open, &body("web-02")) {
            Ok(()) => number += 1,
            Err(error) => break error.to_string(),
        }
        assert!(number < 100, "the disk is not full");
    };
    assert!(refused.contains("cannot write the audit log at"), "{refused}");
    let refused = log.change(&body("after")).unwrap_err().to_string();
    assert!(refused.contains("start certdeck again"), "{refused}");
    assert!(verify::verify(disk).state.is_sound());
    fs::remove_file(disk.join("more")).unwrap();
    fs::remove_file(disk.join("ballast")).unwrap();
    recover(disk, &[2, 3, 4], "full disk");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_at_once() {
    let state = TempDir::new().unwrap();
    let refused = |state: &Path| Log::open(state, Clock::default()).unwrap_err().to_string();
    // Not even root gets through these.
    fs::write(state.path().join("file"), "").unwrap();
    let text = refused(&state.path().join("file"));
    assert!(
        text.contains("cannot write the audit log at") && text.contains("CERTDECK_STATE_DIR"),
        "{text}"
    );
    fs::write(state.path().join("audit"), "").unwrap();
    assert!(refused(state.path()).contains("audit"));
    if rustix::process::geteuid().is_root() {
        return;
    }
    let closed = TempDir::new().unwrap();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o500)).unwrap();
    assert!(refused(closed.path()).contains("Permission denied"));
}
