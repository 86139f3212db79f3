//! A file for the textfile collector of `node_exporter`.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::lab::{are_here, wait_for};
use crate::serve::{Serve, binary};

#[test]
fn a_file_is_written_whole_and_passes_the_check_of_prometheus() {
    if !are_here(&["promtool"]) {
        return;
    }
    let fleet = Serve::start(&[]);
    let path = fleet.home().join("certdeck.prom");
    let state = fleet.home().join("state");
    note(&state);
    let mut exporter = fleet
        .command(binary())
        .env("CERTDECK_STATE_DIR", &state)
        .args(["export", "--textfile", "certdeck.prom", "--every", "1s"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let number = || path.metadata().map(|it| it.ino()).ok();
    wait_for("the first file", || number().is_some());
    let first = number();
    wait_for("the second file", || number() != first);
    let pid = Pid::from_child(&exporter);
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(exporter.wait().unwrap().code(), Some(0));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);

    let checked = fleet
        .command("promtool")
        .args(["check", "metrics"])
        .stdin(File::open(&path).unwrap())
        .output()
        .unwrap();
    let said = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&said));
    assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
    let text = fs::read_to_string(&path).unwrap();
    for used in [
        "left{ca=\"Let's Encrypt\",limit=\"exact-set\",scope=\"a.test,b.test\",account=\"\"} 4",
        "left{ca=\"Let's Encrypt\",limit=\"registered-domain\",scope=\"a.test\",account=\"\"} 49",
        "left{ca=\"Let's Encrypt\",limit=\"failures\",scope=\"a.test\",account=\"certdeck's own account\"} 4",
        "left{ca=\"Let's Encrypt\",limit=\"orders\",scope=\"\",account=\"certdeck's own account\"} 299",
        "size{ca=\"Let's Encrypt\",limit=\"exact-set\",scope=\"a.test,b.test\",account=\"\"} 5",
        "free_timestamp_seconds{ca=\"Let's Encrypt\",limit=\"retry-after\",scope=\"\",account=\"\"} 1",
    ] {
        let line = format!("\ncertdeck_budget_scope_{used}");
        assert!(text.contains(&line), "no {used} in {text}");
    }
    for reason in ["not-found", "deploy-hook"] {
        let failure = format!(",reason=\"{reason}\"}} 1");
        assert!(text.contains(&failure), "no {failure} in the practice fleet");
    }
}

/// Lets this machine have ordered at Let's Encrypt: one certificate, with one failure before it,
/// and then it was asked to leave the CA alone.
fn note(state: &Path) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let held = json!({"held": now + 3600});
    let names = ["a.test", "b.test"];
    let noted = [
        (json!("ordered"), &names[..]),
        (json!("failed"), &names[..1]),
        (json!("issued"), &names[..]),
        (held, &names[..0]),
    ];
    let line = |(what, names)| {
        let ca = "https://acme-v02.api.letsencrypt.org/directory";
        json!({"at": now, "ca": ca, "what": what, "names": names}).to_string() + "\n"
    };
    let folder = state.join("ledger");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("events.jsonl"), noted.map(line).concat()).unwrap();
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let fleet = Serve::start(&["--hosts", "2"]);
    let output = fleet.certdeck(&["export", "--textfile", "no/such/certdeck.prom"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot write no/such/certdeck.prom: No such file"), "{said}");
}
