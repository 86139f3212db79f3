//! acme-dns (joohoi/acme-dns): a small DNS server that answers challenges only, to which the
//! name's `_acme-challenge` is an alias. It keeps the last two values and forgets none on demand.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::{Fault, Kind, Provider, Spot, Wanted};
use crate::resolve::Silence;
use crate::text::SafeText;

pub(super) const KIND: Kind = Kind {
    name: "acme-dns",
    about: "an acme-dns server, to which _acme-challenge is a CNAME",
    needs: &["url"],
    takes: &[],
    secret: Wanted::Text("what POST /register of the server has answered, in JSON"),
    open: |given| {
        let mut account: Account = serde_json::from_str(given.text()?).map_err(|it| {
            // Not the text of the error: it may quote the secret.
            let (line, column) = (it.line(), it.column());
            let text = format!("the secret is no registration of acme-dns ({line}:{column})");
            Fault::settings(&text)
        })?;
        let password = Zeroizing::new(std::mem::take(&mut account.password));
        let url = given.needed("url")?.trim_end_matches('/').to_owned();
        Ok(Box::new(AcmeDns { url, password, account }))
    },
};

struct AcmeDns {
    url: String,
    password: Zeroizing<String>,
    account: Account,
}

/// A registration, as the server gives it out.
#[derive(Deserialize)]
struct Account {
    username: String,
    password: String,
    fulldomain: String,
    subdomain: String,
}

impl Drop for Account {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

impl AcmeDns {
    async fn update(&self, spot: &Spot) -> Result<(), Fault> {
        let writes = self.account.fulldomain.trim_end_matches('.');
        if !writes.eq_ignore_ascii_case(&spot.owner) {
            let [owner, writes] = [&spot.owner, writes].map(|it| SafeText::capped(it, 253));
            return Err(Fault::NoAlias { owner, writes });
        }
        let body = serde_json::json!({ "subdomain": self.account.subdomain, "txt": spot.value });
        let request = Request::post(format!("{}/update", self.url))
            .header("X-Api-User", &self.account.username)
            .header("X-Api-Key", self.password.as_str())
            .header("Content-Type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|_| Fault::settings("`url` or the secret cannot be sent over HTTP"))?;
        let silent = |why: &str| Fault::Silent {
            server: SafeText::capped(&self.url, 253),
            silence: Silence::Refused(SafeText::capped(why, 200)),
        };
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|it| silent(&it.to_string()))?
            .https_or_http()
            .enable_http1()
            .build();
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let send = async {
            let answer = client.request(request).await.map_err(|it| silent(&root_of(&it)))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
            Ok((status, body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
        };
        let late =
            |_| Fault::Silent { server: SafeText::capped(&self.url, 253), silence: Silence::Late };
        let (status, body) = tokio::time::timeout(PATIENCE, send).await.map_err(late)??;
        let said = SafeText::from_bytes(body.get(..200).unwrap_or(&body));
        let said = SafeText::new(&format!("HTTP {}: {said}", status.as_u16()));
        match status {
            it if it.is_success() => Ok(()),
            StatusCode::UNAUTHORIZED => Err(Fault::Unauthorized(said)),
            StatusCode::FORBIDDEN => Err(Fault::Refused(said)),
            StatusCode::TOO_MANY_REQUESTS => Err(Fault::Busy(said)),
            _ => Err(Fault::Failed(said)),
        }
    }
}

/// The innermost reason: those around it only say that something went wrong.
fn root_of(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(inner) = at.source() {
        at = inner;
    }
    at.to_string()
}

impl Provider for AcmeDns {
    fn add<'a>(&'a self, spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>> {
        self.update(spot).boxed()
    }

    fn remove<'a>(&'a self, _spot: &'a Spot) -> BoxFuture<'a, Result<(), Fault>> {
        // There is no way to; the next two values push it out.
        async { Ok(()) }.boxed()
    }

    fn forgets(&self) -> bool {
        false
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
/// Its answers are one short line.
const MAX_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::super::Given;
    use super::*;
    use crate::clock::Clock;

    const SECRET: &str = r#"{"username": "u-1", "password": "hunter2",
        "fulldomain": "d1.auth.test", "subdomain": "d1", "allowfrom": []}"#;

    fn spot(owner: &str) -> Spot {
        let [desk, owner, zone] = ["x", owner, "auth.test"].map(str::to_owned);
        Spot { desk, owner, zone, value: "v1".to_owned() }
    }

    /// What the server was sent, and what the provider makes of its answer.
    async fn update(status: &str) -> (String, Result<(), Fault>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = BTreeMap::from([("url", url)]);
        let given = Given { keys: &keys, secret: SECRET, clock: Clock::default() };
        let provider = KIND.open(&given).unwrap();
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut got = Vec::new();
            while !got.ends_with(b"}") {
                stream.read_buf(&mut got).await.unwrap();
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 3\r\n\r\n{{ }}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(got).unwrap()
        };
        let spot = spot("d1.auth.test");
        tokio::join!(serve, provider.add(&spot))
    }

    #[tokio::test]
    async fn a_value_is_sent_as_the_server_wants_it() {
        let (got, done) = update("200 OK").await;
        assert_eq!(done, Ok(()));
        assert!(got.starts_with("POST /update HTTP/1.1\r\n"), "{got}");
        for line in ["x-api-user: u-1\r\n", "x-api-key: hunter2\r\n"] {
            assert!(got.contains(line), "{got}");
        }
        assert!(got.ends_with(r#"{"subdomain":"d1","txt":"v1"}"#), "{got}");
        assert!(matches!(update("401 No").await.1, Err(Fault::Unauthorized(_))));
        assert!(matches!(update("429 No").await.1, Err(Fault::Busy(_))));
    }

    #[tokio::test]
    async fn only_the_alias_can_be_written() {
        let keys = BTreeMap::from([("url", "http://127.0.0.1:9".to_owned())]);
        let given = Given { keys: &keys, secret: SECRET, clock: Clock::default() };
        let provider = KIND.open(&given).unwrap();
        let error = provider.add(&spot("_acme-challenge.a.test")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "_acme-challenge.a.test is not what this provider writes, which is d1.auth.test"
        );
        let given = Given { secret: "{\"password\": hunter2}", ..given };
        let error = KIND.open(&given).unwrap_err().to_string();
        assert_eq!(error, "the secret is no registration of acme-dns (1:14)");
    }
}
