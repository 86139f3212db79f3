//! The signature of requests to AWS, version 4
//! (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html), for the
//! only shape of request that we send.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::super::Fault;
use super::super::http::{header, secret_header};
use crate::fleet::Moment;

/// Who signs.
pub(super) struct Credentials {
    id: Zeroizing<String>,
    key: Zeroizing<String>,
    token: Option<Zeroizing<String>>,
}

/// What is signed.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) target: &'a str,
    pub(super) body: &'a [u8],
    pub(super) region: &'a str,
    pub(super) at: Moment,
}

impl Credentials {
    /// Reads lines `name = value`; the first of each name counts.
    ///
    /// # Errors
    /// The name of a line that is missing.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let part = |wanted: &str| {
            text.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                let name = name.trim().trim_start_matches("export ").trim();
                let name = name.to_ascii_lowercase().replace('_', "-");
                let is_it = name.strip_prefix("aws-").unwrap_or(&name) == wanted;
                let value = value.trim().trim_matches('"');
                (is_it && !value.is_empty()).then(|| Zeroizing::new(value.to_owned()))
            })
        };
        Ok(Self {
            id: part("access-key-id").ok_or("access-key-id")?,
            key: part("secret-access-key").ok_or("secret-access-key")?,
            token: part("session-token"),
        })
    }

    /// What must not be written down. The id is none: AWS names it in its logs.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        [Some(&self.key), self.token.as_ref()].into_iter().flatten().map(|it| it.as_str())
    }
}

/// The headers of a signature.
pub(super) fn headers(
    request: &Request<'_>,
    credentials: &Credentials,
) -> Result<Vec<(HeaderName, HeaderValue)>, Fault> {
    let mut headers = vec![header("x-amz-date", &time(request.at))?];
    if let Some(token) = &credentials.token {
        headers.push(secret_header("x-amz-security-token", token.as_bytes())?);
    }
    let authorization = authorization(request, credentials);
    headers.push(secret_header("authorization", authorization.as_bytes())?);
    Ok(headers)
}

fn authorization(request: &Request<'_>, credentials: &Credentials) -> String {
    let time = time(request.at);
    let day = time.get(..8).unwrap_or_default();
    let mut signed = vec![("content-type", CONTENT_TYPE), ("host", request.host)];
    signed.push(("x-amz-date", &time));
    if let Some(token) = &credentials.token {
        signed.push(("x-amz-security-token", token));
    }
    signed.push(("x-amz-target", request.target));
    let names: Vec<_> = signed.iter().map(|it| it.0).collect();
    let names = names.join(";");
    let mut canonical = Zeroizing::new(format!("POST\n{}\n\n", request.path));
    for (name, value) in signed {
        canonical.extend([name, ":", value, "\n"]);
    }
    canonical.extend(["\n", &names, "\n", &hex(&Sha256::digest(request.body))]);
    let scope = format!("{day}/{}/{SERVICE}/aws4_request", request.region);
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
    let first = Zeroizing::new(format!("AWS4{}", credentials.key.as_str()));
    let mut key = Zeroizing::new(mac(first.as_bytes(), day.as_bytes()));
    for part in [request.region, SERVICE, "aws4_request", &text] {
        key = Zeroizing::new(mac(&key, part.as_bytes()));
    }
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        credentials.id.as_str(),
        hex(&key)
    )
}

/// As in `20261123T031244Z`.
fn time(at: Moment) -> String {
    at.to_string().chars().filter(|it| !matches!(it, '-' | ':')).collect()
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // A key of any length is one (RFC 2104).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Text that is written to a text never fails.
        write!(text, "{byte:02x}").ok();
    }
    text
}

/// What is sent.
pub(super) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const SERVICE: &str = "secretsmanager";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_botocore() {
        let secret = b"access-key-id = AKIDEXAMPLE\nsecret-access-key = wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n";
        let credentials = Credentials::read(secret).unwrap();
        let request = Request {
            host: "secretsmanager.us-east-1.amazonaws.com",
            path: "/",
            target: "secretsmanager.GetSecretValue",
            body: br#"{"SecretId":"a"}"#,
            region: "us-east-1",
            at: Moment::from_unix(1_440_938_160),
        };
        assert_eq!(time(request.at), "20150830T123600Z");
        assert_eq!(
            authorization(&request, &credentials),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/secretsmanager/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=e142682df285986e59c097ee05db9fc927ce30f0311605ece5784af8dae24ab5"
        );
        let with_token = [secret.as_slice(), b"session-token = AQoDYXdzEJr\n"].concat();
        let credentials = Credentials::read(&with_token).unwrap();
        let signed = authorization(&request, &credentials);
        let signature = signed.rsplit('=').next().unwrap();
        assert_eq!(signature, "84b3673801c3d07d240b22a4a799f558eac039d4482f1069afab1be19ada707f");
    }

    #[test]
    fn credentials_are_read_as_their_tools_write_them() {
        let profile = "[default]\naws_access_key_id = A\naws_secret_access_key=b=\n";
        let env = "export AWS_ACCESS_KEY_ID=A\nexport AWS_SECRET_ACCESS_KEY=b=\nexport AWS_SESSION_TOKEN=c\n";
        for text in [profile, env, "access-key-id = \"A\"\nsecret-access-key = \"b=\"\n"] {
            let it = Credentials::read(text.as_bytes()).ok().unwrap();
            assert_eq!((it.id.as_str(), it.key.as_str()), ("A", "b="), "{text}");
            assert_eq!(it.token.is_some(), text == env);
        }
        assert_eq!(Credentials::read(b"access-key-id = A").err(), Some("secret-access-key"));
    }
}
