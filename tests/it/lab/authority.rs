//! A root, an intermediate and what they sign, all made by openssl.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority with its files in a folder, and one key of each kind for its customers.
pub(super) struct Authority {
    dir: PathBuf,
}

/// What to sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    /// One of [`KEYS`].
    pub(super) key: &'a str,
    pub(super) days: u32,
    /// As openssl takes them: `DNS:a.test`, `IP:192.0.2.1`.
    pub(super) names: &'a [&'a str],
}

/// Kinds of keys, with the words that make openssl make one.
pub(super) const KEYS: [(&str, &[&str]); 4] = [
    ("rsa-2048", &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ("ecdsa-p256", &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
    ("ecdsa-p384", &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
    ("ed25519", &["ED25519"]),
];

impl Authority {
    /// Makes one in a new folder.
    pub(super) fn new(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let authority = Self { dir };
        for (name, words) in KEYS.iter().chain(&[("root", KEYS[1].1), ("middle", KEYS[1].1)]) {
            let path = authority.key(name);
            openssl(&[&["genpkey", "-out", text(&path), "-algorithm"], *words].concat());
            let public = path.with_extension("pub");
            openssl(&["pkey", "-in", text(&path), "-pubout", "-out", text(&public)]);
        }
        fs::write(authority.dir.join("ca.ext"), "basicConstraints = critical, CA:TRUE\n").unwrap();
        let subject = "/C=NO/O=Fjord Trust, Ltd/CN=Fjord Root";
        authority.sign("root", "root", subject, "root", 3650, "ca.ext");
        let subject = "/C=NO/O=Fjord Trust, Ltd/OU=a+b/CN=Fjord Issuing 1";
        authority.sign("middle", "middle", subject, "root", 1825, "ca.ext");
        authority
    }

    /// The private key of that kind, in PEM.
    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.key"))
    }

    /// The intermediate, in PEM.
    pub(super) fn chain(&self) -> String {
        fs::read_to_string(self.dir.join("middle.pem")).unwrap()
    }

    /// Signs an order: the leaf, in PEM.
    pub(super) fn issue(&self, order: Order<'_>) -> String {
        let extensions =
            format!("subjectAltName = {}\nbasicConstraints = CA:FALSE\n", order.names.join(", "));
        fs::write(self.dir.join("leaf.ext"), extensions).unwrap();
        let subject = "/CN=leaf.test";
        self.sign("leaf", order.key, subject, "middle", order.days, "leaf.ext");
        fs::read_to_string(self.dir.join("leaf.pem")).unwrap()
    }

    /// Writes a lineage as certbot does, with as many versions as there are orders, and leaves
    /// its links at version `live`.
    pub(super) fn lineage(&self, config: &Path, name: &str, orders: &[Order<'_>], live: usize) {
        let (archive, links) = (config.join("archive").join(name), config.join("live").join(name));
        for dir in [&archive, &links, &config.join("renewal")] {
            fs::create_dir_all(dir).unwrap();
        }
        for (version, order) in orders.iter().enumerate().map(|(at, it)| (at + 1, it)) {
            let file = |kind: &str| archive.join(format!("{kind}{version}.pem"));
            let leaf = self.issue(*order);
            fs::write(file("cert"), &leaf).unwrap();
            fs::write(file("chain"), self.chain()).unwrap();
            fs::write(file("fullchain"), leaf + &self.chain()).unwrap();
            fs::copy(self.key(order.key), file("privkey")).unwrap();
        }
        let mut conf = "version = 2.1.0\n".to_owned();
        for kind in ["cert", "privkey", "chain", "fullchain"] {
            let link = links.join(format!("{kind}.pem"));
            symlink(format!("../../archive/{name}/{kind}{live}.pem"), &link).unwrap();
            writeln!(conf, "{kind} = {}", link.display()).unwrap();
        }
        conf += "[renewalparams]\nauthenticator = webroot\n";
        fs::write(config.join(format!("renewal/{name}.conf")), conf).unwrap();
    }

    fn sign(&self, name: &str, key: &str, subject: &str, by: &str, days: u32, extensions: &str) {
        let file = |name: String| self.dir.join(name);
        let (key, signer) = (self.key(key).with_extension("pub"), self.key(by));
        let (out, extensions) = (file(format!("{name}.pem")), file(extensions.to_owned()));
        let authority = file(format!("{by}.pem"));
        let days = days.to_string();
        let mut words =
            vec!["x509", "-new", "-subj", subject, "-days", &days, "-force_pubkey", text(&key)];
        words.extend(["-extfile", text(&extensions), "-out", text(&out)]);
        if name == by {
            words.extend(["-signkey", text(&signer)]);
        } else {
            words.extend(["-CA", text(&authority), "-CAkey", text(&signer)]);
        }
        openssl(&words);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn openssl(words: &[&str]) {
    let output = Command::new("openssl").args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}
