//! What cert-manager has made for a Certificate to get it issued: a `CertificateRequest`, an Order
//! of its own, a Challenge for each name. The lowest of them knows what is in the way.
//!
//! The fields are those of `cert-manager.io/v1` and `acme.cert-manager.io/v1`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::bundle::read_leaf;
use super::listing::{ATTEMPT_BYTES, Condition, unquoted, whole};
use super::of;
use crate::fleet::{Moment, Problem, ProblemKind, Version};

/// Their kinds, as kubectl is asked for all of them at once.
pub(super) const KINDS: &str = "certificaterequests.cert-manager.io,\
                                orders.acme.cert-manager.io,challenges.acme.cert-manager.io";

/// One line for each field of what is not over, or was made since `SINCE`. Of a request that is as
/// young, its certificate too: it is what the CA has given lately.
pub(super) const TEMPLATE: &str = r#"{{range .items}}{{$kind := .kind}}{{$is_new := ge .metadata.creationTimestamp "SINCE"}}{{$is_over := false}}{{with .status}}{{with .state}}{{if eq . "valid"}}{{$is_over = true}}{{end}}{{end}}{{range .conditions}}{{if and (eq .type "Ready") (eq .status "True")}}{{$is_over = true}}{{end}}{{end}}{{end}}{{if or $is_new (not $is_over)}}object {{.kind}} {{.metadata.namespace}} {{.metadata.name}}
made {{printf "%q" .metadata.creationTimestamp}}
{{range .metadata.ownerReferences}}owner {{printf "%q" .kind}} {{printf "%q" .name}}
{{end}}{{with .metadata.annotations}}{{with index . "cert-manager.io/certificate-revision"}}revision {{printf "%q" .}}
{{end}}{{end}}{{with .spec}}{{if eq $kind "Challenge"}}{{with .dnsName}}proves {{printf "%q" .}}
{{end}}{{with .type}}by {{printf "%q" .}}
{{end}}{{end}}{{end}}{{with .status}}{{with .state}}state {{printf "%q" .}}
{{end}}{{with .reason}}because {{printf "%.1000q" .}}
{{end}}{{if and $is_new (eq $kind "CertificateRequest")}}{{with .certificate}}certificate {{.}}
{{end}}{{end}}{{range .conditions}}condition {{printf "%q" .type}}
{{with .status}}is {{printf "%q" .}}
{{end}}{{with .reason}}reason {{printf "%q" .}}
{{end}}{{with .message}}message {{printf "%.1000q" .}}
{{end}}{{end}}{{end}}{{end}}{{end}}"#;

/// All that was made for the Certificates of a cluster.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    objects: Vec<Object>,
    /// By the kind, namespace and name of whoever they were made for, as the place in `objects`.
    made_for: HashMap<(String, String, String), Vec<usize>>,
    /// Why they could not be read.
    denied: String,
    /// Whether there are more than were read.
    is_cut: bool,
}

/// One of them.
#[derive(Debug, Default)]
struct Object {
    kind: String,
    namespace: String,
    name: String,
    made: Option<Moment>,
    owner: Option<(String, String)>,
    revision: Option<u32>,
    proves: String,
    by: String,
    state: String,
    because: String,
    pem: Vec<u8>,
    conditions: Vec<Condition>,
}

impl Attempts {
    /// Reads what the template printed; `denied` is what kubectl said beside it.
    pub(super) fn read(bytes: &[u8], denied: String) -> Self {
        let (text, is_cut) = whole(bytes, ATTEMPT_BYTES);
        let mut all = Self { denied, is_cut, ..Self::default() };
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            if word == "object" {
                let mut words = rest.split(' ').map(str::to_owned);
                let mut next = || words.next().unwrap_or_default();
                let (kind, namespace, name) = (next(), next(), next());
                all.objects.push(Object { kind, namespace, name, ..Object::default() });
            } else if let Some(it) = all.objects.last_mut() {
                it.learn(word, rest);
            }
        }
        for (at, it) in all.objects.iter().enumerate() {
            if let Some((kind, name)) = it.owner.clone() {
                let key = (kind, it.namespace.clone(), name);
                all.made_for.entry(key).or_default().push(at);
            }
        }
        all
    }

    /// Why a Certificate is not issued: what the last attempt waits for or failed of, the lowest
    /// at the end.
    pub(super) fn reasons(&self, namespace: &str, name: &str) -> Vec<Problem> {
        let requests = self.made_for("Certificate", namespace, name);
        let Some(request) = requests.max_by_key(|it| (it.made, &it.name)) else {
            return self.nothing().into_iter().collect();
        };
        if request.is_ready() {
            return Vec::new();
        }
        let orders: Vec<_> = self.made_for(&request.kind, namespace, &request.name).collect();
        let mut challenges: Vec<_> =
            orders.iter().flat_map(|it| self.made_for(&it.kind, namespace, &it.name)).collect();
        // What has failed, or waits for something that it can name, says most.
        challenges.retain(|it| it.state != "valid");
        challenges.sort_by_key(|it| (it.has_failed(), !it.because.is_empty(), &it.proves));
        let more = challenges.len().saturating_sub(SHOWN);
        let more = (more > 0)
            .then(|| of(ProblemKind::NotReady, &format!("{more} more Challenges are not over")));
        let unseen = challenges.is_empty().then(|| self.nothing()).flatten();
        let shown = challenges.into_iter().rev().take(SHOWN).rev();
        let all = [request].into_iter().chain(orders).map(Object::told);
        all.chain(more).chain(unseen).chain(shown.map(Object::told)).collect()
    }

    /// The certificates that were issued for a Certificate lately, with their revisions.
    pub(super) fn versions(&self, namespace: &str, name: &str) -> Vec<Version> {
        let mut seen = HashSet::new();
        let requests = self.made_for("Certificate", namespace, name);
        let versions = requests.filter_map(|it| {
            let certificate = read_leaf(&it.pem).map(Arc::new)?;
            Some(Version { number: it.revision?, certificate: Some(certificate) })
        });
        let mut versions: Vec<_> = versions.filter(|it| seen.insert(it.number)).collect();
        versions.sort_by_key(|it| it.number);
        versions
    }

    fn made_for(&self, kind: &str, namespace: &str, name: &str) -> impl Iterator<Item = &Object> {
        let key = (kind.to_owned(), namespace.to_owned(), name.to_owned());
        let places = self.made_for.get(&key).into_iter().flatten();
        places.filter_map(|it| self.objects.get(*it))
    }

    /// Why nothing is told of an attempt, if not because there is none.
    fn nothing(&self) -> Option<Problem> {
        if !self.denied.is_empty() {
            let text = format!("what it waits for cannot be read: {}", self.denied);
            return Some(of(ProblemKind::NotReady, &text));
        }
        let text = "more CertificateRequests, Orders and Challenges are there than are read: name \
                    some `namespaces`";
        self.is_cut.then(|| of(ProblemKind::NotReady, text))
    }
}

impl Object {
    fn learn(&mut self, word: &str, rest: &str) {
        if self.conditions.last_mut().is_some_and(|it| it.learn(word, rest)) {
            return;
        }
        match word {
            "made" => self.made = Moment::parse(&unquoted(rest)),
            // There is one, who made it.
            "owner" => {
                let owner = rest.split_once(' ');
                self.owner = owner.map(|(kind, name)| (unquoted(kind), unquoted(name)));
            }
            "revision" => self.revision = unquoted(rest).parse().ok(),
            "proves" => self.proves = unquoted(rest),
            "by" => self.by = unquoted(rest),
            "state" => self.state = unquoted(rest),
            "because" => self.because = unquoted(rest),
            "certificate" => self.pem = STANDARD.decode(rest).unwrap_or_default(),
            "condition" => {
                self.conditions.push(Condition { kind: unquoted(rest), ..Condition::default() });
            }
            _ => {}
        }
    }

    fn is_ready(&self) -> bool {
        self.conditions.iter().any(|it| it.kind == "Ready" && it.is == "True")
    }

    fn has_failed(&self) -> bool {
        ["invalid", "errored", "expired"].contains(&&*self.state)
    }

    /// How it is, in its own words.
    fn told(&self) -> Problem {
        let Self { kind, name, state, because, .. } = self;
        let about = if self.proves.is_empty() {
            format!("{kind} {name}")
        } else {
            format!("{kind} for {}, by {}", self.proves, self.by.to_ascii_lowercase())
        };
        // Ready says how it is; that it was denied or is no good says why for good.
        let worst = ["Denied", "InvalidRequest"]
            .into_iter()
            .find_map(|kind| self.conditions.iter().find(|it| it.kind == kind && it.is == "True"));
        let condition = worst.or_else(|| self.conditions.iter().find(|it| it.kind == "Ready"));
        let how = condition.map(Condition::words);
        let text = match (how, state.is_empty(), because.is_empty()) {
            (Some(how), ..) => format!("{about}: {how}"),
            (None, true, true) => format!("{about} has not been looked at"),
            (None, true, false) => format!("{about}: {because}"),
            (None, false, true) => format!("{about} is {state}"),
            (None, false, false) => format!("{about} is {state}: {because}"),
        };
        of(ProblemKind::StuckOn, &text)
    }
}

/// How many Challenges of an attempt are told of.
const SHOWN: usize = 3;
