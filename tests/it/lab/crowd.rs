//! A fleet of which some hosts are down and some slow, and what a scan that is ended leaves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Lab, free_port, hosts, processes_with, scan_json, wait_for};

/// Kinds of hosts, and what must be said of one.
const KINDS: [(&str, &str); 6] = [
    ("closed", "connection refused"),
    ("dripping", "no answer in time"),
    ("hanging", "no complete answer within"),
    ("silent", "no answer in time"),
    ("unheard", "no answer in time"),
    ("well", ""),
];

/// Where hosts of each kind are.
struct Doors {
    ports: BTreeMap<&'static str, Vec<u16>>,
    /// Nobody takes in who knocks there.
    _open: Vec<TcpListener>,
    _queued: Vec<TcpStream>,
}

impl Doors {
    fn new(lab: &mut Lab, well: usize) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
        let port = |it: &TcpListener| it.local_addr().unwrap().port();
        let (silent, dripping) = (listen(), listen());
        let (unheard, queued) = unheard();
        let hanging = lab.sshd("ForceCommand sleep 60");
        let ports = BTreeMap::from([
            ("closed", vec![free_port()]),
            ("dripping", vec![port(&dripping)]),
            ("hanging", vec![hanging.port]),
            ("silent", vec![port(&silent)]),
            ("unheard", vec![port(&unheard)]),
            ("well", (0..well).map(|_| lab.sshd("").port).collect()),
        ]);
        thread::spawn(move || {
            for stream in dripping.incoming().flatten() {
                thread::spawn(move || drip(stream));
            }
        });
        Self { ports, _open: vec![silent, unheard], _queued: queued }
    }

    /// An inventory of so many hosts: a tenth is down, a twentieth is slow.
    fn inventory(&self, count: usize) -> String {
        // Hosts that are well get all the time that a busy machine may need.
        let mut text = String::from("[defaults]\nconnect-timeout = '50s'\nscan-timeout = '60s'\n");
        for at in 0..count {
            let kind = match at % 40 {
                0 | 20 => "closed",
                10 => "silent",
                30 => "unheard",
                5 => "dripping",
                25 => "hanging",
                _ => "well",
            };
            let ports = &self.ports[kind];
            let port = ports[at % ports.len()];
            let short = "connect-timeout = '2s'\nscan-timeout = '4s'\n";
            let deadline = if kind == "well" { "" } else { short };
            writeln!(
                text,
                "[[host]]\nname = '{kind}-{at:03}'\naddress = '127.0.0.1'\nport = {port}\n\
                 {deadline}[[host.source]]\nkind = 'certbot'"
            )
            .unwrap();
        }
        text
    }
}

/// A port that packets vanish at, as behind a packet filter: a queue with room for one that is
/// full, so that the first packet of the next connection is dropped.
fn unheard() -> (TcpListener, Vec<TcpStream>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap().into_std().unwrap();
    let address = listener.local_addr().unwrap();
    let knock = |_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let queued = (0..3).map_while(knock).collect();
    (listener, queued)
}

/// A greeting that never ends.
fn drip(mut stream: TcpStream) {
    while stream.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn hosts_that_are_down_or_slow_are_rows_with_words() {
    let Some(mut lab) = Lab::new() else { return };
    let doors = Doors::new(&mut lab, 8);
    let count = hosts(40);
    let told = scan_json(&lab, &doors.inventory(count));
    let rows = told["hosts"].as_array().unwrap();
    assert_eq!(rows.len(), count);
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let (kind, words) = KINDS.into_iter().find(|it| name.starts_with(it.0)).unwrap();
        let (reach, error) = (&row["reach"], row["error"].as_str().unwrap_or_default());
        assert_eq!(reach, if kind == "well" { "up" } else { "down" }, "{row:#}");
        assert!(error.contains(words) && error.is_empty() == words.is_empty(), "{row:#}");
        assert_eq!(row["hint"] == Value::Null, kind == "well", "{row:#}");
    }
    let found = told["findings"].as_array().unwrap();
    let down = rows.iter().filter(|it| it["reach"] == "down").count();
    assert_eq!(found.iter().filter(|it| it["verdict"] == "unreachable").count(), down);
    lab.no_ssh_is_left();
}

/// Starts to scan hosts that hang, and waits until it is in the middle of it.
fn in_the_middle(lab: &mut Lab) -> (Child, String) {
    let begun = lab.path("begun");
    let hang = format!("ForceCommand echo x >>{}; exec sleep 60", begun.display());
    let ports: Vec<_> = (0..4).map(|_| lab.sshd(&hang).port).collect();
    let mut inventory = "[defaults]\nscan-timeout = '60s'\n".to_owned();
    for at in 0..20 {
        let port = ports[at % 4];
        writeln!(
            inventory,
            "[[host]]\nname = 'slow-{at}'\naddress = '127.0.0.1'\nport = {port}\n\
             [[host.source]]\nkind = 'certbot'"
        )
        .unwrap();
    }
    let scan = lab
        .certdeck(&inventory)
        .args(["scan", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = || std::fs::read_to_string(&begun).unwrap_or_default().lines().count();
    // The others may be anywhere on their way.
    wait_for("scripts that hang", || lines() >= 8);
    (scan, inventory)
}

#[test]
fn a_scan_that_is_told_to_end_takes_every_ssh_with_it() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let Some(mut lab) = Lab::new() else { return };
        let (scan, _) = in_the_middle(&mut lab);
        kill_process(Pid::from_child(&scan), signal).unwrap();
        let output = scan.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.trim_end(), "error: stopped after 0 of 20 hosts");
        lab.no_ssh_is_left();
        assert_eq!(std::fs::read_dir(lab.path("run/certdeck")).unwrap().count(), 0);
    }
}

#[test]
fn what_a_killed_scan_leaves_is_swept_by_the_next() {
    let Some(mut lab) = Lab::new() else { return };
    let (mut scan, _) = in_the_middle(&mut lab);
    scan.kill().unwrap();
    scan.wait().unwrap();
    let run = lab.path("run").display().to_string();
    assert!(!processes_with(&run).is_empty(), "nothing was left to sweep");
    // Another run, which visits nobody.
    let told = scan_json(&lab, "[defaults]\n");
    assert_eq!(told["hosts"].as_array().unwrap().len(), 0);
    lab.no_ssh_is_left();
    assert_eq!(std::fs::read_dir(lab.path("run/certdeck")).unwrap().count(), 0);
}
