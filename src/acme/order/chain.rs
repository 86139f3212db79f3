//! Whether what a CA has sent is what was ordered: nothing else is handed to a host.

use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::fleet::{self, Chain, ChainFault, Fingerprint, Moment, Roots};

/// What the certificate has to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ordered<'a> {
    /// SHA-256 of the public key of the request, as `SubjectPublicKeyInfo`.
    pub(super) spki: Fingerprint,
    /// Its names.
    pub(super) names: &'a [String],
    /// The present.
    pub(super) now: Moment,
}

/// Takes the certificates out of what was sent, as PEM and nothing else.
///
/// # Errors
/// In words, where it is not what was ordered.
pub(super) fn check(text: &str, ordered: &Ordered<'_>) -> Result<String, String> {
    let ders: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(text.as_bytes())
        .take(MAX + 1)
        .collect::<Result<_, _>>()
        .map_err(|_| "the CA sent what is no chain of certificates".to_owned())?;
    if ders.len() > MAX {
        return Err(format!("the CA sent more than {MAX} certificates"));
    }
    if ders.is_empty() {
        return Err("the CA sent no certificate".to_owned());
    }
    let chain = Chain::read(&ders, &Roots::public())
        .map_err(|it| format!("the CA sent a certificate that cannot be read: {it}"))?;
    let leaf = &chain.leaf;
    if leaf.spki_sha256 != ordered.spki {
        return Err("the certificate is for another key than that of the host".to_owned());
    }
    let names = |all: &mut dyn Iterator<Item = &str>| -> BTreeSet<String> {
        all.map(str::to_ascii_lowercase).collect()
    };
    let has = names(&mut leaf.names.iter().map(crate::text::SafeText::as_str));
    if has != names(&mut ordered.names.iter().map(String::as_str)) {
        let has: Vec<_> = has.into_iter().collect();
        return Err(format!("the certificate is for other names: {}", has.join(", ")));
    }
    if leaf.not_before > ordered.now.plus(SKEW) {
        return Err(format!(
            "the certificate begins at {}, and it is {} here: one of the two clocks is off",
            leaf.not_before, ordered.now
        ));
    }
    if leaf.not_after <= ordered.now {
        return Err(format!("the certificate has ended already, at {}", leaf.not_after));
    }
    match chain.fault {
        // A root of one's own may sign leaves itself.
        None | Some(ChainFault::NoIntermediate) => {}
        Some(_) => return Err("the certificates after the first do not lead on from it".to_owned()),
    }
    if let Some(old) = chain.rest.iter().find(|it| it.not_after <= ordered.now) {
        return Err(format!("the chain holds a certificate that has ended: {}", old.subject));
    }
    Ok(ders.iter().map(|it| fleet::pem(it)).collect())
}

/// More than any chain has.
const MAX: usize = 10;

/// How far two clocks may be apart, in seconds: CAs date certificates back by an hour, and Pebble
/// does not (2.4.0, `ca/ca.go`).
const SKEW: i64 = 300;

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;
    use crate::fleet::Certificate;

    const NAMES: [&str; 2] = ["example.net", "*.example.net"];

    struct Made {
        text: String,
        spki: Fingerprint,
        begin: Moment,
    }

    fn make() -> Made {
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = ca.self_signed(&ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(NAMES.map(str::to_owned)).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 11, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let leaf = params.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        let read = Certificate::read(leaf.der()).unwrap();
        Made {
            text: format!("{}{}", leaf.pem(), root.pem()),
            spki: read.spki_sha256,
            begin: read.not_before,
        }
    }

    fn told(made: &Made, text: &str, names: &[&str], after: i64) -> Result<String, String> {
        let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let now = made.begin.plus(after);
        check(text, &Ordered { spki: made.spki, names: &names, now })
    }

    #[test]
    fn what_was_ordered_is_taken_and_nothing_else() {
        let made = make();
        let taken = told(&made, &format!("\nx\n{}y", made.text), &NAMES, 60).unwrap();
        assert_eq!(taken.matches("-----BEGIN CERTIFICATE-----").count(), 2);
        assert!(!taken.contains('x') || taken.lines().all(|it| it.len() <= 64));
        let refused = |text: &str, names: &[&str], after, words: &str| {
            let why = told(&made, text, names, after).unwrap_err();
            assert!(why.contains(words), "{why}");
        };
        refused("", &NAMES, 60, "no certificate");
        refused("<html>", &NAMES, 60, "no certificate");
        refused(&made.text, &NAMES[..1], 60, "for other names");
        refused(&made.text, &NAMES, -3600, "clocks is off");
        refused(&made.text, &NAMES, 90 * fleet::DAY, "has ended already");
        refused(&made.text.repeat(9), &NAMES, 60, "more than 10");
        let other = make();
        let why = told(&made, &other.text, &NAMES, 60).unwrap_err();
        assert!(why.contains("another key"), "{why}");
        let (leaf, _) = made.text.split_at(made.text.find("-----END").unwrap() + 26);
        let (_, stranger) = other.text.split_at(other.text.find("-----END").unwrap() + 26);
        refused(&format!("{leaf}{stranger}"), &NAMES, 60, "do not lead on");
    }
}
