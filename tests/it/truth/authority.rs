//! A CA that signs whatever is asked, for any time, and lineages as certbot leaves them.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use certdeck::clock::Clock;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A root and an intermediate.
pub(super) struct Authority {
    name: String,
    root: CertifiedIssuer<'static, KeyPair>,
    middle: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with what belongs to it, in PEM.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) leaf: String,
    pub(super) chain: String,
    pub(super) key: String,
}

/// How long a certificate lives: days before and after now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life(pub(super) i64, pub(super) i64);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        Self::until(name, 700)
    }

    /// One whose intermediate has so many days left.
    pub(super) fn until(name: &str, left: i64) -> Self {
        let key = || KeyPair::generate().unwrap();
        let top = ca(name, "Root", Life(900, 900));
        let root = CertifiedIssuer::self_signed(top, key()).unwrap();
        let below = ca(name, "Issuing 1", Life(800, left));
        let middle = CertifiedIssuer::signed_by(below, key(), &root).unwrap();
        Self { name: name.to_owned(), root, middle }
    }

    /// The same intermediate, signed anew so that it lasts.
    pub(super) fn renewed_chain(&self, left: i64) -> String {
        let params = ca(&self.name, "Issuing 1", Life(10, left));
        params.signed_by(self.middle.key(), &self.root).unwrap().pem()
    }

    pub(super) fn root(&self) -> String {
        self.root.pem()
    }

    /// Signs for these names.
    pub(super) fn issue(&self, names: &[&str], life: Life) -> Issued {
        let key = KeyPair::generate().unwrap();
        let leaf = params(names, life).signed_by(&key, &self.middle).unwrap();
        Issued { leaf: leaf.pem(), chain: self.middle.pem(), key: key.serialize_pem() }
    }
}

impl Issued {
    /// What a server is given.
    pub(super) fn full(&self) -> String {
        self.leaf.clone() + &self.chain
    }
}

impl Authority {
    /// Signs for these names, for some hours before and after now.
    pub(super) fn issue_briefly(&self, names: &[&str], before: i64, after: i64) -> Issued {
        let key = KeyPair::generate().unwrap();
        let params = lasting(names, before * 3600, after * 3600);
        let leaf = params.signed_by(&key, &self.middle).unwrap();
        Issued { leaf: leaf.pem(), chain: self.middle.pem(), key: key.serialize_pem() }
    }
}

fn ca(name: &str, what: &str, life: Life) -> CertificateParams {
    let mut params = params(&[], life);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, format!("{name} {what}"));
    params
}

fn params(names: &[&str], Life(before, after): Life) -> CertificateParams {
    lasting(names, before * 86_400, after * 86_400)
}

/// A certificate that is valid for so many seconds before and after now.
fn lasting(names: &[&str], before: i64, after: i64) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&it| it.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let now = u64::try_from(Clock::default().now().unix()).unwrap();
    let at = |seconds: i64| {
        let seconds = now.checked_add_signed(seconds).unwrap();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds)
    };
    (params.not_before, params.not_after) = (at(-before), at(after));
    params
}

/// Writes a lineage into certbot's folder, with as many versions as there are certificates, and
/// leads its links to version `live`.
pub(super) fn lineage(folder: &Path, name: &str, versions: &[&Issued], live: usize, conf: &str) {
    let (archive, links) = (folder.join("archive").join(name), folder.join("live").join(name));
    for dir in [&archive, &links, &folder.join("renewal")] {
        fs::create_dir_all(dir).unwrap();
    }
    for (number, it) in (1..).zip(versions) {
        for (kind, text) in [
            ("cert", &it.leaf),
            ("chain", &it.chain),
            ("fullchain", &it.full()),
            ("privkey", &it.key),
        ] {
            fs::write(archive.join(format!("{kind}{number}.pem")), text).unwrap();
        }
    }
    let mut text = format!("version = 2.1.0\narchive_dir = {}\n", archive.display());
    for kind in ["cert", "privkey", "chain", "fullchain"] {
        let link = links.join(format!("{kind}.pem"));
        symlink(format!("../../archive/{name}/{kind}{live}.pem"), &link).unwrap();
        writeln!(text, "{kind} = {}", link.display()).unwrap();
    }
    write!(text, "\n[renewalparams]\n{conf}").unwrap();
    fs::write(folder.join(format!("renewal/{name}.conf")), text).unwrap();
}
