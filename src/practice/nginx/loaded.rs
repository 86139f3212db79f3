//! What nginx of a practice host has loaded: it stands in one file, as it would in the memory of a
//! process, and changes with a reload only.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::practice::stage;

/// A site that is served.
#[derive(Debug, Default)]
pub(in crate::practice) struct Loaded {
    /// Its names; none if it is for whoever comes.
    pub(in crate::practice) names: Vec<String>,
    /// Its ports.
    pub(in crate::practice) ports: Vec<u16>,
    /// Every certificate with its chain and its key, as PEM.
    pub(in crate::practice) pems: Vec<String>,
}

impl Loaded {
    /// Whether the site is for whoever asks for that name.
    pub(super) fn is_for(&self, name: &str) -> bool {
        self.names.iter().any(|it| match it.strip_prefix("*.") {
            Some(zone) => {
                name.strip_suffix(zone).is_some_and(|it| it.len() > 1 && it.ends_with('.'))
            }
            None => it == name,
        })
    }

    /// Its certificates, ready to be shown.
    pub(super) fn keys(&self) -> Vec<Arc<CertifiedKey>> {
        self.pems.iter().filter_map(|it| pair(it, it).ok()).map(Arc::new).collect()
    }
}

/// Why a certificate cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unloaded {
    /// There is none in its file.
    NoCertificate,
    /// There is no key in its file.
    NoKey,
    /// The key is that of another certificate.
    Mismatch,
}

/// A certificate with its chain, and the key, both as PEM.
pub(super) fn pair(chain: &str, key: &str) -> Result<CertifiedKey, Unloaded> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let chain = chain.ok().filter(|it| !it.is_empty()).ok_or(Unloaded::NoCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| Unloaded::NoKey)?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|it| match it {
        rustls::Error::InconsistentKeys(_) => Unloaded::Mismatch,
        _ => Unloaded::NoKey,
    })
}

/// Writes what is loaded from now on.
pub(super) fn write(root: &Path, sites: &[Loaded]) -> io::Result<()> {
    let mut text = String::new();
    for site in sites {
        let ports: Vec<_> = site.ports.iter().map(u16::to_string).collect();
        let _ = writeln!(text, "{SITE}{}|{}", ports.join(" "), site.names.join(" "));
        for pem in &site.pems {
            let _ = write!(text, "{PAIR}{pem}");
        }
    }
    let path = root.join(FILE);
    let new = path.with_extension(std::process::id().to_string());
    stage::write(&new, 0o600, text.as_bytes())?;
    // Whoever connects now sees what was loaded before or what is loaded now.
    std::fs::rename(new, path)
}

/// Reads what is loaded.
pub(super) fn read(root: &Path) -> io::Result<Vec<Loaded>> {
    let text = stage::read(&root.join(FILE))?;
    let sites = text.split(SITE).skip(1).map(|site| {
        let mut parts = site.split(PAIR);
        let (ports, names) =
            parts.next().and_then(|it| it.trim().split_once('|')).unwrap_or_default();
        Loaded {
            names: names.split_whitespace().map(str::to_owned).collect(),
            ports: ports.split_whitespace().filter_map(|it| it.parse().ok()).collect(),
            pems: parts.map(str::to_owned).collect(),
        }
    });
    Ok(sites.collect())
}

/// Below the root of the host.
const FILE: &str = "run/nginx.loaded";

/// Before a site; no PEM has it.
const SITE: &str = "= site ";
/// Before a certificate with its key.
const PAIR: &str = "= pair\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let root = tempfile::tempdir().unwrap();
        let site = |names: &[&str], ports: &[u16], pems: &[&str]| Loaded {
            names: names.iter().map(|&it| it.to_owned()).collect(),
            ports: ports.to_vec(),
            pems: pems.iter().map(|&it| it.to_owned()).collect(),
        };
        let all = [
            site(&["a.example", "*.b.example"], &[443, 8443], &["one\n", "two\n"]),
            site(&[], &[443], &["three\n"]),
        ];
        write(root.path(), &all).unwrap();
        assert_eq!(format!("{:?}", read(root.path()).unwrap()), format!("{all:?}"));
        let [first, _] = &all;
        for (name, is_for) in [
            ("a.example", true),
            ("x.b.example", true),
            ("x.y.b.example", true),
            ("b.example", false),
            ("xb.example", false),
            ("", false),
        ] {
            assert_eq!(first.is_for(name), is_for, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_loaded_is_told_apart() {
        assert_eq!(pair("", "").err(), Some(Unloaded::NoCertificate));
        let certificate = |key: &rcgen::KeyPair| {
            rcgen::CertificateParams::new(["a.example".to_owned()])
                .unwrap()
                .self_signed(key)
                .unwrap()
        };
        let keys = [(); 2].map(|()| rcgen::KeyPair::generate().unwrap());
        let pem = certificate(&keys[0]).pem();
        assert_eq!(pair(&pem, &pem).err(), Some(Unloaded::NoKey));
        assert_eq!(pair(&pem, &keys[1].serialize_pem()).err(), Some(Unloaded::Mismatch));
        assert!(pair(&pem, &(pem.clone() + &keys[0].serialize_pem())).is_ok());
    }
}
