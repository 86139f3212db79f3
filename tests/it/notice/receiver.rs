//! A webhook that does as it is told, and checks what it gets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use sha2::Sha256;

/// The key that notices to it are signed with.
pub(crate) const SECRET: &str = "canary-7f3a9c51d2e8";

/// What it does with the next request.
#[derive(Debug, Clone)]
pub(crate) enum Play {
    /// Answers with this status line, these headers and this text.
    Answer(&'static str, String, String),
    /// Answers with what is no HTTP.
    Garbage,
    /// Hangs up without a word.
    Reset,
    /// Says nothing, until the other side hangs up.
    Stall,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    /// Its headers, with small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    work: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<Vec<Play>>,
    got: Mutex<Vec<Got>>,
    came: Condvar,
    is_over: AtomicBool,
}

/// With status 200, and nothing more.
pub(crate) fn fine() -> Play {
    answer("200 OK", "", "")
}

pub(crate) fn answer(status: &'static str, headers: &str, text: &str) -> Play {
    Play::Answer(status, headers.to_owned(), text.to_owned())
}

impl Receiver {
    /// One that plays this script, and then takes everything.
    pub(crate) fn start(script: &[Play]) -> Self {
        Self::with(script, None)
    }

    /// One that speaks TLS, and its certificate in PEM.
    pub(crate) fn start_tls(script: &[Play]) -> (Self, String) {
        let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let CertifiedKey { cert, signing_key } = made;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        (Self::with(script, Some(Arc::new(config))), cert.pem())
    }

    fn with(script: &[Play], tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared::default());
        shared.script.lock().unwrap().extend(script.iter().cloned());
        let mine = Arc::clone(&shared);
        let work = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if mine.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (mine, tls) = (Arc::clone(&mine), tls.clone());
                std::thread::spawn(move || {
                    let stream = stream.unwrap();
                    match tls {
                        None => mine.serve(&stream, &stream),
                        Some(config) => {
                            let end = stream.try_clone().unwrap();
                            let connection = ServerConnection::new(config).unwrap();
                            mine.serve(StreamOwned::new(connection, stream), &end);
                        }
                    }
                });
            }
        });
        let url = format!("{scheme}://localhost:{}/hook/path-canary-91", address.port());
        Self { url, address, shared, work: Some(work) }
    }

    /// What has come so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub(crate) fn wait(&self, count: usize) -> Vec<Got> {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut got = self.shared.got.lock().unwrap();
        while got.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {count} requests: {got:#?}");
            got = self.shared.came.wait_timeout(got, left).unwrap().0;
        }
        got.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // So that it looks up.
        drop(TcpStream::connect(self.address));
        self.work.take().unwrap().join().unwrap();
    }
}

impl Shared {
    /// Takes one request, and plays the next of the script.
    fn serve(&self, mut stream: impl Read + Write, end: &TcpStream) {
        let Some(got) = read(&mut stream) else { return };
        let play = {
            let mut script = self.script.lock().unwrap();
            if script.is_empty() { fine() } else { script.remove(0) }
        };
        self.got.lock().unwrap().push(got);
        self.came.notify_all();
        match play {
            Play::Answer(status, headers, text) => {
                let length = text.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
                );
                // Whoever has heard enough hangs up.
                stream.write_all(head.as_bytes()).ok();
                stream.write_all(text.as_bytes()).ok();
                stream.flush().ok();
                end.shutdown(Shutdown::Write).ok();
            }
            Play::Garbage => {
                stream.write_all(b"\0\x16no HTTP at all\r\n\r\n").ok();
                end.shutdown(Shutdown::Write).ok();
            }
            Play::Reset => {
                end.shutdown(Shutdown::Both).ok();
            }
            Play::Stall => {
                stream.read_to_end(&mut Vec::new()).ok();
            }
        }
    }
}

fn read(stream: &mut impl Read) -> Option<Got> {
    let mut bytes = Vec::new();
    let mut some = [0; 4096];
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        let count = stream.read(&mut some).ok().filter(|it| *it > 0)?;
        bytes.extend_from_slice(&some[..count]);
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next().unwrap(), "POST /hook/path-canary-91 HTTP/1.1");
    let headers: Vec<(String, String)> = lines
        .filter_map(|it| it.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|it| it.0 == "content-length").unwrap().1.parse().unwrap();
    while bytes.len() - head < length {
        let count = stream.read(&mut some).ok().filter(|it| *it > 0)?;
        bytes.extend_from_slice(&some[..count]);
    }
    Some(Got { headers, body: String::from_utf8(bytes[head..].to_vec()).unwrap() })
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|it| it.0 == name).expect(name).1
    }

    /// The body, once signature and headers have nothing against it.
    #[track_caller]
    pub(crate) fn checked(&self) -> Value {
        let timestamp = self.header("x-certdeck-timestamp");
        assert!(timestamp.parse::<i64>().is_ok(), "{timestamp}");
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{timestamp}.{}", self.body).as_bytes());
        let hex = self.header("x-certdeck-signature").strip_prefix("sha256=").unwrap();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        mac.verify_slice(&bytes).expect("the signature is another one");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["id"], self.header("x-certdeck-id"));
        assert_eq!(body["event"], self.header("x-certdeck-event"));
        assert_eq!(self.header("content-type"), "application/json");
        body
    }

    pub(crate) fn id(&self) -> String {
        self.checked()["id"].as_str().unwrap().to_owned()
    }
}
