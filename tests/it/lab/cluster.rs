//! A small API server of Kubernetes with Certificates of cert-manager in it, as far as `kubectl
//! get` and `kubectl patch` ask, and with its controller. What it holds is made by hand from
//! cert-manager's API reference (`cert-manager.io/v1`) and that of Secrets.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::web::{Asked, Web};

pub(crate) struct Cluster {
    web: Web,
    shared: Arc<Mutex<Held>>,
}

/// What it holds.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) certificates: Vec<Value>,
    pub(crate) secrets: Vec<Value>,
    /// What was made for Certificates: `CertificateRequest`, `Order`, `Challenge`.
    pub(crate) attempts: Vec<Value>,
    /// What whoever asks may not see.
    pub(crate) closed: Vec<&'static str>,
    /// What the controller makes of a Certificate that is to be issued, once somebody has seen
    /// that it is.
    pub(crate) issues: Option<Result<Value, String>>,
    /// So many patches come after somebody else has changed the Certificate.
    pub(crate) races: usize,
    pub(crate) asked: Vec<String>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Mutex::new(Held::default()));
        let mine = Arc::clone(&shared);
        let web = Web::start(move |asked| mine.lock().unwrap().answer(asked));
        Self { web, shared }
    }

    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.shared.lock().unwrap()
    }

    /// Writes a kubeconfig that leads here.
    pub(crate) fn kubeconfig(&self, path: &Path) {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "lab", "cluster": { "server": self.web.url } }],
            "users": [{ "name": "lab", "user": { "token": "canary-token-of-the-cluster" } }],
            "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": "lab" } }],
            "current-context": "lab",
        });
        fs::write(path, config.to_string()).unwrap();
    }
}

impl Held {
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        self.asked.push(format!("{} {}", asked.method, asked.path));
        let path = asked.path.split('?').next().unwrap_or_default();
        let list = |kind: &str, version: &str, items: &[Value]| {
            json!({ "kind": kind, "apiVersion": version, "metadata": { "resourceVersion": "812" },
                "items": items })
        };
        let (group, acme) = (GROUP, ACME);
        let in_namespace = |items: &[Value], space: &str| -> Vec<Value> {
            items.iter().filter(|it| it["metadata"]["namespace"] == space).cloned().collect()
        };
        if let Some(told) = discovery(path) {
            return (200, told);
        }
        match path {
            "/apis/cert-manager.io/v1/certificates" => {
                (200, list("CertificateList", group, &self.certificates))
            }
            _ if self.closed.iter().any(|it| path.ends_with(&format!("/{it}"))) => {
                let what = path.rsplit('/').next().unwrap();
                let said = format!(
                    "{what} is forbidden: User \"lab\" cannot list resource \"{what}\" at the cluster scope"
                );
                failure(403, "Forbidden", &said)
            }
            "/apis/cert-manager.io/v1/certificaterequests" => {
                (200, list("CertificateRequestList", group, &self.of("CertificateRequest")))
            }
            "/apis/acme.cert-manager.io/v1/orders" => {
                (200, list("OrderList", acme, &self.of("Order")))
            }
            "/apis/acme.cert-manager.io/v1/challenges" => {
                (200, list("ChallengeList", acme, &self.of("Challenge")))
            }
            "/api/v1/secrets" => (200, list("SecretList", "v1", &self.secrets)),
            _ => match path.split('/').collect::<Vec<_>>()[..] {
                ["", "apis", "cert-manager.io", "v1", "namespaces", space, "certificates"] => {
                    (200, list("CertificateList", group, &in_namespace(&self.certificates, space)))
                }
                [
                    "",
                    "apis",
                    "cert-manager.io",
                    "v1",
                    "namespaces",
                    space,
                    "certificates",
                    name,
                    ref rest @ ..,
                ] => self.one(asked, space, name, rest == ["status"]),
                [
                    "",
                    "apis",
                    "cert-manager.io",
                    "v1",
                    "namespaces",
                    space,
                    "certificaterequests",
                ] => {
                    let all = in_namespace(&self.of("CertificateRequest"), space);
                    (200, list("CertificateRequestList", group, &all))
                }
                ["", "apis", "acme.cert-manager.io", "v1", "namespaces", space, kind] => {
                    let kind = if kind == "orders" { "Order" } else { "Challenge" };
                    (200, list("List", acme, &in_namespace(&self.of(kind), space)))
                }
                ["", "api", "v1", "namespaces", space, "secrets"] => {
                    (200, list("SecretList", "v1", &in_namespace(&self.secrets, space)))
                }
                _ => (
                    404,
                    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure",
                    "reason": "NotFound", "message": "not found", "code": 404 }),
                ),
            },
        }
    }

    fn of(&self, kind: &str) -> Vec<Value> {
        self.attempts.iter().filter(|it| it["kind"] == kind).cloned().collect()
    }

    /// One Certificate is read, or its status is patched.
    fn one(&mut self, asked: &Asked, space: &str, name: &str, is_status: bool) -> (u16, Value) {
        let is_it = |it: &&mut Value| {
            it["metadata"]["namespace"] == space && it["metadata"]["name"] == name
        };
        let Some(it) = self.certificates.iter_mut().find(is_it) else {
            return failure(404, "NotFound", "certificates \"x\" not found");
        };
        if asked.method == "GET" {
            let seen = it.clone();
            let conditions = it["status"]["conditions"].as_array_mut();
            let at = conditions.and_then(|all| {
                all.iter().position(|it| it["type"] == "Issuing" && it["status"] == "True")
            });
            if let Some(at) = at {
                // What is read last before a patch, and by kubectl itself, is not the waiting.
                match self.issues.take_if(|_| !is_status) {
                    Some(Ok(secret)) => {
                        it["status"]["conditions"].as_array_mut().unwrap().remove(at);
                        let revision = it["status"]["revision"].as_u64().unwrap();
                        it["status"]["revision"] = (revision + 1).into();
                        self.secrets = vec![secret];
                    }
                    Some(Err(said)) => {
                        let condition = &mut it["status"]["conditions"][at];
                        condition["status"] = "False".into();
                        condition["reason"] = "Failed".into();
                        condition["message"] = said.into();
                    }
                    None => {}
                }
            }
            return (200, seen);
        }
        let kind = asked.headers.get("content-type").map(String::as_str);
        if asked.method != "PATCH" || !is_status || kind != Some("application/json-patch+json") {
            return failure(415, "UnsupportedMediaType", "nobody else asks like that");
        }
        let version: u64 = it["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
        let is_raced = self.races > 0;
        self.races = self.races.saturating_sub(1);
        it["metadata"]["resourceVersion"] = (version + u64::from(is_raced)).to_string().into();
        let steps: Vec<Value> = serde_json::from_slice(&asked.body).unwrap();
        for step in steps {
            let (path, value) = (step["path"].as_str().unwrap(), step["value"].clone());
            let (parent, last) = path.rsplit_once('/').unwrap();
            match step["op"].as_str() {
                Some("test") if it.pointer(path) != Some(&value) => {
                    let said = format!("testing value {path} failed: test failed");
                    return failure(422, "Invalid", &said);
                }
                Some("test") => {}
                Some("replace") => *it.pointer_mut(path).unwrap() = value,
                Some("add") => match it.pointer_mut(parent).unwrap() {
                    Value::Array(all) if last == "-" => all.push(value),
                    Value::Object(all) => drop(all.insert(last.to_owned(), value)),
                    other => panic!("{path}: {other}"),
                },
                other => panic!("{other:?}"),
            }
        }
        it["metadata"]["resourceVersion"] = (version + 1).to_string().into();
        (200, it.clone())
    }
}

/// What kinds there are, as kubectl asks first.
fn discovery(path: &str) -> Option<Value> {
    let named = |name: &str, kind: &str| {
        json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind,
            "verbs": ["get", "list", "patch"] })
    };
    let resources = |group: &str, all: &[Value]| json!({ "kind": "APIResourceList", "groupVersion": group, "resources": all });
    Some(match path {
        "/api" => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        "/apis" => {
            let groups = [GROUP, ACME].map(|it| {
                let version = json!({ "groupVersion": it, "version": "v1" });
                json!({ "name": it.trim_end_matches("/v1"), "versions": [version],
                    "preferredVersion": version })
            });
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
        }
        "/api/v1" => resources("v1", &[named("secrets", "Secret")]),
        "/apis/cert-manager.io/v1" => {
            let requests = named("certificaterequests", "CertificateRequest");
            resources(GROUP, &[named("certificates", "Certificate"), requests])
        }
        "/apis/acme.cert-manager.io/v1" => {
            resources(ACME, &[named("orders", "Order"), named("challenges", "Challenge")])
        }
        _ => return None,
    })
}

const GROUP: &str = "cert-manager.io/v1";
const ACME: &str = "acme.cert-manager.io/v1";

fn failure(code: u16, reason: &str, message: &str) -> (u16, Value) {
    let it = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason,
        "message": message, "code": code });
    (code, it)
}
