//! Renewals with nobody there: many lineages of our own store that are due at once, a CA that has
//! a limit, and a run that is killed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use certdeck::fleet::Moment;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::Value;

use crate::lab::ca::{Ca, Checks};
use crate::lab::vault::{TOKEN, Vault};
use crate::lab::{Lab, are_here, hosts, wait_for};
use crate::notice::receiver::{Receiver, SECRET};

/// Hosts without a client, each with some lineages that are due.
struct Farm {
    hosts: Vec<String>,
    stores: Vec<PathBuf>,
    ca: Ca,
    lab: Lab,
}

impl Farm {
    /// `None`, said on stderr, where the programs for it are missing and not required.
    fn new() -> Option<Self> {
        Self::with(Checks::Believed)
    }

    /// The same with a CA that looks for itself.
    fn with(checks: Checks) -> Option<Self> {
        if !are_here(&["pebble", "pebble-challtestsrv", "openssl"]) {
            return None;
        }
        let mut lab = Lab::new()?;
        let ca = Ca::start(&lab.path("ca"), checks, 90);
        let mut farm = Self { hosts: Vec::new(), stores: Vec::new(), ca, lab };
        for at in 0..hosts(3) {
            let dir = farm.lab.path(&format!("host-{at}"));
            let kernel = dir.join("root/proc/sys/kernel/random");
            for folder in [&kernel, &dir.join("www")] {
                fs::create_dir_all(folder).unwrap();
            }
            fs::copy("/proc/sys/kernel/random/boot_id", kernel.join("boot_id")).unwrap();
            let text = dir.display();
            lab = farm.lab;
            let sshd = lab.sshd(&format!(
                "SetEnv CERTDECK_ROOT={text}/root HOME={text}/home XDG_STATE_HOME={text}/state"
            ));
            farm.lab = lab;
            farm.hosts.push(format!(
                "[[host]]\nname = 'host-{at}'\naddress = '127.0.0.1'\nport = {}\n\
                 [[host.source]]\nkind = 'certdeck'\ndir = '{text}/store'\n",
                sshd.port
            ));
            for number in 0..EACH {
                farm.plant(&dir, &format!("n{number}.h{at}.test"));
            }
            farm.stores.push(dir.join("store"));
        }
        Some(farm)
    }

    /// Puts a lineage into the store of a host that was ordered 80 days ago, for 90.
    fn plant(&self, dir: &Path, name: &str) {
        let store = dir.join("store");
        let version = store.join("archive").join(name).join("0001");
        let live = store.join("live").join(name);
        for folder in [&version, &live, &store.join("renewal")] {
            fs::create_dir_all(folder).unwrap();
        }
        let day = |past: u64| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
            date_time_ymd(1970, 1, 1) + Duration::from_secs(now) - Duration::from_secs(past * DAY)
        };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = day(80);
        params.not_after = params.not_before + Duration::from_secs(90 * DAY);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        for (file, text) in
            [("cert", &*pem), ("chain", ""), ("fullchain", &pem), ("privkey", &key.serialize_pem())]
        {
            let file = format!("{file}.pem");
            fs::write(version.join(&file), text).unwrap();
            symlink(format!("current/{file}"), live.join(&file)).unwrap();
        }
        symlink(format!("../../archive/{name}/0001"), live.join("current")).unwrap();
        let conf = format!(
            "names = {name}\nissuer = lab\nserver = {}\nmethod = webroot\nwebroot = {}\n\
             key = ecdsa\n",
            self.ca.directory(),
            dir.join("www").display()
        );
        fs::write(store.join(format!("renewal/{name}.conf")), conf).unwrap();
    }

    /// Lets another CA have ordered all that a host has; nobody answers there.
    fn darken(&self, at: usize) {
        for file in fs::read_dir(self.stores[at].join("renewal")).unwrap() {
            let file = file.unwrap().path();
            let text = fs::read_to_string(&file).unwrap();
            let text = text.replace(&self.ca.directory(), DARK);
            fs::write(file, text.replace("issuer = lab", "issuer = dark")).unwrap();
        }
    }

    /// What is told of hosts and CAs.
    fn inventory(&self, limit: &str) -> String {
        format!(
            "[[issuer]]\nname = 'lab'\ndirectory = '{}'\nroots = ['{}']\norder-limit = '{limit}'\n\
             [[issuer]]\nname = 'dark'\ndirectory = '{DARK}'\n{}",
            self.ca.directory(),
            self.ca.trust().display(),
            self.hosts.concat()
        )
    }

    /// An unattended run, with a limit of orders.
    fn command(&self, limit: &str, now: Option<Moment>) -> Command {
        self.command_with(&self.inventory(limit), now)
    }

    fn command_with(&self, inventory: &str, now: Option<Moment>) -> Command {
        let mut command = self.lab.certdeck(inventory);
        if let Some(now) = now {
            command.args(["--now", &now.to_string()]);
        }
        command.args(["run", "renew", "due", "--unattended"]);
        command
    }

    /// How many versions the lineages have, all together, where each has a whole one in use.
    #[track_caller]
    fn versions(&self) -> usize {
        let mut count = 0;
        for store in &self.stores {
            for lineage in fs::read_dir(store.join("archive")).unwrap() {
                let lineage = lineage.unwrap();
                let all = fs::read_dir(lineage.path()).unwrap();
                let all: Vec<_> = all.map(|it| it.unwrap().file_name()).collect();
                assert!(all.len() <= 2, "{}: {all:?}", lineage.path().display());
                count += all.len();
                let live = store.join("live").join(lineage.file_name());
                let spki = |words: &[&str], file| {
                    let mut openssl = Command::new("openssl");
                    openssl.args(words).arg("-in").arg(live.join(file));
                    openssl.output().unwrap().stdout
                };
                let certificate = spki(&["x509", "-noout", "-pubkey"], "fullchain.pem");
                assert!(!certificate.is_empty(), "{}", live.display());
                assert_eq!(certificate, spki(&["pkey", "-pubout"], "privkey.pem"));
            }
        }
        count
    }

    /// Of how many certificates the CA tells, each another one.
    fn issued(&self) -> usize {
        self.ca.issued().into_iter().collect::<BTreeSet<_>>().len()
    }

    fn lineages(&self) -> usize {
        self.stores.len() * EACH
    }
}

/// Runs it, and gives what it said if it ended with that code.
#[track_caller]
fn said(mut command: Command, code: i32) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert_eq!(status.code(), Some(code), "{said}");
    said
}

/// As many as the CA allows, then, hours later, the others; then none.
#[test]
fn what_a_limit_leaves_is_taken_up_later() {
    let Some(farm) = Farm::new() else { return };
    let all = farm.lineages();
    let most = all - 4;
    let limit = format!("{most}/1h");
    let text = said(farm.command(&limit, None), 0);
    let left = text.lines().filter(|it| {
        it.contains(
            "left: more urgent ones take what is left now (orders of an account); the first run",
        )
    });
    assert_eq!((left.count(), farm.issued(), farm.versions()), (4, most, all + most), "{text}");
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let later = Moment::from_unix(i64::try_from(seconds).unwrap() + 2 * 60 * 60);
    let text = said(farm.command(&limit, Some(later)), 0);
    assert_eq!((farm.issued(), farm.versions()), (all, 2 * all), "{text}");
    let text = said(farm.command(&limit, Some(later)), 0);
    assert!(text.contains("nothing is to be renewed now"), "{text}");
    assert_eq!((farm.issued(), farm.versions()), (all, 2 * all));
    said(audit(&farm), 0);
}

/// A run that is killed loses nothing, and nothing is ordered twice.
#[test]
fn a_run_that_is_killed_is_taken_up_by_the_next() {
    let Some(farm) = Farm::new() else { return };
    let all = farm.lineages();
    let mut command = farm.command("1000/1h", None);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("two certificates", || farm.issued() >= 2);
    // Another one leaves it alone meanwhile.
    let text = said(farm.command("1000/1h", None), 0);
    assert!(text.contains("another unattended run is at it"), "{text}");
    run.kill().unwrap();
    run.wait().unwrap();
    let before = farm.issued();
    assert!(before < all, "it was over before it was killed");
    let text = said(farm.command("1000/1h", None), 0);
    assert_eq!((farm.issued(), farm.versions()), (all, 2 * all), "{text}");
    said(audit(&farm), 0);
}

/// What is renewed with nobody there reaches its store, too; a store that is down keeps nothing from
/// being renewed.
#[test]
fn what_is_renewed_is_delivered() {
    let Some(farm) = Farm::new() else { return };
    let vault = Vault::start();
    let token = farm.lab.path("token");
    fs::write(&token, TOKEN).unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let inventory = format!(
        "[defaults]\ndeliver = ['main']\n[[secret-store]]\nname = 'main'\nkind = 'vault-kv2'\n\
         url = '{}'\nsecret-file = '{}'\n{}",
        vault.url,
        token.display(),
        farm.inventory("2/1h")
    );
    said(farm.command_with(&inventory, None), 0);
    // So does what was there before anybody had said that it is to be delivered.
    let all = farm.lineages();
    let delivered = || vault.state().held.values().map(Vec::len).sum::<usize>();
    assert_eq!((farm.issued(), delivered()), (2, all));
    vault.state().is_sealed = true;
    let inventory = inventory.replace("2/1h", "1000/1h");
    let text = said(farm.command_with(&inventory, None), 1);
    assert_eq!((farm.issued(), delivered(), farm.versions()), (all, all, 2 * all), "{text}");
    let again = text.matches("to deliver it again: certdeck run deliver").count();
    assert_eq!(again, all - 2, "{text}");
    // The next run brings what lags behind.
    vault.state().is_sealed = false;
    said(farm.command_with(&inventory, None), 0);
    assert_eq!((farm.issued(), delivered()), (all, 2 * all - 2));
    let text = said(farm.command_with(&inventory, None), 0);
    assert!(text.contains("nothing is to be renewed now, nor delivered"), "{text}");
    said(audit(&farm), 0);
}

/// A CA that cannot be reached costs one try; what others have to do with it is left, and what is
/// ordered elsewhere is not.
#[test]
fn a_ca_that_is_down_holds_its_own() {
    let Some(farm) = Farm::new() else { return };
    farm.darken(0);
    let bright = farm.lineages() - EACH;
    let text = said(farm.command("1000/1h", None), 1);
    let held = format!("{} lineages left for the next run", EACH - 1);
    let told: Vec<_> =
        text.lines().filter(|it| it.starts_with("held: CA dark down since")).collect();
    assert!(told.len() == 1 && told[0].ends_with(&held), "{text}");
    assert_eq!(text.matches("the account at dark is opened").count(), 1, "{text}");
    assert_eq!((farm.issued(), farm.versions()), (bright, farm.lineages() + bright), "{text}");
    // The next run asks once more.
    let text = said(farm.command("1000/1h", None), 1);
    assert!(text.contains(&held) && !text.contains("at lab"), "{text}");
    said(audit(&farm), 0);
}

/// What fails again and again is told to a webhook: once, when it has failed so often that it is left
/// alone, and not by runs that ask nobody.
#[test]
fn what_is_left_alone_is_told_to_a_webhook() {
    // Nobody listens at the first port, so the CA finds no answer to any challenge.
    let Some(farm) = Farm::with(Checks::Http(1)) else { return };
    let receiver = Receiver::start(&[]);
    let key = farm.lab.path("webhook.key");
    fs::write(&key, format!("{SECRET}\n")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let inventory = format!(
        "{}\n[[notice]]\nname = 'on-call'\nkind = 'webhook'\nurl = '{}'\nsecret-file = '{}'\n\
         on = ['retries-exhausted']\n",
        farm.inventory("1000/1h"),
        receiver.url,
        key.display()
    );
    let all = farm.lineages();
    let run = |code| said(farm.command_with(&inventory, None), code);
    let text = run(1);
    assert_eq!(text.matches("could not verify").count(), all, "{text}");
    assert!(receiver.got().is_empty(), "{:?}", receiver.got());
    run(1);
    let body = receiver.wait(1)[0].checked();
    assert_eq!(body["event"], "retries-exhausted", "{body:#}");
    let items = body["items"].as_array().unwrap();
    assert_eq!(items.len(), all, "{body:#}");
    for it in items {
        assert!(it["target"].as_str().unwrap().starts_with("host-"), "{it:#}");
        assert!(it["why"].as_str().unwrap().contains("2 times in a row"), "{it:#}");
        assert!(Moment::parse(it["until"].as_str().unwrap()).is_some(), "{it:#}");
    }
    // The third run leaves all of them until that time, and has nothing new to tell.
    let text = run(0);
    assert!(text.contains("nothing is to be renewed now"), "{text}");
    // Whether or not it was twice the same cause: a name server that has just begun may refuse.
    let is_left = |it: &&str| it.contains(": left: ") && it.contains("2 times in a row");
    assert_eq!(text.lines().filter(is_left).count(), all, "{text}");
    let until = items[0]["until"].as_str().unwrap();
    assert!(text.contains(&format!("the first run after {until} takes it up")), "{text}");
    assert_eq!(receiver.got().len(), 1, "{:?}", receiver.got());
    assert!(farm.issued() == 0 && farm.versions() == all);
    said(audit(&farm), 0);
}

/// Nothing on the hosts tells who renews, so this machine says what it has seen: nothing, until
/// it has done so itself.
#[test]
fn what_nobody_renews_is_found() {
    let Some(farm) = Farm::new() else { return };
    let scan = || {
        let mut scan = farm.lab.certdeck(&farm.inventory("1000/1h"));
        scan.args(["scan", "--format", "json"]);
        let Output { stdout, .. } = scan.output().unwrap();
        let scan: Value = serde_json::from_slice(&stdout).unwrap();
        let all = scan["findings"].as_array().unwrap().clone();
        all.into_iter().filter(|it| it["verdict"] == "automation").collect::<Vec<_>>()
    };
    let before = scan();
    assert_eq!(before.len(), farm.lineages());
    assert_eq!(before[0]["severity"], "warning", "{:#}", before[0]);
    let text = before[0].to_string();
    assert!(text.contains("nothing renews it") && text.contains("certdeck timer"), "{text}");
    said(farm.command("1000/1h", None), 0);
    assert_eq!(scan(), Vec::<Value>::new());
}

fn audit(farm: &Farm) -> Command {
    let mut command = farm.lab.certdeck("");
    command.args(["audit", "verify"]);
    command
}

/// What `certdeck timer` prints is what systemd reads.
#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: systemd-analyze is not here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_certdeck"));
    command.env("CERTDECK_STATE_DIR", dir.path().join("state 100%"));
    command.args(["--inventory", "/etc/certdeck/inventory.toml", "timer"]);
    let text = said(command, 0);
    let (service, timer) = text.split_once("# certdeck-renew.timer\n").unwrap();
    for (name, text) in [("certdeck-renew.service", service), ("certdeck-renew.timer", timer)] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=no"]);
    verify.args(["./certdeck-renew.service", "./certdeck-renew.timer"]).current_dir(dir.path());
    assert_eq!(said(verify, 0), "");
}

/// Where no CA is: nobody listens at the first port.
const DARK: &str = "https://127.0.0.1:1/dir";

/// Lineages of a host.
const EACH: usize = 4;

const DAY: u64 = 24 * 60 * 60;
