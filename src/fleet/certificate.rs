//! A certificate as the program needs it: who, until when, signed by whom.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate, X509Name};
use x509_parser::public_key::PublicKey;

use super::{DAY, Moment};
use crate::text::SafeText;

/// SHA-256 of something public.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes a digest that was made before.
    pub const fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hex digits, enough to tell two apart at a glance.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for Fingerprint {
    /// Lower-case hex without colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A parsed certificate; only what is shown, compared or judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the DER.
    pub sha256: Fingerprint,
    /// SHA-256 of the SubjectPublicKeyInfo in DER.
    pub spki_sha256: Fingerprint,
    /// The serial number in lower-case hex, an even number of digits, as openssl prints it.
    pub serial: SafeText,
    /// The subject in the form of RFC 4514, most specific part first.
    pub subject: SafeText,
    /// Who signed it, in the same form.
    pub issuer: SafeText,
    /// DNS names and addresses of the subject alternative name, in the order of the certificate.
    pub names: Vec<SafeText>,
    /// The first moment of validity.
    pub not_before: Moment,
    /// The last moment of validity.
    pub not_after: Moment,
    /// The kind and size of its public key.
    pub key: KeyKind,
    /// Whether it may sign others.
    pub is_ca: bool,
}

/// The kind of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// An elliptic curve with keys of that many bits.
    Ecdsa(u16),
    /// Ed25519.
    Ed25519,
    /// Something newer or older than this program knows.
    Other,
    /// RSA with a modulus of that many bits.
    Rsa(u16),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ecdsa(bits) => write!(f, "ecdsa-p{bits}"),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::Other => f.write_str("other"),
            Self::Rsa(bits) => write!(f, "rsa-{bits}"),
        }
    }
}

/// Why something is no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unparsable {
    /// There is none.
    #[error("holds no certificate")]
    NoCertificate,
    /// The bytes are not X.509.
    #[error("holds something that is not an X.509 certificate")]
    NotX509,
    /// It is larger than any certificate that is read.
    #[error("holds a certificate of more than 64 KiB")]
    TooLarge,
}

impl Certificate {
    /// The largest certificate that is read, in bytes of DER.
    pub const MAX_BYTES: usize = 64 * 1024;
    /// The most names kept of one certificate; Let's Encrypt allows 100.
    pub const MAX_NAMES: usize = 1000;

    /// Reads one certificate in DER.
    pub fn read(der: &CertificateDer<'_>) -> Result<Self, Unparsable> {
        if der.len() > Self::MAX_BYTES {
            return Err(Unparsable::TooLarge);
        }
        let (_, it) = X509Certificate::from_der(der).map_err(|_| Unparsable::NotX509)?;
        Ok(Self {
            sha256: Fingerprint::of(der),
            spki_sha256: Fingerprint::of(it.public_key().raw),
            serial: serial(it.raw_serial()),
            subject: distinguished_name(it.subject()),
            issuer: distinguished_name(it.issuer()),
            names: names(&it),
            not_before: Moment::from_unix(it.validity().not_before.timestamp()),
            not_after: Moment::from_unix(it.validity().not_after.timestamp()),
            key: key_kind(&it),
            is_ca: it.is_ca(),
        })
    }

    /// How long it is valid in all, in seconds; at least one.
    pub fn lifetime(&self) -> i64 {
        self.not_after.since(self.not_before).max(1)
    }

    /// Seconds until it ends; negative once it has.
    pub fn left(&self, now: Moment) -> i64 {
        self.not_after.since(now)
    }

    /// Which part of its life has passed: 0 at the start, 1 at the end, more afterwards.
    #[expect(clippy::cast_precision_loss, reason = "a ratio of years in seconds")]
    pub fn urgency(&self, now: Moment) -> f64 {
        now.since(self.not_before) as f64 / self.lifetime() as f64
    }

    /// When renewal should begin where the CA does not say: with the last third of its life, or
    /// the last half of less than ten days. That is where Let's Encrypt puts its ARI windows
    /// (integration guide, and `boulder/core/objects.go`, 2026).
    pub fn renewal_opens(&self) -> Moment {
        let life = self.lifetime();
        self.not_before.plus(if life < SHORT_LIVED { life / 2 } else { life / 3 * 2 })
    }

    /// When renewal should have happened: halfway from [`Self::renewal_opens`] to the end. A
    /// client that runs twice a day and has failed for that long fails silently.
    pub fn renewal_closes(&self) -> Moment {
        let opens = self.renewal_opens();
        opens.plus(self.not_after.since(opens) / 2)
    }

    /// Whether issuer and subject are the same name, as with self-signed certificates.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The common name of whoever signed it, or else the whole name.
    pub fn authority(&self) -> &str {
        let issuer = self.issuer.as_str();
        let common = issuer.split(',').find_map(|it| it.strip_prefix("CN="));
        common.unwrap_or(issuer)
    }
}

/// Certificates that live shorter than this, in seconds, renew at half of their life.
const SHORT_LIVED: i64 = 10 * DAY;

/// The serial in hex, without the sign byte that DER puts before a high bit.
fn serial(raw: &[u8]) -> SafeText {
    let digits = match raw {
        [0, rest @ ..] if !rest.is_empty() => rest,
        _ => raw,
    };
    let mut text = String::with_capacity(2 * digits.len());
    for byte in digits {
        let _ = write!(text, "{byte:02x}");
    }
    SafeText::new(&text)
}

fn distinguished_name(name: &X509Name<'_>) -> SafeText {
    let mut parts = Vec::new();
    for attribute in name.iter_rdn().flat_map(|it| it.iter()) {
        let oid = attribute.attr_type();
        let registry = x509_parser::objects::oid_registry();
        let key = x509_parser::objects::oid2abbrev(oid, registry)
            .map_or_else(|_| oid.to_id_string(), str::to_owned);
        let value = attribute
            .as_str()
            .map_or_else(|_| SafeText::from_bytes(attribute.as_slice()), SafeText::new);
        let mut part = format!("{key}=");
        for c in value.as_str().chars() {
            if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
                part.push('\\');
            }
            part.push(c);
        }
        parts.push(part);
        if parts.len() >= MAX_NAME_PARTS {
            break;
        }
    }
    parts.reverse();
    SafeText::new(&parts.join(","))
}

/// The most parts of a distinguished name that are kept.
const MAX_NAME_PARTS: usize = 32;

fn names(it: &X509Certificate<'_>) -> Vec<SafeText> {
    let Ok(Some(extension)) = it.subject_alternative_name() else { return Vec::new() };
    let shown = extension.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(dns) => Some(SafeText::capped(dns, MAX_DNS_NAME)),
        GeneralName::IPAddress(bytes) => ip_address(bytes),
        _ => None,
    });
    shown.take(Certificate::MAX_NAMES).collect()
}

/// DNS names have at most 253 characters (RFC 1035, section 2.3.4); what is longer is foul play.
const MAX_DNS_NAME: usize = 255;

fn ip_address(bytes: &[u8]) -> Option<SafeText> {
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some(SafeText::new(&address.to_string()))
}

fn key_kind(it: &X509Certificate<'_>) -> KeyKind {
    let spki = it.public_key();
    let bits = |size: usize| u16::try_from(size).unwrap_or(u16::MAX);
    match spki.parsed() {
        Ok(PublicKey::RSA(rsa)) => KeyKind::Rsa(bits(rsa.key_size())),
        Ok(PublicKey::EC(point)) => KeyKind::Ecdsa(bits(curve_bits(point.key_size()))),
        _ if spki.algorithm.algorithm.to_id_string() == "1.3.101.112" => KeyKind::Ed25519,
        _ => KeyKind::Other,
    }
}

/// P-521 is reported as the 528 bits of its 66 bytes.
fn curve_bits(size: usize) -> usize {
    if size == 528 { 521 } else { size }
}
