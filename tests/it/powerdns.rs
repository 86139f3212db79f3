//! Challenges over the HTTP API of a real PowerDNS, which can only replace all values of a name:
//! what holds for clouds is seen here.
#![cfg(feature = "dns-providers")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use certdeck::acme::desk::{Desk, Error, Record};
use certdeck::audit::{Log, Permit};
use certdeck::clock::Clock;
use certdeck::dns::{Fault, Spot};
use certdeck::inventory;
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::lab::{are_here, free_port, wait_for};

const KEY: &str = "key-of-the-api-of-this-test";
const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// A running server with the zone `a.test`, which ends with the value.
struct PowerDns {
    http: u16,
    dns: u16,
    child: Child,
    folder: TempDir,
}

impl PowerDns {
    fn start() -> Option<Self> {
        if !are_here(&["pdns_server", "pdnsutil", "sqlite3", "curl"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let (http, dns) = (free_port(), free_port());
        let config = format!(
            "launch=gsqlite3\ngsqlite3-database={0}/db\nlocal-address=127.0.0.1\n\
             local-port={dns}\nsocket-dir={0}\ndaemon=no\nguardian=no\nsetuid=\nsetgid=\n\
             webserver=yes\nwebserver-address=127.0.0.1\nwebserver-port={http}\napi=yes\n\
             api-key={KEY}\nsecurity-poll-suffix=\ncache-ttl=0\nquery-cache-ttl=0\n\
             negquery-cache-ttl=0\nzone-cache-refresh-interval=0\n",
            path.display()
        );
        fs::write(path.join("pdns.conf"), config).unwrap();
        let schema = fs::File::open(SCHEMA).unwrap();
        let made = Command::new("sqlite3").arg(path.join("db")).stdin(schema).status();
        assert!(made.unwrap().success());
        let util = |arguments: &[&str]| {
            let made = Command::new("pdnsutil")
                .arg(format!("--config-dir={}", path.display()))
                .args(arguments)
                .output()
                .unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        };
        util(&["create-zone", "a.test", "ns1.a.test"]);
        util(&["add-record", "a.test", "ns1", "A", "127.0.0.1"]);
        util(&["add-record", "a.test", "_acme-challenge", "TXT", "60", "\"foreign\""]);
        let child = Command::new("pdns_server")
            .arg(format!("--config-dir={}", path.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(path.join("log")).unwrap())
            .spawn()
            .unwrap();
        let server = Self { http, dns, child, folder };
        let url = format!("http://127.0.0.1:{http}/api/v1/servers/localhost");
        let header = format!("X-API-Key: {KEY}");
        wait_for("PowerDNS to answer", || {
            let asked = Command::new("curl").args(["-sf", "-H", &header, &url]).output();
            asked.unwrap().status.success()
        });
        Some(server)
    }

    async fn desk(&self, key: &str) -> Desk {
        let path = self.folder.path().join("key");
        fs::write(&path, key).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let Self { http, dns, .. } = self;
        let text = format!(
            "[defaults]\nresolvers = [\"127.0.0.1:{dns}\"]\n[[dns]]\nname = \"lab\"\n\
             kind = \"pdns\"\nzones = [\"a.test\"]\nurl = \"http://127.0.0.1:{http}\"\n\
             nameservers = [\"127.0.0.1:{dns}\"]\nsecret-file = \"{}\"\n",
            path.display()
        );
        let (inventory, complaints) = inventory::read(&text);
        assert_eq!(complaints, []);
        Desk::open(&inventory.dns[0]).await.unwrap()
    }
}

impl Drop for PowerDns {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn permit(folder: &Path) -> Permit {
    let mut log = Log::open(folder, Clock::default()).unwrap();
    log.intent(&[("action".to_owned(), json!("test"))].into_iter().collect()).unwrap()
}

async fn add(desk: &Desk, value: &str, permit: &Permit) -> Result<Spot, Error> {
    let name = "_acme-challenge.a.test".to_owned();
    let spot = desk.locate(&Record { name, value: value.to_owned() }).await?;
    desk.add(&spot, permit).await.map(|()| spot)
}

#[tokio::test]
async fn ten_orders_through_two_doors_lose_nothing_and_leave_the_foreign_value() {
    let Some(server) = PowerDns::start() else { return };
    let permit = permit(server.folder.path());
    // Two orders open the provider each for itself, and take turns all the same.
    let desks = [server.desk(KEY).await, server.desk(KEY).await];
    let values: Vec<_> = (0..10).map(|it| format!("value-{it}")).collect();
    let adds = values.iter().enumerate().map(|(at, it)| add(&desks[at % 2], it, &permit));
    let spots: Vec<_> = join_all(adds).await.into_iter().map(Result::unwrap).collect();
    let list = async || {
        let mut values = desks[0].list(&spots[0]).await.unwrap();
        values.sort();
        values
    };
    assert_eq!(list().await, [&["foreign".to_owned()], &values[..]].concat());
    desks[0].wait(&spots, |_| ()).await.unwrap();
    for done in join_all(spots.iter().map(|it| desks[1].remove(it, &permit))).await {
        done.unwrap();
    }
    assert_eq!(list().await, ["foreign"]);
}

#[tokio::test]
async fn a_token_that_is_not_known_is_told() {
    let Some(server) = PowerDns::start() else { return };
    let permit = permit(server.folder.path());
    let error = add(&server.desk("another-key-than-that").await, "v", &permit).await.unwrap_err();
    let Error::Provider { fault, .. } = &error else { panic!("{error}") };
    assert!(matches!(**fault, Fault::Unauthorized(_)), "{error}");
}
