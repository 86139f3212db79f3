//! cert-manager's certificates in a Kubernetes cluster, as `kubectl` on the host sees them: what
//! each should be, how its controller fares, and what its secret holds. Of secrets only `tls.crt`
//! leaves the host; the field with the key is in no template.

mod attempt;
mod listing;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::bundle::read_chain;
use super::{AbsolutePath, Client, Kind, Reading, Script, Section, Source, quote};
use crate::fleet::{
    DAY, Failure, HOUR, Host, Layers, Moment, Place, Problem, ProblemKind, Renewal, Seen, Sighting,
    Version, human,
};
use crate::text::SafeText;

use attempt::Attempts;
use listing::{Certificate, Condition, Secrets, gist};

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
        let (before, after) = attempt::TEMPLATE.split_once("SINCE").unwrap_or_default();
        script.push(&format!("t='{}'\nu='{}'", listing::CERTIFICATES, listing::SECRETS));
        // Where `date` cannot tell it, nothing is as young as that.
        script.push(&format!(
            "d=$(date -u -d \"@$((${{T%% *}}-{LATELY}))\" +%Y-%m-%dT%H:%M:%SZ) || d=9\n\
             v='{before}'\"$d\"'{after}'"
        ));
        script.push(&format!(
            "i={} j={} l={}\nr={}",
            listing::CERTIFICATE_BYTES,
            listing::SECRET_BYTES,
            listing::ATTEMPT_BYTES,
            attempt::KINDS
        ));
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
        let body = |word| section.body(word).unwrap_or_default();
        let (certificates, has_more) = listing::certificates(body("certificates"));
        let said = gist(body("said"));
        if certificates.is_empty() && !said.is_empty() {
            let text = format!("kubectl cannot read certificates: {said}");
            seen.problems.push(unread(ProblemKind::Unreadable, &text));
        }
        let (secrets, has_more_secrets) = listing::secrets(body("secrets"));
        if has_more || has_more_secrets {
            let text = "more certificates than are read: name some `namespaces`";
            seen.problems.push(unread(ProblemKind::TooLarge, text));
        }
        let mut denied = gist(body("denied"));
        if denied.is_empty() && has_more_secrets {
            "there are more than are read".clone_into(&mut denied);
        }
        let attempts = Attempts::read(body("attempts"), gist(body("untold")));
        let around = Around { secrets, denied, attempts };
        seen.places.extend(certificates.iter().map(|it| it.place(&around, reading)));
    }
}

/// What belongs to the Certificates of a cluster.
#[derive(Debug, Default)]
struct Around {
    secrets: Secrets,
    /// Why not every secret could be read.
    denied: String,
    attempts: Attempts,
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
k() { $w kubectl --request-timeout=8s ${c:+"--kubeconfig=$c"} ${x:+"--context=$x"} "$@"; }
all() { a=$1 b=$2; shift 2; for n in "$@"; do k get "$a" "$n" $s -o "go-template=$b" || late || break; done; }
late() { [ $? -ne 124 ] || echo "it took longer than 5 s" >&2; return 1; }
s= w=
mark frame certificates
E=$({ all certificates.cert-manager.io "$t" "$@" | head -c $i >&3; } 2>&1 | tail -c 1000)
mark frame said
printf '%s' "$E"
s=--field-selector=type=kubernetes.io/tls
mark frame secrets
E=$({ all secrets "$u" "$@" | head -c $j >&3; } 2>&1 | tail -c 1000)
mark frame denied
printf '%s' "$E"
# Why one is not ready is worth knowing, and not worth losing the rest for.
s=
command -v timeout >/dev/null && w='timeout 5'
mark frame attempts
E=$({ all "$r" "$v" "$@" | head -c $l >&3; } 2>&1 | tail -c 1000)
mark frame untold
printf '%s' "$E"
fi
fi
"#;

impl Certificate {
    fn place(&self, around: &Around, reading: &Reading<'_>) -> Place {
        let Around { secrets, denied, attempts } = around;
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
                // The secret holds the last of them alone; requests are kept for a while.
                let certificate = sighting.as_ref().map(|it| Arc::clone(&it.chain.leaf));
                let last = self.revision.map(|number| Version { number, certificate });
                let kept = attempts.versions(&self.namespace, &self.name);
                place.versions = versions(kept, last, reading.now);
                place.layers =
                    Layers { issued: sighting.clone(), disk: sighting, ..Layers::default() };
            }
            None if !denied.is_empty() => {
                let text = format!("{path} cannot be read: {denied}");
                place.problems.push(of(ProblemKind::Unreadable, &text));
            }
            None => place.problems.push(of(ProblemKind::Missing, &format!("{path} is missing"))),
        }
        let trouble = self.trouble(&place, reading.now);
        let reasons = if trouble.is_empty() {
            Vec::new()
        } else {
            attempts.reasons(&self.namespace, &self.name)
        };
        let kind = if self.issuer_kind.is_empty() { "Issuer" } else { &self.issuer_kind };
        place.renewal = Some(Renewal {
            authenticator: Some(SafeText::new(KIND.name)),
            account: Some(SafeText::new(&format!("{kind} {}", self.issuer))),
            is_enabled: true,
            is_unattended: true,
            planned: self.next_try(),
            last_failure: self.failure(&reasons),
            ..Renewal::default()
        });
        place.problems.extend(trouble);
        place.problems.extend(reasons);
        place
    }

    /// The last failure, with what was lowest in its way.
    fn failure(&self, reasons: &[Problem]) -> Option<Failure> {
        let at = self.failed?;
        let issuing = self.condition("Issuing").filter(|it| it.is == "False");
        let said =
            issuing.or_else(|| self.condition("Ready")).map(Condition::words).unwrap_or_default();
        let lowest = reasons.iter().rfind(|it| it.kind == ProblemKind::StuckOn);
        let lowest = lowest.map(|it| format!("; {}", it.text)).unwrap_or_default();
        let text = SafeText::new(&format!("{said}{lowest}{}", self.tries()));
        Some(Failure { at: Some(at), text })
    }

    fn tries(&self) -> String {
        self.attempts.map(|it| format!(" ({it} in a row)")).unwrap_or_default()
    }

    /// When cert-manager begins by itself. After a failure it waits for an hour, and twice as long
    /// after each that follows, up to 32 hours (cert-manager 1.9 and later, by default).
    fn next_try(&self) -> Option<Moment> {
        let after = self.failed.map(|it| {
            let doublings = self.attempts.unwrap_or(1).clamp(1, 6) - 1;
            it.plus(HOUR << doublings)
        });
        self.renewal.max(after)
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
        let next = self.next_try();
        if let Some(failed) = self.failed.filter(|_| issuing.is_none()) {
            let next = next.filter(|it| *it > now).map(|it| format!("; the next is tried at {it}"));
            let (next, tries) = (next.unwrap_or_default(), self.tries());
            texts.push(format!("its last issuance failed at {failed}{tries}{next}"));
        }
        if let Some((it, since)) = issuing.and_then(|it| Some((it, it.since?)))
            && now.since(since) > STUCK
        {
            let age = human(now.since(since));
            texts.push(format!("it has been issuing since {since} ({age}): {}", it.words()));
            if !self.next_key.is_empty() {
                let space = &self.namespace;
                texts.push(format!("its next key waits in secret {space}/{}", self.next_key));
            }
        }
        if let Some(next) = next.filter(|it| issuing.is_none() && now.since(*it) > STUCK) {
            let age = human(now.since(next));
            texts.push(format!(
                "it should have been renewed at {next}, {age} ago, and is not being"
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

/// What is kept of a Certificate beside its last revision, and that. One before it that is not kept
/// any more, and may have counted lately at its CA, is told of without its certificate.
fn versions(kept: Vec<Version>, last: Option<Version>, now: Moment) -> Vec<Version> {
    let Some(last) = last else { return kept };
    let mut all: Vec<_> = kept.into_iter().filter(|it| it.number < last.number).collect();
    let is_young = last.certificate.as_ref().is_some_and(|it| now.since(it.not_before) < LATELY);
    let before = last.number.saturating_sub(1);
    if is_young && before > 0 && all.last().is_none_or(|it| it.number != before) {
        all.push(Version { number: before, certificate: None });
    }
    all.push(last);
    all
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
    drop((listing::certificates(bytes), listing::secrets(bytes)));
    let attempts = Attempts::read(bytes, String::new());
    drop((attempts.reasons("web", "shop"), attempts.versions("web", "shop")));
}

/// As far back as the limits of CAs reach, and a day.
const LATELY: i64 = 8 * DAY;
/// An order takes minutes; cert-manager tries again after an hour at the earliest.
const STUCK: i64 = HOUR;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::listing::unquoted;
    use super::*;
    use crate::fleet::{HostName, Roots};

    const LISTING: &str =
        include_str!("../../../tests/fixtures/cert-manager/listing-kubectl-1.32.4-made.txt");
    const ATTEMPTS: &str =
        include_str!("../../../tests/fixtures/cert-manager/attempts-kubectl-1.32.4-made.txt");
    /// Two days after the last failure in it.
    const NOW: &str = "2026-11-24T10:00:00Z";

    /// The places of the fixture, of whose secrets none is there.
    fn places(now: &str, denied: &str) -> Vec<Place> {
        let host = Host::new(HostName::new("k8s"), "k8s", &[]);
        let now = Moment::parse(now).unwrap();
        let reading = Reading { known: &host, roots: &Roots::none(), now };
        let around = Around {
            denied: denied.to_owned(),
            attempts: Attempts::read(ATTEMPTS.as_bytes(), String::new()),
            ..Around::default()
        };
        let all = listing::certificates(LISTING.as_bytes()).0;
        all.iter().map(|it| it.place(&around, &reading)).collect()
    }

    fn problems(place: &Place) -> Vec<(ProblemKind, &str)> {
        place.problems.iter().map(|it| (it.kind, it.text.as_str())).collect()
    }

    #[test]
    fn certificates_are_read_as_kubectl_prints_them() {
        let all = listing::certificates(LISTING.as_bytes()).0;
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
    fn what_was_made_for_them_tells_why() {
        let all = places(NOW, "");
        let why = |at: usize| -> Vec<_> {
            let told = all[at].problems.iter().filter(|it| it.kind == ProblemKind::StuckOn);
            told.map(|it| it.text.as_str()).collect()
        };
        // What is well needs no reason, and of several attempts the last one counts.
        assert_eq!(why(0), [] as [&str; 0]);
        let shop = why(1);
        assert!(shop[0].starts_with("CertificateRequest shop-1: Failed: Failed to wait for"));
        assert_eq!(shop[1], "Order shop-1-4021 is invalid");
        let lowest = "Challenge for shop.example.net, by http-01 is invalid: Error accepting";
        assert!(shop[2].starts_with(lowest) && shop.len() == 3, "{shop:#?}");
        let failure = all[1].last_failure().unwrap().text.as_str();
        assert!(failure.contains("urn:ietf:params:acme:error:unauthorized"), "{failure}");
        // Of many names those that can say something come last, and the rest is counted.
        let new = why(2);
        assert_eq!(new.len(), 5, "{new:#?}");
        assert_eq!(new[3], "Challenge for d.example.net, by dns-01 is pending");
        let lowest = new[4];
        assert!(
            lowest.starts_with("Challenge for mail.example.net, by dns-01 is pending: Waiting")
        );
        assert!(lowest.contains("^[[31m not yet propagated object Challenge"), "{lowest}");
        let texts: Vec<_> = problems(&all[2]).iter().map(|it| it.1).collect();
        assert!(texts.contains(&"2 more Challenges are not over"), "{texts:#?}");
    }

    #[test]
    fn a_limit_of_the_ca_is_known_by_the_order() {
        let text = "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many \
                    certificates (5) already issued for this exact set of identifiers in the last \
                    168h0m0s, retry after 2026-11-25 08:12:00 UTC: see https://x.example";
        let listing = ATTEMPTS.replace(
            "state \"invalid\"\nobject Order",
            &format!("state \"errored\"\nbecause {text:?}\nobject Order"),
        );
        let start = listing.find("object Challenge").unwrap();
        let attempts = Attempts::read(&listing.as_bytes()[..start], String::new());
        let reasons = attempts.reasons("web", "shop");
        let it = listing::certificates(LISTING.as_bytes()).0.remove(1);
        let failure = it.failure(&reasons).unwrap();
        let limited = crate::explain::limited(failure.text.as_str()).unwrap();
        assert_eq!(limited.name, "limit-exact-set");
        assert_eq!(limited.until, Moment::parse("2026-11-25T08:12:00Z"));
    }

    #[test]
    fn what_may_not_be_listed_is_said_where_it_is_missed() {
        let host = Host::new(HostName::new("k8s"), "k8s", &[]);
        let now = Moment::parse(NOW).unwrap();
        let reading = Reading { known: &host, roots: &Roots::none(), now };
        let attempts = Attempts::read(b"", "orders is forbidden".to_owned());
        let around = Around { attempts, ..Around::default() };
        let all = listing::certificates(LISTING.as_bytes()).0;
        let all: Vec<_> = all.iter().map(|it| it.place(&around, &reading)).collect();
        let said = "what it waits for cannot be read: orders is forbidden";
        let says = |it: &Place| problems(it).iter().any(|it| it.1 == said);
        assert_eq!(all.iter().map(says).collect::<Vec<_>>(), [false, true, true, true]);
    }

    #[test]
    fn cert_manager_waits_longer_after_each_failure() {
        let next = |attempts, hours: i64| {
            let failed = Moment::parse(NOW);
            let it = Certificate { attempts, failed, ..Certificate::default() };
            assert_eq!(it.next_try(), failed.map(|it| it.plus(hours * HOUR)), "{attempts:?}");
        };
        next(None, 1);
        for (attempts, hours) in [(0, 1), (1, 1), (2, 2), (4, 8), (6, 32), (7, 32), (u32::MAX, 32)]
        {
            next(Some(attempts), hours);
        }
        // One that is renewed every day waits for its day all the same.
        let renewal = Moment::parse(NOW).map(|it| it.plus(2 * DAY));
        let it = Certificate { renewal, failed: Moment::parse(NOW), ..Certificate::default() };
        assert_eq!(it.next_try(), renewal);
    }

    #[test]
    fn a_revision_that_is_not_kept_may_have_counted() {
        let now = Moment::parse(NOW).unwrap();
        let version = |number, days: i64| {
            let begin = u64::try_from(now.unix() - days * DAY).unwrap();
            let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
            params.not_before = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(begin);
            let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let it = crate::fleet::Certificate::read(made.der()).unwrap();
            Version { number, certificate: Some(Arc::new(it)) }
        };
        let told = |kept, last| -> Vec<_> {
            let all = versions(kept, Some(last), now);
            all.iter().map(|it| (it.number, it.certificate.is_some())).collect()
        };
        assert_eq!(told(vec![], version(1, 2)), [(1, true)]);
        assert_eq!(told(vec![], version(3, 2)), [(2, false), (3, true)]);
        assert_eq!(told(vec![version(2, 3)], version(3, 2)), [(2, true), (3, true)]);
        assert_eq!(told(vec![], version(3, 20)), [(3, true)]);
    }

    #[test]
    fn what_is_cut_is_said_and_nothing_is_called_missing() {
        let many = "certificate web n\n".repeat(1500);
        let (all, has_more) = listing::certificates(many.as_bytes());
        assert!(has_more && all.len() == 1000);
        let long = format!("web a QUJD\nweb b {}", "QUJD".repeat(listing::SECRET_BYTES));
        let (all, has_more) = listing::secrets(&long.as_bytes()[..listing::SECRET_BYTES]);
        assert!(has_more && all.len() == 1);
        let (all, has_more) = listing::secrets(b"web a QUJD\n");
        assert!(!has_more && all.len() == 1);
        let host = Host::new(HostName::new("k8s"), "k8s", &[]);
        let now = Moment::parse(NOW).unwrap();
        let reading = Reading { known: &host, roots: &Roots::none(), now };
        let mut seen = Seen::default();
        let frame = |word, body| crate::source::Frame { word, key: b"", body };
        let secrets = &long.as_bytes()[..listing::SECRET_BYTES];
        let frames = vec![frame(b"certificates", LISTING.as_bytes()), frame(b"secrets", secrets)];
        let section = Section { frames, ..Section::default() };
        CertManager::default().read(&section, &reading, &mut seen);
        assert_eq!(seen.problems[0].kind, ProblemKind::TooLarge);
        let said = "secret web/www-tls cannot be read: there are more than are read";
        assert_eq!(seen.places[0].problems[0].text.as_str(), said);
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
