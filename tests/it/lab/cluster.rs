//! A small API server of Kubernetes with Certificates of cert-manager in it, as far as `kubectl
//! get` asks. What it holds is made by hand from cert-manager's API reference
//! (`cert-manager.io/v1`) and that of Secrets.

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
    /// Whoever asks may not see secrets.
    pub(crate) is_closed: bool,
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
        let group = "cert-manager.io/v1";
        let named = |name: &str, kind: &str| {
            json!({ "name": name, "singularName": "", "namespaced": true, "kind": kind,
                "verbs": ["get", "list"] })
        };
        let in_namespace = |items: &[Value], space: &str| -> Vec<Value> {
            items.iter().filter(|it| it["metadata"]["namespace"] == space).cloned().collect()
        };
        match path {
            "/api" => (200, json!({ "kind": "APIVersions", "versions": ["v1"] })),
            "/apis" => {
                let version = json!({ "groupVersion": group, "version": "v1" });
                let one = json!({ "name": "cert-manager.io", "versions": [version],
                    "preferredVersion": version });
                (200, json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [one] }))
            }
            "/api/v1" => {
                let resources = [named("secrets", "Secret")];
                (
                    200,
                    json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": resources }),
                )
            }
            "/apis/cert-manager.io/v1" => {
                let resources = [named("certificates", "Certificate")];
                (
                    200,
                    json!({ "kind": "APIResourceList", "groupVersion": group, "resources": resources }),
                )
            }
            "/apis/cert-manager.io/v1/certificates" => {
                (200, list("CertificateList", group, &self.certificates))
            }
            _ if path.ends_with("/secrets") && self.is_closed => {
                let said = "secrets is forbidden: User \"lab\" cannot list resource \"secrets\" in API \
                            group \"\" at the cluster scope";
                (
                    403,
                    json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure",
                    "reason": "Forbidden", "message": said, "code": 403 }),
                )
            }
            "/api/v1/secrets" => (200, list("SecretList", "v1", &self.secrets)),
            _ => match path.split('/').collect::<Vec<_>>()[..] {
                ["", "apis", "cert-manager.io", "v1", "namespaces", space, "certificates"] => {
                    (200, list("CertificateList", group, &in_namespace(&self.certificates, space)))
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
}
