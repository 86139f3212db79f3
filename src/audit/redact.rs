//! Nothing secret passes the door of the log: neither what we know to be secret, in any form in
//! which programs print it, nor what looks like it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Write as _};
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// Something that must not be shown or written. It has no way out but to where it is used.
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes a secret in.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self(value.into())
    }

    /// Lends it to the door.
    fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Or the compiler leaves out what nobody looks at.
        std::hint::black_box(&self.0);
    }
}

/// The door: what is known to be secret, in every form.
#[derive(Default)]
pub(super) struct Redactor {
    /// By their first two bytes, the longest first.
    forms: HashMap<[u8; 2], Vec<Vec<u8>>>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// From now on the secret does not pass.
    pub(super) fn learn(&mut self, secret: &Secret) {
        for form in forms(secret.reveal()) {
            if let [first, second, ..] = form[..] {
                let known = self.forms.entry([first, second]).or_default();
                known.push(form);
                known.sort_by_key(|it| std::cmp::Reverse(it.len()));
            }
        }
    }

    /// A body without secrets.
    pub(super) fn body(&self, body: &Map<String, Value>) -> Map<String, Value> {
        body.iter().map(|(key, value)| (self.text(key), self.value(value))).collect()
    }

    /// Bytes without secrets.
    pub(super) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let known = without(bytes, &self.known(bytes));
        match lookalikes(&known) {
            ranges if ranges.is_empty() => known,
            ranges => Cow::Owned(without(&known, &ranges).into_owned()),
        }
    }

    fn text(&self, text: &str) -> String {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => text.to_owned(),
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(all) => Value::Array(self.list(all)),
            Value::Object(all) => Value::Object(self.body(all)),
            other => other.clone(),
        }
    }

    /// In an argv the value of an option is the next element.
    fn list(&self, all: &[Value]) -> Vec<Value> {
        let mut is_secret = false;
        let redacted = all.iter().map(|it| {
            let redacted = if is_secret && it.is_string() { MASK.into() } else { self.value(it) };
            let name = it.as_str().and_then(|it| it.strip_prefix("--"));
            is_secret = name.is_some_and(|it| is_secret_name(it.as_bytes(), false));
            redacted
        });
        redacted.collect()
    }

    fn known(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if self.forms.is_empty() {
            return found;
        }
        let mut at = 0;
        while let Some(rest @ [first, second, ..]) = bytes.get(at..) {
            let forms = self.forms.get(&[*first, *second]).map_or(&[][..], Vec::as_slice);
            let length = forms.iter().find(|it| rest.starts_with(it)).map_or(0, Vec::len);
            if length > 0 {
                found.push(at..at + length);
            }
            at += length.max(1);
        }
        found
    }
}

/// The forms in which a secret is printed. Those of fewer than four bytes are left out: they are
/// no secret, and the log would be full of holes.
fn forms(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([secret.to_vec()]);
    if let Ok(text) = str::from_utf8(secret) {
        // As text in JSON, and as JSON in JSON.
        let once = Value::from(text).to_string();
        let inner = once.trim_matches('"').to_owned();
        let twice = Value::from(inner.as_str()).to_string();
        forms.extend([inner.into_bytes(), twice.trim_matches('"').as_bytes().to_vec()]);
    }
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        // In base64 three bytes are four digits, so what stands before shifts the digits:
        // `user:secret` in an Authorization header, say. Digits that depend on neighbours stay.
        for (before, foreign) in [(0, 0), (1, 2), (2, 3)] {
            let whole = engine.encode([&vec![0; before], secret].concat());
            let own = (before + secret.len()) * 8 / 6;
            forms.extend(whole.get(foreign..own).map(|it| it.as_bytes().to_vec()));
        }
    }
    let hex = |prefix: &str, is_kept: fn(u8) -> bool| {
        secret.iter().fold(String::new(), |mut text, it| {
            if is_kept(*it) {
                text.push(char::from(*it));
            } else {
                let _ = write!(text, "{prefix}{it:02x}");
            }
            text
        })
    };
    let unreserved = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    for text in [hex("", |_| false), hex("%", |_| false), hex("%", unreserved)] {
        // Upper-case digits only: the secret's own letters keep their case.
        let upper = upper_escapes(&text);
        forms.extend(
            [text.replace("%20", "+"), upper.replace("%20", "+"), text, upper]
                .map(String::into_bytes),
        );
    }
    forms.extend([hex("", |_| false).to_ascii_uppercase().into_bytes()]);
    forms.retain(|it| it.len() >= 4);
    forms
}

fn upper_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let mut upper = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        let _ = write!(upper, "%{}{rest}", digits.to_ascii_uppercase());
    }
    upper
}

/// Where something stands that looks like a secret.
fn lookalikes(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|it| !it.is_empty()) {
        let secret = match rest {
            [b'-', ..] if rest.starts_with(BEGIN) => private_key(bytes, at),
            [b':', b'/', b'/', ..] => userinfo(bytes, at + 3),
            [b'=' | b':' | b' ', ..] => assigned(bytes, at),
            _ => None,
        };
        at = secret.as_ref().map_or(at + 1, |it| it.end.max(at + 1));
        found.extend(secret);
    }
    found
}

/// A private key in PEM, RFC 7468; without its end, everything that follows.
fn private_key(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let label = bytes.get(at + BEGIN.len()..)?;
    let label = label.get(..find(label, b"-----")?)?;
    if !label.ends_with(b"PRIVATE KEY") {
        return None;
    }
    let end = [b"-----END ", label, b"-----"].concat();
    let length = find(bytes.get(at..)?, &end).map(|it| it + end.len());
    Some(at..length.map_or(bytes.len(), |it| at + it))
}

/// `user:password@` in an URL, RFC 3986, section 3.2.1.
fn userinfo(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = bytes.get(at..)?;
    let is_end = |it: &u8| it.is_ascii_whitespace() || b"/?#\"'<>`".contains(it);
    let authority = rest.get(..rest.iter().position(is_end).unwrap_or(rest.len()))?;
    let length = authority.iter().rposition(|it| *it == b'@')?;
    (length > 0).then(|| at..at + length)
}

/// The value after `NAME=`, `name = `, `"name": "`, `Name: ` or `--name `, if the name says that
/// it is secret.
fn assigned(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let separator = *bytes.get(at)?;
    let before = bytes.get(..at)?.trim_ascii_end();
    let unquoted = without_end(before, b"\"'\\");
    let is_quoted = unquoted.len() < before.len();
    let start = unquoted.iter().rposition(|it| !is_of_name(*it)).map_or(0, |it| it + 1);
    let name = unquoted.get(start..)?;
    let is_header = is_suffix(name, b"authorization") && separator != b' ';
    let is_option = separator != b' ' || name.starts_with(b"--");
    let is_free = separator == b'=' || is_quoted;
    if !is_header && (!is_option || !is_secret_name(name, is_free)) {
        return None;
    }
    let rest = bytes.get(at + 1..)?;
    let blank = rest.iter().position(|it| !b" \t\\".contains(it))?;
    let quote = rest.get(blank).copied().filter(|it| b"\"'".contains(it));
    let from = at + 1 + blank + usize::from(quote.is_some());
    let around = start.checked_sub(1).and_then(|it| bytes.get(it)).copied();
    let is_end: &dyn Fn(u8) -> bool = match (quote, around) {
        (Some(quote), _) => &move |it| it == quote || it == b'\n',
        (None, Some(quote @ (b'"' | b'\''))) if is_header => &move |it| it == quote || it == b'\n',
        _ if is_header => &|it| it == b'\n' || it == b'\r',
        _ => &|it| it.is_ascii_whitespace() || b"\"'&;".contains(&it),
    };
    let value = bytes.get(from..)?;
    // Within quotes that are none themselves, a backslash takes what follows into the value.
    let is_escaping = quote.is_some() && bytes.get(from - 2) != Some(&b'\\');
    let mut is_taken = false;
    let end = value.iter().position(|it| {
        let is_end = !is_taken && is_end(*it);
        is_taken = is_escaping && !is_taken && *it == b'\\';
        is_end
    });
    let length = end.unwrap_or(value.len());
    (length > 0).then(|| from..from + length)
}

/// Whether what has this name is a secret. Names of keys are many, and most are of no secret:
/// `host-key: SHA256:…`. They count where a value is assigned to them.
fn is_secret_name(name: &[u8], is_assigned: bool) -> bool {
    SECRETS.iter().any(|it| is_suffix(name, it))
        || is_assigned && [&b"_key"[..], b"-key"].iter().any(|it| is_suffix(name, it))
}

fn is_suffix(name: &[u8], suffix: &[u8]) -> bool {
    let start = name.len().checked_sub(suffix.len());
    start.and_then(|it| name.get(it..)).is_some_and(|it| it.eq_ignore_ascii_case(suffix))
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The bytes without those at their end that are among these.
fn without_end<'a>(bytes: &'a [u8], these: &[u8]) -> &'a [u8] {
    let length = bytes.iter().rposition(|it| !these.contains(it)).map_or(0, |it| it + 1);
    bytes.get(..length).unwrap_or_default()
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|it| it == part)
}

/// The bytes with a mask in the place of each range; ranges are in order.
fn without<'a>(bytes: &'a [u8], ranges: &[Range<usize>]) -> Cow<'a, [u8]> {
    if ranges.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut kept = Vec::with_capacity(bytes.len());
    let mut from = 0;
    for range in ranges {
        kept.extend(bytes.get(from..range.start).unwrap_or_default());
        kept.extend(MASK.as_bytes());
        from = range.end;
    }
    kept.extend(bytes.get(from..).unwrap_or_default());
    Cow::Owned(kept)
}

/// What stands where a secret was.
const MASK: &str = "[redacted]";

const BEGIN: &[u8] = b"-----BEGIN ";

/// How names of secrets end.
const SECRETS: [&[u8]; 9] = [
    b"token",
    b"secret",
    b"password",
    b"passwd",
    b"passphrase",
    b"apikey",
    b"api-key",
    b"api_key",
    b"secret_key",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(Redactor::default().text(text), expect);
    }

    #[test]
    fn what_looks_secret_goes() {
        check("API_TOKEN=abc certbot renew", "API_TOKEN=[redacted] certbot renew");
        check("dns_cloudflare_api_token = 0123", "dns_cloudflare_api_token = [redacted]");
        check(
            "export AWS_SECRET_ACCESS_KEY='a b'; x",
            "export AWS_SECRET_ACCESS_KEY='[redacted]'; x",
        );
        check(
            "{\"clientSecret\": \"a,b\", \"x\": 1}",
            "{\"clientSecret\": \"[redacted]\", \"x\": 1}",
        );
        check(r#"{"password":"a\"b\\","x":1}"#, r#"{"password":"[redacted]","x":1}"#);
        check(r#"{\"token\":\"a\"}"#, r#"{\"token\":\"[redacted]"}"#);
        check("mysql --password hunter2 -e x", "mysql --password [redacted] -e x");
        check("GET /?token=abc&x=1", "GET /?token=[redacted]&x=1");
        check("https://u:p@ex.net/a@b", "https://[redacted]@ex.net/a@b");
        check("Authorization: Bearer a b\nx", "Authorization: [redacted]\nx");
        check("curl -H 'Authorization: Basic ab=' u", "curl -H 'Authorization: [redacted]' u");
        check("proxy-authorization: Digest a=\"b\", c", "proxy-authorization: [redacted]");
        check("X-Auth-Token: abc", "X-Auth-Token: [redacted]");
        check(
            "a\n-----BEGIN EC PRIVATE KEY-----\nab\n-----END EC PRIVATE KEY-----\nb",
            "a\n[redacted]\nb",
        );
        check("-----BEGIN PRIVATE KEY-----\nab", "[redacted]");
    }

    #[test]
    fn what_is_none_stays() {
        for text in [
            "-----BEGIN CERTIFICATE-----\nab\n-----END CERTIFICATE-----",
            "certbot renew -n --cert-name www.example.net --key-type ecdsa",
            "key_type = ecdsa\nrsa_key_size = 4096\nprivkey = /etc/letsencrypt/live/a/privkey.pem",
            "host-key: SHA256:abc",
            "https://www.example.net/a?b=c",
            "Certificate is saved at: /etc/letsencrypt/live/a/fullchain.pem",
            "",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn the_value_of_an_option_is_the_next_element() {
        let argv = json!([["x", "--api-token", "abc", "--cert-name", "a"], 7]);
        let redacted = Redactor::default().value(&argv);
        assert_eq!(redacted, json!([["x", "--api-token", "[redacted]", "--cert-name", "a"], 7]));
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secret = "s3cr3t/ü \"+\\";
        let mut door = Redactor::default();
        door.learn(&Secret::new(secret));
        let base64 = |it: &str| STANDARD_NO_PAD.encode(it);
        for text in [
            secret.to_owned(),
            json!(secret).to_string(),
            json!({"a": json!({"b": secret}).to_string()}).to_string(),
            base64(secret),
            URL_SAFE_NO_PAD.encode(secret),
            "7333637233742fc3bc20222b5c".to_owned(),
            "7333637233742FC3BC20222B5C".to_owned(),
            "s3cr3t%2F%C3%BC%20%22%2B%5C".to_owned(),
            "s3cr3t%2f%c3%bc+%22%2b%5c".to_owned(),
        ] {
            let shown = door.text(&format!("<{text}>"));
            assert!(shown.contains(MASK) && shown.len() < 40, "{text}: {shown}");
        }
        for user in ["", "u", "us", "use", "user"] {
            let shown = door.text(&base64(&format!("{user}:{secret}:more")));
            assert!(shown.contains(MASK), "{user}: {shown}");
        }
        assert_eq!(door.text("nothing"), "nothing");
        assert_eq!(format!("{:?} {door:?}", Secret::new(secret)), "Secret Redactor");
    }
}
