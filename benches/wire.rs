//! A thousand public endpoints on loopback, looked at by [`certdeck::wire`], against a loop of
//! plain rustls handshakes with as many at once. Prints both times, the ratio of each pair of
//! rounds, and the most memory that the process has used.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark stops at the first thing that is wrong, and tells what it measured"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use certdeck::fleet::{self, Moment, Probe};
use certdeck::inventory::{self, Door, Endpoint, Host, StartTls};
use certdeck::wire;
use futures_util::StreamExt as _;
use futures_util::stream;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What all of them are asked for.
const NAME: &str = "www.example.net";
/// How many endpoints there are.
const ENDPOINTS: usize = 1000;
/// How many handshakes are under way at once in the plain loop: as many as in `wire`.
const AT_ONCE: usize = 32;
/// How often each is done, one after the other.
const ROUNDS: usize = 7;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let served = Served::new();
    let port = served.serve().await;
    let host = host(port);
    let plain = served.client();
    let new = fleet::Host::new(host.name.clone(), &host.address, &[]);
    let mut known = new.clone();
    known.probes = look(&host, &new).await.1;
    // Fills caches.
    loop_of_handshakes(&plain, &host).await;
    // The first look asks every server for a certificate with another kind of key, too.
    for (what, known) in [("first look", new), ("later looks", known)] {
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            loop_of_handshakes(&plain, &host).await;
            let plain = begin.elapsed();
            let (ours, _) = look(&host, &known).await;
            let ratio = ours.as_secs_f64() / plain.as_secs_f64();
            println!("{what}: rustls {plain:.0?}, wire {ours:.0?}, ratio {ratio:.2}");
            ratios.push(ratio);
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios.get(ROUNDS / 2).unwrap();
        println!("{what}: median ratio {median:.2} (bar: 1.2)");
    }
    println!("most memory: {}", most_memory());
}

/// Looks at all of them, after what is known.
async fn look(host: &Host, known: &fleet::Host) -> (Duration, Vec<Probe>) {
    let known = Arc::new(known.clone());
    let begin = Instant::now();
    let until = tokio::time::Instant::now() + Duration::from_secs(60);
    let probes = wire::from_here(host, known, Moment::from_unix(0), until).await;
    let time = begin.elapsed();
    let count = probes.iter().filter(|it| it.served.is_ok()).count();
    assert_eq!(count, ENDPOINTS, "{:?}", probes.iter().find(|it| it.served.is_err()));
    (time, probes)
}

/// A certificate with its chain and key, and who trusts it.
struct Served {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    root: CertificateDer<'static>,
}

impl Served {
    fn new() -> Self {
        let authority = |name: &str| {
            let mut params = CertificateParams::new([]).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("root"), key()).unwrap();
        let middle = CertifiedIssuer::signed_by(authority("middle"), key(), &root).unwrap();
        let leaf_key = key();
        let leaf = CertificateParams::new([NAME.to_owned()])
            .unwrap()
            .signed_by(&leaf_key, &middle)
            .unwrap();
        let chain = vec![leaf.der().clone(), middle.der().clone()];
        Self { chain, key: leaf_key, root: root.der().clone() }
    }

    /// Serves it at a port of every loopback address.
    async fn serve(&self) -> u16 {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
            }
        });
        port
    }

    fn client(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        TlsConnector::from(Arc::new(config))
    }
}

async fn loop_of_handshakes(plain: &TlsConnector, host: &Host) {
    let looks = host.endpoints.iter().map(|it| {
        let plain = plain.clone();
        let (name, port) = (it.name.clone(), it.port);
        let address = it.addresses.first().map(|it| it.host.parse().unwrap()).unwrap();
        tokio::spawn(async move {
            let at = SocketAddr::new(address, port);
            let stream = TcpStream::connect(at).await.unwrap();
            plain.connect(ServerName::try_from(name).unwrap(), stream).await.map(drop).unwrap();
        })
    });
    let looks: Vec<_> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    assert!(looks.into_iter().all(|it| it.is_ok()));
}

fn address(number: usize) -> IpAddr {
    let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
    Ipv4Addr::new(127, 9, high, low).into()
}

fn host(port: u16) -> Host {
    let (inventory, _) = inventory::read("[[host]]\nname = 'web-01'\n");
    let mut host = inventory.hosts.into_iter().next().unwrap();
    let endpoint = |it| Endpoint {
        name: NAME.to_owned(),
        port,
        starttls: StartTls::None,
        probe: Vec::new(),
        listen: None,
        addresses: vec![Door { host: address(it).to_string(), port: None }],
    };
    host.endpoints = (0..ENDPOINTS).map(endpoint).collect();
    host
}

/// The high-water mark of resident memory, as Linux tells of it.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    line.map_or_else(|| "not told here".to_owned(), |it| it.trim().to_owned())
}
