//! What kubectl prints of Certificates and secrets: the templates that it is given, and how the
//! lines are read. The fields are those of `cert-manager.io/v1`
//! (cert-manager.io/docs/reference/api-docs).

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fleet::Moment;
use crate::text::SafeText;

/// A Certificate of a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) secret: String,
    pub(super) issuer_kind: String,
    pub(super) issuer: String,
    pub(super) not_after: Option<Moment>,
    pub(super) renewal: Option<Moment>,
    pub(super) revision: Option<u32>,
    pub(super) attempts: Option<u32>,
    pub(super) failed: Option<Moment>,
    pub(super) next_key: String,
    pub(super) conditions: Vec<Condition>,
}

/// How something is with it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) kind: String,
    pub(super) is: String,
    pub(super) since: Option<Moment>,
    pub(super) reason: String,
    pub(super) message: String,
}

/// What the secrets of a cluster hold: PEM by namespace and name.
pub(super) type Secrets = HashMap<(String, String), Vec<u8>>;

/// What kubectl says at last. Before that its libraries log every try, each with a time and a place
/// in their source, as `E1129 11:23:13.786649   26690 memcache.go:265] …`.
pub(super) fn gist(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let is_log = |it: &str| {
        let mut chars = it.chars();
        chars.next().is_some_and(|it| "EFIW".contains(it))
            && chars.take(4).all(|it| it.is_ascii_digit())
            && it.contains("] ")
    };
    let lines = || text.lines().map(str::trim).filter(|it| !it.is_empty());
    let last = lines().rfind(|it| !is_log(it)).or_else(|| lines().next_back());
    SafeText::new(last.unwrap_or_default()).to_string()
}

/// One line for each field. Only names that Kubernetes itself has checked stand without
/// quotes, and of a message no more than people read.
pub(super) const CERTIFICATES: &str = r#"{{range .items}}certificate {{.metadata.namespace}} {{.metadata.name}}
{{with .spec}}{{with .secretName}}secret {{printf "%q" .}}
{{end}}{{with .issuerRef}}{{with .kind}}issuer-kind {{printf "%q" .}}
{{end}}{{with .name}}issuer {{printf "%q" .}}
{{end}}{{end}}{{end}}{{with .status}}{{with .notAfter}}not-after {{printf "%q" .}}
{{end}}{{with .renewalTime}}renewal {{printf "%q" .}}
{{end}}{{with .revision}}revision {{.}}
{{end}}{{with .nextPrivateKeySecretName}}next-key {{printf "%q" .}}
{{end}}{{with .failedIssuanceAttempts}}attempts {{.}}
{{end}}{{with .lastFailureTime}}failed {{printf "%q" .}}
{{end}}{{range .conditions}}condition {{printf "%q" .type}}
{{with .status}}is {{printf "%q" .}}
{{end}}{{with .lastTransitionTime}}since {{printf "%q" .}}
{{end}}{{with .reason}}reason {{printf "%q" .}}
{{end}}{{with .message}}message {{printf "%.400q" .}}
{{end}}{{end}}{{end}}{{end}}"#;

pub(super) const SECRETS: &str = r#"{{range $s := .items}}{{with $s.data}}{{with (index . "tls.crt")}}{{$s.metadata.namespace}} {{$s.metadata.name}} {{.}}
{{end}}{{end}}{{end}}"#;

/// Reads what the template printed, and whether there is more than is read.
pub(super) fn certificates(bytes: &[u8]) -> (Vec<Certificate>, bool) {
    let mut all: Vec<Certificate> = Vec::new();
    let (text, is_cut) = whole(bytes, CERTIFICATE_BYTES);
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "certificate" {
            if all.len() >= MOST {
                return (all, true);
            }
            let (namespace, name) = rest.split_once(' ').unwrap_or_default();
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            all.push(Certificate { namespace, name, ..Certificate::default() });
            continue;
        }
        let Some(it) = all.last_mut() else { continue };
        if word == "condition" {
            it.conditions.push(Condition { kind: unquoted(rest), ..Condition::default() });
            continue;
        }
        if it.conditions.last_mut().is_some_and(|it| it.learn(word, rest)) {
            continue;
        }
        let moment = || Moment::parse(&unquoted(rest));
        match word {
            "secret" => it.secret = unquoted(rest),
            "issuer-kind" => it.issuer_kind = unquoted(rest),
            "issuer" => it.issuer = unquoted(rest),
            "not-after" => it.not_after = moment(),
            "renewal" => it.renewal = moment(),
            "revision" => it.revision = rest.parse().ok(),
            "attempts" => it.attempts = rest.parse().ok(),
            "failed" => it.failed = moment(),
            "next-key" => it.next_key = unquoted(rest),
            _ => {}
        }
    }
    (all, is_cut)
}

impl Condition {
    /// Takes a field in, if it is one of a condition.
    pub(super) fn learn(&mut self, word: &str, rest: &str) -> bool {
        let text = unquoted(rest);
        match word {
            "is" => self.is = text,
            "since" => self.since = Moment::parse(&text),
            "reason" => self.reason = text,
            "message" => self.message = text,
            _ => return false,
        }
        true
    }

    /// Its reason and its message.
    pub(super) fn words(&self) -> String {
        let Self { reason, message, .. } = self;
        match (reason.is_empty(), message.is_empty()) {
            (_, true) => reason.clone(),
            (true, _) => message.clone(),
            _ => format!("{reason}: {message}"),
        }
    }
}

/// Reads the secrets that the template printed, and whether there is more than is read.
pub(super) fn secrets(bytes: &[u8]) -> (Secrets, bool) {
    let mut all = Secrets::new();
    let (text, is_cut) = whole(bytes, SECRET_BYTES);
    for line in text.lines() {
        let mut words = line.split(' ');
        let (Some(namespace), Some(name), Some(text)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if let Ok(pem) = STANDARD.decode(text) {
            all.insert((namespace.to_owned(), name.to_owned()), pem);
        }
    }
    (all, is_cut)
}

/// The whole lines of a listing of which so many bytes were taken, and whether that was all.
pub(super) fn whole(bytes: &[u8], taken: usize) -> (Cow<'_, str>, bool) {
    let is_cut = bytes.len() >= taken;
    let end = bytes.iter().rposition(|it| *it == b'\n').filter(|_| is_cut);
    let lines = end.and_then(|it| bytes.get(..it)).unwrap_or(bytes);
    (String::from_utf8_lossy(lines), is_cut)
}

/// A text as Go quotes it (`strconv.Quote`).
pub(super) fn unquoted(text: &str) -> String {
    let text = text.strip_prefix('"').unwrap_or(text);
    let text = text.strip_suffix('"').unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let digits = match rest.next() {
            Some('n' | 'r' | 't' | 'v') => {
                out.push(' ');
                continue;
            }
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some(it @ ('"' | '\\')) => {
                out.push(it);
                continue;
            }
            _ => {
                out.push(char::REPLACEMENT_CHARACTER);
                continue;
            }
        };
        let hex: String = rest.by_ref().take(digits).collect();
        let code = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
        out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    out
}

/// How much is taken of Certificates, of secrets, and of what was made for the former: all of it
/// together leaves room for the other sources of a host.
pub(super) const CERTIFICATE_BYTES: usize = 524_288;
pub(super) const SECRET_BYTES: usize = 2_097_152;
pub(super) const ATTEMPT_BYTES: usize = 524_288;
/// More than one cluster has by hand, and as many as a screen is of use for.
const MOST: usize = 1000;
