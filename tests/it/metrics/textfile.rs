//! A file for the textfile collector of `node_exporter`.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::lab::{are_here, wait_for};
use crate::serve::{Serve, binary};

#[test]
fn a_file_is_written_whole_and_passes_the_check_of_prometheus() {
    if !are_here(&["promtool"]) {
        return;
    }
    let fleet = Serve::start(&[]);
    let path = fleet.home().join("certdeck.prom");
    let mut exporter = fleet
        .command(binary())
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
    for reason in ["not-found", "deploy-hook"] {
        let failure = format!(",reason=\"{reason}\"}} 1");
        assert!(text.contains(&failure), "no {failure} in the practice fleet");
    }
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let fleet = Serve::start(&["--hosts", "2"]);
    let output = fleet.certdeck(&["export", "--textfile", "no/such/certdeck.prom"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot write no/such/certdeck.prom: No such file"), "{said}");
}
