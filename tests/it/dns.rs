//! Challenges in the DNS, at real servers: BIND with TSIG, a secondary that lags, aliases.

use std::fs::{self, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use certdeck::acme::desk::{Desk, Error, Record};
use certdeck::audit::{Log, Permit};
use certdeck::clock::Clock;
use certdeck::dns::{Fault, Spot};
use certdeck::inventory;
use futures_util::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::lab::{are_here, free_port, wait_for};
use crate::serve::Home;

pub(crate) const SECRET: &str = "c2VjcmV0LW9mLXRoaXMtdGVzdC1vbmx5LTMyLWJ5dGU=";
const OTHER: &str = "YW5vdGhlci1zZWNyZXQtb2YtdGhpcy10ZXN0LTMyLWI=";

/// A running `named`, which ends with the value.
pub(crate) struct Named {
    pub(crate) port: u16,
    child: Child,
    _folder: TempDir,
}

impl Named {
    /// The primary of `a.test`, `b.test` and, so that nothing above them is asked for in vain,
    /// `test`. Its key `acme` may write TXT records, its key `reader` may not.
    pub(crate) fn primary() -> Option<Self> {
        let soa = "@ 60 SOA ns1 admin 1 2 1 3600 1\n@ 60 NS ns1\nns1 60 A 127.0.0.1\n";
        let a = format!(
            "{soa}@ 60 CAA 0 issue \"ca.test\"\n_acme-challenge 60 TXT \"foreign\"\n\
             _acme-challenge.alias 60 CNAME _acme-challenge.b.test.\n\
             _acme-challenge.ring 60 CNAME ring2\nring2 60 CNAME _acme-challenge.ring\n"
        );
        let key = |name: &str, algorithm: &str| {
            format!("key \"{name}\" {{ algorithm {algorithm}; secret \"{SECRET}\"; }};\n")
        };
        let zone = |name: &str| {
            format!(
                "zone \"{name}\" {{ type primary; file \"{name}.zone\"; notify no; \
                 allow-transfer {{ any; }}; update-policy {{ grant acme zonesub TXT; \
                 grant acme512 zonesub TXT; }}; }};\n"
            )
        };
        let keys = [
            key("acme", "hmac-sha256"),
            key("acme512", "hmac-sha512"),
            key("reader", "hmac-sha256"),
        ];
        let config = [keys.concat(), zone("test"), zone("a.test"), zone("b.test")].concat();
        Self::start(&config, &[("test", soa), ("a.test", &a), ("b.test", soa)])
    }

    /// A secondary of `a.test`, which looks that often (in seconds) whether it has changed.
    fn secondary(primary: &Self, every: u32) -> Option<Self> {
        let config = format!(
            "zone \"a.test\" {{ type secondary; primaries {{ 127.0.0.1 port {}; }}; \
             file \"a.test.copy\"; min-refresh-time {every}; max-refresh-time {every}; }};\n",
            primary.port
        );
        Self::start(&config, &[])
    }

    pub(crate) fn start(config: &str, zones: &[(&str, &str)]) -> Option<Self> {
        let named = Self::begin("recursion no; dnssec-validation no", config, zones)?;
        wait_for("named to serve a.test", || named.serves());
        Some(named)
    }

    /// A resolver that asks this one for `a.test`, and expects it to be signed by that key.
    pub(crate) fn resolver(&self, key: &str) -> Option<Self> {
        let config = format!(
            "trust-anchors {{ \"a.test\" static-key 257 3 13 \"{key}\"; }};\n\
             zone \"a.test\" {{ type forward; forward only; \
             forwarders {{ 127.0.0.1 port {}; }}; }};\n",
            self.port
        );
        let options = "recursion yes; allow-recursion { any; }; dnssec-validation yes";
        let named = Self::begin(options, &config, &[])?;
        wait_for("named to answer", || named.answers());
        Some(named)
    }

    fn begin(options: &str, config: &str, zones: &[(&str, &str)]) -> Option<Self> {
        if !are_here(&["named"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let path = folder.path().display();
        let text = format!(
            "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; \
             listen-on-v6 {{ none; }}; {options}; pid-file none; session-keyfile none; \
             minimal-responses no; }};\ncontrols {{ }};\n{config}"
        );
        fs::write(folder.path().join("named.conf"), text).unwrap();
        for (name, records) in zones {
            let text = format!("$ORIGIN {name}.\n{records}");
            fs::write(folder.path().join(format!("{name}.zone")), text).unwrap();
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("named")
            .args(["-g", "-n", "1", "-c"])
            .arg(folder.path().join("named.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Some(Self { port, child, _folder: folder })
    }

    /// Whether it answers at all when it is asked for the SOA of `a.test`.
    fn answers(&self) -> bool {
        self.ask().is_some()
    }

    /// Whether it answers with authority when it is asked for the SOA of `a.test`.
    fn serves(&self) -> bool {
        let is_authority = |it: [u8; 512]| it[2] & 4 != 0 && it[3].trailing_zeros() >= 4;
        self.ask().is_some_and(is_authority)
    }

    fn ask(&self) -> Option<[u8; 512]> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let question = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x06\0\x01";
        let mut answer = [0; 512];
        let asked = socket.send_to(question, ("127.0.0.1", self.port));
        let got = asked.and_then(|_| socket.recv(&mut answer));
        got.is_ok_and(|it| it > 12).then_some(answer)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A folder with the secret, and the text of an inventory with one `[[dns]]`.
pub(crate) struct Told {
    folder: TempDir,
    text: String,
}

impl Told {
    fn new(primary: &Named, secret: &str, key_name: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let (port, path) = (primary.port, path.display());
        let text = format!(
            "[defaults]\nresolvers = [\"127.0.0.1:{port}\"]\n[[dns]]\nname = \"lab\"\n\
             kind = \"rfc2136\"\nzones = [\"a.test\", \"b.test\"]\nserver = \"127.0.0.1:{port}\"\n\
             {key_name}\nsecret-file = \"{path}\"\n{more}\n"
        );
        Self { folder, text }
    }

    pub(crate) fn usual(primary: &Named) -> Self {
        let more = format!("nameservers = [\"127.0.0.1:{}\"]", primary.port);
        Self::new(primary, SECRET, "key-name = \"acme\"", &more)
    }

    pub(crate) async fn desk(&self) -> Desk {
        let (inventory, complaints) = inventory::read(&self.text);
        assert_eq!(complaints, []);
        Desk::open(&inventory.dns[0]).await.unwrap()
    }

    fn permit(&self) -> Permit {
        let mut log = Log::open(self.folder.path(), Clock::default()).unwrap();
        log.intent(&[("action".to_owned(), json!("test"))].into_iter().collect()).unwrap()
    }
}

fn record(name: &str, value: &str) -> Record {
    Record { name: format!("_acme-challenge.{name}"), value: value.to_owned() }
}

async fn add(desk: &Desk, name: &str, value: &str, permit: &Permit) -> Result<Spot, Error> {
    let spot = desk.locate(&record(name, value)).await?;
    desk.add(&spot, permit).await.map(|()| spot)
}

async fn sorted(desk: &Desk, spot: &Spot) -> Vec<String> {
    let mut values = desk.list(spot).await.unwrap();
    values.sort();
    values
}

fn fault(error: Error) -> Fault {
    match error {
        Error::Provider { fault, .. } => *fault,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn values_are_added_beside_others_and_only_ours_go() {
    let Some(primary) = Named::primary() else { return };
    let told = Told::usual(&primary);
    let (desk, permit) = (told.desk().await, told.permit());
    // A name and its wildcard share the place of their challenges.
    let apex = add(&desk, "a.test", "one", &permit).await.unwrap();
    let wild = add(&desk, "a.test", "two", &permit).await.unwrap();
    assert_eq!((apex.owner.as_str(), apex.zone.as_str()), ("_acme-challenge.a.test", "a.test"));
    assert_eq!(sorted(&desk, &apex).await, ["foreign", "one", "two"]);
    let mut steps = Vec::new();
    desk.wait(&[apex.clone(), wild.clone()], |it| steps.push(it.text.to_string())).await.unwrap();
    let expect = format!("127.0.0.1:{}: shows the record (1 of 1 answer), 0 s", primary.port);
    assert_eq!(steps, [expect]);
    // What is done twice is done.
    desk.add(&apex, &permit).await.unwrap();
    desk.remove(&apex, &permit).await.unwrap();
    desk.remove(&apex, &permit).await.unwrap();
    assert_eq!(sorted(&desk, &apex).await, ["foreign", "two"]);
    desk.remove(&wild, &permit).await.unwrap();
    assert_eq!(sorted(&desk, &apex).await, ["foreign"]);
}

#[tokio::test]
async fn ten_orders_at_one_name_lose_nothing() {
    let Some(primary) = Named::primary() else { return };
    let told = Told::usual(&primary);
    let (desk, permit) = (told.desk().await, told.permit());
    let values: Vec<_> = (0..10).map(|it| format!("value-{it}")).collect();
    let adds = values.iter().map(|it| add(&desk, "www.a.test", it, &permit));
    let spots: Vec<_> = join_all(adds).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(sorted(&desk, &spots[0]).await, values);
    join_all(spots.iter().map(|it| desk.remove(it, &permit))).await;
    assert!(sorted(&desk, &spots[0]).await.is_empty());
}

#[tokio::test]
async fn aliases_are_followed_into_their_zone_and_not_in_circles() {
    let Some(primary) = Named::primary() else { return };
    let told = Told::usual(&primary);
    let (desk, permit) = (told.desk().await, told.permit());
    let spot = add(&desk, "alias.a.test", "v", &permit).await.unwrap();
    assert_eq!((spot.owner.as_str(), spot.zone.as_str()), ("_acme-challenge.b.test", "b.test"));
    assert_eq!(sorted(&desk, &spot).await, ["v"]);
    let error = desk.locate(&record("ring.a.test", "v")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "dns lab: _acme-challenge.ring.a.test: its aliases lead in a circle or too far: \
         _acme-challenge.ring.a.test -> ring2.a.test -> _acme-challenge.ring.a.test"
    );
    let error = desk.locate(&record("c.test", "v")).await.unwrap_err();
    assert!(matches!(error, Error::Elsewhere { .. }), "{error}");
}

#[tokio::test]
async fn keys_that_do_not_fit_are_told_apart() {
    let Some(primary) = Named::primary() else { return };
    let try_with = async |secret: &str, name: &str| {
        let told = Told::new(&primary, secret, name, "");
        let (desk, permit) = (told.desk().await, told.permit());
        add(&desk, "a.test", "v", &permit).await
    };
    let key = |name: &str| format!("key-name = \"{name}\"");
    let wrong = fault(try_with(OTHER, &key("acme")).await.unwrap_err());
    assert!(wrong.to_string().contains("BADSIG"), "{wrong}");
    let strange = fault(try_with(SECRET, &key("nobody")).await.unwrap_err());
    assert!(strange.to_string().contains("BADKEY"), "{strange}");
    let weak = fault(try_with(SECRET, &key("reader")).await.unwrap_err());
    assert!(matches!(weak, Fault::Refused(_)), "{weak}");
    // A key file tells its name and algorithm itself.
    let file =
        format!("key \"acme512\" {{\n\talgorithm hmac-sha512;\n\tsecret \"{SECRET}\";\n}};\n");
    try_with(&file, "").await.unwrap();
    let clock = fault(
        try_with(SECRET, "key-name = \"acme\"\nalgorithm = \"hmac-sha384\"").await.unwrap_err(),
    );
    assert!(matches!(clock, Fault::Key(_)), "{clock}");
}

#[tokio::test]
async fn a_secondary_that_lags_is_waited_for_or_named() {
    let Some(primary) = Named::primary() else { return };
    let Some(quick) = Named::secondary(&primary, 2) else { return };
    let Some(slow) = Named::secondary(&primary, 3600) else { return };
    let servers = |others: &[u16], patience: &str| {
        let ports = [&[primary.port], others].concat();
        let list: Vec<_> = ports.iter().map(|it| format!("\"127.0.0.1:{it}\"")).collect();
        let more = format!("nameservers = [{}]\npatience = \"{patience}\"", list.join(", "));
        Told::new(&primary, SECRET, "key-name = \"acme\"", &more)
    };
    let told = servers(&[quick.port], "30s");
    let (desk, permit) = (told.desk().await, told.permit());
    let spot = add(&desk, "lag.a.test", "v", &permit).await.unwrap();
    let mut steps = Vec::new();
    desk.wait(std::slice::from_ref(&spot), |it| steps.push(it.text.to_string())).await.unwrap();
    let lags = format!("127.0.0.1:{}: not yet (1 of 2 answer), 0 s", quick.port);
    assert!(steps.contains(&lags), "{steps:?}");
    assert!(steps.last().unwrap().contains("shows the record (2 of 2 answer)"), "{steps:?}");

    let nobody = free_port();
    let told = servers(&[slow.port, nobody], "2s");
    let error = told.desk().await.wait(&[spot], |_| ()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "dns lab: after 2 s, 2 of 3 servers do not show the record: 127.0.0.1:{}: not yet; \
             127.0.0.1:{nobody}: cannot be reached: nothing listens there",
            slow.port
        )
    );
}

#[test]
fn a_provider_is_tried_and_what_was_left_behind_goes() {
    let Some(primary) = Named::primary() else { return };
    let told = Told::usual(&primary);
    let home = home(&told.text);
    let read = run(&home, &["dns", "check", "*.a.test"]);
    assert!(
        read.contains(
            "_acme-challenge.a.test is written by lab in the zone a.test\nvalues that are there: 1\n\
             CAA of a.test: 0 issue \"ca.test\"\n"
        ),
        "{read}"
    );
    let wrote = run(&home, &["dns", "check", "*.a.test", "--write"]);
    assert!(wrote.contains("a value was written, seen everywhere and removed"), "{wrote}");

    let value = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        add(&told.desk().await, "a.test", value, &told.permit()).await.unwrap();
    });
    let orphans = run(&home, &["dns", "orphans", "a.test", "elsewhere.example"]);
    assert!(
        orphans.starts_with(&format!("a.test  lab  _acme-challenge.a.test  {value}\n")),
        "{orphans}"
    );
    let unasked = home.certdeck(&["dns", "remove", "a.test", value]);
    assert_eq!(unasked.status.code(), Some(2), "{}", text(&unasked));
    // What an order under way needs stays.
    let orders = home.path().join(".local/state/certdeck/orders");
    fs::create_dir_all(&orders).unwrap();
    fs::write(orders.join("x.json"), format!("{{\"value\": \"{value}\"}}")).unwrap();
    let needed = home.certdeck(&["dns", "remove", "a.test", value, "--yes", "a.test"]);
    assert_eq!(needed.status.code(), Some(2), "{}", text(&needed));
    fs::remove_dir_all(&orders).unwrap();
    let gone = run(&home, &["dns", "remove", "a.test", value, "--yes", "a.test"]);
    assert!(gone.contains("_acme-challenge.a.test: the value is removed"), "{gone}");
    assert!(run(&home, &["dns", "orphans", "a.test"]).contains("no challenge was left behind"));

    // Both changes are on record from beginning to end, and the secret is nowhere.
    let log = everything_below(&home.path().join(".local/state/certdeck"));
    for action in ["dns-check", "dns-remove"] {
        assert!(log.contains(action), "{log}");
    }
    assert!(!everything_below(home.path()).contains(SECRET));
}

#[test]
fn a_wrong_secret_is_known_before_an_order_needs_it() {
    let Some(primary) = Named::primary() else { return };
    let told = Told::new(&primary, OTHER, "key-name = \"acme\"", "");
    let output = home(&told.text).certdeck(&["dns", "check", "a.test", "--write"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("BADSIG") && said.contains("compare `key-name`"), "{said}");
}

fn home(inventory: &str) -> Home {
    let home = Home::new();
    let folder = home.path().join(".config/certdeck");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("inventory.toml"), inventory).unwrap();
    home
}

#[track_caller]
fn run(home: &Home, arguments: &[&str]) -> String {
    let output = home.certdeck(arguments);
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

/// All the text in all files.
fn everything_below(folder: &Path) -> String {
    let mut found = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push_str(&everything_below(&path));
        } else if path.is_file() {
            found.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
    }
    found
}
