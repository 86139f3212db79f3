//! What a CA would see of a file at port 80 (RFC 8555, section 8.3): asked for from here, at every
//! address of the name, with redirects followed as Let's Encrypt does.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::handshake;
use crate::resolve::Resolver;
use crate::text::SafeText;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The name.
    pub name: &'a str,
    /// The port at which it is asked first.
    pub port: u16,
    /// The path, from the root.
    pub path: &'a str,
    /// The addresses that are asked, one by one.
    pub addresses: &'a [IpAddr],
    /// Who finds the names that redirects lead to.
    pub names: Names<'a>,
}

/// Who finds names.
#[derive(Debug, Clone, Copy)]
pub enum Names<'a> {
    /// These servers, as a CA would ask some of its own.
    Resolver(&'a Resolver),
    /// This machine, with its own files, too.
    System,
}

/// What one address answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The address.
    pub address: SocketAddr,
    /// Where it led, one after the other.
    pub hops: Vec<SafeText>,
    /// What came in the end.
    pub what: What,
}

/// What came of a question for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file, at most 64 KiB of it.
    File(Vec<u8>),
    /// Something else: a status, a page, a way that no CA follows; in one line.
    Other(SafeText),
    /// Nothing; why, in one line.
    Nothing(SafeText),
    /// Nobody listens at that port.
    Closed(u16),
    /// There is no way to it from this machine, which says nothing about the server.
    NoRoute,
}

/// The addresses that this machine knows of a name, at most sixteen.
pub async fn addresses(name: &str) -> Vec<IpAddr> {
    Names::System.find(name).await
}

/// Asks every address for a file.
pub async fn fetch(ask: &Ask<'_>) -> Vec<Fetched> {
    let asked = ask.addresses.iter().take(MOST_ADDRESSES).map(|it| async move {
        let address = SocketAddr::new(*it, ask.port);
        let mut hops = Vec::new();
        let asking = timeout(PATIENCE, follow(address, ask, &mut hops)).await;
        let what = asking.unwrap_or_else(|_| {
            What::Nothing(SafeText::new(&format!("no answer within {} s", PATIENCE.as_secs())))
        });
        Fetched { address, hops, what }
    });
    join_all(asked).await
}

/// Asks one address, and goes where it leads.
async fn follow(address: SocketAddr, ask: &Ask<'_>, hops: &mut Vec<SafeText>) -> What {
    let mut at = address;
    let mut url = Url {
        is_secure: false,
        host: ask.name.to_owned(),
        port: ask.port,
        path: ask.path.to_owned(),
    };
    loop {
        let answer = match url.get(at).await {
            Ok(answer) => answer,
            Err(what) => return what,
        };
        let Some(target) = answer.redirect() else { return answer.what() };
        let shown = SafeText::capped(&target, 200);
        if hops.len() == MAX_REDIRECTS {
            let text = format!("leads on and on, more than {MAX_REDIRECTS} times");
            return What::Other(SafeText::new(&text));
        }
        hops.push(shown.clone());
        let Some(next) = url.join(&target) else {
            return What::Other(SafeText::new(&format!("leads to {shown}, which is no way")));
        };
        // Let's Encrypt goes on to 80 and 443 only (letsencrypt.org/docs/challenge-types). A
        // private CA that asks at another port has another one for TLS, too.
        let is_followed = match next.port {
            80 | 443 => true,
            port => port == ask.port || (next.is_secure && ask.port != 80),
        };
        if !is_followed {
            return What::Other(SafeText::new(&format!("leads to {shown}, where no CA follows")));
        }
        if next.host.eq_ignore_ascii_case(ask.name) {
            // The same machine is asked again at the same address.
            at = SocketAddr::new(address.ip(), next.port);
        } else if (&next.host, next.port) != (&url.host, url.port) {
            let Some(found) = ask.names.find(&next.host).await.first().copied() else {
                let text = format!("leads to {shown}, which has no address");
                return What::Other(SafeText::new(&text));
            };
            at = SocketAddr::new(found, next.port);
        }
        url = next;
    }
}

impl Names<'_> {
    /// The addresses of a name, or what the name says itself.
    async fn find(&self, name: &str) -> Vec<IpAddr> {
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            return vec![address];
        }
        let finding = async {
            match self {
                Self::Resolver(resolver) => resolver.addresses(name).await.unwrap_or_default(),
                Self::System => {
                    let found = lookup_host((name, 0)).await;
                    found.map(|it| it.map(|it| it.ip()).collect()).unwrap_or_default()
                }
            }
        };
        let mut found: Vec<IpAddr> = timeout(PATIENCE, finding).await.unwrap_or_default();
        found.sort();
        found.dedup();
        found.truncate(MOST_ADDRESSES);
        found
    }
}

/// Where a file is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Url {
    is_secure: bool,
    host: String,
    port: u16,
    path: String,
}

impl Url {
    /// Where a `Location` (RFC 9110, section 10.2.2) leads from here.
    fn join(&self, target: &str) -> Option<Self> {
        if target.chars().any(|it| it.is_control() || it == ' ') {
            return None;
        }
        let (is_secure, rest) = if let Some(rest) = target.strip_prefix("http://") {
            (false, rest)
        } else if let Some(rest) = target.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = target.strip_prefix("//") {
            (self.is_secure, rest)
        } else if target.starts_with('/') {
            return Some(Self { path: target.to_owned(), ..self.clone() });
        } else {
            return None;
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let path = path.split('#').next().unwrap_or_default();
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let usual = if is_secure { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (authority, usual),
        };
        let is_host = |it: char| it.is_ascii_alphanumeric() || "-._[]:".contains(it);
        let is_one = !host.is_empty() && host.chars().all(is_host);
        is_one.then(|| Self { is_secure, host: host.to_owned(), port, path })
    }

    async fn get(&self, at: SocketAddr) -> Result<Answer, What> {
        let nothing = |it: std::io::Error| match it.kind() {
            ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::HostUnreachable
                if at.is_ipv6() =>
            {
                What::NoRoute
            }
            ErrorKind::ConnectionRefused => What::Closed(self.port),
            _ => What::Nothing(SafeText::new(&it.to_string())),
        };
        let stream = TcpStream::connect(at).await.map_err(nothing)?;
        if !self.is_secure {
            return self.ask(stream).await;
        }
        let name = ServerName::try_from(self.host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|_| What::Other(SafeText::new("leads to what is no name")))?;
        let stream = handshake::open(stream, name).await;
        let stream = stream.map_err(|it| {
            What::Nothing(SafeText::new(&format!("no TLS at port {}: {it}", self.port)))
        })?;
        self.ask(stream).await
    }

    async fn ask(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Answer, What> {
        let nothing = |it: std::io::Error| What::Nothing(SafeText::new(&it.to_string()));
        let Self { is_secure, host, port, path } = self;
        let is_usual = *port == if *is_secure { 443 } else { 80 };
        let authority = if is_usual { host.clone() } else { format!("{host}:{port}") };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: certdeck\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.map_err(nothing)?;
        let mut bytes = Vec::new();
        let read = stream.take(MAX_BYTES).read_to_end(&mut bytes).await;
        // Many servers end TLS without saying so; what came before is an answer all the same.
        if bytes.is_empty() {
            read.map_err(nothing)?;
        }
        parse(&bytes).ok_or_else(|| What::Other(SafeText::new("answers with what is no HTTP")))
    }
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
        one(&fetched("127.0.0.1", port).await)
    }

    async fn fetched(name: &str, port: u16) -> Vec<Fetched> {
        let addresses = addresses(name).await;
        let (path, names) = ("/x", Names::System);
        fetch(&Ask { name, port, path, addresses: &addresses, names }).await
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
                "HTTP/1.1 302 Go\r\nLocation: https://no such name/\r\n\r\n",
                other("leads to https://no such name/, which is no way"),
            ),
            (
                "HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/y\r\n\r\n",
                other("leads to http://127.0.0.1:1/y, where no CA follows"),
            ),
            (
                "HTTP/1.1 302 Go\r\nLocation: //127.0.0.1:1/\r\n\r\n",
                other("leads to //127.0.0.1:1/, where no CA follows"),
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
        assert_eq!(one(&fetched("127.0.0.1", port).await), What::Closed(port));
        assert_eq!(fetched("no such name", 80).await, []);
    }

    #[test]
    fn a_location_leads_from_where_one_is() {
        let here = Url { is_secure: true, host: "a.test".into(), port: 443, path: "/x".into() };
        let joined = |target: &str| {
            let it = here.join(target)?;
            let scheme = if it.is_secure { "https" } else { "http" };
            Some(format!("{scheme}://{}:{}{}", it.host, it.port, it.path))
        };
        let cases = [
            ("/y", "https://a.test:443/y"),
            ("//b.test/y?z#top", "https://b.test:443/y?z"),
            ("http://b.test", "http://b.test:80/"),
            ("https://[::1]:8443/y", "https://[::1]:8443/y"),
            ("http://[::1]?q", "http://[::1]:80/?q"),
        ];
        for (target, expect) in cases {
            assert_eq!(joined(target).as_deref(), Some(expect), "{target}");
        }
        for odd in
            ["y", "ftp://a.test/", "http://", "http://a@b.test/", "http://a.test:x/", "/a\r\nb"]
        {
            assert_eq!(joined(odd), None, "{odd}");
        }
    }
}
