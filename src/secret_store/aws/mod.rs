//! AWS Secrets Manager, by its JSON over HTTPS. Facts: docs.aws.amazon.com/secretsmanager/latest/apireference.
//!
//! There is no check-and-set for a new version. A version that is put without the label
//! `AWSCURRENT` is seen by nobody; and the label moves only if it is still where we saw it.

mod sign;

use std::borrow::Cow;

use futures_util::future::BoxFuture;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::http::{Answer, Ask, Http, header};
use super::{Fault, Found, Kept, Kind, Parcel};
use crate::audit::{self, Permit};
use crate::fleet::human;
use crate::secret::Secret;
use crate::text::SafeText;

use sign::{Credentials, Request};

/// A region of Secrets Manager.
pub(super) struct Aws {
    http: Http,
    region: String,
    credentials: Credentials,
}

/// Opens a region with what the secret says: lines `name = value`, as they stand in a profile of
/// `~/.aws/credentials` and in what `aws configure export-credentials --format env` prints.
pub(super) fn open(http: Http, region: &str, secret: &Secret) -> Result<Aws, Fault> {
    let credentials = Credentials::read(secret.bytes()).map_err(|part| {
        let text = format!("its secret has no line `{part} = …`");
        Fault::settings(&SafeText::new(&text))
    })?;
    Ok(Aws { http, region: region.to_owned(), credentials })
}

impl Aws {
    /// The credentials, for whoever must not write them down.
    pub(super) fn guards(&self) -> Vec<audit::Secret> {
        self.credentials.secrets().map(|it| audit::Secret::new(it.as_bytes())).collect()
    }

    /// Calls an operation of the API.
    async fn call(&self, operation: &str, body: &[u8]) -> Result<Answer, Fault> {
        let target = format!("secretsmanager.{operation}");
        let path = format!("{}/", self.http.prefix());
        let make = || {
            let request = Request {
                host: self.http.authority(),
                path: &path,
                target: &target,
                body,
                region: &self.region,
                at: self.http.clock.now(),
            };
            let mut headers =
                vec![header("content-type", sign::CONTENT_TYPE)?, header("x-amz-target", &target)?];
            headers.extend(sign::headers(&request, &self.credentials)?);
            // The prefix is part of the URL of the store already.
            let body = Zeroizing::new(body.to_vec());
            Ok(Ask { method: Method::POST, path: "/", headers, body })
        };
        let is_throttled = |it: &Answer| {
            let kind = Trouble::of(&it.body).kind;
            THROTTLED.contains(&&*kind) || matches!(it.status.as_u16(), 429 | 502..=504)
        };
        self.http.ask(make, is_throttled).await
    }

    /// What an answer means that is no success.
    fn refusal(&self, answer: &Answer, doing: &str) -> Fault {
        let Trouble { kind, message } = Trouble::of(&answer.body);
        let (host, code) = (&self.http.host, answer.status.as_u16());
        let said = ["", &kind, &message].into_iter().enumerate();
        let said: Vec<_> = said.filter(|it| it.0 == 0 || !it.1.is_empty()).map(|it| it.1).collect();
        let said = SafeText::capped(&said.join(": "), 240);
        let text = format!("{host}: {doing} is refused (HTTP {code}{said})");
        let is_time = ["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"]
            .contains(&&*kind)
            || (kind == "InvalidSignatureException" && message.contains("xpired"))
            || message.contains("Signature not yet current");
        match &*kind {
            _ if is_time => {
                let ahead = answer.ahead(self.http.clock).filter(|it| it.abs() > 60);
                let text = match ahead {
                    Some(by) if by > 0 => format!("{text}; our clock is {} ahead", human(by)),
                    Some(by) => format!("{text}; our clock is {} behind", human(-by)),
                    None => text,
                };
                Fault::new(
                    "clock",
                    &text,
                    "a signature holds for some minutes by the clock of AWS, and ours is off",
                    "set the clock of this machine right (`timedatectl`), and run it again",
                )
            }
            "InvalidRequestException" if message.contains("deletion") => Fault::new(
                "being-deleted",
                &text,
                "somebody has scheduled the secret for deletion: until then it takes no version",
                "`aws secretsmanager restore-secret` takes that back; or choose another `path`",
            ),
            "InvalidRequestException" | "ResourceExistsException"
                if message.contains("staging label") || message.contains("already exists") =>
            {
                Fault::conflict(&text)
            }
            "DecryptionFailure" | "EncryptionFailure" => Fault::forbidden(&text),
            it if THROTTLED.contains(&it) => Fault::throttled(&text),
            it if FORBIDDEN.contains(&it) || matches!(code, 401 | 403) => Fault::forbidden(&text),
            _ if matches!(code, 429 | 502..=504) => Fault::throttled(&text),
            _ => Fault::odd(&text),
        }
    }

    /// Puts a version; its name is the identity of the action.
    async fn put(
        &self,
        path: &str,
        parcel: &Parcel,
        how: How,
        permit: &Permit,
    ) -> Result<(), Fault> {
        let odd = || Fault::odd("what is delivered is no text");
        let text = std::str::from_utf8(parcel.json()).map_err(|_| odd())?;
        // What is asked for again makes no other version.
        let token = permit.op().to_string();
        let put = Put {
            client_request_token: &token,
            name: (how == How::Secret).then_some(path),
            secret_id: (how != How::Secret).then_some(path),
            secret_string: text,
            version_stages: (how == How::Unseen).then_some([PENDING]),
        };
        let mut body = Zeroizing::new(Vec::with_capacity(text.len() * 2 + path.len() + 512));
        serde_json::to_writer(&mut *body, &put).map_err(|_| odd())?;
        let operation = if how == How::Secret { "CreateSecret" } else { "PutSecretValue" };
        let answer = self.call(operation, &body).await.map_err(Fault::after)?;
        match answer.status {
            StatusCode::OK => Ok(()),
            status => {
                let fault = self.refusal(&answer, &format!("writing {path}"));
                Err(if status.is_server_error() { fault.after() } else { fault })
            }
        }
    }

    /// Makes a version the one that is read, if that is still the one before.
    async fn make_current(&self, path: &str, former: &str, version: &str) -> Result<(), Fault> {
        let body = json!({
            "SecretId": path,
            "VersionStage": CURRENT,
            "MoveToVersionId": version,
            "RemoveFromVersionId": former,
        });
        let answer = self.call("UpdateSecretVersionStage", body.to_string().as_bytes()).await;
        let answer = answer.map_err(Fault::after)?;
        if answer.status.is_success() {
            return Ok(());
        }
        let fault = self.refusal(&answer, &format!("making version {version} of {path} current"));
        let is_of_label = Trouble::of(&answer.body).kind == "InvalidParameterException";
        // It is said in these words when the label is somewhere else by now.
        Err(if is_of_label { Fault::conflict(fault.text.as_str()) } else { fault.after() })
    }
}

impl Kind for Aws {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(async move {
            let body = json!({ "SecretId": path, "VersionStage": CURRENT }).to_string();
            let answer = self.call("GetSecretValue", body.as_bytes()).await?;
            if !answer.status.is_success() {
                let trouble = Trouble::of(&answer.body);
                // The same for a secret without a value, to which one can be put.
                if trouble.kind == "ResourceNotFoundException" {
                    let is_bare = trouble.message.contains("value for staging label");
                    let version = is_bare.then(String::new);
                    return Ok(Found { version, kept: None });
                }
                return Err(self.refusal(&answer, &format!("reading {path}")));
            }
            let value: Result<Value<'_>, _> = serde_json::from_slice(&answer.body);
            let odd = |_| Fault::odd(&format!("{}: its answer makes no sense", self.http.host));
            let value = value.map_err(odd)?;
            // Escaped in the answer, so that this is a copy of it.
            let text = value.secret_string.map(|it| Zeroizing::new(it.0.into_owned()));
            let kept = text.as_ref().and_then(|it| Kept::read(it.as_bytes()));
            Ok(Found { version: Some(value.version_id), kept: Some(kept.unwrap_or_default()) })
        })
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        parcel: &'a Parcel,
        found: &'a Found,
        permit: &'a Permit,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            match found.version.as_deref() {
                None => self.put(path, parcel, How::Secret, permit).await,
                Some("") => self.put(path, parcel, How::First, permit).await,
                Some(former) => {
                    self.put(path, parcel, How::Unseen, permit).await?;
                    self.make_current(path, former, &permit.op().to_string()).await
                }
            }
        })
    }

    fn way_back(&self, path: &str, former: &str, version: &str) -> String {
        format!(
            "aws secretsmanager update-secret-version-stage --region {} --secret-id {path} \
             --version-stage {CURRENT} --move-to-version-id {former} \
             --remove-from-version-id {version}",
            self.region
        )
    }
}

/// How a version is put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// With a new secret around it.
    Secret,
    /// Into a secret that has no value: it is read at once.
    First,
    /// Beside one that is read: nobody sees it yet.
    Unseen,
}

/// What AWS says of an error.
struct Trouble {
    kind: String,
    message: String,
}

impl Trouble {
    fn of(body: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        struct Wire {
            #[serde(rename = "__type", default)]
            kind: String,
            #[serde(alias = "Message", default)]
            message: String,
        }
        let Wire { kind, message } = serde_json::from_slice(body).unwrap_or_default();
        // Some say it with the name of their model before it.
        let kind = kind.rsplit('#').next().unwrap_or_default().to_owned();
        Self { kind, message }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Put<'a> {
    client_request_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_id: Option<&'a str>,
    secret_string: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_stages: Option<[&'static str; 1]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Value<'a> {
    version_id: String,
    #[serde(borrow, default)]
    secret_string: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The label of the version that is read.
const CURRENT: &str = "AWSCURRENT";
/// The label of the version that is about to be: not `AWSPENDING`, which rotation has.
const PENDING: &str = "CERTDECK";
const THROTTLED: [&str; 4] =
    ["ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"];
const FORBIDDEN: [&str; 7] = [
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredTokenException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "IncompleteSignatureException",
];

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::DATE;

    use super::super::http::Wiped;
    use super::*;
    use crate::clock::Clock;
    use crate::fleet::Moment;
    use crate::inventory::read;

    const NOW: Moment = Moment::from_unix(1_795_403_564);

    /// What becomes of an answer of AWS.
    fn fault(status: u16, kind: &str, message: &str, date: Option<&str>) -> Fault {
        let text = "[[secret-store]]\nname = 'a'\nkind = 'aws-secrets-manager'\n\
                    region = 'eu-west-1'\nsecret-env = 'A'\n";
        let http = Http::open(&read(text).0.secret_stores[0], Clock::fixed(NOW)).unwrap();
        let secret = b"access-key-id = A\nsecret-access-key = b\n";
        let credentials = Credentials::read(secret).ok().unwrap();
        let aws = Aws { http, region: "eu-west-1".to_owned(), credentials };
        let mut headers = HeaderMap::new();
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        let body = json!({ "__type": kind, "message": message }).to_string();
        let status = StatusCode::from_u16(status).unwrap();
        aws.refusal(&Answer { status, headers, body: Wiped::of(body) }, "reading a")
    }

    #[test]
    fn what_aws_refuses_is_told_in_plain_words() {
        let cases = [
            ("ThrottlingException", "Rate exceeded", "throttled"),
            ("AccessDeniedException", "User: x is not authorized", "forbidden"),
            ("com.amazon.coral.service#UnrecognizedClientException", "", "forbidden"),
            ("ExpiredTokenException", "The security token is expired", "forbidden"),
            ("InvalidSignatureException", "Signature does not match", "forbidden"),
            (
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
                "being-deleted",
            ),
            ("ResourceExistsException", "The secret a already exists.", "conflict"),
            ("InternalServiceError", "", "odd-store"),
        ];
        for (kind, message, name) in cases {
            let fault = fault(400, kind, message, None);
            assert_eq!(fault.name, name, "{fault:?}");
            let kind = kind.rsplit('#').next().unwrap();
            assert!(fault.text.as_str().contains(kind), "{fault:?}");
        }
        assert_eq!(fault(503, "", "", None).name, "throttled");
    }

    #[test]
    fn a_clock_that_is_off_is_told_by_how_much() {
        let said = "Signature expired: 20261123T031244Z is now earlier than 20261123T040000Z";
        let date = Some("Mon, 23 Nov 2026 04:12:44 GMT");
        let fault = fault(403, "InvalidSignatureException", said, date);
        assert_eq!(fault.name, "clock");
        assert!(fault.text.as_str().ends_with("our clock is 1h behind"), "{fault:?}");
    }
}
