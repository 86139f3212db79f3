//! One try: a notice, signed, to a webhook, and what came back.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::Full;
use tokio::time::timeout;

use super::queue::Pending;
use super::sign::sign;
use crate::fleet::{Moment, human};
use crate::https::{self, AGENT, Failure, Https, host_of, is_allowed, retry_after};
use crate::inventory::Notice;
use crate::secret::Secret;
use crate::text::SafeText;

/// What a webhook said that took a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of its text.
    pub text: SafeText,
}

/// Why a notice was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Why, in one line, without the address: that may be a secret.
    pub text: SafeText,
    /// Whether it is tried again.
    pub again: Again,
}

/// Whether a notice is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Later, and not before that moment if the webhook has named one.
    Later(Option<Moment>),
    /// It would not be taken then either.
    Never,
}

/// Sends it once.
pub(super) async fn post(
    webhook: &Notice,
    notice: &Pending,
    now: Moment,
) -> Result<Answer, Trouble> {
    let later = |text: &str| Trouble { text: SafeText::new(text), again: Again::Later(None) };
    let never = |text: &str| Trouble { text: SafeText::new(text), again: Again::Never };
    let url: Uri = webhook.url.parse().map_err(|_| never("its URL is none"))?;
    let host = host_of(&url);
    if !is_allowed(&url) {
        return Err(never("only https is spoken to a webhook, and http on this machine"));
    }
    // What can be put right on this machine is waited for.
    let whose = format!("notice {}", webhook.name);
    let secret =
        Secret::read(&webhook.secret, &whose).await.map_err(|it| later(&it.to_string()))?;
    let roots = https::roots(&webhook.roots).map_err(|it| later(&it.to_string()))?;
    let client = Https::new(&roots).map_err(|it| later(&it.to_string()))?;
    let signature = sign(secret.line(), now.unix(), &notice.body);
    let signature = signature.ok_or_else(|| never("its secret is no key"))?;
    drop(secret);
    let request = Request::post(url)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, AGENT)
        .header("x-certdeck-event", &notice.event)
        .header("x-certdeck-id", notice.id.to_string())
        .header("x-certdeck-timestamp", now.unix().to_string())
        .header("x-certdeck-signature", format!("sha256={signature}"))
        .body(Full::new(Bytes::from(notice.body.clone())))
        .map_err(|_| never("its URL is none"))?;
    let answer = match timeout(PATIENCE, client.post(request, MOST_BYTES)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(Failure::Unreached(why))) => {
            return Err(later(&format!("{host}: cannot be reached: {why}")));
        }
        Ok(Err(Failure::TooLong(status))) => {
            return Err(later(&format!("{host}: answers {status} without end")));
        }
        Err(_) => return Err(later(&format!("{host}: no answer within {} s", PATIENCE.as_secs()))),
    };
    let status = answer.status();
    if status.is_success() {
        return Ok(Answer { status: status.as_u16(), text: SafeText::from_bytes(answer.body()) });
    }
    Err(refusal(&host, status, answer.headers(), now))
}

/// What an answer means that is no success.
fn refusal(host: &SafeText, status: StatusCode, headers: &HeaderMap, now: Moment) -> Trouble {
    let header = |name| headers.get(name).and_then(|it: &http::HeaderValue| it.to_str().ok());
    let until = header(RETRY_AFTER).and_then(|it| retry_after(it, header(DATE), now));
    let code = status.as_u16();
    let (text, again) = match code {
        300..=399 => ("points elsewhere, which is not followed", Again::Never),
        408 | 425 | 429 | 500.. => {
            ("is not ready for it", Again::Later(until.filter(|it| *it > now)))
        }
        401 | 403 => ("does not take it: see the secret there and here", Again::Never),
        404 | 410 => ("there is nothing at this address", Again::Never),
        _ => ("does not take it", Again::Never),
    };
    let wait = match again {
        Again::Later(Some(until)) => {
            format!(", and wants to be left alone for {}", human(until.since(now)))
        }
        _ => String::new(),
    };
    Trouble { text: SafeText::new(&format!("{host}: {text} (HTTP {code}){wait}")), again }
}

/// How long a try may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// As much of an answer as anybody reads.
const MOST_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    #[track_caller]
    fn check(status: u16, retry: Option<&str>, again: Again) {
        let mut headers = HeaderMap::new();
        if let Some(retry) = retry {
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let trouble = refusal(&SafeText::new("hooks.test"), status, &headers, NOW);
        assert_eq!(trouble.again, again, "{}", trouble.text);
        assert!(trouble.text.as_str().starts_with("hooks.test: "), "{}", trouble.text);
    }

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        for status in [301, 302, 307, 400, 401, 403, 404, 410, 422] {
            check(status, Some("5"), Again::Never);
        }
        for status in [408, 425, 429, 500, 502, 503, 599] {
            check(status, None, Again::Later(None));
            check(status, Some("soon"), Again::Later(None));
            check(status, Some("120"), Again::Later(Some(NOW.plus(120))));
            check(status, Some("0"), Again::Later(None));
        }
    }
}
