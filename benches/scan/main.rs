//! Scans the hosts of an inventory again and again in one process, as the console does, and
//! prints how long each round took: the first is cold, the others go over warm sessions. Driven
//! by `run.py` in this folder, which starts the hosts.
//!
//! ```text
//! scan INVENTORY SSH_CONFIG ROUNDS WARM
//! ```
//!
//! WARM is how many sessions stay open. Where it is less than there are hosts, rounds visit the
//! first so many hosts alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement stops at the first thing that is wrong"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use certdeck::clock::Clock;
use certdeck::fleet::{Outcome, Reach};
use certdeck::inventory::{self, Inventory};
use certdeck::remote::{Sessions, Settings, Variables};
use certdeck::scan::{Progress, Scan};

fn main() {
    let args: Vec<_> = std::env::args().skip(1).filter(|it| it != "--bench").collect();
    let [inventory, ssh_config, rounds, warm] = args.as_slice() else {
        println!("run benches/scan/run.py");
        return;
    };
    let (inventory, complaints) = inventory::read(&fs::read_to_string(inventory).unwrap());
    assert!(complaints.is_empty(), "{complaints:?}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let [rounds, warm] = [rounds, warm].map(|it| it.parse().unwrap());
    runtime.block_on(scan(Arc::new(inventory), Path::new(ssh_config), rounds, warm));
}

async fn scan(inventory: Arc<Inventory>, ssh_config: &Path, rounds: usize, warm: usize) {
    let dir = tempfile::TempDir::new().unwrap();
    let settings = Settings {
        runtime_dir: dir.path().join("run"),
        ssh_config: Some(ssh_config.to_owned()),
        keep_warm: warm,
        variables: Variables::default(),
    };
    let sessions = Sessions::open(settings).unwrap();
    let mut fleet = inventory.fleet();
    let hosts: Vec<_> = inventory.hosts.iter().take(warm).map(|it| it.name.clone()).collect();
    for round in 0..rounds {
        let begin = Instant::now();
        let (inventory, sessions) = (Arc::clone(&inventory), Arc::clone(&sessions));
        let mut scan = Scan::start(inventory, sessions, &fleet, hosts.clone(), Clock::default());
        while let Some(progress) = scan.next().await {
            if let Progress::Ended(visit) = progress {
                assert!(matches!(visit.outcome, Outcome::Seen(_)), "{visit:?}");
                fleet.apply(visit);
            }
        }
        let up = fleet.hosts().filter(|it| it.reach == Reach::Up).count();
        println!("round {round}: {:.3} s, {up} hosts", begin.elapsed().as_secs_f64());
    }
    sessions.close().await;
}
