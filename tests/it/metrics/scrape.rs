//! A real Prometheus that scrapes the exporter, and evaluates its rules.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{get, query};
use crate::lab::{are_here, free_port, wait_for};
use crate::serve::{Serve, binary};

/// A process that is ended with the value.
pub(super) struct Running(Child);

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    fn end(&mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// An exporter, with where it listens.
pub(super) struct Exporter {
    running: Running,
    pub(super) address: SocketAddr,
    /// Read to its end by nobody, and open as long as the exporter runs.
    _said: BufReader<ChildStderr>,
}

impl Exporter {
    pub(super) fn start(fleet: &Serve, address: &str) -> Self {
        let mut running = Running::start(
            fleet
                .command(binary())
                .args(["export", "--listen", address, "--every", "1h"])
                .stderr(Stdio::piped()),
        );
        let mut said = BufReader::new(running.0.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let address = line.trim().trim_start_matches("serving http://");
        let address = address.trim_end_matches("/metrics").parse();
        Self { running, address: address.unwrap_or_else(|_| panic!("{line}")), _said: said }
    }

    pub(super) fn metrics(&self) -> Option<String> {
        let (status, body) = get(self.address, "/metrics")?;
        (status == 200).then_some(body)
    }
}

/// A Prometheus that scrapes an exporter, and where it answers.
pub(super) fn prometheus(fleet: &Serve, of: SocketAddr, rules: &str) -> (SocketAddr, Running) {
    let config = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules}]\n\
         scrape_configs:\n- job_name: certdeck\n  static_configs: [{{targets: ['{of}']}}]\n",
    );
    fs::write(fleet.home().join("prometheus.yml"), config).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let running = Running::start(
        fleet
            .command("prometheus")
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .args(["--log.level=error", &format!("--web.listen-address={address}")]),
    );
    (address, running)
}

#[test]
fn a_real_prometheus_scrapes_it_and_its_rules_fire() {
    if !are_here(&["prometheus", "promtool"]) {
        return;
    }
    let fleet = Serve::start(&[]);
    let mut exporter = Exporter::start(&fleet, "127.0.0.1:0");
    assert_eq!(get(exporter.address, "/-/healthy").unwrap().0, 200, "while it scans");
    wait_for("the first scan", || exporter.metrics().is_some());
    let metrics = exporter.metrics().unwrap();

    let rules = fleet.certdeck(&["rules", "--days"]);
    fs::write(fleet.home().join("rules.yml"), rules.stdout).unwrap();
    let (address, _prometheus) = prometheus(&fleet, exporter.address, "rules.yml");
    wait_for("the target to be up", || query(address, "up{job=\"certdeck\"} == 1").len() == 1);
    // What it holds is what was served, sample by sample.
    for name in ["certdeck_host_up", "certdeck_place_verdict", "cert_renewal_failure"] {
        let served = metrics.lines().filter(|it| it.starts_with(&format!("{name}{{"))).count();
        assert!(served > 5, "{name}");
        assert_eq!(query(address, name).len(), served, "{name}");
    }
    let one = query(address, "certdeck_host_up{host=\"web-lhr-1\"}");
    assert_eq!(one[0]["value"][1], "1", "{one:?}");

    let told = |path: &str| {
        let answer = get(address, path).map(|it| it.1).unwrap_or_default();
        serde_json::from_str::<Value>(&answer).unwrap_or_default()
    };
    let groups = || told("/api/v1/rules")["data"]["groups"].as_array().cloned().unwrap_or_default();
    let all = || groups().iter().flat_map(|it| it["rules"].as_array().cloned().unwrap()).collect();
    wait_for("every rule to be evaluated", || {
        let all: Vec<Value> = all();
        !all.is_empty() && all.iter().all(|it| it["health"] != "unknown")
    });
    let all: Vec<Value> = all();
    assert!(all.iter().all(|it| it["health"] == "ok"), "{all:#?}");
    let is_firing = |name: &str| {
        let alerts = told("/api/v1/alerts");
        let all = alerts["data"]["alerts"].as_array().cloned().unwrap_or_default();
        all.iter().any(|it| it["labels"]["alertname"] == name && it["state"] == "firing")
    };
    wait_for("an alert that waits for nothing", || is_firing("CertdeckExpired"));

    let second = fleet.certdeck(&["export", "--listen", &exporter.address.to_string()]);
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains("another program listens at 127.0.0.1:"), "{said}");
    assert!(said.contains("hint: ") && second.status.code() == Some(1), "{said}");
    assert_eq!(exporter.running.end(Signal::TERM).code(), Some(0));
}

#[test]
fn a_restart_leaves_no_gap() {
    let fleet = Serve::start(&["--hosts", "4"]);
    let mut first = Exporter::start(&fleet, "127.0.0.1:0");
    wait_for("the first scan", || first.metrics().is_some());
    assert_eq!(first.running.end(Signal::INT).code(), Some(130));
    let second = Exporter::start(&fleet, &first.address.to_string());
    let text = second.metrics().unwrap();
    assert!(text.contains("cert_expiry_seconds{") && text.contains("certdeck_scan_timestamp"));
}
