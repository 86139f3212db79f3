//! Visits the hosts of an ssh_config once cold and then over warm sessions, and prints how long
//! each took. Driven by `run.py` in this folder, which starts the hosts.
//!
//! ```text
//! scan SSH_CONFIG ROUNDS SCRIPT_FILE PORT…
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement stops at the first thing that is wrong"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use certdeck::fleet::HostName;
use certdeck::inventory::{Become, Host};
use certdeck::remote::{Sessions, Settings};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

fn main() {
    let mut args = std::env::args().skip(1).filter(|it| it != "--bench");
    let Some(ssh_config) = args.next() else {
        println!("run benches/scan/run.py");
        return;
    };
    let rounds: usize = args.next().and_then(|it| it.parse().ok()).unwrap();
    let script = fs::read_to_string(args.next().unwrap()).unwrap();
    let hosts: Vec<_> = args.map(|it| host(it.parse().unwrap())).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(scan_all(PathBuf::from(ssh_config), rounds, script, hosts));
}

async fn scan_all(ssh_config: PathBuf, rounds: usize, script: String, hosts: Vec<Host>) {
    let dir = tempfile::TempDir::new().unwrap();
    let settings = Settings {
        runtime_dir: dir.path().join("run"),
        state_dir: dir.path().join("state"),
        ssh_config: Some(ssh_config),
        // A cold scan from the command line keeps nothing; a console would.
        keep_warm: if rounds > 1 { hosts.len() } else { 0 },
    };
    let sessions = Sessions::open(settings).unwrap();
    let script: Arc<str> = script.into();
    for round in 0..rounds {
        let begin = Instant::now();
        let turns = Arc::new(Semaphore::new(32));
        let mut visits = JoinSet::new();
        for host in hosts.clone() {
            let (sessions, script, turns) =
                (Arc::clone(&sessions), Arc::clone(&script), Arc::clone(&turns));
            visits.spawn(async move {
                let _turn = turns.acquire().await;
                sessions.visit(&host, &script, 8 << 20).await.map(|it| it.bytes.len())
            });
        }
        let mut bytes = 0;
        while let Some(visit) = visits.join_next().await {
            bytes += visit.unwrap().unwrap();
        }
        println!("round {round}: {:.3} s, {bytes} bytes", begin.elapsed().as_secs_f64());
    }
    sessions.close().await;
}

fn host(port: u16) -> Host {
    Host {
        name: HostName::new(&format!("host-{port}")),
        address: "127.0.0.1".to_owned(),
        port: Some(port),
        user: None,
        identity_file: None,
        r#become: Become::None,
        connect_timeout: Duration::from_secs(20),
        scan_timeout: Duration::from_secs(60),
        groups: Vec::new(),
        sources: Vec::new(),
        endpoints: Vec::new(),
    }
}
