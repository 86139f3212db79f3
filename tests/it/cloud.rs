//! Clouds whose address cannot be changed: what is asked of them passes a proxy of ours, behind
//! which answers what a cloud would, for a zone that a real name server serves.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::dns::{Named, SECRET};
use crate::lab::are_here;
use crate::order::proxy::message;
use crate::serve::{Home, binary};

/// A request as a cloud gets it.
#[derive(Debug, Clone)]
struct Asked {
    host: String,
    /// `GET /client/v4/zones?name=a.test`.
    line: String,
    authorization: String,
    body: String,
}

/// What a cloud answers: its content type and its body.
type Cloud = fn(&mut Vec<String>, &Asked) -> (&'static str, String);

/// A cloud behind a proxy, until it is dropped.
struct Sky {
    port: u16,
    root: String,
    seen: Arc<Mutex<Vec<Asked>>>,
    values: Arc<Mutex<Vec<String>>>,
    _work: JoinSet<()>,
}

impl Sky {
    async fn start(named: u16, host: &'static str, cloud: Cloud) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &ca).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, values) = (Arc::default(), Arc::new(Mutex::new(vec!["foreign".to_owned()])));
        let mut work = JoinSet::new();
        let shared: (Arc<Mutex<Vec<Asked>>>, _) = (Arc::clone(&seen), Arc::clone(&values));
        work.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, (seen, values)) = (acceptor.clone(), shared.clone());
                all.spawn(async move {
                    let mut tell = |asked: Asked| {
                        let mut values = values.lock().unwrap();
                        let answer = cloud(&mut values, &asked);
                        publish(named, &values);
                        seen.lock().unwrap().push(asked);
                        answer
                    };
                    // Whoever hangs up has heard enough.
                    serve(stream, &acceptor, host, &mut tell).await.ok();
                });
            }
        });
        Self { port, root: ca.pem(), seen, values, _work: work }
    }
}

/// A tunnel as proxies make it, and what is asked in it, one request after the other.
async fn serve(
    mut stream: TcpStream,
    acceptor: &TlsAcceptor,
    host: &str,
    tell: &mut (dyn FnMut(Asked) -> (&'static str, String) + Send),
) -> std::io::Result<()> {
    let (head, _) = message(&mut stream).await?;
    assert!(head.starts_with(&format!("CONNECT {host}:443 ")), "{head}");
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut stream = acceptor.accept(stream).await?;
    loop {
        let (head, body) = message(&mut stream).await?;
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|it| it.split_once(": "));
            lines.find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.to_owned())
        };
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        let asked = Asked {
            host: header("host").unwrap_or_default(),
            line,
            authorization: header("authorization").unwrap_or_default(),
            body: String::from_utf8(body).unwrap(),
        };
        let (kind, answer) = tell(asked);
        let length = answer.len();
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{answer}"
        );
        stream.write_all(text.as_bytes()).await?;
    }
}

/// Lets the name server serve what the cloud has.
fn publish(port: u16, values: &[String]) {
    let mut text = format!("server 127.0.0.1 {port}\nupdate delete {OWNER} TXT\n");
    for it in values {
        writeln!(text, "update add {OWNER} 60 TXT \"{it}\"").unwrap();
    }
    text.push_str("send\n");
    let mut child = Command::new("nsupdate")
        .args(["-y", &format!("hmac-sha256:acme:{SECRET}")])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// `certdeck dns check --write` through the proxy; what was asked.
fn check(kind: &str, secret: &str, host: &'static str, cloud: Cloud) -> Option<Vec<Asked>> {
    if !are_here(&["named", "nsupdate"]) {
        return None;
    }
    let named = Named::primary()?;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sky = runtime.block_on(Sky::start(named.port, host, cloud));
    let home = Home::new();
    let folder = home.path().join(".config/certdeck");
    fs::create_dir_all(&folder).unwrap();
    let [key, root] = ["key", "root.pem"].map(|it| home.path().join(it));
    fs::write(&key, secret).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    fs::write(&root, &sky.root).unwrap();
    let port = named.port;
    let inventory = format!(
        "[defaults]\nresolvers = [\"127.0.0.1:{port}\"]\n[[dns]]\nname = \"cloud\"\n\
         kind = \"{kind}\"\nzones = [\"a.test\"]\nsecret-file = \"{}\"\n\
         nameservers = [\"127.0.0.1:{port}\"]\n",
        key.display()
    );
    fs::write(folder.join("inventory.toml"), inventory).unwrap();
    let output = home
        .command(binary())
        .args(["dns", "check", "a.test", "--write"])
        .env("HTTPS_PROXY", format!("http://127.0.0.1:{}", sky.port))
        .env("SSL_CERT_FILE", &root)
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let seen = sky.seen.lock().unwrap().clone();
    assert!(output.status.success(), "{said}\n{seen:#?}");
    assert!(said.contains("a value was written, seen everywhere and removed"), "{said}");
    assert!(seen.iter().all(|it| it.host == host), "{seen:#?}");
    // What somebody else has at the name is there as before, and nothing of ours.
    assert_eq!(*sky.values.lock().unwrap(), ["foreign"]);
    assert!(secret.lines().all(|it| !said.contains(it)), "{said}");
    Some(seen)
}

const OWNER: &str = "_acme-challenge.a.test";

/// The API of Cloudflare, version 4, as far as records of a zone go.
fn cloudflare(values: &mut Vec<String>, asked: &Asked) -> (&'static str, String) {
    let (method, path) = asked.line.split_once(' ').unwrap();
    let record = |value: &String| {
        format!(
            r#"{{"id": "id-{value}", "name": "{OWNER}", "type": "TXT", "content": "\"{value}\"", "ttl": 60}}"#
        )
    };
    let result = match method {
        "GET" if path.starts_with("/client/v4/zones?") => {
            let is_ours = path.contains("name=a.test");
            let zone = r#"{"id": "zone-1", "name": "a.test"}"#;
            format!("[{}]", if is_ours { zone } else { "" })
        }
        "GET" => format!("[{}]", values.iter().map(record).collect::<Vec<_>>().join(", ")),
        "POST" => {
            let body: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
            assert_eq!((&body["type"], &body["name"]), (&"TXT".into(), &OWNER.into()));
            values.push(body["content"].as_str().unwrap().trim_matches('"').to_owned());
            record(values.last().unwrap())
        }
        "DELETE" => {
            let id = path.rsplit('/').next().unwrap().strip_prefix("id-").unwrap();
            values.retain(|it| it != id);
            format!(r#"{{"id": "id-{id}"}}"#)
        }
        other => panic!("{other}"),
    };
    let text = format!(r#"{{"success": true, "errors": [], "messages": [], "result": {result}}}"#);
    ("application/json", text)
}

#[test]
fn cloudflare_is_asked_as_it_wants_to_be() {
    const TOKEN: &str = "token-of-this-test-only";
    let Some(seen) = check("cloudflare", TOKEN, "api.cloudflare.com", cloudflare) else { return };
    assert!(seen.iter().all(|it| it.authorization == format!("Bearer {TOKEN}")), "{seen:#?}");
    let count = |method: &str| seen.iter().filter(|it| it.line.starts_with(method)).count();
    assert_eq!((count("POST "), count("DELETE "), count("PUT ")), (1, 1, 0), "{seen:#?}");
    let posted = seen.iter().find(|it| it.line.starts_with("POST ")).unwrap();
    assert_eq!(posted.line, "POST /client/v4/zones/zone-1/dns_records");
}

/// The API of Route 53 of 2013-04-01, which knows whole sets of values only.
fn route53(values: &mut Vec<String>, asked: &Asked) -> (&'static str, String) {
    let (method, path) = asked.line.split_once(' ').unwrap();
    let text = match method {
        "GET" if path.starts_with("/2013-04-01/hostedzonesbyname") => {
            "<ListHostedZonesByNameResponse><HostedZones><HostedZone><Id>/hostedzone/Z1</Id>\
             <Name>a.test.</Name><CallerReference>x</CallerReference><Config>\
             <PrivateZone>false</PrivateZone></Config>\
             <ResourceRecordSetCount>3</ResourceRecordSetCount></HostedZone></HostedZones>\
             <IsTruncated>false</IsTruncated><MaxItems>100</MaxItems>\
             </ListHostedZonesByNameResponse>"
                .to_owned()
        }
        "GET" => {
            let mut records = String::new();
            for it in values.iter() {
                write!(records, "<ResourceRecord><Value>\"{it}\"</Value></ResourceRecord>")
                    .unwrap();
            }
            format!(
                "<ListResourceRecordSetsResponse><ResourceRecordSets><ResourceRecordSet>\
                 <Name>{OWNER}.</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords>{records}\
                 </ResourceRecords></ResourceRecordSet></ResourceRecordSets>\
                 <IsTruncated>false</IsTruncated><MaxItems>300</MaxItems>\
                 </ListResourceRecordSetsResponse>"
            )
        }
        "POST" => {
            let body = asked.body.replace("&quot;", "\"");
            assert!(body.contains("<Action>UPSERT</Action>"), "{body}");
            let all = body.split("<Value>\"").skip(1).filter_map(|it| it.split('"').next());
            *values = all.map(str::to_owned).collect();
            "<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id>\
             <Status>INSYNC</Status><SubmittedAt>2026-11-29T00:00:00Z</SubmittedAt></ChangeInfo>\
             </ChangeResourceRecordSetsResponse>"
                .to_owned()
        }
        other => panic!("{other}"),
    };
    ("text/xml", text)
}

#[test]
fn route_53_is_asked_as_it_wants_to_be() {
    const SECRETS: &str =
        "access-key-id = AKIAOFTHISTESTONLY\nsecret-access-key = secret-of-this-test-only\n";
    let Some(seen) = check("route53", SECRETS, "route53.amazonaws.com", route53) else { return };
    let is_signed = |it: &Asked| {
        let signed = "AWS4-HMAC-SHA256 Credential=AKIAOFTHISTESTONLY/";
        it.authorization.starts_with(signed) && it.authorization.contains("/route53/aws4_request")
    };
    assert!(seen.iter().all(is_signed), "{seen:#?}");
    let sets: Vec<_> = seen.iter().filter(|it| it.line.starts_with("POST ")).collect();
    assert_eq!(sets.len(), 2, "{seen:#?}");
    // The whole set is read before, and written with what somebody else has in it.
    assert!(sets.iter().all(|it| it.line == "POST /2013-04-01/hostedzone/Z1/rrset"), "{sets:#?}");
    assert!(sets.iter().all(|it| it.body.contains("foreign")), "{sets:#?}");
}
