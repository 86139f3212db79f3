//! The CAs of the practice fleet, made at its start: certificates for any names and any time.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize,
};

use super::{Error, stage};
use crate::fleet::{DAY, Moment};

/// The CAs that practice certificates come from.
pub(super) struct Authorities {
    public: Authority,
    second: Authority,
    staging: Authority,
    private: Authority,
    rsa: KeyPair,
    /// What several hosts share, by the word for it.
    shared: Mutex<HashMap<&'static str, Arc<Issued>>>,
}

/// The file with the roots that clients trust, in the folder of the CAs.
pub(super) const ROOTS: &str = "roots.pem";

/// Which CA a certificate is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ca {
    /// The public CA of the fleet.
    Public,
    /// The public CA of some of the fleet.
    Second,
    /// The public CA's test twin.
    Staging,
    /// The company's own.
    Private,
}

impl KeyKind {
    /// certbot's name for it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }
}

impl Ca {
    /// Every CA.
    pub(super) const ALL: [Self; 4] = [Self::Public, Self::Second, Self::Staging, Self::Private];

    const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Second => "second",
            Self::Staging => "staging",
            Self::Private => "private",
        }
    }
}

/// Issues with the key that a fleet keeps in `folder`. A key that is given is used again.
pub(super) fn issue_kept(
    folder: &Path,
    ca: Ca,
    kind: KeyKind,
    reuse: Option<&str>,
    claim: &Claim<'_>,
) -> Result<Issued, Error> {
    let read = |kind: &str| {
        let path = folder.join(ca.word()).with_extension(kind);
        stage::read(&path).map_err(|source| Error::Read { path, source })
    };
    let (chain, ca_key) = (read("pem")?, read("key")?);
    let issue = || {
        let key = match (reuse, kind) {
            (Some(key), _) => KeyPair::from_pem(key)?,
            (None, KeyKind::Ecdsa) => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            (None, KeyKind::Rsa) => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
        };
        let issuer = Issuer::from_ca_cert_pem(&chain, KeyPair::from_pem(&ca_key)?)?;
        issue(&issuer, &chain, claim, &key)
    };
    issue().map_err(Error::Issue)
}

/// The kind of a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// A new P-256 key.
    Ecdsa,
    /// The one 2048-bit RSA key of the fleet: making one takes a tenth of a second.
    Rsa,
}

/// What a certificate says.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    /// The names; the first is the common name as well.
    pub(super) names: &'a [String],
    /// What stands for the first name in the subject, if that is to be something else.
    pub(super) subject: Option<&'a str>,
    pub(super) not_before: Moment,
    pub(super) not_after: Moment,
}

/// A certificate with its key, as PEM.
#[derive(Debug)]
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) chain: String,
    pub(super) key: String,
}

impl Authorities {
    pub(super) fn new(now: Moment) -> Result<Self, rcgen::Error> {
        Ok(Self {
            public: Authority::new(now, "Practice", "Practice Root X1", "Practice Authority E7")?,
            second: Authority::new(now, "Rehearsal Trust", "Rehearsal Root R1", "Rehearsal TLS 3")?,
            staging: Authority::new(
                now,
                "(STAGING) Practice",
                "(STAGING) Practice Root X1",
                "(STAGING) Practice Authority E5",
            )?,
            private: Authority::new(
                now,
                "Example Corp",
                "Example Corp Private Root",
                "Example Corp Issuing CA 2",
            )?,
            rsa: KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
            shared: Mutex::default(),
        })
    }

    /// Keeps the keys in a folder, so that the hosts can have certificates issued later, and the
    /// roots that clients trust: all but that of the test twin.
    pub(super) fn keep(&self, folder: &Path) -> Result<(), Error> {
        let trusted = Ca::ALL.into_iter().filter(|it| *it != Ca::Staging);
        let roots: String = trusted.map(|it| &*self.of(it).root).collect();
        let path = folder.join(ROOTS);
        stage::write(&path, 0o644, roots.as_bytes())
            .map_err(|source| Error::Write { path, source })?;
        for ca in Ca::ALL {
            let authority = self.of(ca);
            let key = authority.issuer.key().serialize_pem();
            for (kind, mode, text) in [("key", 0o600, &key), ("pem", 0o644, &authority.chain)] {
                let path = folder.join(ca.word()).with_extension(kind);
                stage::write(&path, mode, text.as_bytes())
                    .map_err(|source| Error::Write { path, source })?;
            }
        }
        Ok(())
    }

    /// Issues what several hosts share, unless that was done already.
    pub(super) fn once(
        &self,
        word: &'static str,
        issue: impl FnOnce() -> Result<Issued, Error>,
    ) -> Result<Arc<Issued>, Error> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(issued) = shared.get(word) {
            return Ok(Arc::clone(issued));
        }
        let issued = Arc::new(issue()?);
        shared.insert(word, Arc::clone(&issued));
        Ok(issued)
    }

    /// The intermediate as it was once: with the same key, and over.
    pub(super) fn lapsed_chain(&self, ca: Ca) -> &str {
        &self.of(ca).lapsed
    }

    const fn of(&self, ca: Ca) -> &Authority {
        match ca {
            Ca::Public => &self.public,
            Ca::Second => &self.second,
            Ca::Staging => &self.staging,
            Ca::Private => &self.private,
        }
    }

    /// Issues what is claimed, without any doubt.
    pub(super) fn issue(
        &self,
        ca: Ca,
        key: KeyKind,
        claim: &Claim<'_>,
    ) -> Result<Issued, rcgen::Error> {
        let ca = self.of(ca);
        match key {
            KeyKind::Ecdsa => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                issue(&ca.issuer, &ca.chain, claim, &key)
            }
            KeyKind::Rsa => issue(&ca.issuer, &ca.chain, claim, &self.rsa),
        }
    }
}

/// An intermediate and its certificate; the root's key is forgotten once it has signed.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    chain: String,
    /// The certificate before that.
    lapsed: String,
    root: String,
}

impl Authority {
    fn new(
        now: Moment,
        organization: &str,
        root: &str,
        intermediate: &str,
    ) -> Result<Self, rcgen::Error> {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = ca_params(now, organization, root, 20 * 365, None);
        let root_certificate = params.self_signed(&root_key)?.pem();
        let root = Issuer::new(params, root_key);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = ca_params(now, organization, intermediate, 3 * 365, Some(0));
        let chain = params.signed_by(&key, &root)?.pem();
        let lapsed = ca_params(now, organization, intermediate, -3, Some(0));
        let lapsed = lapsed.signed_by(&key, &root)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), chain, lapsed, root: root_certificate })
    }
}

fn issue(
    issuer: &Issuer<'_, KeyPair>,
    chain: &str,
    claim: &Claim<'_>,
    key: &KeyPair,
) -> Result<Issued, rcgen::Error> {
    let mut params = CertificateParams::new(claim.names)?;
    let subject = claim.subject.or_else(|| claim.names.first().map(String::as_str));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject.unwrap_or_default());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    // A certificate's life counts its last second (RFC 5280, section 4.1.2.5).
    set_life(&mut params, claim.not_before, claim.not_after.plus(-1));
    let certificate = params.signed_by(key, issuer)?.pem();
    Ok(Issued { certificate, chain: chain.to_owned(), key: key.serialize_pem() })
}

fn ca_params(
    now: Moment,
    organization: &str,
    name: &str,
    days: i64,
    path: Option<u8>,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca =
        IsCa::Ca(path.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    params.use_authority_key_identifier_extension = true;
    // Older than anything that it signs.
    set_life(&mut params, now.plus(-3 * 365 * DAY), now.plus(days * DAY));
    params
}

fn set_life(params: &mut CertificateParams, not_before: Moment, not_after: Moment) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |it: Moment| Duration::from_secs(it.unix().max(0).unsigned_abs());
    params.not_before = epoch + since(not_before);
    params.not_after = epoch + since(not_after);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::HOUR;

    #[test]
    fn issues_what_is_claimed() {
        let now = Moment::from_unix(1_795_403_564);
        let authorities = Authorities::new(now).unwrap();
        let names = ["a.example.net".to_owned(), "*.b.example.net".to_owned()];
        let claim = Claim {
            names: &names,
            subject: None,
            not_before: now.plus(-HOUR),
            not_after: now.plus(160 * HOUR),
        };
        for (ca, issuer) in [
            (Ca::Public, "Practice Authority E7"),
            (Ca::Staging, "(STAGING) Practice Authority E5"),
        ] {
            let issued = authorities.issue(ca, KeyKind::Ecdsa, &claim).unwrap();
            let (_, pem) = x509_parser::pem::parse_x509_pem(issued.certificate.as_bytes()).unwrap();
            let leaf = pem.parse_x509().unwrap();
            assert!(leaf.issuer().to_string().contains(issuer), "{}", leaf.issuer());
            assert_eq!(leaf.validity().not_before.timestamp(), now.plus(-HOUR).unix());
            assert_eq!(leaf.validity().not_after.timestamp(), now.plus(160 * HOUR).unix() - 1);
            let sans = leaf.subject_alternative_name().unwrap().unwrap();
            assert_eq!(sans.value.general_names.len(), 2);
            assert!(issued.key.contains("PRIVATE KEY"), "{}", issued.key.len());
        }
    }
}
