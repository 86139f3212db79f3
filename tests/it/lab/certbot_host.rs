//! A whole host as there are many: sshd, certbot with folders of its own, a CA that signs for it,
//! nginx that serves what it got. Everything is real and on loopback.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::ca::{self, Ca, Checks};
use super::nginx::{self, Nginx};
use super::{Lab, Sshd, are_here, end_processes_with};
use crate::certificate;

/// A host with certbot and nginx, until it is dropped. The lab it was made for holds its sshd
/// and must live longer.
pub(crate) struct CertbotHost {
    pub(crate) name: String,
    pub(crate) sshd: Sshd,
    pub(crate) nginx: Nginx,
    pub(crate) ca: Ca,
    dir: PathBuf,
}

impl CertbotHost {
    /// A host whose certificates last 90 days; `None`, said on stderr, where the programs for it
    /// are missing and not required.
    pub(crate) fn start(lab: &mut Lab, name: &str) -> Option<Self> {
        Self::start_with(lab, name, 90, "")
    }

    /// The same with another life of certificates, and more lines for its `sshd_config`.
    pub(crate) fn start_with(lab: &mut Lab, name: &str, days: u32, extra: &str) -> Option<Self> {
        if !are_here(ca::PROGRAMS) || !are_here(&[nginx::NGINX]) {
            return None;
        }
        let dir = lab.path(name);
        for folder in ["bin", "le", "work", "log", "state", "root/usr/lib", "home/letsencrypt"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let nginx = Nginx::start(&dir.join("nginx"));
        let ca = Ca::start(&dir.join("ca"), Checks::Http(nginx.http_port), days);
        // Without it, a dry run would go to the staging CA of Let's Encrypt.
        let settings = format!("server = {}\n", ca.directory());
        fs::write(dir.join("home/letsencrypt/cli.ini"), settings).unwrap();
        // Of the system below its root, only certbot's version is to be seen.
        std::os::unix::fs::symlink("/usr/lib/python3", dir.join("root/usr/lib/python3")).unwrap();
        let kernel = dir.join("root/proc/sys/kernel/random");
        fs::create_dir_all(&kernel).unwrap();
        fs::copy("/proc/sys/kernel/random/boot_id", kernel.join("boot_id")).unwrap();
        let environment: Vec<_> =
            environment(&dir, &ca).iter().map(|(key, value)| format!("{key}={value}")).collect();
        // sshd takes the first line of these alone.
        let sshd = lab.sshd(&format!("{extra}\nSetEnv {}", environment.join(" ")));
        Some(Self { name: name.to_owned(), sshd, nginx, ca, dir })
    }

    /// A file or folder of this host.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path)
    }

    /// The host for an inventory, up to its source; more lines of that can follow.
    pub(crate) fn inventory(&self) -> String {
        self.reached(&format!("address = '127.0.0.1'\nport = {}", self.sshd.port))
    }

    /// The same for a program that runs on the host itself, with its environment.
    pub(crate) fn local_inventory(&self) -> String {
        self.reached("connection = 'local'")
    }

    fn reached(&self, how: &str) -> String {
        let dir = self.dir.display();
        format!(
            "[[host]]\nname = '{}'\n{how}\n\
             [[host.source]]\nkind = 'certbot'\nconfig-dir = '{dir}/le'\n\
             work-dir = '{dir}/work'\nlogs-dir = '{dir}/log'\n",
            self.name
        )
    }

    /// What a login has in its environment.
    pub(crate) fn environment(&self) -> [(&'static str, String); 6] {
        environment(&self.dir, &self.ca)
    }

    /// An endpoint of the host for an inventory, to be looked at on its loopback.
    pub(crate) fn endpoint(&self, name: &str) -> String {
        format!(
            "[[host.endpoint]]\nname = '{name}'\nport = {}\nprobe = ['loopback']\n",
            self.nginx.tls_port
        )
    }

    /// Runs certbot as somebody on the host would, with its folders.
    pub(crate) fn certbot(&self, words: &[&str]) -> Output {
        self.certbot_at(&self.ca, words)
    }

    /// The same where another CA is trusted.
    fn certbot_at(&self, ca: &Ca, words: &[&str]) -> Output {
        let mut command = Command::new("certbot");
        command.args(words).arg("-n");
        for (flag, folder) in
            [("--config-dir", "le"), ("--work-dir", "work"), ("--logs-dir", "log")]
        {
            command.arg(flag).arg(self.path(folder));
        }
        command.envs(environment(&self.dir, ca)).stdin(Stdio::null()).output().unwrap()
    }

    /// Issues a lineage by webroot, with more words for certbot, and serves it.
    #[track_caller]
    pub(crate) fn issue(&self, name: &str, more: &[&str]) {
        self.order(name, &[&["-d", name], more].concat());
        let file = |kind| self.live(name, kind);
        self.nginx.serve(name, &file("fullchain"), &file("privkey"));
    }

    /// Issues a lineage by webroot for the names that these words for certbot tell.
    #[track_caller]
    pub(crate) fn order(&self, lineage: &str, more: &[&str]) {
        self.order_at(&self.ca, lineage, more);
    }

    /// Issues it at another CA, which must look at the same port.
    #[track_caller]
    pub(crate) fn order_at(&self, ca: &Ca, lineage: &str, more: &[&str]) {
        let webroot = self.nginx.webroot();
        let mut words = vec!["certonly", "--agree-tos", "--register-unsafely-without-email"];
        words.extend(["--webroot", "-w", webroot.to_str().unwrap(), "--cert-name", lineage]);
        words.extend(more);
        let directory = ca.directory();
        if ca.port != self.ca.port {
            words.extend(["--server", &directory]);
        }
        let output = self.certbot_at(ca, &words);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A link in the `live` folder of a lineage: `cert`, `chain`, `fullchain` or `privkey`.
    pub(crate) fn live(&self, lineage: &str, kind: &str) -> PathBuf {
        self.path(&format!("le/live/{lineage}/{kind}.pem"))
    }

    /// The fingerprint of the live certificate on disk, as openssl sees it.
    #[track_caller]
    pub(crate) fn on_disk(&self, lineage: &str) -> String {
        certificate::openssl(&self.live(lineage, "cert")).unwrap().sha256
    }

    /// How many versions of a lineage the archive holds.
    pub(crate) fn versions(&self, lineage: &str) -> usize {
        let archive = fs::read_dir(self.path(&format!("le/archive/{lineage}"))).unwrap();
        archive.filter(|it| is_certificate(&it.as_ref().unwrap().path())).count()
    }

    /// Puts a script into one of certbot's folders of hooks: `pre`, `deploy` or `post`.
    pub(crate) fn hook(&self, stage: &str, name: &str, script: &str) -> PathBuf {
        let folder = self.path(&format!("le/renewal-hooks/{stage}"));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A deploy hook that makes nginx serve the new certificate.
    pub(crate) fn reload_on_deploy(&self) -> PathBuf {
        self.hook("deploy", "10-nginx", &self.nginx.reload())
    }

    /// Stops with an assertion unless a lineage is whole, as openssl sees it: four links to the
    /// same version, the key fits, the chain verifies, and nothing of an unfinished run is left.
    #[track_caller]
    pub(crate) fn assert_whole(&self, lineage: &str) {
        let link = |kind: &str| fs::read_link(self.live(lineage, kind)).unwrap();
        let version = |kind: &str| {
            let name = link(kind).file_stem().unwrap().to_str().unwrap().to_owned();
            name.strip_prefix(kind).unwrap().to_owned()
        };
        let first = version("cert");
        for kind in ["chain", "fullchain", "privkey"] {
            assert_eq!(version(kind), first, "{lineage}: {kind} is of another version");
        }
        let file = |kind: &str| self.live(lineage, kind).to_str().unwrap().to_owned();
        let [cert, chain, fullchain, key] = ["cert", "chain", "fullchain", "privkey"].map(file);
        let public_key = openssl(&["pkey", "-in", &key, "-pubout"]);
        assert_eq!(openssl(&["x509", "-in", &cert, "-noout", "-pubkey"]), public_key);
        let both = format!("{}{}", read(&cert), read(&chain));
        assert_eq!(read(&fullchain), both, "{lineage}: fullchain is not cert and chain");
        openssl(&["verify", "-partial_chain", "-trusted", &chain, &cert]);
        let left: Vec<_> = fs::read_dir(self.path(&format!("le/archive/{lineage}")))
            .unwrap()
            .chain(fs::read_dir(self.path(&format!("le/live/{lineage}"))).unwrap())
            .map(|it| it.unwrap().path())
            .filter(|it| it.file_name().unwrap().to_str().unwrap().starts_with("previous_"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for CertbotHost {
    fn drop(&mut self) {
        // Jobs outlive everybody else, which is what they are for.
        end_processes_with(&self.path("root/var/lib/certdeck"));
        end_processes_with(&self.path("le"));
    }
}

/// What a login on the host has in its environment.
fn environment(dir: &Path, ca: &Ca) -> [(&'static str, String); 6] {
    let text = |path: &str| dir.join(path).to_str().unwrap().to_owned();
    [
        ("REQUESTS_CA_BUNDLE", ca.trust().to_str().unwrap().to_owned()),
        ("CERTDECK_ROOT", text("root")),
        ("XDG_STATE_HOME", text("state")),
        // certbot's cli.ini is looked for there.
        ("XDG_CONFIG_HOME", text("home")),
        ("HOME", text("home")),
        // Its own programs come first.
        ("PATH", text("bin") + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ]
}

fn is_certificate(path: &Path) -> bool {
    let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
    name.starts_with("cert") && path.extension().is_some_and(|it| it == "pem")
}

#[track_caller]
fn openssl(words: &[&str]) -> String {
    let output = Command::new("openssl").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_host_orders_renews_and_serves() {
    let Some(mut lab) = Lab::new() else { return };
    let Some(web) = CertbotHost::start(&mut lab, "web-01") else { return };
    web.issue("a.test", &["-d", "www.a.test"]);
    web.reload_on_deploy();
    web.assert_whole("a.test");
    let before = web.on_disk("a.test");
    assert_eq!(web.nginx.served("a.test"), Some(before.clone()));
    let renewed = web.certbot(&["renew", "--force-renewal", "--no-random-sleep-on-renew"]);
    assert!(renewed.status.success());
    web.assert_whole("a.test");
    let after = web.on_disk("a.test");
    assert_ne!(before, after);
    super::wait_for("the new certificate", || web.nginx.served("a.test") == Some(after.clone()));
    assert_eq!(web.versions("a.test"), 2);

    // A dry run asks the same CA, and changes nothing.
    let tried = web.certbot(&["renew", "--dry-run", "--no-random-sleep-on-renew"]);
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    assert_eq!((web.on_disk("a.test"), web.versions("a.test")), (after.clone(), 2));

    let told = super::scan_json(&lab, &(web.inventory() + &web.endpoint("a.test")));
    let places = told["hosts"][0]["places"].as_array().unwrap();
    assert_eq!(places.len(), 1);
    assert_eq!(places[0]["layers"]["disk"]["sha256"], after);
    assert_eq!(told["hosts"][0]["reach"], "up");
}
