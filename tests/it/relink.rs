//! The one script of an action that certdeck brings itself: leading the links of a lineage to
//! another version, whole or not at all, in every shell that a host may have.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use certdeck::action::{self, Chosen, Find, Plan};
use certdeck::budget::History;
use certdeck::fleet::{
    Certificate, Chain, HostName, Moment, Outcome, Place, Seen, Sighting, Trust, Version, Visit,
};
use certdeck::inventory;
use certdeck::text::SafeText;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

const NOW: Moment = Moment::from_unix(1_795_403_564);

/// What files of a lineage are called.
const KINDS: [&str; 4] = ["cert", "chain", "privkey", "fullchain"];

/// A lineage with three versions, of which the second is live.
struct Lineage {
    folder: TempDir,
    leaves: Vec<Arc<Certificate>>,
}

impl Lineage {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for part in ["live/www", "archive/www"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        let leaves = (1..=3).map(|it| issue(folder.path(), it)).collect();
        let it = Self { folder, leaves };
        it.link(2);
        it
    }

    fn path(&self, part: &str) -> std::path::PathBuf {
        self.folder.path().join(part)
    }

    fn link(&self, number: u32) {
        for kind in KINDS {
            let link = self.path(&format!("live/www/{kind}.pem"));
            fs::remove_file(&link).ok();
            symlink(format!("../../archive/www/{kind}{number}.pem"), link).unwrap();
        }
    }

    /// Which versions the four links lead to, and whether nothing else is in the folder.
    fn state(&self) -> String {
        let number = |kind: &str| {
            let target = fs::read_link(self.path(&format!("live/www/{kind}.pem")));
            let target = target.map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
            target
                .trim_end_matches(".pem")
                .trim_start_matches(|it: char| !it.is_ascii_digit())
                .to_owned()
        };
        let others = fs::read_dir(self.path("live/www")).unwrap().count() - 4;
        format!("{} +{others}", KINDS.map(number).join(" "))
    }

    /// The plan that leads to a version.
    fn plan(&self, to: &str) -> Plan {
        let text = format!(
            "[[host]]\nname = 'a'\n[[host.source]]\nkind = 'certbot'\nconfig-dir = '{}'\n",
            self.folder.path().display()
        );
        let (inventory, complaints) = inventory::read(&text);
        assert!(complaints.is_empty(), "{complaints:?}");
        let mut place = Place::new("certbot", SafeText::new("www"));
        let numbers = 1..;
        place.versions = numbers
            .zip(&self.leaves)
            .map(|(number, it)| Version { number, certificate: Some(Arc::clone(it)) })
            .collect();
        let chain = Chain {
            leaf: Arc::clone(&self.leaves[1]),
            rest: Vec::new(),
            fault: None,
            trust: Trust::default(),
        };
        let location = SafeText::new(self.path("live/www/fullchain.pem").to_str().unwrap());
        place.layers.disk = Some(Sighting { chain: Arc::new(chain), location, at: NOW });
        let seen = Seen { places: vec![place], ..Seen::default() };
        let mut fleet = inventory.fleet();
        let host = HostName::new("a");
        fleet.apply(Visit {
            host: host.clone(),
            at: NOW,
            outcome: Outcome::Seen(Box::new(seen)),
            probes: None,
        });
        let history = &History::default();
        let find = Find { inventory: &inventory, fleet: &fleet, history, now: NOW };
        let mut chosen = Chosen::default();
        chosen.set("to", to);
        let target = find.target(&host, Some("www")).unwrap();
        action::named("rollback").unwrap().plan(&target, &chosen).unwrap()
    }

    /// Runs the plan in a shell, with `first` as the first folder of its path.
    fn run(&self, shell: &[&str], to: &str, first: &Path) -> Output {
        let plan = self.plan(to);
        let [command] = plan.commands.as_slice() else { panic!("{:?}", plan.commands) };
        let path = format!("{}:/usr/bin:/bin", first.display());
        Command::new(shell[0])
            .args(&shell[1..])
            .args(&command.argv[1..])
            .env("PATH", path)
            .output()
            .unwrap()
    }
}

/// Issues a version, and writes its four files.
fn issue(folder: &Path, number: u32) -> Arc<Certificate> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["www.example.net".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let write = |kind: &str, text: String| {
        fs::write(folder.join(format!("archive/www/{kind}{number}.pem")), text).unwrap();
    };
    write("cert", certificate.pem());
    write("chain", certificate.pem());
    write("fullchain", certificate.pem() + &certificate.pem());
    write("privkey", key.serialize_pem());
    Arc::new(Certificate::read(certificate.der()).unwrap())
}

/// The shells that are here.
fn shells() -> Vec<Vec<&'static str>> {
    let all = [vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "sh"], vec!["mksh"]];
    let is_here =
        |it: &Vec<&str>| Command::new(it[0]).args(&it[1..]).args(["-c", ":"]).output().is_ok();
    let here: Vec<_> = all.into_iter().filter(is_here).collect();
    assert!(!here.is_empty());
    here
}

/// That a run leaves the lineage as it was, says why, and how it ends.
#[track_caller]
fn check_refused(spoil: impl Fn(&Lineage), code: i32, why: &str) {
    for shell in shells() {
        let lineage = Lineage::new();
        spoil(&lineage);
        let before = lineage.state();
        let output = lineage.run(&shell, "1", &lineage.path("bin"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{shell:?}: {told}");
        assert!(told.contains(why), "{shell:?}: {told}");
        assert_eq!(lineage.state(), before, "{shell:?}");
    }
}

#[test]
fn the_links_lead_to_another_version() {
    for shell in shells() {
        let lineage = Lineage::new();
        for to in ["1", "3"] {
            let output = lineage.run(&shell, to, Path::new("/nowhere"));
            assert!(output.status.success(), "{shell:?}: {output:?}");
            assert_eq!(lineage.state(), format!("{to} {to} {to} {to} +0"));
        }
    }
}

#[test]
fn links_that_lead_apart_or_nowhere_are_mended() {
    for shell in shells() {
        let lineage = Lineage::new();
        let privkey = lineage.path("live/www/privkey.pem");
        fs::remove_file(&privkey).unwrap();
        symlink("../../archive/www/privkey9.pem", privkey).unwrap();
        fs::remove_file(lineage.path("live/www/chain.pem")).unwrap();
        let output = lineage.run(&shell, "1", Path::new("/nowhere"));
        assert!(output.status.success(), "{shell:?}: {output:?}");
        assert_eq!(lineage.state(), "1 1 1 1 +0");
    }
}

#[test]
fn nothing_is_touched_that_is_not_whole() {
    let archive = |lineage: &Lineage, file: &str| lineage.path(&format!("archive/www/{file}.pem"));
    check_refused(|it| fs::remove_file(archive(it, "chain1")).unwrap(), 3, "chain1.pem is missing");
    check_refused(
        |it| fs::write(archive(it, "privkey1"), "").unwrap(),
        3,
        "privkey1.pem is missing, empty",
    );
    let swap = |it: &Lineage, from: &str, to: &str| {
        fs::copy(archive(it, from), archive(it, to)).unwrap();
    };
    check_refused(|it| swap(it, "privkey3", "privkey1"), 3, "do not belong together");
    check_refused(
        |it| swap(it, "fullchain3", "fullchain1"),
        3,
        "not the certificate that was reviewed",
    );
    let replaced = |it: &Lineage| {
        swap(it, "cert3", "cert1");
        swap(it, "privkey3", "privkey1");
    };
    check_refused(replaced, 3, "not the certificate that was reviewed");
    let plain = |it: &Lineage| {
        let path = it.path("live/www/cert.pem");
        fs::remove_file(&path).unwrap();
        fs::copy(archive(it, "cert2"), path).unwrap();
    };
    check_refused(plain, 3, "is not a link");
}

/// A program of the host that does something else.
fn shim(lineage: &Lineage, name: &str, text: &str) {
    let folder = lineage.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn without_openssl_nothing_is_done() {
    for shell in shells() {
        let lineage = Lineage::new();
        // mksh has no printf of its own.
        shim(&lineage, "printf", "exec /usr/bin/printf \"$@\"");
        let plan = lineage.plan("1");
        let output = Command::new(Path::new("/usr/bin").join(shell[0]))
            .args(&shell[1..])
            .args(&plan.commands[0].argv[1..])
            .env("PATH", lineage.path("bin"))
            .output()
            .unwrap();
        // busybox brings its own programs, and openssl is not among them.
        assert_eq!(output.status.code(), Some(3), "{shell:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("no openssl"), "{output:?}");
        assert_eq!(lineage.state(), "2 2 2 2 +0");
    }
}

#[test]
fn a_step_that_fails_is_taken_back() {
    let broken = |it: &Lineage| {
        shim(
            it,
            "mv",
            "case $3 in */privkey.pem) [ -e \"$0.done\" ] || { : >\"$0.done\"; exit 1; };; esac\nexec /bin/mv \"$@\"",
        );
    };
    for shell in shells().into_iter().filter(|it| it[0] != "busybox") {
        let lineage = Lineage::new();
        broken(&lineage);
        let output = lineage.run(&shell, "1", &lineage.path("bin"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{shell:?}: {told}");
        assert!(told.contains("lead back"), "{told}");
        // What a failed rename leaves is a link that nobody reads.
        assert!(lineage.state().starts_with("2 2 2 2"), "{shell:?}: {}", lineage.state());
    }
}

#[test]
fn a_stop_half_way_is_taken_back() {
    for shell in shells().into_iter().filter(|it| it[0] != "busybox") {
        let lineage = Lineage::new();
        // The signal comes right after the key was changed.
        shim(
            &lineage,
            "mv",
            "/bin/mv \"$@\"\ncase $3 in */privkey.pem) [ -e \"$0.done\" ] || { : >\"$0.done\"; kill -TERM $PPID; };; esac",
        );
        let output = lineage.run(&shell, "1", &lineage.path("bin"));
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(143), "{shell:?}: {told}");
        assert_eq!(lineage.state(), "2 2 2 2 +0", "{shell:?}");
    }
}
