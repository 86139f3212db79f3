//! HashiCorp Vault, its engine for keys and values in the second version (KV v2); OpenBao answers
//! the same. Facts of its HTTP API: developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2.

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use zeroize::Zeroizing;

use super::http::{Answer, Ask, Http, header, secret_header};
use super::parcel::Reading;
use super::{Fault, Found, Kept, Kind, Parcel};
use crate::audit::{self, Permit};
use crate::secret::Secret;
use crate::text::SafeText;

/// Where an engine is.
pub(super) struct Place<'a> {
    pub(super) mount: &'a str,
    pub(super) namespace: Option<&'a str>,
}

/// A Vault with a token.
pub(super) struct Vault {
    http: Http,
    mount: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    guard: Zeroizing<Vec<u8>>,
}

/// Opens a Vault: with a token, or with the secret-id of a role, for which it gives one.
pub(super) async fn open(
    http: Http,
    place: &Place<'_>,
    role: Option<&str>,
    secret: &Secret,
) -> Result<Vault, Fault> {
    let mut headers = vec![header("x-vault-request", "true")?];
    if let Some(namespace) = place.namespace {
        headers.push(header("x-vault-namespace", namespace)?);
    }
    let mount = place.mount.to_owned();
    let mut vault = Vault { http, mount, headers, guard: Zeroizing::default() };
    vault.guard = match role {
        None => Zeroizing::new(secret.line().to_vec()),
        Some(role) => vault.login(role, secret).await?,
    };
    vault.headers.push(secret_header("x-vault-token", &vault.guard)?);
    Ok(vault)
}

impl Vault {
    /// The token, for whoever must not write it down.
    pub(super) fn guard(&self) -> audit::Secret {
        audit::Secret::new(self.guard.to_vec())
    }

    /// Logs in with an AppRole; its token.
    async fn login(&self, role: &str, secret: &Secret) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let odd = || Fault::settings(&SafeText::new("its secret-id is no text"));
        let id = std::str::from_utf8(secret.line()).map_err(|_| odd())?;
        let mut body = Zeroizing::new(Vec::with_capacity(id.len() * 2 + role.len() * 2 + 64));
        let login = Login { role_id: role, secret_id: id };
        serde_json::to_writer(&mut *body, &login).map_err(|_| odd())?;
        let answer = self.send(&Method::POST, "/v1/auth/approle/login", &body).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&answer, "logging in with its role"));
        }
        let read: Result<LoggedIn, _> = serde_json::from_slice(&answer.body);
        let read = read.map_err(|_| self.odd("its answer to a login makes no sense"))?;
        Ok(Zeroizing::new(read.auth.client_token.into_bytes()))
    }

    async fn send(&self, method: &Method, path: &str, body: &[u8]) -> Result<Answer, Fault> {
        let make = || {
            let (method, headers) = (method.clone(), self.headers.clone());
            Ok(Ask { method, path, headers, body: Zeroizing::new(body.to_vec()) })
        };
        // A Vault that is sealed answers 503, and stays so until somebody unseals it.
        let is_throttled = |it: &Answer| match it.status.as_u16() {
            412 | 429 | 502 | 504 => true,
            503 => !errors(&it.body).contains("sealed"),
            _ => false,
        };
        self.http.ask(make, is_throttled).await
    }

    /// Whether the mount is an engine of the second version. A token may write to it without
    /// being told that; then the answer to the write tells.
    async fn check_mount(&self) -> Result<(), Fault> {
        let path = format!("/v1/sys/internal/ui/mounts/{}", self.mount);
        let answer = self.send(&Method::GET, &path, &[]).await?;
        if !answer.status.is_success() {
            return Ok(());
        }
        let Ok(Mount { data }) = serde_json::from_slice(&answer.body) else { return Ok(()) };
        let version = data.options.and_then(|it| it.version);
        match (data.kind.as_str(), version.as_deref()) {
            ("kv", Some("2")) => Ok(()),
            ("kv", _) => Err(self.first_version()),
            (other, _) => {
                let other = SafeText::capped(other, 40);
                Err(wrong_mount(&format!("{} is an engine `{other}`", self.mount)))
            }
        }
    }

    fn first_version(&self) -> Fault {
        wrong_mount(&format!("{} is an engine of the first version, without versions", self.mount))
    }

    fn odd(&self, text: &str) -> Fault {
        Fault::odd(&format!("{}: {text}", self.http.host))
    }

    /// What an answer means that is no success.
    fn refusal(&self, answer: &Answer, doing: &str) -> Fault {
        let said = errors(&answer.body);
        let code = answer.status.as_u16();
        let host = &self.http.host;
        let quoted = if said.is_empty() { String::new() } else { format!(": {said}") };
        let text = format!("{host}: {doing} is refused (HTTP {code}{quoted})");
        match code {
            400 if said.contains("check-and-set") && said.contains("did not match") => {
                Fault::conflict(&text)
            }
            503 if said.contains("sealed") => Fault::new(
                "sealed",
                &text,
                "the Vault is sealed: it can read nothing until somebody unseals it",
                "let its operators unseal it (`vault operator unseal`), and run it again",
            ),
            400 if said.contains("invalid role or secret") => Fault::forbidden(&text),
            401 | 403 => Fault::forbidden(&text),
            404 if said.contains("no handler for route") => wrong_mount(&text),
            412 | 429 | 502 | 503 | 504 => Fault::throttled(&text),
            300..=399 | 472 | 473 => Fault::new(
                "standby",
                &text,
                "this node stands by, and points to the active one, which is not followed",
                "set `url` to the active node, or to the load balancer before all of them",
            ),
            _ => Fault::odd(&text),
        }
    }
}

impl Kind for Vault {
    fn read<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(async move {
            let url = format!("/v1/{}/data/{path}", self.mount);
            let answer = self.send(&Method::GET, &url, &[]).await?;
            let is_there = answer.status.is_success();
            if !is_there && answer.status != StatusCode::NOT_FOUND {
                return Err(self.refusal(&answer, &format!("reading {path}")));
            }
            if !is_there && errors(&answer.body).contains("no handler for route") {
                return Err(self.refusal(&answer, &format!("reading {path}")));
            }
            // A version that was deleted is told of with 404: the next is counted from it.
            let found = serde_json::from_slice(&answer.body).ok();
            let found = found.and_then(|it: Outer| it.data);
            match found {
                Some(Data { kept, version: Some(version) }) => {
                    Ok(Found { version: Some(version.to_string()), kept })
                }
                None if !is_there => Ok(Found::default()),
                _ => Err(self.first_version()),
            }
        })
    }

    fn write<'a>(
        &'a self,
        path: &'a str,
        parcel: &'a Parcel,
        found: &'a Found,
        _permit: &'a Permit,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.check_mount().await?;
            let cas = found.version.as_deref().unwrap_or("0");
            let head = format!(r#"{{"options":{{"cas":{cas}}},"data":"#);
            let json = parcel.json();
            let mut body = Zeroizing::new(Vec::with_capacity(head.len() + json.len() + 1));
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(json);
            body.push(b'}');
            let url = format!("/v1/{}/data/{path}", self.mount);
            let answer = self.send(&Method::POST, &url, &body).await.map_err(Fault::after)?;
            match answer.status {
                StatusCode::OK => Ok(()),
                // The first version says nothing at all.
                StatusCode::NO_CONTENT => Err(self.first_version().after()),
                status => {
                    let fault = self.refusal(&answer, &format!("writing {path}"));
                    Err(if status.is_server_error() { fault.after() } else { fault })
                }
            }
        })
    }

    fn way_back(&self, path: &str, former: &str, _version: &str) -> String {
        format!("vault kv rollback -mount={} -version={former} {path}", self.mount)
    }
}

fn wrong_mount(text: &str) -> Fault {
    let cause = "there is no KV v2 engine at that mount, and without one there are no versions";
    let next = "set `mount` to the right one (`vault secrets list -detailed` shows them), or let \
                it be enabled: `vault kv enable-versioning`";
    Fault::new("wrong-mount", text, cause, next)
}

/// What a Vault says of an error, on one line.
fn errors(body: &[u8]) -> String {
    let read: Option<Errors> = serde_json::from_slice(body).ok();
    let said = read.map(|it| it.errors.join("; ")).unwrap_or_default();
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    SafeText::capped(&said, 200).to_string()
}

#[derive(serde::Serialize)]
struct Login<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

#[derive(Deserialize)]
struct LoggedIn {
    auth: Auth,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<String>,
}

#[derive(Deserialize)]
struct Mount {
    data: MountData,
}

#[derive(Deserialize)]
struct MountData {
    #[serde(rename = "type")]
    kind: String,
    options: Option<MountOptions>,
}

#[derive(Deserialize)]
struct MountOptions {
    version: Option<String>,
}

#[derive(Deserialize)]
struct Outer {
    data: Option<Data>,
}

/// What a path holds, and the number of its version.
#[derive(Default)]
struct Data {
    kept: Option<Kept>,
    version: Option<u64>,
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what a path holds")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let mut data = Data::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" => data.kept = map.next_value_seed(Perhaps)?,
                "metadata" => data.version = Some(map.next_value::<Metadata>()?.version),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(data)
    }
}

#[derive(Deserialize)]
struct Metadata {
    version: u64,
}

/// What a version holds, or nothing where it was deleted.
struct Perhaps;

impl<'de> DeserializeSeed<'de> for Perhaps {
    type Value = Option<Kept>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Perhaps {
    type Value = Option<Kept>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or nothing")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        Reading.deserialize(deserializer).map(Some)
    }
}
