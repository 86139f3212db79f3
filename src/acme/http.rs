//! The way to a CA: HTTPS with limits on time and size, and with the manners that CAs ask for.
//! Knows statuses and headers; what an answer means to an order is not known here.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;

use super::error::{Error, Problem};
use super::{Office, wait};
use crate::clock::Clock;
use crate::https::{self, Failure, Https, host_of, is_allowed, jittered, retry_after};
use crate::inventory::Issuer;
use crate::text::SafeText;

/// A client of one CA. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    client: Https,
    clock: Clock,
    pace: Pace,
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// A question whose answer is only looked up.
    pub question: Duration,
    /// A request that makes the CA do something.
    pub request: Duration,
    /// The wait before a question is asked again, at most; twice as long each time.
    pub first_wait: Duration,
    /// How often a question is asked, at most.
    pub tries: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            question: Duration::from_secs(30),
            // ZeroSSL signs before it answers, which takes up to half a minute (acme.sh, wiki
            // "ZeroSSL.com CA").
            request: Duration::from_secs(60),
            first_wait: Duration::from_secs(1),
            tries: 5,
        }
    }
}

/// A whole answer that is no error.
#[derive(Debug)]
pub struct Answer {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, at most 1 MiB of it.
    pub body: Bytes,
}

impl Http {
    /// A client that trusts the public authorities, those of this machine, and these.
    pub fn new(roots: &[CertificateDer<'static>], clock: Clock) -> Result<Self, Error> {
        Ok(Self { client: Https::new(roots)?, clock, pace: Pace::default() })
    }

    /// A client of this issuer, which trusts the roots that the inventory names for it, too.
    pub fn of(office: &Office, issuer: &Issuer) -> Result<Self, Error> {
        Self::new(&https::roots(&issuer.roots)?, office.clock)
    }

    /// The same with other limits on time.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Asks for what needs no account: a directory, a renewal window.
    pub async fn get(&self, url: &str) -> Result<Answer, Error> {
        let request = Request::get(url).body(Bytes::new()).map_err(|it| Error::Impossible {
            ca: SafeText::capped(url, 253),
            why: SafeText::new(&format!("this is no URL: {it}")),
        })?;
        let (parts, body) = self.send(request).await?.into_parts();
        Ok(Answer { headers: parts.headers, body })
    }

    /// Sends, and asks again what may be asked again: what changes nothing (RFC 8555, section
    /// 6.3: GET, HEAD and POST-as-GET), after an error that may be over soon.
    pub(super) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let (mut parts, body) = request.into_parts();
        let ca = host_of(&parts.uri);
        if !is_allowed(&parts.uri) {
            let why = "only https is spoken to a CA, and http on this machine";
            return Err(Error::Impossible { ca, why: SafeText::new(why) });
        }
        parts.headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let is_question = parts.method != Method::POST || is_post_as_get(&body);
        let mut tries = if is_question { self.pace.tries } else { 1 };
        let mut wait = self.pace.first_wait;
        loop {
            let request = Request::from_parts(parts.clone(), Full::new(body.clone()));
            let limit = if is_question { self.pace.question } else { self.pace.request };
            let answer = match tokio::time::timeout(limit, self.once(request, &ca)).await {
                Ok(answer) => answer,
                Err(_) => Err(unreached(&ca, &format!("no answer within {} s", limit.as_secs()))),
            };
            let error = match answer.and_then(|it| self.judge(it, &ca)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            tries = tries.saturating_sub(1);
            if tries == 0 || !may_pass(&error) {
                return Err(error);
            }
            tracing::debug!(%error, "asked again");
            tokio::time::sleep(jittered(wait)).await;
            wait = wait.saturating_mul(2).min(MAX_WAIT);
        }
    }

    async fn once(
        &self,
        request: Request<Full<Bytes>>,
        ca: &SafeText,
    ) -> Result<Response<Bytes>, Error> {
        self.client.send(request, MAX_BYTES).await.map_err(|it| match it {
            Failure::TooLong(status) => Error::Answer {
                ca: ca.clone(),
                status,
                why: SafeText::new("answers with more than 1 MiB"),
            },
            Failure::Unreached(why) => unreached(ca, &why),
        })
    }

    /// Takes out what is an error. A nonce that was refused is left to the library, which has to
    /// sign again.
    fn judge(&self, answer: Response<Bytes>, ca: &SafeText) -> Result<Response<Bytes>, Error> {
        let (status, headers) = (answer.status(), answer.headers());
        if status.is_success() {
            return Ok(answer);
        }
        let problem = serde_json::from_slice::<instant_acme::Problem>(answer.body()).ok();
        // Any object is a problem document to the library, whose members are all optional.
        let problem = problem.filter(|it| it.r#type.is_some() || it.detail.is_some());
        let problem = problem.map(|it| Problem::read(&it, Some(status.as_u16())));
        let name = problem.as_ref().map_or("", Problem::name);
        if status == StatusCode::BAD_REQUEST && name == "badNonce" {
            return Ok(answer);
        }
        let is_busy =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if is_busy || name == "rateLimited" {
            let now = self.clock.now();
            let header = |name| headers.get(name).and_then(|it: &HeaderValue| it.to_str().ok());
            let told = header(RETRY_AFTER).and_then(|it| retry_after(it, header(DATE), now));
            let said = problem.as_ref().and_then(|it| wait::in_words(it.detail.as_str()));
            let until = told.max(said);
            return Err(Error::Busy {
                ca: ca.clone(),
                status: status.as_u16(),
                // One that lies in the past is no reason to ask at once.
                until: until.unwrap_or_else(|| now.plus(wait::DEFAULT)).max(now.plus(1)),
                is_told: until.is_some(),
                problem,
            });
        }
        Err(match problem {
            Some(problem) => Error::Problem { ca: ca.clone(), problem },
            None => Error::Answer {
                ca: ca.clone(),
                status: status.as_u16(),
                why: SafeText::new(no_acme(status, answer.body())),
            },
        })
    }
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("pace", &self.pace).finish_non_exhaustive()
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let http = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(never) => match never {},
            };
            let answer = http.send(Request::from_parts(parts, body)).await?;
            Ok(BytesResponse::from(answer.map(Full::new)))
        })
    }
}

/// Whether a signed request only asks: one with an empty payload (RFC 8555, section 6.3).
fn is_post_as_get(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Signed<'a> {
        payload: &'a str,
    }
    serde_json::from_slice::<Signed<'_>>(body).is_ok_and(|it| it.payload.is_empty())
}

/// Whether the same question may be answered a moment later.
fn may_pass(error: &Error) -> bool {
    match error {
        // An authority that is not trusted now will not be then.
        Error::Unreached { why, .. } => !why.as_str().contains("certificate"),
        Error::Problem { problem, .. } => problem.status >= 500,
        Error::Answer { status, .. } => *status >= 500,
        // 503 without a time is what balancers say when nobody is behind them.
        Error::Busy { status, is_told, .. } => !is_told && *status == 503,
        _ => false,
    }
}

fn no_acme(status: StatusCode, body: &[u8]) -> &'static str {
    let start = body.trim_ascii_start();
    let is_page = start.starts_with(b"<");
    match status.as_u16() {
        300..400 => "points elsewhere, which no CA does",
        404 => "there is nothing at this address",
        407 => "a proxy wants a password",
        500.. if is_page => "is out of order: answers with a page for people",
        500.. => "is out of order",
        _ if is_page => "answers with a page for people, not as a CA does",
        _ => "answers with what is no ACME",
    }
}

fn unreached(ca: &SafeText, why: &str) -> Error {
    Error::Unreached { ca: ca.clone(), why: SafeText::capped(why, 300) }
}

/// RFC 8555, section 6.1, wants the name and version of the client and of what it is made with.
const AGENT: &str = concat!("certdeck/", env!("CARGO_PKG_VERSION"), " instant-acme");
/// The longest wait between two tries.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The longest chain of a CA has some kilobytes.
const MAX_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;
    use crate::fleet::Moment;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// A server that gives these answers in turn, the last one again and again, and then closes.
    struct Script {
        url: String,
        asked: Arc<AtomicUsize>,
        _work: JoinSet<()>,
    }

    impl Script {
        async fn start(answers: &[&str]) -> Self {
            let answers: Vec<Vec<u8>> = answers.iter().map(|it| it.as_bytes().to_vec()).collect();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/dir", listener.local_addr().unwrap());
            let asked = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&asked);
            let mut work = JoinSet::new();
            work.spawn(async move {
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut request = [0; 4096];
                    let read = stream.read(&mut request).await.unwrap_or_default();
                    if read == 0 {
                        continue;
                    }
                    let at = count.fetch_add(1, Ordering::SeqCst);
                    let answer = answers.get(at).or_else(|| answers.last()).unwrap();
                    // Whoever has heard enough hangs up.
                    stream.write_all(answer).await.ok();
                    stream.shutdown().await.ok();
                }
            });
            Self { url, asked, _work: work }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn http() -> Http {
        let quick = Duration::from_millis(300);
        let pace = Pace {
            question: quick,
            request: quick,
            first_wait: Duration::from_millis(1),
            ..Pace::default()
        };
        Http::new(&[], Clock::fixed(NOW)).unwrap().with_pace(pace)
    }

    fn answer(status: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}"
        )
    }

    async fn get(answers: &[&str]) -> (Result<Bytes, Error>, usize) {
        let script = Script::start(answers).await;
        let got = http().get(&script.url).await.map(|it| it.body);
        (got, script.asked())
    }

    #[tokio::test]
    async fn a_ca_that_is_busy_is_left_alone_as_long_as_it_says() {
        let problem = r#"{"type": "urn:ietf:params:acme:error:rateLimited",
            "detail": "too many, retry after 2026-11-23 04:12:44 UTC"}"#;
        let cases = [
            (answer("429 No", "Retry-After: 120\r\n", ""), 120, true),
            (answer("503 No", "Retry-After: Mon, 23 Nov 2026 03:14:44 GMT\r\n", "<p>"), 120, true),
            (answer("429 No", "", problem), 3600, true),
            (answer("403 No", "Retry-After: 5\r\n", problem), 3600, true),
            (answer("429 No", "Retry-After: soon\r\n", ""), wait::DEFAULT, false),
            (answer("503 No", "", "{"), wait::DEFAULT, false),
            (answer("429 No", "Retry-After: 0\r\n", ""), 1, true),
        ];
        for (text, seconds, expect_told) in cases {
            let (got, asked) = get(&[&text]).await;
            let Err(Error::Busy { until, is_told, .. }) = got else { panic!("{text}: {got:?}") };
            assert_eq!((until.since(NOW), is_told), (seconds, expect_told), "{text}");
            let is_asked_again = !expect_told && text.contains("503");
            assert_eq!(asked, if is_asked_again { 5 } else { 1 }, "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_out_of_order_is_asked_five_times_and_no_more() {
        let fine = answer("200 OK", "", "{}");
        for (text, words) in [
            (answer("500 No", "", ""), "is out of order (HTTP 500)"),
            (answer("502 No", "", "<html>\u{1b}[2J"), "answers with a page for people (HTTP 502)"),
            ("\0\u{16}nonsense".to_owned(), "cannot be reached"),
            (String::new(), "cannot be reached"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_owned(), "broke off"),
        ] {
            let (got, asked) = get(&[&text]).await;
            let error = got.unwrap_err().to_string();
            assert!(error.contains(words) && asked == 5, "{error}, asked {asked} times");
            let (got, asked) = get(&[&text, &text, &fine]).await;
            assert_eq!((got.unwrap(), asked), (Bytes::from_static(b"{}"), 3));
        }
    }

    #[tokio::test]
    async fn what_a_ca_decided_is_not_asked_again() {
        let refused = r#"{"type": "urn:ietf:params:acme:error:unauthorized", "detail": "no"}"#;
        let (got, asked) = get(&[&answer("403 No", "", refused)]).await;
        let error = got.unwrap_err();
        assert!(error.is("unauthorized") && asked == 1, "{error}");
        assert_eq!(error.problem().unwrap().status, 403);
        for (status, words) in [("404 No", "nothing at this address"), ("302 No", "elsewhere")] {
            let (got, asked) = get(&[&answer(status, "Location: /x\r\n", "{}")]).await;
            let error = got.unwrap_err().to_string();
            assert!(error.contains(words) && asked == 1, "{error}");
        }
    }

    #[tokio::test]
    async fn nothing_is_read_without_end_or_waited_for_without_end() {
        let huge = answer("200 OK", "", &"x".repeat(50 << 20));
        let (got, asked) = get(&[&huge]).await;
        assert!(got.unwrap_err().to_string().contains("more than 1 MiB") && asked == 1);

        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let error = http().get(&url).await.unwrap_err().to_string();
        assert!(error.contains("no answer within"), "{error}");
    }

    #[tokio::test]
    async fn secrets_and_requests_go_nowhere_in_the_clear() {
        for url in ["http://ca.example.net/dir", "ftp://127.0.0.1/", "//x", "http://127.0.0.1.x/"] {
            let error = http().get(url).await.unwrap_err();
            assert!(matches!(error, Error::Impossible { .. }), "{url}: {error}");
        }
        let url = "http://user:word@ca.example.net/".parse().unwrap();
        assert_eq!(host_of(&url), "ca.example.net");
    }

    #[test]
    fn only_questions_are_known_as_such() {
        assert!(is_post_as_get(br#"{"protected": "e30", "payload": "", "signature": "x"}"#));
        for other in [&br#"{"protected": "e30", "payload": "e30"}"#[..], b"", b"{}", b"["] {
            assert!(!is_post_as_get(other));
        }
    }
}
