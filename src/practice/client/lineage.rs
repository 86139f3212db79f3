//! A lineage on disk: the newest version, and how the next one gets there.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::conf::Conf;
use super::host::{Host, is_inside};
use crate::fleet::{Certificate, KeyKind as PublicKey, Moment};
use crate::practice::authority::{Issued, KeyKind};
use crate::practice::certbot::period;
use crate::practice::stage;

/// The files of a version, in the order in which their links are turned.
pub(super) const KINDS: [&str; 4] = ["cert", "privkey", "chain", "fullchain"];

/// A lineage that certbot can use.
pub(super) struct Lineage {
    pub(super) files: Files,
    pub(super) conf: Conf,
    /// What `cert.pem` leads to.
    pub(super) certificate: Certificate,
    /// Its names.
    pub(super) names: Vec<String>,
}

/// Where the files of a lineage are, or will be.
pub(super) struct Files {
    pub(super) name: String,
    pub(super) live: PathBuf,
    archive: PathBuf,
    conf: PathBuf,
}

impl Lineage {
    /// Reads it; `None` if certbot cannot use it.
    pub(super) fn read(host: &Host, name: &str) -> Option<Self> {
        let files = Files::of(host, name)?;
        let conf = Conf { text: stage::read(&files.conf).ok().filter(|_| files.exists())? };
        let leaf = CertificateDer::from_pem_file(files.live.join("cert.pem")).ok()?;
        let certificate = Certificate::read(&leaf).ok().filter(|_| conf.is_whole())?;
        let names = certificate.names.iter().map(|it| it.as_str().to_owned()).collect();
        Some(Self { files, conf, certificate, names })
    }

    /// What people look at.
    pub(super) fn full_chain(&self) -> String {
        self.files.path("fullchain")
    }

    /// How long its versions live.
    pub(super) const fn life(&self) -> i64 {
        // A certificate's life counts its last second (RFC 5280, section 4.1.2.5).
        self.certificate.not_after.since(self.certificate.not_before) + 1
    }

    /// Whether it is time for the next version.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        now >= self.certificate.not_before.plus(period(self.life()))
    }

    /// The kind of its key.
    pub(super) const fn key(&self) -> KeyKind {
        match self.certificate.key {
            PublicKey::Rsa(_) => KeyKind::Rsa,
            _ => KeyKind::Ecdsa,
        }
    }

    /// Its private key, if it is to be used again.
    pub(super) fn reused_key(&self) -> Option<String> {
        self.conf.value("reuse_key").filter(|it| *it == "True")?;
        stage::read(&self.files.live.join("privkey.pem")).ok()
    }
}

impl Files {
    /// The files of that name, unless they would lie outside of the host.
    pub(super) fn of(host: &Host, name: &str) -> Option<Self> {
        let is_name = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
        let files = Self {
            name: name.to_owned(),
            live: host.etc.join("live").join(name),
            archive: host.etc.join("archive").join(name),
            conf: host.etc.join("renewal").join(format!("{name}.conf")),
        };
        let all = [&files.live, &files.archive, &files.conf];
        (is_name && all.iter().all(|it| is_inside(&host.root, it))).then_some(files)
    }

    /// Whether there is such a lineage.
    pub(super) fn exists(&self) -> bool {
        self.conf.is_file()
    }

    /// The path of one of the live files.
    pub(super) fn path(&self, kind: &str) -> String {
        self.live.join(format!("{kind}.pem")).display().to_string()
    }

    /// Turns links to the newest version of which all files are there, as after a renewal that
    /// was cut short; tells whether there was anything to do.
    pub(super) fn catch_up(&self) -> io::Result<bool> {
        let common = KINDS.iter().map(|it| self.newest(it)).min().unwrap_or_default();
        let is_behind = KINDS.iter().any(|it| self.linked(it).is_some_and(|it| it < common));
        if is_behind {
            self.turn_to(common)?;
        }
        Ok(is_behind)
    }

    /// Writes the next version and its configuration, and turns the links to it, one by one.
    pub(super) fn save(&self, issued: &Issued, conf: &Conf) -> io::Result<u32> {
        let next = KINDS.iter().map(|it| self.newest(it)).max().unwrap_or_default() + 1;
        let full = format!("{}{}", issued.certificate, issued.chain);
        for (kind, mode, text) in [
            ("privkey", 0o600, &issued.key),
            ("cert", 0o644, &issued.certificate),
            ("chain", 0o644, &issued.chain),
            ("fullchain", 0o644, &full),
        ] {
            let path = self.archive.join(format!("{kind}{next}.pem"));
            stage::write(&path, mode, text.as_bytes())?;
        }
        let new = self.conf.with_extension("conf.new");
        if new.exists() {
            fs::remove_file(&new)?;
        }
        stage::write(&new, 0o644, conf.text.as_bytes())?;
        fs::rename(&new, &self.conf)?;
        self.turn_to(next)?;
        Ok(next)
    }

    fn turn_to(&self, version: u32) -> io::Result<()> {
        fs::create_dir_all(&self.live)?;
        for kind in KINDS {
            let link = self.live.join(format!("{kind}.pem"));
            // As certbot does it: for a moment there is none.
            if link.is_symlink() {
                fs::remove_file(&link)?;
            }
            symlink(format!("../../archive/{}/{kind}{version}.pem", self.name), &link)?;
        }
        Ok(())
    }

    /// The newest version of a file in the archive; 0 if there is none.
    fn newest(&self, kind: &str) -> u32 {
        let Ok(entries) = fs::read_dir(&self.archive) else { return 0 };
        let names = entries.flatten().filter_map(|it| it.file_name().into_string().ok());
        names.filter_map(|it| version(&it, kind)).max().unwrap_or_default()
    }

    /// The version that a live file leads to.
    fn linked(&self, kind: &str) -> Option<u32> {
        let target = fs::read_link(self.live.join(format!("{kind}.pem"))).ok()?;
        version(target.file_name()?.to_str()?, kind)
    }
}

/// The version in the name of a file.
fn version(name: &str, kind: &str) -> Option<u32> {
    name.strip_prefix(kind)?.strip_suffix(".pem")?.parse().ok()
}
