//! Requests to a store, and what of their answers is the same in every kind: limits on time and
//! size, another try where it asks for one, and answers that are wiped.

use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use tokio::time::{sleep, timeout};
use zeroize::{Zeroize as _, Zeroizing};

use super::Fault;
use crate::clock::Clock;
use crate::fleet::server_of;
use crate::https::{
    self, AGENT, Failure, Https, host_of, http_date, is_allowed, jittered, retry_after,
};
use crate::inventory::SecretStore;
use crate::text::SafeText;

/// The way to a store.
pub(super) struct Http {
    client: Https,
    url: String,
    pub(super) host: SafeText,
    pub(super) clock: Clock,
}

/// What a store answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Wiped,
}

/// Bytes that may hold a private key.
pub(super) struct Wiped(Bytes);

/// A request that can be sent again.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// What follows the URL of the store.
    pub(super) path: &'a str,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Http {
    pub(super) fn open(told: &SecretStore, clock: Clock) -> Result<Self, Fault> {
        let wrong = |it: String| Fault::settings(&SafeText::new(&it));
        let url = told.url.trim_end_matches('/').to_owned();
        let parsed: Uri = url.parse().map_err(|_| wrong("its URL is none".to_owned()))?;
        if !is_allowed(&parsed) {
            return Err(wrong("only https is spoken to it, and http on this machine".to_owned()));
        }
        let roots = https::roots(&told.roots).map_err(|it| wrong(it.to_string()))?;
        let client = Https::new(&roots).map_err(|it| wrong(it.to_string()))?;
        Ok(Self { client, url, host: host_of(&parsed), clock })
    }

    /// The host with its port, as it stands in the header `Host`.
    pub(super) fn authority(&self) -> &str {
        server_of(&self.url).unwrap_or_default()
    }

    /// What the URL has behind its host: a store may lie behind a proxy.
    pub(super) fn prefix(&self) -> &str {
        let rest = self.url.split_once("://").map_or("", |it| it.1);
        rest.find('/').and_then(|it| rest.get(it..)).unwrap_or_default()
    }

    /// Asks, and asks again where the store asks for that, a few times. `sign` makes the request
    /// anew each time: signatures have a time.
    pub(super) async fn ask<'a>(
        &self,
        mut make: impl FnMut() -> Result<Ask<'a>, Fault>,
        is_throttled: fn(&Answer) -> bool,
    ) -> Result<Answer, Fault> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            let answer = self.ask_once(make()?).await?;
            if !is_throttled(&answer) {
                return Ok(answer);
            }
            let now = self.clock.now();
            let until = answer.header(RETRY_AFTER);
            let until = until.and_then(|it| retry_after(it, answer.header(DATE), now));
            let wait = until.and_then(|it| u64::try_from(it.since(now)).ok());
            let wait = wait.map_or_else(|| jittered(pause), Duration::from_secs);
            if wait > LONGEST_PAUSE {
                return Ok(answer);
            }
            sleep(wait).await;
            pause *= 2;
        }
        self.ask_once(make()?).await
    }

    async fn ask_once(&self, ask: Ask<'_>) -> Result<Answer, Fault> {
        let host = &self.host;
        let mut request = Request::builder()
            .method(ask.method)
            .uri(format!("{}{}", self.url, ask.path))
            .header(USER_AGENT, AGENT);
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from_owner(ask.body)));
        let request = request.map_err(|_| Fault::odd(&format!("{host}: its URL is none")))?;
        match timeout(PATIENCE, self.client.send(request, MOST_BYTES)).await {
            Ok(Ok(answer)) => {
                let (parts, body) = answer.into_parts();
                Ok(Answer { status: parts.status, headers: parts.headers, body: Wiped(body) })
            }
            Ok(Err(Failure::Unreached(why))) => {
                Err(Fault::unreached(&format!("{host}: cannot be reached: {why}")))
            }
            Ok(Err(Failure::TooLong(status))) => {
                Err(Fault::odd(&format!("{host}: answers {status} without end")))
            }
            Err(_) => {
                let text = format!("{host}: no answer within {} s", PATIENCE.as_secs());
                Err(Fault::unreached(&text))
            }
        }
    }
}

impl Answer {
    pub(super) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How many seconds our clock is ahead of that of the store, if it says what time it is.
    pub(super) fn ahead(&self, clock: Clock) -> Option<i64> {
        Some(clock.now().since(http_date(self.header(DATE)?)?))
    }
}

#[cfg(test)]
impl Wiped {
    pub(super) fn of(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl std::ops::Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        if let Ok(mut bytes) = std::mem::take(&mut self.0).try_into_mut() {
            bytes.as_mut().zeroize();
        }
    }
}

/// A header that is no secret.
pub(super) fn header(name: &'static str, value: &str) -> Result<(HeaderName, HeaderValue), Fault> {
    let value = HeaderValue::from_str(value);
    let odd = |_| Fault::settings(&SafeText::new(&format!("its `{name}` holds odd characters")));
    Ok((HeaderName::from_static(name), value.map_err(odd)?))
}

/// A header that is one.
pub(super) fn secret_header(
    name: &'static str,
    value: &[u8],
) -> Result<(HeaderName, HeaderValue), Fault> {
    let value = HeaderValue::from_bytes(value);
    let odd = |_| Fault::settings(&SafeText::new("what it is opened with holds odd characters"));
    let mut value = value.map_err(odd)?;
    value.set_sensitive(true);
    Ok((HeaderName::from_static(name), value))
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Vault takes a megabyte, AWS 64 kilobytes.
const MOST_BYTES: usize = 2 << 20;
/// How often a store that asks to be left alone for a moment is asked.
const TRIES: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Nobody waits longer before a screen.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
