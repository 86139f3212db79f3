//! One handshake in which every certificate is accepted, written down, and never used.

use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, InvalidMessage,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tap::Tap;
use super::{broken, starttls, unserved};
use crate::fleet::{Chain, KeyKind, NotServed, Roots, Unserved};
use crate::inventory::StartTls;
use crate::text::SafeText;

/// Which signatures a server is told that it may make, and so which certificate it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schemes {
    /// All.
    All,
    /// All but those of RSA.
    NoRsa,
    /// Only those of RSA.
    OnlyRsa,
}

/// Begins TLS on a connection; the chain that is shown, or why none is.
pub(super) async fn look<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    name: ServerName<'static>,
    starttls: StartTls,
    schemes: Schemes,
    roots: &Roots,
) -> Result<Chain, Unserved> {
    let mut stream = Tap::new(stream);
    starttls::begin(starttls, &mut stream).await?;
    stream.restart();
    let record = Arc::new(Record { schemes, seen: Mutex::default() });
    let config = config(&record).map_err(|it| unserved(NotServed::Broken, it.to_string()))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream).into_fallible();
    let ended = connecting.await.map(drop);
    let Seen { ders, proof } = record.take();
    if ders.is_empty() || proof.is_none() {
        return match ended {
            Ok(()) => Err(unserved(NotServed::Broken, "the server shows no certificate")),
            Err((error, tap)) => Err(in_words(&error, &tap)),
        };
    }
    let chain = Chain::read(&ders, roots)
        .map_err(|it| unserved(NotServed::Broken, format!("the server's answer {it}")))?;
    // aws-lc-rs knows no shorter keys of RSA, so nothing can be said of their signatures.
    let is_judged = !matches!(chain.leaf.key, KeyKind::Rsa(..2048));
    if proof == Some(false) && is_judged {
        let text = "the server shows a certificate and does not have its key";
        return Err(unserved(NotServed::Broken, text));
    }
    Ok(chain)
}

/// Begins TLS on a connection that something is asked for over, whatever certificate is shown, as
/// CAs do on their way to a challenge.
pub(super) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    name: ServerName<'static>,
) -> io::Result<TlsStream<S>> {
    let record = Arc::new(Record { schemes: Schemes::All, seen: Mutex::default() });
    let config = config(&record).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn config(record: &Arc<Record>) -> Result<ClientConfig, Error> {
    let verifier = Arc::clone(record);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(rustls::ALL_VERSIONS)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    // Only a whole handshake shows a certificate.
    config.resumption = Resumption::disabled();
    Ok(config)
}

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// Accepts whatever is shown, and keeps it.
struct Record {
    schemes: Schemes,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    ders: Vec<CertificateDer<'static>>,
    /// Whether the server has proved that it has the key; `None` before it came to that.
    proof: Option<bool>,
}

impl Record {
    fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, proof: &Result<HandshakeSignatureValid, Error>) -> HandshakeSignatureValid {
        // Of what webpki cannot judge (old versions, odd extensions) nothing bad is said.
        let is_bad =
            matches!(proof, Err(Error::InvalidCertificate(CertificateError::BadSignature)));
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).proof = Some(!is_bad);
        HandshakeSignatureValid::assertion()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("schemes", &self.schemes).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Record {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ders = std::iter::once(leaf).chain(rest).map(|it| it.clone().into_owned()).collect();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).ders = ders;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        Ok(self.note(&verify_tls12_signature(message, leaf, signed, algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        Ok(self.note(&verify_tls13_signature(message, leaf, signed, algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = PROVIDER.signature_verification_algorithms.supported_schemes();
        schemes.retain(|it| self.schemes.have(*it));
        schemes
    }
}

impl Schemes {
    fn have(self, scheme: SignatureScheme) -> bool {
        use SignatureScheme as It;
        let is_rsa = matches!(
            scheme,
            It::RSA_PKCS1_SHA1
                | It::RSA_PKCS1_SHA256
                | It::RSA_PKCS1_SHA384
                | It::RSA_PKCS1_SHA512
                | It::RSA_PSS_SHA256
                | It::RSA_PSS_SHA384
                | It::RSA_PSS_SHA512
        );
        match self {
            Self::All => true,
            Self::NoRsa => !is_rsa,
            Self::OnlyRsa => is_rsa,
        }
    }
}

/// Why there was no certificate.
fn in_words<S>(error: &io::Error, tap: &Tap<S>) -> Unserved {
    if tap.is_full() {
        let text = "the server sends without end, and no certificate";
        return unserved(NotServed::NotTls, text);
    }
    let Some(error) = error.get_ref().and_then(|it| it.downcast_ref::<Error>()) else {
        return broken(error);
    };
    let is_tls = tap.head.first() == Some(&HANDSHAKE);
    match error {
        Error::AlertReceived(alert) => unserved(NotServed::Broken, refusal(*alert)),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            unserved(NotServed::NotTls, not_tls(&tap.head))
        }
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } if !is_tls => {
            unserved(NotServed::NotTls, not_tls(&tap.head))
        }
        Error::PeerIncompatible(_) => {
            let text = format!("nothing in common with the server, which may be too old: {error}");
            unserved(NotServed::Broken, text)
        }
        _ => {
            let text = format!("the server does not keep to the rules of TLS: {error}");
            unserved(NotServed::Broken, text)
        }
    }
}

fn refusal(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "nothing in common with the server: it may be too old for TLS 1.2".to_owned()
        }
        AlertDescription::ProtocolVersion => {
            "TLS is too old there: the server knows no TLS 1.2".to_owned()
        }
        AlertDescription::UnrecognisedName => "the server knows no such name".to_owned(),
        other => format!("the server breaks the handshake off: {other:?}"),
    }
}

/// What stands where TLS should: the first line of it, if it is text.
fn not_tls(head: &[u8]) -> String {
    let line = head.split(|it| matches!(it, b'\r' | b'\n')).next().unwrap_or_default();
    let is_text = |it: &u8| it.is_ascii_graphic() || *it == b' ';
    if line.len() >= 3 && line.iter().all(is_text) {
        format!("this is not TLS: the server says {}", SafeText::from_bytes(line))
    } else {
        "this is not TLS".to_owned()
    }
}

/// The first byte of a handshake record (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &[u8], text: &str) {
        assert_eq!(not_tls(head), text);
    }

    #[test]
    fn what_is_no_tls_is_quoted_if_it_is_text() {
        let http = "this is not TLS: the server says HTTP/1.1 400 Bad Request";
        check(b"HTTP/1.1 400 Bad Request\r\nServer: x", http);
        check(b"+OK\r\n", "this is not TLS: the server says +OK");
        check(b"220 \xc3\xa9\r\n", "this is not TLS");
        check(b"\x1b[31mred\r\n", "this is not TLS");
        check(b"N", "this is not TLS");
        check(b"", "this is not TLS");
    }

    #[test]
    fn every_scheme_belongs_to_one_kind_of_key() {
        let schemes = PROVIDER.signature_verification_algorithms.supported_schemes();
        for scheme in schemes {
            assert!(Schemes::All.have(scheme));
            assert_ne!(Schemes::NoRsa.have(scheme), Schemes::OnlyRsa.have(scheme), "{scheme:?}");
            let is_rsa = format!("{scheme:?}").starts_with("RSA");
            assert_eq!(Schemes::OnlyRsa.have(scheme), is_rsa, "{scheme:?}");
        }
    }
}
