//! What stands between a client and a CA: it passes everything on, counts it, and at one request
//! it holds still, before the CA gets it or after the CA has answered. Whoever is to be killed at
//! that moment can be. Or it answers in the CA's place, as CAs and what stands before them do on
//! a bad day.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::lab::ca::Ca;

/// When it holds still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// Never.
    Never,
    /// At that request, counted from 1, which the CA does not get.
    Before(usize),
    /// At that request, once the CA has answered it.
    After(usize),
}

/// What goes wrong, and where.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// The beginning of the requests it happens to: `POST /order-plz`.
    pub(crate) at: &'static str,
    /// To how many of them, from the first.
    pub(crate) times: usize,
    pub(crate) what: What,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The CA does not get it; this is the answer.
    Answer(String),
    /// The CA gets it, and the connection ends without an answer.
    Lost,
    /// The CA gets it, and its answer breaks off in the middle.
    Cut,
    /// The CA does not get it, and nobody answers.
    Silence,
    /// What comes is no TLS.
    Noise,
}

/// One, until it is dropped.
pub(crate) struct Proxy {
    port: u16,
    seen: Arc<Seen>,
    _work: JoinSet<()>,
}

struct Seen {
    strike: Strike,
    faults: Mutex<Vec<Fault>>,
    requests: Mutex<Vec<Exchange>>,
    /// Told when it holds still.
    struck: Notify,
}

/// A request, and what the CA has made of it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// When it came.
    pub(crate) at: Instant,
    /// `POST /order-plz`.
    pub(crate) line: String,
    /// All of it, as it was sent.
    pub(crate) request: Vec<u8>,
    /// Whether it went wrong.
    pub(crate) is_faulty: bool,
    pub(crate) status: u16,
    /// Where the CA says that the thing is.
    pub(crate) location: Option<String>,
}

impl Proxy {
    /// Starts one in front of a CA.
    pub(crate) async fn start(ca: &Ca, strike: Strike) -> Self {
        Self::start_with(ca, strike, Vec::new()).await
    }

    /// Starts one with which things go wrong.
    pub(crate) async fn start_with(ca: &Ca, strike: Strike, faults: Vec<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen {
            strike,
            faults: Mutex::new(faults),
            requests: Mutex::default(),
            struck: Notify::new(),
        });
        let certificate = CertificateDer::from_pem_file(ca.trust()).unwrap();
        let key = PrivateKeyDer::from_pem_file(ca.trust().with_file_name("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let connector = TlsConnector::from(Arc::new(client));
        let behind = ca.port;
        let shared = Arc::clone(&seen);
        let mut work = JoinSet::new();
        work.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, connector) = (acceptor.clone(), connector.clone());
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    // Whoever is gone is gone.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        pass(stream, &connector, behind, &shared).await.ok();
                    }
                });
            }
        });
        Self { port, seen, _work: work }
    }

    /// The URL of the directory, through it.
    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// Waits until it holds still.
    pub(crate) async fn struck(&self) {
        self.seen.struck.notified().await;
    }

    /// From now on this goes wrong.
    pub(crate) fn spoil(&self, faults: Vec<Fault>) {
        self.seen.faults.lock().unwrap().extend(faults);
    }

    /// Nothing goes wrong any more.
    pub(crate) fn mend(&self) {
        self.seen.faults.lock().unwrap().clear();
    }

    /// Everything that came, in order.
    pub(crate) fn seen(&self) -> Vec<Exchange> {
        self.seen.requests.lock().unwrap().clone()
    }
}

impl Seen {
    /// What goes wrong with this request.
    fn fault(&self, line: &str) -> Option<What> {
        let mut faults = self.faults.lock().unwrap();
        let fault = faults.iter_mut().find(|it| it.times > 0 && line.starts_with(it.at))?;
        fault.times -= 1;
        Some(fault.what.clone())
    }
}

/// Passes one request on, and its answer back. One a connection: nobody has to be in step.
async fn pass(
    mut front: TlsStream<TcpStream>,
    connector: &TlsConnector,
    behind: u16,
    seen: &Seen,
) -> std::io::Result<()> {
    let (head, body) = message(&mut front).await?;
    let line = head.lines().next().unwrap_or_default().rsplit_once(' ').unwrap_or_default().0;
    let fault = seen.fault(line);
    let number = {
        let mut requests = seen.requests.lock().unwrap();
        requests.push(Exchange {
            at: Instant::now(),
            line: line.to_owned(),
            request: [head.as_bytes(), b"\r\n\r\n", &body].concat(),
            is_faulty: fault.is_some(),
            status: 0,
            location: None,
        });
        requests.len()
    };
    match &fault {
        Some(What::Answer(answer)) => {
            front.write_all(answer.as_bytes()).await?;
            return front.shutdown().await;
        }
        Some(What::Silence) => return std::future::pending().await,
        Some(What::Noise) => return front.get_mut().0.write_all(&[b'#'; 2000]).await,
        Some(What::Lost | What::Cut) | None => {}
    }
    if seen.strike == Strike::Before(number) {
        seen.struck.notify_one();
        return std::future::pending().await;
    }
    let stream = TcpStream::connect(("127.0.0.1", behind)).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut back = connector.connect(name, stream).await?;
    let lines = head.lines().filter(|it| !it.to_ascii_lowercase().starts_with("connection:"));
    let mut request: String = lines.flat_map(|it| [it, "\r\n"]).collect();
    request.push_str("Connection: close\r\n\r\n");
    back.write_all(request.as_bytes()).await?;
    back.write_all(&body).await?;
    back.flush().await?;
    let mut answer = Vec::new();
    // Go closes without a word of TLS at times.
    back.read_to_end(&mut answer).await.ok();
    {
        let text = String::from_utf8_lossy(&answer);
        let mut requests = seen.requests.lock().unwrap();
        let it = &mut requests[number - 1];
        it.status = text.get(9..12).and_then(|it| it.parse().ok()).unwrap_or_default();
        let location = text.lines().take_while(|it| !it.is_empty());
        it.location = location
            .filter_map(|it| it.split_once(": "))
            .find(|it| it.0.eq_ignore_ascii_case("location"))
            .map(|it| it.1.to_owned());
    }
    match fault {
        Some(What::Cut) => answer.truncate(answer.len() - 20),
        Some(_) => return Ok(()),
        None => {}
    }
    if seen.strike == Strike::After(number) {
        seen.struck.notify_one();
        return std::future::pending().await;
    }
    front.write_all(&answer).await?;
    front.shutdown().await
}

/// Reads a request: what is before its body, without the empty line, and its body.
pub(crate) async fn message(
    stream: &mut (impl AsyncRead + Unpin),
) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().filter_map(|it| it.split_once(": "));
            let length = length
                .filter(|it| it.0.eq_ignore_ascii_case("content-length"))
                .find_map(|it| it.1.parse::<usize>().ok())
                .unwrap_or_default();
            if bytes.len() >= end + 4 + length {
                return Ok((head, bytes[end + 4..end + 4 + length].to_vec()));
            }
        }
        match stream.read(&mut piece).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend(&piece[..read]),
        }
    }
}
