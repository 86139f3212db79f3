//! A made `/etc` in a temporary folder, and a host that is this machine with that shell.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use certdeck::clock::Clock;
use certdeck::fleet::{Fleet, Host, HostName, Moment, Outcome, Place, Roots, Seen, Visit};
use certdeck::source::{self, Nonce};
use certdeck::spanned::Table;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tempfile::TempDir;
use toml::de::DeTable;

/// A folder with files.
pub(super) struct Tree {
    root: TempDir,
}

/// An authority and what it signs.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A key and the chain for it, in PEM.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) key: String,
    pub(super) cert: String,
    pub(super) chain: String,
}

impl Issued {
    pub(super) fn fullchain(&self) -> String {
        format!("{}{}", self.cert, self.chain)
    }
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "made authority");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn issue(&self, names: &[&str]) -> Issued {
        let names: Vec<_> = names.iter().map(|it| (*it).to_owned()).collect();
        let params = CertificateParams::new(names).unwrap();
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        Issued { key: key.serialize_pem(), cert: cert.pem(), chain: self.0.pem() }
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(super) fn text(&self, path: &str) -> String {
        self.path(path).to_str().unwrap().to_owned()
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn link(&self, path: &str, target: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if path.symlink_metadata().is_ok() {
            fs::remove_file(&path).unwrap();
        }
        symlink(target, path).unwrap();
    }

    /// Waits for the second after the last change of that file.
    pub(super) fn settle(&self, path: &str) {
        let changed = fs::metadata(self.path(path)).unwrap().ctime();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Clock::default().now().unix() <= changed {
            assert!(Instant::now() < deadline, "the clock stands still");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(super) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Writes one version of a lineage into `archive/`, as certbot does.
    pub(super) fn archive(&self, name: &str, version: u32, issued: &Issued) {
        let at = format!("le/archive/{name}");
        self.write(&format!("{at}/cert{version}.pem"), &issued.cert);
        self.write(&format!("{at}/chain{version}.pem"), &issued.chain);
        self.write(&format!("{at}/fullchain{version}.pem"), issued.fullchain());
        self.write(&format!("{at}/privkey{version}.pem"), &issued.key);
    }

    /// Points one of the four links at a version.
    pub(super) fn point(&self, name: &str, kind: &str, version: u32) {
        let target = format!("../../archive/{name}/{kind}{version}.pem");
        self.link(&format!("le/live/{name}/{kind}.pem"), &target);
    }

    /// A whole lineage with one version, as certbot makes it.
    pub(super) fn lineage(&self, name: &str, issued: &Issued) {
        self.archive(name, 1, issued);
        let mut conf = "version = 2.1.0\n".to_owned();
        for kind in ["cert", "privkey", "chain", "fullchain"] {
            self.point(name, kind, 1);
            let path = self.text(&format!("le/live/{name}/{kind}.pem"));
            conf += &[kind, " = ", &path, "\n"].concat();
        }
        conf += "[renewalparams]\nauthenticator = webroot\nkey_type = ecdsa\n";
        self.write(&format!("le/renewal/{name}.conf"), conf);
    }

    /// The inventory's table for certbot in this tree.
    pub(super) fn certbot(&self) -> String {
        format!(
            "kind = 'certbot'\nconfig-dir = '{}'\nlogs-dir = '{}'\n",
            self.text("le"),
            self.text("log")
        )
    }
}

/// The shells that `/bin/sh` is on hosts; those that are installed here.
pub(super) fn shells() -> Vec<Vec<&'static str>> {
    let all: [&[&str]; 5] = [&["sh"], &["dash"], &["bash"], &["busybox", "sh"], &["mksh"]];
    let is_here = |it: &&&[&str]| Command::new(it[0]).args(["-c", ":"]).output().is_ok();
    let here: Vec<_> = all.iter().filter(is_here).map(|it| it.to_vec()).collect();
    assert!(here.len() >= 2, "no shells to try");
    here
}

pub(super) fn host() -> Host {
    Host::new(HostName::new("here"), "localhost", &[])
}

pub(super) fn nonce() -> Nonce {
    Nonce::new(*uuid::Uuid::now_v7().as_bytes())
}

/// One visit, as the scan makes it, but with a local shell in the place of ssh.
pub(super) fn visit(shell: &[&str], source: &str, known: &Host) -> Seen {
    let (answer, nonce) = answer(shell, source, known);
    read(&answer, &nonce, source, known)
}

pub(super) fn read(answer: &[u8], nonce: &Nonce, source: &str, known: &Host) -> Seen {
    let sources = [build(source)];
    let reading = source::Reading { known, roots: &Roots::none(), now: NOW };
    match source::read_answer(&sources, answer, nonce, NOW, &reading) {
        Ok(seen) => seen,
        Err(why) => panic!("{why}: {}", String::from_utf8_lossy(answer)),
    }
}

/// The same, on a host whose paths of the system lie below `root/` of the tree.
pub(super) fn visit_below(shell: &[&str], tree: &Tree, source: &str) -> Seen {
    let nonce = nonce();
    let script = source::ask_all(&[build(source)], &host(), &nonce);
    let script = format!("CERTDECK_ROOT='{}'\n{script}", tree.text("root"));
    read(&run(shell, &script), &nonce, source, &host())
}

/// What a host answers, and the nonce that it was asked with.
pub(super) fn answer(shell: &[&str], source: &str, known: &Host) -> (Vec<u8>, Nonce) {
    let nonce = nonce();
    let script = source::ask_all(&[build(source)], known, &nonce);
    (run(shell, &script), nonce)
}

fn build(text: &str) -> std::sync::Arc<dyn source::Source> {
    let text = format!("[source]\n{text}");
    let mut table = DeTable::parse(&text).unwrap().into_inner();
    source::build(Table::new(table.remove("source").unwrap()).unwrap()).unwrap()
}

/// Runs a script as a host does: on the stdin of `shell -s`. A script that hangs is a failure.
pub(super) fn run(shell: &[&str], script: &str) -> Vec<u8> {
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut answer = Vec::new();
        stdout.read_to_end(&mut answer).unwrap();
        answer
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("{shell:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    reader.join().unwrap()
}

/// Drops the stamps of keys: files made a moment ago have one or none, as the second passes.
pub(super) fn forget_stamps(seen: &mut Seen) {
    for key in seen.places.iter_mut().filter_map(|it| it.key.as_mut()) {
        key.stamp = None;
    }
}

/// The host after a visit, for the next.
pub(super) fn after(seen: Seen) -> Host {
    let mut fleet = Fleet::new([host()]);
    let name = HostName::new("here");
    fleet.apply(Visit {
        host: name.clone(),
        at: NOW,
        outcome: Outcome::Seen(Box::new(seen)),
        probes: None,
    });
    fleet.host(&name).unwrap().clone()
}

#[track_caller]
pub(super) fn place<'s>(seen: &'s Seen, name: &str) -> &'s Place {
    let found = seen.places.iter().find(|it| it.name == *name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", seen.places))
}

/// Some moment: nothing here depends on the time.
pub(super) const NOW: Moment = Moment::from_unix(1_795_403_564);
