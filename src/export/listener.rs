//! Serves metrics over HTTP. What is served is always there: no request waits for a scan.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Error;
use crate::clock::Clock;
use crate::report::prometheus::Exposition;

/// The metrics of the last complete scan, once there was one.
pub type Page = Option<Arc<Exposition>>;

/// A port at which metrics are asked for.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Opens the port. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// [`Error::InUse`] where another program has it, [`Error::Listen`] where nobody may.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let opened = async {
            let socket = TcpListener::bind(address).await?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        opened.await.map_err(|source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => Error::InUse(address),
            _ => Error::Listen { address, source },
        })
    }

    /// Where it listens: with the port that the system chose, if it was asked to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers whoever asks, until the future is dropped.
    pub async fn serve(self, page: watch::Receiver<Page>, clock: Clock) {
        // Owns the connections: they end with this future.
        let mut connections = JoinSet::new();
        loop {
            while connections.len() >= MOST {
                connections.join_next().await;
            }
            match self.socket.accept().await {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, page.clone(), clock));
                }
                // Out of descriptors, or a client that went away: the next one may be served.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
            while connections.try_join_next().is_some() {}
        }
    }
}

/// Answers what one client asks.
async fn converse(stream: TcpStream, page: watch::Receiver<Page>, clock: Clock) {
    let service = service_fn(|request: Request<Incoming>| {
        // A reader that holds the page up would hold up the next scan.
        let page = page.borrow().clone();
        let answer = answer(request.method(), request.uri().path(), page.as_deref(), clock);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        // Kept open, it would end in the middle of some later scrape.
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // Who does not read, and what breaks off, is the client's own affair.
    timeout(LONGEST, connection).await.ok();
}

fn answer(
    method: &Method,
    path: &str,
    page: Option<&Exposition>,
    clock: Clock,
) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refused =
            text(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET and HEAD are answered\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match (path, page) {
        ("/metrics", Some(page)) => text(StatusCode::OK, METRICS, page.bytes(clock.now())),
        ("/metrics" | "/-/ready", None) => {
            text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, "the first scan is not over yet\n")
        }
        ("/-/ready", Some(_)) => text(StatusCode::OK, PLAIN, "there are metrics\n"),
        ("/-/healthy", _) => text(StatusCode::OK, PLAIN, "certdeck is up\n"),
        ("/", _) => text(StatusCode::OK, HTML, INDEX),
        _ => text(StatusCode::NOT_FOUND, PLAIN, "there is nothing here but /metrics\n"),
    }
}

fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const INDEX: &str = "<!doctype html>\n<html lang=\"en\"><title>certdeck</title>\n\
    <h1>certdeck</h1>\n<ul>\n<li><a href=\"/metrics\">metrics</a> of the last complete scan\n\
    <li><a href=\"/-/ready\">whether there are any yet</a>\n\
    <li><a href=\"/-/healthy\">whether it is up</a>\n</ul>\n</html>\n";

/// Two servers scrape it, and somebody looks with a browser; the rest waits its turn.
const MOST: usize = 16;
/// How long the head of a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take in all.
const LONGEST: Duration = Duration::from_secs(60);
/// The least that the library allows; the head of a scrape has 400 bytes.
const MAX_HEAD: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::fleet::Moment;

    struct Served {
        address: SocketAddr,
        tell: watch::Sender<Page>,
        _work: JoinSet<()>,
    }

    async fn served(page: Page) -> Served {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.address();
        let (tell, page) = watch::channel(page);
        let mut work = JoinSet::new();
        work.spawn(listener.serve(page, Clock::fixed(Moment::from_unix(0))));
        Served { address, tell, _work: work }
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }

    async fn get(address: SocketAddr, method: &str, path: &str) -> String {
        let head = "Host: x\r\nConnection: close";
        ask(address, &format!("{method} {path} HTTP/1.1\r\n{head}\r\n\r\n")).await
    }

    #[tokio::test]
    async fn metrics_are_there_as_soon_as_they_are_told() {
        let served = served(None).await;
        for path in ["/metrics", "/-/ready"] {
            assert!(get(served.address, "GET", path).await.starts_with("HTTP/1.1 503 "));
        }
        assert!(get(served.address, "GET", "/-/healthy").await.starts_with("HTTP/1.1 200 "));
        served.tell.send_replace(Some(Arc::default()));
        let answer = get(served.address, "GET", "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
        assert!(get(served.address, "GET", "/-/ready").await.starts_with("HTTP/1.1 200 "));
        assert!(get(served.address, "GET", "/").await.contains("href=\"/metrics\""));
    }

    #[tokio::test]
    async fn nothing_else_is_answered() {
        let served = served(Some(Arc::default())).await;
        for (method, path, status) in [
            ("HEAD", "/", "200"),
            ("GET", "/metrics/", "404"),
            ("GET", "/../etc/passwd", "404"),
            ("POST", "/metrics", "405"),
            ("DELETE", "/", "405"),
        ] {
            let answer = get(served.address, method, path).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{method} {path}: {answer}"
            );
        }
        assert!(get(served.address, "HEAD", "/").await.ends_with("\r\n\r\n"));
        assert!(ask(served.address, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
        let long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(20_000));
        assert!(!ask(served.address, &long).await.contains(" 200 "));
    }

    #[tokio::test]
    async fn who_holds_a_connection_holds_up_nobody() {
        let served = served(Some(Arc::default())).await;
        let mut held = Vec::new();
        for _ in 0..MOST - 1 {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(b"GET /metr").await.unwrap();
            held.push(stream);
        }
        let answer = get(served.address, "GET", "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn a_second_one_is_told_so() {
        let first = Listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let error = Listener::bind(first.address()).await.unwrap_err();
        assert!(matches!(error, Error::InUse(it) if it == first.address()), "{error}");
    }
}
