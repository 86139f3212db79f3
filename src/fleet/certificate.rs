//! A certificate as the program needs it: who, until when, signed by whom.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};
use x509_parser::public_key::RSAPublicKey;

use super::name::distinguished_name;
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

    /// Reads 64 hex digits, as it is written.
    pub fn parse(hex: &str) -> Option<Self> {
        let mut digest = [0; 32];
        let mut digits = hex.chars();
        for byte in &mut digest {
            let mut next = || u8::try_from(digits.next()?.to_digit(16)?).ok();
            *byte = next()? << 4 | next()?;
        }
        digits.next().is_none().then_some(Self(digest))
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
    /// SHA-256 of the `SubjectPublicKeyInfo` in DER.
    pub spki_sha256: Fingerprint,
    /// The serial number in lower-case hex, an even number of digits, as openssl prints it.
    pub serial: SafeText,
    /// The subject in the form of RFC 4514, most specific part first, as
    /// `openssl x509 -nameopt RFC2253,-esc_msb` prints it.
    pub subject: SafeText,
    /// Who signed it, in the same form.
    pub issuer: SafeText,
    /// DNS names and addresses of the subject alternative name, in the order of the certificate.
    pub names: Vec<SafeText>,
    /// The first moment of validity.
    pub not_before: Moment,
    /// The last moment of validity.
    pub not_after: Moment,
    /// When the last of the transparency logs took it in that have put their timestamps into it
    /// (RFC 6962, section 3.3): the moment at which it was issued, to the second.
    pub logged_at: Option<Moment>,
    /// The kind and size of its public key.
    pub key: KeyKind,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// Whether it may stand for a client (`clientAuth` among its extended key usages), which mutual
    /// TLS needs and public authorities stopped to issue in 2026.
    pub is_for_clients: bool,
    /// What its CA calls it where renewal is talked about (RFC 9773, section 4.1); `None` if it
    /// does not name the key that signed it, and of what may sign others.
    pub renewal_id: Option<SafeText>,
    /// Its DER, kept of what may sign others only: an intermediate that is missing at one place
    /// is handed on from another.
    pub der: Option<Arc<[u8]>>,
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

/// A certificate in DER as PEM (RFC 7468, section 5).
pub fn pem(der: &[u8]) -> String {
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
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
        let (rest, it) = X509Certificate::from_der(der).map_err(|_| Unparsable::NotX509)?;
        // What follows is no part of it: openssl's trust settings, or noise that openssl skips.
        let whole = der.get(..der.len() - rest.len()).unwrap_or(der);
        Ok(Self {
            sha256: Fingerprint::of(whole),
            spki_sha256: Fingerprint::of(it.public_key().raw),
            serial: serial(it.raw_serial()),
            subject: distinguished_name(it.subject()),
            issuer: distinguished_name(it.issuer()),
            names: names(&it),
            not_before: Moment::from_unix(it.validity().not_before.timestamp()),
            not_after: Moment::from_unix(it.validity().not_after.timestamp()),
            logged_at: logged_at(&it),
            key: key_kind(&it),
            is_ca: it.is_ca(),
            is_for_clients: is_for_clients(&it),
            renewal_id: if it.is_ca() { None } else { renewal_id(&it) },
            der: it.is_ca().then(|| Arc::from(whole)),
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

    /// When renewal should begin where the CA does not say, see [`Self::renewal_of`].
    pub fn renewal_opens(&self) -> Moment {
        self.not_before.plus(Self::renewal_of(self.lifetime()).0)
    }

    /// When renewal should have happened, see [`Self::renewal_of`].
    pub fn renewal_closes(&self) -> Moment {
        self.not_before.plus(Self::renewal_of(self.lifetime()).1)
    }

    /// When in a life of so many seconds renewal should begin, and when it should have happened.
    ///
    /// It begins with the last third, or the last half of less than ten days: that is where Let's
    /// Encrypt puts its ARI windows (integration guide, and `boulder/core/objects.go`, 2026). It
    /// should have happened halfway from there to the end: a client that runs twice a day and has
    /// failed for that long fails silently.
    pub const fn renewal_of(lifetime: i64) -> (i64, i64) {
        let opens = if lifetime < SHORT_LIVED { lifetime / 2 } else { lifetime / 3 * 2 };
        (opens, opens + (lifetime - opens) / 2)
    }

    /// Whether it stands for a name that clients ask for; a wildcard stands for exactly one label
    /// (RFC 6125, section 6.4.3).
    pub fn covers(&self, name: &str) -> bool {
        let parent = name.split_once('.').filter(|it| !it.0.is_empty()).map(|it| it.1);
        let is_address = name.parse::<IpAddr>().is_ok();
        self.names.iter().map(SafeText::as_str).any(|it| match it.strip_prefix("*.") {
            Some(wild) => !is_address && parent.is_some_and(|it| it.eq_ignore_ascii_case(wild)),
            None => it.eq_ignore_ascii_case(name),
        })
    }

    /// Whether a test authority signed it, which no client trusts: Let's Encrypt puts `(STAGING)`
    /// into every name of its staging hierarchy (letsencrypt.org/docs/staging-environment);
    /// before 2021 it was "Fake LE".
    pub fn is_of_staging(&self) -> bool {
        let issuer = self.issuer.as_str();
        issuer.contains("(STAGING)") || issuer.contains("Fake LE ")
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

/// The serial in hex as openssl prints it: the size in bytes, with a sign if it is negative,
/// which RFC 5280, section 4.1.2.2, forbids and some authorities did.
fn serial(raw: &[u8]) -> SafeText {
    let is_negative = raw.first().is_some_and(|it| it & 0x80 != 0);
    let mut digits = raw.to_vec();
    if is_negative {
        // Two's complement: every bit turned, and one more.
        let mut carry = true;
        for byte in digits.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let start =
        digits.iter().position(|it| *it != 0).unwrap_or_else(|| digits.len().saturating_sub(1));
    let mut text = String::from(if is_negative { "-" } else { "" });
    for byte in digits.iter().skip(start) {
        let _ = write!(text, "{byte:02x}");
    }
    SafeText::new(&text)
}

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

/// The latest of the timestamps of transparency logs.
fn logged_at(it: &X509Certificate<'_>) -> Option<Moment> {
    let stamps = it.iter_extensions().find_map(|it| match it.parsed_extension() {
        ParsedExtension::SCT(stamps) => Some(stamps),
        _ => None,
    })?;
    // Milliseconds since the epoch (RFC 6962, section 3.2).
    let latest = stamps.iter().map(|it| it.timestamp / 1000).max()?;
    i64::try_from(latest).ok().map(Moment::from_unix)
}

/// Whether the extended key usages name clients; a certificate without the extension is for nobody
/// in particular, and no client of today's authorities (RFC 5280, section 4.2.1.12).
fn is_for_clients(it: &X509Certificate<'_>) -> bool {
    let usage = it.extended_key_usage().ok().flatten();
    usage.is_some_and(|it| it.value.client_auth)
}

/// The key identifier of the signer and the serial, byte for byte as in DER, both in base64url
/// without padding.
fn renewal_id(it: &X509Certificate<'_>) -> Option<SafeText> {
    let signer = it.iter_extensions().find_map(|it| match it.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(it) => it.key_identifier.as_ref(),
        _ => None,
    })?;
    // RFC 5280, section 4.1.2.2: serials have at most 20 octets; what is longer is foul play, and
    // would make a URL of any length.
    let (signer, serial) = (signer.0, it.raw_serial());
    let is_usual = (1..=64).contains(&signer.len()) && (1..=32).contains(&serial.len());
    let encode = |it| URL_SAFE_NO_PAD.encode(it);
    is_usual.then(|| SafeText::new(&format!("{}.{}", encode(signer), encode(serial))))
}

fn key_kind(it: &X509Certificate<'_>) -> KeyKind {
    let spki = it.public_key();
    let algorithm = &spki.algorithm;
    let oid = algorithm.algorithm.to_id_string();
    match oid.as_str() {
        // rsaEncryption and id-RSASSA-PSS (RFC 8017, appendix C).
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
            match RSAPublicKey::from_der(&spki.subject_public_key.data) {
                Ok((_, key)) => KeyKind::Rsa(modulus_bits(key.modulus)),
                Err(_) => KeyKind::Other,
            }
        }
        "1.2.840.10045.2.1" => {
            let curve = algorithm.parameters.as_ref().and_then(|it| it.as_oid().ok());
            let curve = curve.map(|it| it.to_id_string()).unwrap_or_default();
            let known = CURVES.iter().find(|(oid, _)| *oid == curve);
            known.map_or(KeyKind::Other, |(_, bits)| KeyKind::Ecdsa(*bits))
        }
        "1.3.101.112" => KeyKind::Ed25519,
        _ => KeyKind::Other,
    }
}

/// The curves of FIPS 186-5 that certificates use (RFC 5480, section 2.1.1.1).
const CURVES: [(&str, u16); 4] = [
    ("1.3.132.0.33", 224),
    ("1.2.840.10045.3.1.7", 256),
    ("1.3.132.0.34", 384),
    ("1.3.132.0.35", 521),
];

fn modulus_bits(modulus: &[u8]) -> u16 {
    let digits = modulus.iter().position(|it| *it != 0).and_then(|it| modulus.get(it..));
    let Some([first, ..]) = digits else { return 0 };
    let bytes = digits.map_or(0, <[u8]>::len);
    u16::try_from(8 * bytes - first.leading_zeros() as usize).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    /// The example of RFC 9773, appendix A.
    const EXAMPLE: &str = "-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
";

    #[test]
    fn the_name_that_a_ca_knows_is_that_of_rfc_9773() {
        let der = CertificateDer::from_pem_slice(EXAMPLE.as_bytes()).unwrap();
        let read = Certificate::read(&der).unwrap();
        assert_eq!(read.renewal_id, Some(SafeText::new("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")));
    }
}
