//! cert-manager's certificates in a Kubernetes cluster, as `kubectl` on the host sees them: what
//! each should be, how its controller fares, and what its secret holds. Of secrets only `tls.crt`
//! leaves the host; the field with the key is in no template.
//!
//! The fields are those of `cert-manager.io/v1` (cert-manager.io/docs/reference/api-docs).

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

use super::bundle::read_chain;
use super::{AbsolutePath, Client, Kind, Reading, Script, Section, Source, quote};
use crate::fleet::{
    Failure, HOUR, Host, Layers, Moment, Place, Problem, ProblemKind, Renewal, Seen, Sighting,
    Version, human,
};
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "cert-manager",
    about: "Certificates of cert-manager in a cluster, read with the host's kubectl",
    schema: |generator| generator.subschema_for::<CertManager>(),
    build: |table| Ok(Arc::new(table.read::<CertManager>()?)),
};

/// Which cluster, and what of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct CertManager {
    /// The kubeconfig on the host. Left out, the one that kubectl takes, or that of kubeadm or k3s.
    kubeconfig: Option<AbsolutePath>,
    /// The context in it; left out, the current one.
    context: Option<Word>,
    /// The namespaces to look at; left out, all of them.
    namespaces: Vec<Word>,
}

/// The name of something of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Word(String);

/// The namespaces that are read of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespaces<'a>(&'a [Word]);

impl Namespaces<'_> {
    /// Whether one of that name is among them.
    pub fn holds(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|it| it.0 == name)
    }
}

impl TryFrom<String> for Word {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_odd = |it: char| it.is_whitespace() || it.is_control();
        if text.is_empty() || text.len() > 253 || text.starts_with('-') || text.contains(is_odd) {
            return Err("a name of a cluster has no blanks, and does not begin with `-`".to_owned());
        }
        Ok(Self(text))
    }
}

impl Source for CertManager {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn client(&self) -> Option<Client<'_>> {
        Some(Client::CertManager {
            kubeconfig: self.kubeconfig.as_ref().map(AbsolutePath::as_str),
            context: self.context.as_ref().map(|it| it.0.as_str()),
            is_read: Namespaces(&self.namespaces),
        })
    }

    fn ask(&self, script: &mut Script, _known: &Host) {
        let Self { kubeconfig, context, namespaces } = self;
        script.push(&format!(
            "c={}",
            kubeconfig.as_ref().map_or(String::new(), AbsolutePath::quoted)
        ));
        script.push(&format!("x={}", context.as_ref().map_or(String::new(), |it| quote(&it.0))));
        let names: Vec<_> = namespaces.iter().map(|it| quote(&format!("-n{}", it.0))).collect();
        let names = if names.is_empty() { "-A".to_owned() } else { names.join(" ") };
        script.push(&format!("set -- {names}"));
        script.push(&format!("t='{CERTIFICATES}'\nu='{SECRETS}'"));
        script.push(ASK);
    }

    fn read(&self, section: &Section<'_>, reading: &Reading<'_>, seen: &mut Seen) {
        let without = match section.key("kubectl") {
            Some(b"missing") => Some("kubectl is not installed"),
            Some(b"lost") => Some("kubectl has no kubeconfig: set KUBECONFIG or `kubeconfig`"),
            _ => None,
        };
        if let Some(text) = without {
            seen.problems.push(unread(ProblemKind::Missing, text));
            return;
        }
        let said = section.body("said").map(gist).unwrap_or_default();
        let text = String::from_utf8_lossy(section.body("certificates").unwrap_or_default());
        let certificates = certificates(&text);
        if certificates.is_empty() && !said.is_empty() {
            let text = format!("kubectl cannot read certificates: {said}");
            seen.problems.push(unread(ProblemKind::Unreadable, &text));
        }
        if text.len() >= CAP || section.body("secrets").is_some_and(|it| it.len() >= CAP) {
            let text = "more certificates than are read: name some `namespaces`";
            seen.problems.push(unread(ProblemKind::TooLarge, text));
        }
        let secrets = secrets(section.body("secrets").unwrap_or_default());
        let no_secrets = section.body("denied").map(gist).unwrap_or_default();
        for certificate in certificates {
            seen.places.push(certificate.place(&secrets, &no_secrets, reading));
        }
    }
}

/// Asks for it. What kubectl says instead is kept: `Forbidden`, or that the cluster is away.
const ASK: &str = r#"
if ! command -v kubectl >/dev/null; then mark frame kubectl missing
else
if [ -z "$c$KUBECONFIG" ] && ! [ -r "$HOME/.kube/config" ]; then
for f in "$R/etc/kubernetes/admin.conf" "$R/etc/rancher/k3s/k3s.yaml"; do
[ -r "$f" ] && c=$f && break
done
fi
# In a pod it needs none.
if [ -z "$c$KUBECONFIG$KUBERNETES_SERVICE_HOST" ] && ! [ -r "$HOME/.kube/config" ]; then
mark frame kubectl lost
else
k() { kubectl --request-timeout=8s ${c:+"--kubeconfig=$c"} ${x:+"--context=$x"} "$@"; }
all() { a=$1 b=$2; shift 2; for n in "$@"; do k get "$a" "$n" $s -o "go-template=$b" || break; done; }
s=
mark frame certificates
E=$({ all certificates.cert-manager.io "$t" "$@" | head -c 262144 >&3; } 2>&1 | tail -c 1000)
mark frame said
printf '%s' "$E"
s=--field-selector=type=kubernetes.io/tls
mark frame secrets
E=$({ all secrets "$u" "$@" | head -c 1048576 >&3; } 2>&1 | tail -c 1000)
mark frame denied
printf '%s' "$E"
fi
fi
"#;

/// What kubectl says at last. Before that its libraries log every try, each with a time and a place
/// in their source, as `E1129 11:23:13.786649   26690 memcache.go:265] …`.
fn gist(said: &[u8]) -> String {
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

/// One line for each field. Only names that Kubernetes itself has checked stand without quotes.
const CERTIFICATES: &str = r#"{{range .items}}certificate {{.metadata.namespace}} {{.metadata.name}}
{{with .spec}}{{with .secretName}}secret {{printf "%q" .}}
{{end}}{{with .issuerRef}}{{with .kind}}issuer-kind {{printf "%q" .}}
{{end}}{{with .name}}issuer {{printf "%q" .}}
{{end}}{{end}}{{end}}{{with .status}}{{with .notAfter}}not-after {{printf "%q" .}}
{{end}}{{with .renewalTime}}renewal {{printf "%q" .}}
{{end}}{{with .revision}}revision {{.}}
{{end}}{{with .failedIssuanceAttempts}}attempts {{.}}
{{end}}{{with .lastFailureTime}}failed {{printf "%q" .}}
{{end}}{{range .conditions}}condition {{printf "%q" .type}}
{{with .status}}is {{printf "%q" .}}
{{end}}{{with .lastTransitionTime}}since {{printf "%q" .}}
{{end}}{{with .reason}}reason {{printf "%q" .}}
{{end}}{{with .message}}message {{printf "%q" .}}
{{end}}{{end}}{{end}}{{end}}"#;

const SECRETS: &str = r#"{{range $s := .items}}{{with $s.data}}{{with (index . "tls.crt")}}{{$s.metadata.namespace}} {{$s.metadata.name}} {{.}}
{{end}}{{end}}{{end}}"#;

/// A Certificate of a cluster.
#[derive(Debug, Default, PartialEq, Eq)]
struct Certificate {
    namespace: String,
    name: String,
    secret: String,
    issuer_kind: String,
    issuer: String,
    not_after: Option<Moment>,
    renewal: Option<Moment>,
    revision: Option<u32>,
    attempts: Option<u32>,
    failed: Option<Moment>,
    conditions: Vec<Condition>,
}

/// How something is with it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Condition {
    kind: String,
    is: String,
    since: Option<Moment>,
    reason: String,
    message: String,
}

/// What the secrets of a cluster hold: PEM by namespace and name.
type Secrets = HashMap<(String, String), Vec<u8>>;

impl Certificate {
    fn place(&self, secrets: &Secrets, denied: &str, reading: &Reading<'_>) -> Place {
        let called = format!("{}/{}", self.namespace, self.name);
        let mut place = Place::new(KIND.name, SafeText::new(&called));
        let path = format!("secret {}/{}", self.namespace, self.secret);
        let found = secrets.get(&(self.namespace.clone(), self.secret.clone()));
        match found {
            Some(pem) => {
                let chain = read_chain(&path, pem, reading.roots, &mut place.problems);
                let sighting = chain.map(|chain| Sighting {
                    chain,
                    location: SafeText::new(&path),
                    at: reading.now,
                });
                // The secret holds the last of them alone.
                let certificate = sighting.as_ref().map(|it| Arc::clone(&it.chain.leaf));
                place.versions = self
                    .revision
                    .map(|number| Version { number, certificate })
                    .into_iter()
                    .collect();
                place.layers =
                    Layers { issued: sighting.clone(), disk: sighting, ..Layers::default() };
            }
            None if !denied.is_empty() => {
                let text = format!("{path} cannot be read: {denied}");
                place.problems.push(of(ProblemKind::Unreadable, &text));
            }
            None => place.problems.push(of(ProblemKind::Missing, &format!("{path} is missing"))),
        }
        place.problems.extend(self.trouble(&place, reading.now));
        let ready = self.condition("Ready");
        let failure = self.failed.map(|at| {
            let issuing = self.condition("Issuing").filter(|it| it.is == "False");
            let said = issuing.or(ready).map(Condition::words).unwrap_or_default();
            let tries = self.attempts.map(|it| format!(" ({it} in a row)")).unwrap_or_default();
            Failure { at: Some(at), text: SafeText::new(&format!("{said}{tries}")) }
        });
        let kind = if self.issuer_kind.is_empty() { "Issuer" } else { &self.issuer_kind };
        place.renewal = Some(Renewal {
            authenticator: Some(SafeText::new(KIND.name)),
            account: Some(SafeText::new(&format!("{kind} {}", self.issuer))),
            is_enabled: true,
            is_unattended: true,
            planned: self.renewal,
            last_failure: failure,
            ..Renewal::default()
        });
        place
    }

    fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|it| it.kind == kind)
    }

    /// What is wrong with it by what its controller says, the worst first.
    fn trouble(&self, place: &Place, now: Moment) -> Vec<Problem> {
        let mut texts = Vec::new();
        match self.condition("Ready") {
            Some(it) if it.is == "True" => {}
            Some(it) => {
                texts.push(format!("cert-manager says that it is not ready: {}", it.words()));
            }
            None => {
                texts.push("cert-manager has not said how it is: does its controller run?".into());
            }
        }
        let issuing = self.condition("Issuing").filter(|it| it.is == "True");
        if let Some((it, since)) = issuing.and_then(|it| Some((it, it.since?)))
            && now.since(since) > STUCK
        {
            let age = human(now.since(since));
            texts.push(format!("it has been issuing since {since} ({age}): {}", it.words()));
        }
        if let Some(planned) = self.renewal.filter(|it| issuing.is_none() && now.since(*it) > STUCK)
        {
            let age = human(now.since(planned));
            texts.push(format!(
                "it should have been renewed at {planned}, {age} ago, and is not being"
            ));
        }
        let leaf = place.layers.disk.as_ref().map(|it| &it.chain.leaf);
        if let (Some(leaf), Some(told)) = (leaf, self.not_after)
            && leaf.not_after != told
        {
            texts.push(format!(
                "its secret holds another certificate (until {}) than it tells of (until {told})",
                leaf.not_after
            ));
        }
        texts.iter().map(|it| of(ProblemKind::NotReady, it)).collect()
    }
}

impl Condition {
    fn words(&self) -> String {
        let Self { reason, message, .. } = self;
        match (reason.is_empty(), message.is_empty()) {
            (_, true) => reason.clone(),
            (true, _) => message.clone(),
            _ => format!("{reason}: {message}"),
        }
    }
}

/// Reads what the template printed.
fn certificates(text: &str) -> Vec<Certificate> {
    let mut all: Vec<Certificate> = Vec::new();
    for line in text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if word == "certificate" {
            if all.len() >= MOST {
                break;
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
        let moment = || Moment::parse(&unquoted(rest));
        let condition = it.conditions.last_mut();
        match (word, condition) {
            ("secret", _) => it.secret = unquoted(rest),
            ("issuer-kind", _) => it.issuer_kind = unquoted(rest),
            ("issuer", _) => it.issuer = unquoted(rest),
            ("not-after", _) => it.not_after = moment(),
            ("renewal", _) => it.renewal = moment(),
            ("revision", _) => it.revision = rest.parse().ok(),
            ("attempts", _) => it.attempts = rest.parse().ok(),
            ("failed", _) => it.failed = moment(),
            ("is", Some(condition)) => condition.is = unquoted(rest),
            ("since", Some(condition)) => condition.since = moment(),
            ("reason", Some(condition)) => condition.reason = unquoted(rest),
            ("message", Some(condition)) => condition.message = unquoted(rest),
            _ => {}
        }
    }
    all
}

/// Reads the secrets that the template printed.
fn secrets(bytes: &[u8]) -> Secrets {
    let mut all = Secrets::new();
    for line in String::from_utf8_lossy(bytes).lines() {
        let mut words = line.split(' ');
        let (Some(namespace), Some(name), Some(text)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        // The last line may have been cut, and is then no base64 or no PEM.
        if let Ok(pem) = STANDARD.decode(text) {
            all.insert((namespace.to_owned(), name.to_owned()), pem);
        }
    }
    all
}

/// A text as Go quotes it (`strconv.Quote`).
fn unquoted(text: &str) -> String {
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

fn of(kind: ProblemKind, text: &str) -> Problem {
    Problem { kind, text: SafeText::new(text), path: None }
}

/// What stands between us and the cluster.
fn unread(kind: ProblemKind, text: &str) -> Problem {
    of(kind, &format!("cert-manager: {text}"))
}

/// Reads what the templates print for [`super::PARSERS`].
pub(super) fn read_listing(bytes: &[u8]) {
    drop(certificates(&String::from_utf8_lossy(bytes)));
    drop(secrets(bytes));
}

/// As much as is read of certificates.
const CAP: usize = 262_144;
/// As of other stores.
const MOST: usize = 500;
/// An order takes minutes; cert-manager tries again after an hour at the earliest.
const STUCK: i64 = HOUR;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{HostName, Roots};

    const LISTING: &str =
        include_str!("../../tests/fixtures/cert-manager/listing-kubectl-1.32.4-made.txt");
    /// Two days after the last failure in it.
    const NOW: &str = "2026-11-24T10:00:00Z";

    /// The places of the fixture, of whose secrets none is there.
    fn places(now: &str, denied: &str) -> Vec<Place> {
        let host = Host::new(HostName::new("k8s"), "k8s", &[]);
        let now = Moment::parse(now).unwrap();
        let reading = Reading { known: &host, roots: &Roots::none(), now };
        let all = certificates(LISTING);
        all.iter().map(|it| it.place(&Secrets::new(), denied, &reading)).collect()
    }

    fn problems(place: &Place) -> Vec<(ProblemKind, &str)> {
        place.problems.iter().map(|it| (it.kind, it.text.as_str())).collect()
    }

    #[test]
    fn certificates_are_read_as_kubectl_prints_them() {
        let all = certificates(LISTING);
        let names: Vec<_> = all.iter().map(|it| (&*it.namespace, &*it.name)).collect();
        assert_eq!(names, [("web", "www"), ("web", "shop"), ("mail", "new"), ("mail", "young")]);
        let [www, shop, ..] = &all[..] else { panic!("{all:?}") };
        assert_eq!((www.secret.as_str(), www.revision), ("www-tls", Some(3)));
        assert_eq!(www.renewal, Moment::parse("2026-11-30T07:00:00Z"));
        assert_eq!(www.condition("Ready").unwrap().is, "True");
        // A message cannot make lines of its own.
        let message = &shop.condition("Issuing").unwrap().message;
        assert!(message.ends_with("state:  \u{1b}[31mcertificate \"evil\""), "{message:?}");
        assert_eq!((shop.attempts, shop.conditions.len()), (Some(4), 2));
    }

    #[test]
    fn what_is_wrong_with_them_is_told() {
        let all = places(NOW, "");
        let [www, shop, new, young] = &all[..] else { panic!("{all:?}") };
        let missing = (ProblemKind::Missing, "secret web/www-tls is missing");
        assert_eq!(problems(www), [missing]);
        let renewal = www.renewal.as_ref().unwrap();
        assert_eq!(renewal.account, Some(SafeText::new("ClusterIssuer letsencrypt")));
        let said = "cert-manager says that it is not ready: DoesNotExist: Issuing certificate as Secret does not exist";
        assert_eq!(problems(shop)[1], (ProblemKind::NotReady, said));
        let failure = shop.last_failure().unwrap();
        assert_eq!(failure.at, Moment::parse("2026-11-22T09:00:00Z"));
        let text = failure.text.as_str();
        assert!(
            text.starts_with("Failed: The certificate request") && text.ends_with("(4 in a row)")
        );
        assert!(text.contains("^[[31m"), "{text}");
        let stuck = problems(new);
        assert!(stuck[2].1.starts_with("it has been issuing since 2026-11-22T10:00:00Z (2.0d)"));
        assert!(problems(young)[1].1.contains("does its controller run?"));
    }

    #[test]
    fn a_renewal_that_does_not_begin_is_told() {
        let all = places("2026-11-30T09:00:00Z", "");
        let said = "it should have been renewed at 2026-11-30T07:00:00Z, 2h ago, and is not being";
        assert_eq!(problems(&all[0])[1], (ProblemKind::NotReady, said));
    }

    #[test]
    fn secrets_that_may_not_be_seen_are_not_missing() {
        let all = places(NOW, "secrets is forbidden");
        let said = "secret web/www-tls cannot be read: secrets is forbidden";
        assert_eq!(problems(&all[0]), [(ProblemKind::Unreadable, said)]);
    }

    #[test]
    fn kubectl_is_quoted_without_what_its_libraries_log() {
        let log = "E1129 11:23:13.786649   26690 memcache.go:265] \"Unhandled Error\" err=\"x\"\n";
        let refused = "The connection to the server localhost:8080 was refused - did you specify the right host or port?";
        assert_eq!(gist(format!("{log}{log}{refused}\n").as_bytes()), refused);
        assert_eq!(
            gist(b"Error from server (Forbidden): x\x1b[31m\n"),
            "Error from server (Forbidden): x^[[31m"
        );
        assert_eq!((gist(log.as_bytes()), gist(b" \n")), (log.trim().to_owned(), String::new()));
    }

    #[test]
    fn texts_are_read_as_go_quotes_them() {
        let quoted = r#""a\n\"b\"\\ \x1b \u202e \U0001f600 ä \q""#;
        assert_eq!(unquoted(quoted), "a \"b\"\\ \u{1b} \u{202e} \u{1f600} ä \u{fffd}");
        for odd in ["", "\"", "\\", "\\x", "\\u12", "\\UFFFFFFFF"] {
            unquoted(odd);
        }
    }
}
