//! HTTPS with limits on time and size, to servers that the inventory names: what clients of CAs,
//! of webhooks and of Prometheus have in common. Knows nothing of what is said there.

use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use uuid::Uuid;

use crate::fleet::{DAY, Moment, server_of};
use crate::secret::local;
use crate::text::SafeText;

/// A client. Cheap to clone.
#[derive(Clone)]
pub struct Https(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file of roots cannot be used.
    #[error("{}: {why}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: SafeText,
    },
    /// TLS cannot be spoken with these roots.
    #[error("TLS: {0}")]
    Tls(SafeText),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server cannot be reached, or breaks off.
    Unreached(String),
    /// The answer is longer than it may be; its status.
    TooLong(u16),
}

impl Https {
    /// A client that trusts the public authorities, those of this machine, and these.
    pub fn new(roots: &[CertificateDer<'static>]) -> Result<Self, Error> {
        let impossible = |why: String| Error::Tls(SafeText::new(&why));
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        // What is odd among them is left out: nobody here has put it there.
        store.add_parsable_certificates(SYSTEM.iter().cloned());
        for root in roots {
            store.add(root.clone()).map_err(|it| impossible(format!("a root of it: {it}")))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_safe_default_protocol_versions()
            .map_err(|it| impossible(it.to_string()))?
            .with_root_certificates(store)
            .with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT));
        // Not https alone: a server on this machine may do without. See `is_allowed`.
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector);
        // A connection that the server has closed meanwhile must not cost a request.
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(10))
            .build(connector);
        Ok(Self(client))
    }

    /// Sends a request, and takes at most that many bytes of the answer. How long that may take is
    /// for the caller to say.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Response<Bytes>, Failure> {
        let (parts, mut body) = self.ask(request).await?.into_parts();
        let mut taken = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let broke = |it| Failure::Unreached(format!("the answer broke off: {it}"));
            let Ok(data) = frame.map_err(broke)?.into_data() else { continue };
            if taken.len() + data.len() > most {
                return Err(Failure::TooLong(parts.status.as_u16()));
            }
            taken.extend_from_slice(&data);
        }
        Ok(Response::from_parts(parts, taken.freeze()))
    }

    /// Sends a request, and takes as much of the answer as comes, up to that many bytes: for whom
    /// the status is the answer, and the body a word beside it.
    pub async fn post(
        &self,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<Response<Bytes>, Failure> {
        let (parts, mut body) = self.ask(request).await?.into_parts();
        let mut taken = BytesMut::new();
        while taken.len() < most
            && let Some(Ok(frame)) = body.frame().await
        {
            if let Ok(data) = frame.into_data() {
                taken.extend_from_slice(&data);
            }
        }
        taken.truncate(most);
        Ok(Response::from_parts(parts, taken.freeze()))
    }

    /// Sends a request; the body of the answer is still to come.
    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        self.0.request(request).await.map_err(|it| Failure::Unreached(chain(&it)))
    }
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Https")
    }
}

/// The authorities in these files, in PEM.
pub fn roots(files: &[String]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut roots = Vec::new();
    for file in files {
        let path = local(file);
        let wrong = |why: String| Error::File { path: path.clone(), why: SafeText::new(&why) };
        let mut text = Vec::new();
        File::open(&path)
            .and_then(|it| it.take(MAX_ROOTS).read_to_end(&mut text))
            .map_err(|it| wrong(format!("cannot be read: {it}")))?;
        let before = roots.len();
        for der in CertificateDer::pem_slice_iter(&text) {
            roots.push(der.map_err(|it| wrong(format!("is no PEM: {it}")))?);
        }
        if roots.len() == before {
            return Err(wrong("holds no certificate".to_owned()));
        }
    }
    Ok(roots)
}

/// The host of a URL, for people. What else is in it may be a secret.
pub fn host_of(url: &Uri) -> SafeText {
    SafeText::capped(server_of(&url.to_string()).unwrap_or_default(), 253)
}

/// Whether that may be spoken to: https, and http on this machine.
pub fn is_allowed(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_here = host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme_str() {
        Some("https") => true,
        Some("http") => is_here,
        _ => false,
    }
}

/// Somewhere between nothing and that, so that many do not come back at once.
pub fn jittered(wait: Duration) -> Duration {
    // The last 62 bits of a random UUID are random.
    let random = Uuid::new_v4().as_u64_pair().1 & 0xFFFF;
    wait.mul_f64(f64::from(u16::try_from(random).unwrap_or_default()) / f64::from(u16::MAX))
}

/// Reads a `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date. `None` if it is neither.
///
/// A date is meant by the clock of the server, so the server's own `Date` tells how far off it is.
pub fn retry_after(text: &str, date: Option<&str>, now: Moment) -> Option<Moment> {
    let text = text.trim();
    let length = if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
        text.parse::<i64>().ok()?
    } else {
        let there = date.and_then(http_date).unwrap_or(now);
        http_date(text)?.since(there)
    };
    (length <= MAX).then(|| now.plus(length))
}

/// Reads a date as HTTP has it (RFC 9110, section 5.6.7).
pub fn http_date(text: &str) -> Option<Moment> {
    let time: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Moment::from_unix(i64::try_from(seconds).ok()?))
}

/// An error of the library with what is behind it; the outer words say nothing themselves.
fn chain(error: &hyper_util::client::legacy::Error) -> String {
    let mut deepest: &dyn std::error::Error = error;
    let mut texts = Vec::new();
    while let Some(source) = deepest.source() {
        let text = source.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
        deepest = source;
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}

/// What this machine trusts: its own store, or `SSL_CERT_FILE` and `SSL_CERT_DIR`.
static SYSTEM: LazyLock<Vec<CertificateDer<'static>>> =
    LazyLock::new(|| rustls_native_certs::load_native_certs().certs);

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// What we are called where a server asks (RFC 9110, section 10.1.5).
pub const AGENT: &str = concat!("certdeck/", env!("CARGO_PKG_VERSION"));

/// How long connecting to one address may take.
const CONNECT: Duration = Duration::from_secs(10);
/// The bundle of all public authorities has 220 kB.
const MAX_ROOTS: u64 = 4 << 20;
/// Nobody means more than a year.
const MAX: i64 = 366 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[test]
    fn seconds_and_dates_are_read_and_nothing_else() {
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Mon, 23 Nov 2026 03:13:44 GMT", Some(60)),
            ("Monday, 23-Nov-26 03:13:44 GMT", Some(60)),
            ("Mon Nov 23 03:13:44 2026", Some(60)),
            ("Mon, 23 Nov 2026 03:11:44 GMT", Some(-60)),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("99999999999999999999999", None),
            ("999999999", None),
            ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ];
        for (text, expect) in cases {
            let expect = expect.map(|it| NOW.plus(it));
            assert_eq!(retry_after(text, None, NOW), expect, "{text}");
        }
    }

    #[test]
    fn a_date_is_meant_by_the_clock_of_the_server() {
        let date = Some("Mon, 23 Nov 2026 01:00:00 GMT");
        let until = retry_after("Mon, 23 Nov 2026 01:10:00 GMT", date, NOW);
        assert_eq!(until, Some(NOW.plus(600)));
    }

    #[test]
    fn only_https_is_spoken_and_http_here() {
        let is_allowed = |url: &str| is_allowed(&url.parse().unwrap());
        for url in ["https://ca.test/", "http://127.0.0.1:1/", "http://[::1]/", "http://localhost/"]
        {
            assert!(is_allowed(url), "{url}");
        }
        for url in ["http://ca.test/", "ftp://127.0.0.1/", "/x", "http://127.0.0.1.x/"] {
            assert!(!is_allowed(url), "{url}");
        }
        let url = "http://user:word@ca.example.net/token".parse().unwrap();
        assert_eq!(host_of(&url), "ca.example.net");
    }

    #[test]
    fn waits_are_spread() {
        let waits: Vec<_> = (0..64).map(|_| jittered(Duration::from_secs(60))).collect();
        assert!(waits.iter().all(|it| *it <= Duration::from_secs(60)));
        assert!(waits.iter().any(|it| *it < Duration::from_secs(30)));
        assert!(waits.iter().any(|it| *it > Duration::from_secs(30)));
    }
}
