//! What a CA would see of a file at port 80 (RFC 8555, section 8.3): asked for from here, at every
//! address of the name, with redirects followed.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::text::SafeText;

/// What one address answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The address.
    pub address: SocketAddr,
    /// What came.
    pub what: What,
}

/// What came of a question for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file, at most 64 KiB of it.
    File(Vec<u8>),
    /// Something else: a status, a page; in one line.
    Other(SafeText),
    /// A way that is not followed from here, and where it leads.
    Elsewhere(SafeText),
    /// Nothing; why, in one line.
    Nothing(SafeText),
    /// There is no way to it from this machine, which says nothing about the server.
    NoRoute,
}

/// Asks every address of a name for a file. No address at all: the name is not known here.
pub async fn fetch(name: &str, port: u16, path: &str) -> Vec<Fetched> {
    let found = timeout(PATIENCE, lookup_host((name, port))).await;
    let mut addresses: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.collect(),
        _ => Vec::new(),
    };
    addresses.sort();
    addresses.dedup();
    addresses.truncate(MOST_ADDRESSES);
    join_all(addresses.into_iter().map(|address| async move {
        let asking = timeout(PATIENCE, follow(address, name, port, path));
        let what = asking.await.unwrap_or_else(|_| {
            What::Nothing(SafeText::new(&format!("no answer within {} s", PATIENCE.as_secs())))
        });
        Fetched { address, what }
    }))
    .await
}

/// Asks one address, and goes where it leads, as far as that is plain HTTP.
async fn follow(address: SocketAddr, name: &str, port: u16, path: &str) -> What {
    let mut at = address;
    let first = port;
    let (mut host, mut port, mut path) = (name.to_owned(), port, path.to_owned());
    for _ in 0..=MAX_REDIRECTS {
        let answer = match ask(at, &host, port, &path).await {
            Ok(answer) => answer,
            Err(what) => return what,
        };
        let Some(target) = answer.redirect() else { return answer.what() };
        let shown = SafeText::capped(&target, 200);
        if target.starts_with("//") || target.chars().any(char::is_control) {
            return What::Elsewhere(shown);
        }
        // Let's Encrypt goes on to 80 and 443 only (letsencrypt.org/docs/challenge-types).
        let Some(rest) = target.strip_prefix("http://") else {
            if let Some(local) = target.strip_prefix('/') {
                path = format!("/{local}");
                continue;
            }
            return What::Elsewhere(shown);
        };
        let (authority, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (next, number) = authority.rsplit_once(':').unwrap_or((authority, "80"));
        let Some(number) = number.parse().ok().filter(|it| [80, first].contains(it)) else {
            return What::Other(SafeText::new(&format!("leads to {shown}, where no CA follows")));
        };
        let next_at = timeout(PATIENCE, lookup_host((next, number))).await;
        let next_at = next_at.ok().and_then(Result::ok).and_then(|mut it| it.next());
        let Some(next_at) = next_at else {
            return What::Other(SafeText::new(&format!("leads to {shown}, which has no address")));
        };
        (at, host, port, path) = (next_at, next.to_owned(), number, format!("/{rest}"));
    }
    What::Other(SafeText::new(&format!("leads on and on, more than {MAX_REDIRECTS} times")))
}

/// The head of an answer, and what is read of its body.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.as_str())
    }

    fn redirect(&self) -> Option<String> {
        let is_one = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        self.header("location").filter(|_| is_one).map(str::to_owned)
    }

    fn what(self) -> What {
        if self.status == 200 {
            return What::File(self.body);
        }
        let server = self.header("server").map(|it| format!(", says {it}")).unwrap_or_default();
        What::Other(SafeText::capped(&format!("answers {}{server}", self.status), 200))
    }
}

async fn ask(at: SocketAddr, host: &str, port: u16, path: &str) -> Result<Answer, What> {
    let nothing = |it: std::io::Error| match it.kind() {
        ErrorKind::NetworkUnreachable
        | ErrorKind::AddrNotAvailable
        | ErrorKind::HostUnreachable
            if at.is_ipv6() =>
        {
            What::NoRoute
        }
        ErrorKind::ConnectionRefused => {
            What::Nothing(SafeText::new(&format!("nobody listens at port {port}")))
        }
        _ => What::Nothing(SafeText::new(&it.to_string())),
    };
    let mut stream = TcpStream::connect(at).await.map_err(nothing)?;
    let authority = if port == 80 { host.to_owned() } else { format!("{host}:{port}") };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: certdeck\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(nothing)?;
    let mut bytes = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut bytes).await.map_err(nothing)?;
    parse(&bytes).ok_or_else(|| What::Other(SafeText::new("answers with what is no HTTP")))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let header =
        |it: &str| it.split_once(':').map(|(a, b)| (a.trim().to_owned(), b.trim().to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let mut body = bytes.get(end + 4..)?.to_vec();
    let is_chunked = headers.iter().any(|it| {
        it.0.eq_ignore_ascii_case("transfer-encoding") && it.1.eq_ignore_ascii_case("chunked")
    });
    if is_chunked {
        body = unchunked(&body);
    }
    Some(Answer { status, headers, body })
}

/// The parts of a body that is sent in chunks (RFC 9112, section 7.1), as far as they came.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|it| it == b"\r\n") {
        let size = std::str::from_utf8(rest.get(..end).unwrap_or_default()).unwrap_or_default();
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size @ 1..) = usize::from_str_radix(size, 16) else { break };
        let from = end + 2;
        let chunk = rest.get(from..from.saturating_add(size)).or_else(|| rest.get(from..));
        body.extend_from_slice(chunk.unwrap_or_default());
        rest = rest.get(from.saturating_add(size).saturating_add(2)..).unwrap_or_default();
    }
    body
}

const PATIENCE: Duration = Duration::from_secs(10);
/// A token is some hundred bytes, and what stands before it some thousand at the most.
const MAX_BYTES: u64 = 65_536;
const MAX_REDIRECTS: usize = 10;
const MOST_ADDRESSES: usize = 16;

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    /// A server that gives this answer to everybody.
    async fn server(answer: &'static str) -> (u16, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut work = JoinSet::new();
        work.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 2048];
                let _read = stream.read(&mut request).await;
                stream.write_all(answer.replace("PORT", &port.to_string()).as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        });
        (port, work)
    }

    #[track_caller]
    fn one(fetched: &[Fetched]) -> What {
        assert_eq!(fetched.len(), 1, "{fetched:?}");
        fetched[0].what.clone()
    }

    async fn seen(answer: &'static str) -> What {
        let (port, _work) = server(answer).await;
        one(&fetch("127.0.0.1", port, "/x").await)
    }

    #[tokio::test]
    async fn what_comes_is_told_apart() {
        let file = |it: &str| What::File(it.as_bytes().to_vec());
        let other = |it: &str| What::Other(SafeText::new(it));
        let cases = [
            ("HTTP/1.1 200 OK\r\n\r\ntoken", file("token")),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntok\r\n2;x\r\nen\r\n0\r\n\r\n",
                file("token"),
            ),
            ("HTTP/1.1 404 No\r\nServer: nginx\r\n\r\n", other("answers 404, says nginx")),
            (
                "HTTP/1.1 301 Go\r\nLocation: /x\r\n\r\n",
                other("leads on and on, more than 10 times"),
            ),
            (
                "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:PORT/y\r\n\r\n",
                other("leads on and on, more than 10 times"),
            ),
            (
                "HTTP/1.1 302 Go\r\nLocation: https://a.test/\r\n\r\n",
                What::Elsewhere(SafeText::new("https://a.test/")),
            ),
            (
                "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/y\r\n\r\n",
                other("leads to http://127.0.0.1:1/y, where no CA follows"),
            ),
            (
                "HTTP/1.1 302 Go\r\nLocation: //a.test/\r\n\r\n",
                What::Elsewhere(SafeText::new("//a.test/")),
            ),
            ("SSH-2.0-x\r\n", other("answers with what is no HTTP")),
            ("", other("answers with what is no HTTP")),
        ];
        for (answer, expect) in cases {
            assert_eq!(seen(answer).await, expect, "{answer}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_told_apart_from_a_wrong_answer() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let what = one(&fetch("127.0.0.1", port, "/x").await);
        assert_eq!(what, What::Nothing(SafeText::new(&format!("nobody listens at port {port}"))));
        assert_eq!(fetch("no such name", 80, "/").await, []);
    }
}
