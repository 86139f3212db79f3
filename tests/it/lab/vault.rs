//! A small Vault: the engine for keys and values in its second version, logins of an AppRole, and
//! what goes wrong with it. Answers are those of the API documentation of Vault 1.17.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::web::{Asked, Web};

/// The token that it takes.
pub(crate) const TOKEN: &str = "hvs.canary-token-5b1e";
/// The role that it takes, and its secret-id.
pub(crate) const ROLE: (&str, &str) = ("role-7c2d", "canary-secret-id-90aa");

pub(crate) struct Vault {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
    _web: Web,
}

/// What it holds, and how it is.
#[derive(Default)]
pub(crate) struct Shared {
    /// What each path below `secret/` holds: its versions, of which some may be deleted.
    pub(crate) held: BTreeMap<String, Vec<Option<Value>>>,
    /// Nobody can read anything.
    pub(crate) is_sealed: bool,
    /// Nobody can once somebody has written, whose answer is lost.
    pub(crate) seals_at_write: bool,
    /// The engine is one without versions.
    pub(crate) is_first_version: bool,
    /// How many requests are told to come again.
    pub(crate) throttled: usize,
    /// Somebody else writes when the next look has been answered.
    pub(crate) rival: Option<Value>,
    /// How many writes are done and have their answers lost.
    pub(crate) lost: usize,
    /// Requests that came: method, path, and what they were asked with.
    pub(crate) asked: Vec<String>,
    /// The namespaces that were named.
    pub(crate) namespaces: BTreeSet<String>,
}

impl Vault {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mine = Arc::clone(&shared);
        let web = Web::start(move |asked| mine.lock().unwrap().answer(asked));
        Self { url: web.url.clone(), shared, _web: web }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    /// The newest of what a path holds.
    pub(crate) fn newest(&self, path: &str) -> Value {
        let state = self.state();
        state.held.get(path).and_then(|it| it.last()?.clone()).unwrap_or_default()
    }

    pub(crate) fn versions(&self, path: &str) -> usize {
        self.state().held.get(path).map_or(0, Vec::len)
    }
}

impl Shared {
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let Asked { method, path, headers, body } = asked;
        self.asked.push(format!("{method} {path}"));
        self.namespaces.extend(headers.get("x-vault-namespace").cloned());
        if self.is_sealed {
            return errors(503, &["Vault is sealed"]);
        }
        if self.throttled > 0 {
            self.throttled -= 1;
            return errors(429, &["request path \"secret/data\": rate limit quota exceeded"]);
        }
        if path == "/v1/auth/approle/login" {
            let asked: Value = serde_json::from_slice(body).unwrap();
            if (asked["role_id"].as_str(), asked["secret_id"].as_str())
                != (Some(ROLE.0), Some(ROLE.1))
            {
                return errors(400, &["invalid role or secret ID"]);
            }
            return (
                200,
                json!({ "data": null, "auth": { "client_token": TOKEN, "lease_duration": 1200 } }),
            );
        }
        if headers.get("x-vault-token").map(String::as_str) != Some(TOKEN) {
            return errors(403, &["1 error occurred:\n\t* permission denied\n\n"]);
        }
        if path == "/v1/sys/internal/ui/mounts/secret" {
            let version =
                if self.is_first_version { json!(null) } else { json!({ "version": "2" }) };
            return (
                200,
                json!({ "data": { "type": "kv", "options": version, "path": "secret/" } }),
            );
        }
        let Some(rest) = path.strip_prefix("/v1/secret/") else {
            let route = path.trim_start_matches("/v1/");
            let said = format!("no handler for route \"{route}\". route entry not found.");
            return errors(404, &[&said]);
        };
        if self.is_first_version {
            return if method == "GET" { errors(404, &[]) } else { (204, Value::Null) };
        }
        let key = rest.strip_prefix("data/").unwrap();
        match method.as_str() {
            "GET" => {
                let answer = match self.held.get(key).map(|it| (it.len(), it.last().unwrap())) {
                    None => errors(404, &[]),
                    Some((version, None)) => {
                        (404, held(version, &Value::Null, "2026-01-01T00:00:00Z"))
                    }
                    Some((version, Some(data))) => (200, held(version, data, "")),
                };
                if let Some(rival) = self.rival.take() {
                    self.held.entry(key.to_owned()).or_default().push(Some(rival));
                }
                answer
            }
            "POST" => {
                let asked: Value = serde_json::from_slice(body).unwrap();
                let versions = self.held.entry(key.to_owned()).or_default();
                if asked["options"]["cas"] != json!(versions.len()) {
                    let said = "check-and-set parameter did not match the current version";
                    return errors(400, &[said]);
                }
                versions.push(Some(asked["data"].clone()));
                if std::mem::take(&mut self.seals_at_write) {
                    self.is_sealed = true;
                    return errors(503, &["Vault is sealed"]);
                }
                if self.lost > 0 {
                    self.lost -= 1;
                    return errors(502, &["the proxy before it was restarted"]);
                }
                (200, json!({ "data": { "version": versions.len(), "destroyed": false } }))
            }
            _ => errors(405, &["unsupported operation"]),
        }
    }
}

fn held(version: usize, data: &Value, deleted: &str) -> Value {
    json!({
        "request_id": "9f3d8a0e",
        "data": {
            "data": data,
            "metadata": {
                "created_time": "2026-01-01T00:00:00.000000000Z",
                "custom_metadata": null,
                "deletion_time": deleted,
                "destroyed": false,
                "version": version,
            },
        },
    })
}

fn errors(status: u16, said: &[&str]) -> (u16, Value) {
    (status, json!({ "errors": said }))
}
