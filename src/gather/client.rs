//! The way to a Prometheus server: questions with limits on time and size.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use tokio::time::timeout;

use super::Error;
use crate::https::{self, AGENT, Failure, Https};
use crate::inventory::Elsewhere;
use crate::secret::Secret;
use crate::text::SafeText;

/// A client of one server.
pub(super) struct Client {
    https: Https,
    by: SafeText,
    url: String,
    token: Option<HeaderValue>,
}

impl Client {
    /// A client that trusts the public authorities, those of this machine, and these.
    pub(super) fn new(
        fleet: &Elsewhere,
        secret: Option<&Secret>,
        roots: &[String],
    ) -> Result<Self, Error> {
        let by = SafeText::new(&fleet.name);
        let https = https::roots(roots).and_then(|it| Https::new(&it));
        let https = https.map_err(|it| unreached(&by, &it.to_string()))?;
        let token = secret.map(|it| bearer(&by, it)).transpose()?;
        let url = fleet.prometheus.trim_end_matches('/').to_owned();
        Ok(Self { https, by, url, token })
    }

    /// What the server holds now of a metric: the answer of the query API, in JSON.
    pub(super) async fn query(&self, metric: &str) -> Result<Bytes, Error> {
        let asked = timeout(PATIENCE, self.ask(metric)).await;
        let late = format!("no answer within {} s", PATIENCE.as_secs());
        asked.map_err(|_| unreached(&self.by, &late))?
    }

    async fn ask(&self, metric: &str) -> Result<Bytes, Error> {
        let failed = |why: &str| unreached(&self.by, why);
        // The names of metrics need no escaping.
        let url = format!("{}/api/v1/query?query={metric}", self.url);
        let url: Uri = url.parse().map_err(|_| failed("its URL is none"))?;
        let mut request = Request::get(url).header(USER_AGENT, AGENT);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::default()).map_err(|it| failed(&it.to_string()))?;
        let answer = self.https.send(request, MAX_BYTES).await.map_err(|it| match it {
            Failure::Unreached(why) => failed(&why),
            Failure::TooLong(_) => failed("answers with more than 64 MiB"),
        })?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if self.token.is_none() => {
                Err(failed("it wants a token: say where it is, as `secret-file`"))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(failed("it does not take the token"))
            }
            status => Err(failed(&format!("answers {}", status.as_u16()))),
        }
    }
}

fn bearer(by: &SafeText, secret: &Secret) -> Result<HeaderValue, Error> {
    let bytes = [b"Bearer ", secret.line()].concat();
    let mut value = HeaderValue::from_bytes(&bytes)
        .map_err(|_| unreached(by, "its token cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn unreached(by: &SafeText, why: &str) -> Error {
    Error::Unreached { fleet: by.clone(), why: SafeText::capped(why, 300) }
}

/// How long one metric may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ten thousand certificates take fifteen.
const MAX_BYTES: usize = 64 << 20;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests write secrets")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::inventory::SecretPlace;

    /// Asks a server that answers like this: what came of it, and what it was asked.
    async fn asked(answer: &str, token: Option<&str>) -> (Result<Bytes, String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/prefix/", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, token.unwrap_or_default()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let place = SecretPlace::File(file.to_str().unwrap().to_owned());
        let secret = match token {
            None => None,
            Some(_) => Some(Secret::read(&place, "x").await.unwrap()),
        };
        let fleet = Elsewhere { name: "asia".to_owned(), prometheus: url, secret: None };
        let client = Client::new(&fleet, secret.as_ref(), &[]).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            // Whoever has heard enough hangs up.
            stream.write_all(answer.as_bytes()).await.ok();
            stream.shutdown().await.ok();
            String::from_utf8_lossy(&request[..read]).into_owned()
        };
        let (got, request) = tokio::join!(client.query("certdeck_host_up"), serve);
        (got.map_err(|it| it.to_string()), request)
    }

    #[tokio::test]
    async fn a_token_is_sent_and_shown_nowhere() {
        let fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        let (got, request) = asked(fine, Some("hunter2\n")).await;
        assert_eq!(got.unwrap(), "{}");
        assert!(
            request.starts_with("GET /prefix/api/v1/query?query=certdeck_host_up "),
            "{request}"
        );
        assert!(request.contains("authorization: Bearer hunter2\r\n"), "{request}");
        let (got, _) = asked("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", Some("hunter2")).await;
        let error = got.unwrap_err();
        assert!(error.contains("does not take the token") && !error.contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_told_apart() {
        for (answer, words) in [
            ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "wants a token"),
            ("HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", "answers 502"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "broke off"),
            ("SSH-2.0-x\r\n", "cannot be asked"),
            ("", "cannot be asked"),
        ] {
            let (got, request) = asked(answer, None).await;
            let error = got.unwrap_err();
            assert!(
                error.starts_with("asia cannot be asked: ") && error.contains(words),
                "{error}"
            );
            assert!(!request.contains("authorization"), "{request}");
        }
    }

    #[tokio::test]
    async fn nothing_is_read_without_end() {
        let body = "x".repeat(MAX_BYTES + 1);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (got, _) = asked(&answer, None).await;
        assert!(got.unwrap_err().contains("more than 64 MiB"));
    }
}
