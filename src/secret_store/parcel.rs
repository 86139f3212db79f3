//! What a store holds of a certificate: an object of texts, the same in every kind of store.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer, Serialize};
use zeroize::Zeroizing;

use super::Fault;
use crate::fleet::{Certificate, Fingerprint, Held, Moment};
use crate::text::SafeText;

/// A certificate on its way into a store, perhaps with its key.
pub struct Parcel {
    /// The object, as JSON.
    json: Zeroizing<Vec<u8>>,
    leaf: Certificate,
    chain: Vec<Fingerprint>,
    host: String,
    lineage: String,
    has_key: bool,
}

/// What is told of a certificate in a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The SHA-256 of the certificate, if it says so.
    pub sha256: Option<Fingerprint>,
    /// The certificates that it holds, the leaf first.
    pub chain: Vec<Fingerprint>,
    /// The lineage that it came from.
    pub lineage: Option<String>,
    /// The host that it came from.
    pub host: Option<SafeText>,
    /// The names that it is for.
    pub names: Vec<SafeText>,
    /// Until when it is valid.
    pub not_after: Option<SafeText>,
    /// Whether there is a private key beside it.
    pub has_key: bool,
    /// The keys of it that we do not write.
    pub strange: Vec<SafeText>,
}

#[derive(Serialize)]
struct Wire<'a> {
    certificate: &'a str,
    host: &'a str,
    lineage: &'a str,
    names: String,
    not_after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<&'a str>,
    serial: &'a str,
    sha256: String,
}

impl Parcel {
    /// Wraps up what was read on a host: certificates in PEM, leaf first, and perhaps a key behind
    /// them. `leaf` is what is known of the first.
    pub fn new(pem: &str, leaf: &Certificate, host: &str, lineage: &str) -> Self {
        let at = pem.find(KEY).map(|it| pem.get(..it).and_then(|it| it.rfind(BEGIN)));
        let (certificate, key) = match at.flatten().and_then(|it| pem.split_at_checked(it)) {
            Some((certificate, key)) => (certificate, Some(key)),
            None => (pem, None),
        };
        let names: Vec<_> = leaf.names.iter().map(SafeText::as_str).collect();
        let wire = Wire {
            certificate,
            host,
            lineage,
            names: names.join(", "),
            not_after: leaf.not_after.to_string(),
            private_key: key,
            serial: leaf.serial.as_str(),
            sha256: leaf.sha256.to_string(),
        };
        // Large enough for everything, so that no copy of the key is left where it grew.
        let room = pem.len() * 2 + wire.names.len() * 2 + MARGIN;
        let mut json = Zeroizing::new(Vec::with_capacity(room));
        // Texts are written to memory: nothing of that fails.
        serde_json::to_writer(&mut *json, &wire).ok();
        Self {
            json,
            leaf: leaf.clone(),
            chain: read_chain(certificate),
            host: host.to_owned(),
            lineage: lineage.to_owned(),
            has_key: key.is_some(),
        }
    }

    /// The object, as JSON.
    pub(super) fn json(&self) -> &[u8] {
        &self.json
    }

    /// Whether that is in the store already.
    pub(super) fn is(&self, kept: &Kept) -> bool {
        let is_same = kept.sha256 == Some(self.leaf.sha256) && kept.chain == self.chain;
        is_same && (kept.has_key || !self.has_key)
    }

    /// Whether what another host has brought to the store serves its readers as well.
    pub(super) fn is_needless(&self, kept: &Kept) -> bool {
        let stands_in = kept.held(None).stands_in_for(&self.leaf, &self.host, &self.lineage);
        stands_in && (kept.has_key || !self.has_key)
    }

    /// Whether that may take the place of what is in the store.
    pub(super) fn check(&self, kept: &Kept, path: &str) -> Result<(), Fault> {
        if let Some(key) = kept.strange.first() {
            let text = format!("{path} holds `{key}`, which certdeck does not write");
            return Err(Fault::foreign(&text));
        }
        let Some(lineage) = &kept.lineage else {
            let text = format!("{path} holds something that certdeck has not written");
            return Err(Fault::foreign(&text));
        };
        if *lineage != self.lineage {
            let lineage = SafeText::new(lineage);
            let text = format!("{path} holds the certificate of another lineage, {lineage}");
            return Err(Fault::foreign(&text));
        }
        if self.is_needless(kept) {
            return Ok(());
        }
        let held = kept.held(None);
        if held.is_of_another(&self.host) && !held.is_covered_by(&self.leaf) {
            let host = kept.host.clone().unwrap_or_default();
            let text = format!("{path} holds the certificate of {host}, for other names");
            return Err(Fault::foreign(&text));
        }
        if kept.has_key && !self.has_key && !self.is(kept) {
            return Err(Fault::keyless(path));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Parcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parcel({})", self.leaf.sha256.short())
    }
}

impl Kept {
    /// Reads the object of a store. A private key in it is passed over, and never copied.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        reader.deserialize_map(Reading).ok()
    }

    /// What the rest of the program knows of it.
    pub(super) fn held(&self, version: Option<SafeText>) -> Held {
        Held {
            chain: self.chain.clone(),
            version,
            until: self.not_after.as_ref().and_then(|it| Moment::parse(it.as_str())),
            host: self.host.clone(),
            lineage: self.lineage.as_deref().map(SafeText::new),
            names: self.names.clone(),
        }
    }
}

/// Reads only what is told of the certificate.
pub(super) struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Kept;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kept, A::Error> {
        let mut kept = Kept::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "sha256" => kept.sha256 = text(&mut map)?.and_then(|it| Fingerprint::parse(&it)),
                "certificate" => {
                    let pem = text(&mut map)?.map(Zeroizing::new);
                    kept.chain = pem.map(|it| read_chain(&it)).unwrap_or_default();
                }
                "lineage" => kept.lineage = text(&mut map)?,
                "host" => kept.host = text(&mut map)?.map(|it| SafeText::new(&it)),
                "names" => {
                    let names = text(&mut map)?.unwrap_or_default();
                    kept.names = names.split(", ").take(MAX_NAMES).map(SafeText::new).collect();
                }
                "not_after" => kept.not_after = text(&mut map)?.map(|it| SafeText::new(&it)),
                other => {
                    map.next_value::<IgnoredAny>()?;
                    kept.has_key |= other == "private_key";
                    let is_ours = ["private_key", "serial"].contains(&other);
                    if !is_ours && kept.strange.len() < MAX_STRANGE {
                        kept.strange.push(SafeText::capped(other, MAX_KEY));
                    }
                }
            }
        }
        Ok(kept)
    }
}

/// The certificates of a PEM text, in its order; none where it is no such text.
fn read_chain(pem: &str) -> Vec<Fingerprint> {
    let ders = CertificateDer::pem_slice_iter(pem.as_bytes()).take(MAX_CHAIN).flatten();
    ders.filter_map(|it| Certificate::read(&it).ok()).map(|it| it.sha256).collect()
}

/// A value that is a text; what others keep under the same key may be none.
fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<String>, A::Error> {
    Ok(map.next_value::<serde_json::Value>()?.as_str().map(str::to_owned))
}

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Kept;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kept, D::Error> {
        deserializer.deserialize_map(self)
    }
}

const KEY: &str = "PRIVATE KEY-----";
const BEGIN: &str = "-----BEGIN ";
/// For names of keys, numbers and times.
const MARGIN: usize = 2048;
/// More than any chain has.
const MAX_CHAIN: usize = 32;
/// As many names as any certificate has that a public CA gives out.
const MAX_NAMES: usize = 1000;
/// As many strange keys as are told of.
const MAX_STRANGE: usize = 4;
const MAX_KEY: usize = 64;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// What a host delivers for these names, ending on that day of a month.
    fn parcel(host: &str, lineage: &str, names: &[&str], day: u8) -> Parcel {
        let names: Vec<_> = names.iter().map(|it| (*it).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = date_time_ymd(2030, 1, day);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let leaf = Certificate::read(made.der()).unwrap();
        Parcel::new(&made.pem(), &leaf, host, lineage)
    }

    /// Five nodes may share a path, each with a certificate of its own: the one that ends last
    /// stays, and none for other names takes its place.
    #[test]
    fn hosts_that_share_a_path_do_not_write_over_each_other() {
        const BOTH: [&str; 2] = ["www.test", "a.test"];
        let ours = parcel("web-01", "www", &BOTH, 20);
        for (host, lineage, names, day, expected) in [
            ("web-02", "www", &BOTH[..], 21, "needless"),
            ("web-02", "www", &["a.test", "www.test", "b.test"], 21, "needless"),
            ("web-02", "www", &BOTH, 20, "needless"),
            ("web-02", "www", &BOTH, 19, "written"),
            ("web-02", "www", &BOTH[..1], 21, "written"),
            ("web-02", "www", &["b.test"], 19, "names"),
            ("web-02", "other", &BOTH, 21, "lineage"),
            // What a host has delivered itself is followed by whatever it has in place.
            ("web-01", "www", &BOTH, 21, "written"),
            ("web-01", "www", &["b.test"], 21, "written"),
        ] {
            let theirs = parcel(host, lineage, names, day);
            let kept = Kept::read(theirs.json()).unwrap();
            let said = match ours.check(&kept, "tls/www") {
                Err(it) if it.text.as_str().contains("for other names") => "names",
                Err(it) if it.text.as_str().contains("another lineage") => "lineage",
                Err(it) => panic!("{it}"),
                Ok(()) if ours.is_needless(&kept) => "needless",
                Ok(()) => "written",
            };
            assert_eq!(said, expected, "{host} {lineage} {names:?} {day}");
            assert!(!ours.is(&kept));
        }
        // A copy of the same certificate is there already; a key that was asked for is not.
        let kept = Kept::read(ours.json()).unwrap();
        assert!(ours.is(&kept) && !ours.is_needless(&kept));
        let later = Kept::read(parcel("web-02", "www", &BOTH, 21).json()).unwrap();
        let with_key = Parcel { has_key: true, ..ours };
        assert!(!with_key.is_needless(&later));
    }
}
