//! What a store holds of a certificate: an object of texts, the same in every kind of store.

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserializer, Serialize};
use zeroize::Zeroizing;

use super::Fault;
use crate::fleet::{Certificate, Fingerprint};
use crate::text::SafeText;

/// A certificate on its way into a store, perhaps with its key.
pub struct Parcel {
    /// The object, as JSON.
    json: Zeroizing<Vec<u8>>,
    leaf: Fingerprint,
    chain: Vec<Fingerprint>,
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
        let lineage = lineage.to_owned();
        let chain = read_chain(certificate);
        Self { json, leaf: leaf.sha256, chain, lineage, has_key: key.is_some() }
    }

    /// The object, as JSON.
    pub(super) fn json(&self) -> &[u8] {
        &self.json
    }

    /// Whether that is in the store already.
    pub(super) fn is(&self, kept: &Kept) -> bool {
        let is_same = kept.sha256 == Some(self.leaf) && kept.chain == self.chain;
        is_same && (kept.has_key || !self.has_key)
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
        if kept.has_key && !self.has_key && !self.is(kept) {
            return Err(Fault::keyless(path));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Parcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parcel({})", self.leaf.short())
    }
}

impl Kept {
    /// Reads the object of a store. A private key in it is passed over, and never copied.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(json);
        reader.deserialize_map(Reading).ok()
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
                "not_after" => kept.not_after = text(&mut map)?.map(|it| SafeText::new(&it)),
                other => {
                    map.next_value::<IgnoredAny>()?;
                    kept.has_key |= other == "private_key";
                    let is_ours = ["names", "private_key", "serial"].contains(&other);
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
/// As many strange keys as are told of.
const MAX_STRANGE: usize = 4;
const MAX_KEY: usize = 64;
