//! What clients of nginx get: the certificates that it loaded when it was last reloaded, through
//! the SSH session of its host or at a port of this machine's loopback.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;

use super::loaded::{self, Loaded};

/// Whether nginx of the host with that root listens on that port.
pub(in crate::practice) fn listens(root: &Path, port: u32) -> bool {
    let sites = loaded::read(root).unwrap_or_default();
    sites.iter().flat_map(|it| &it.ports).any(|it| u32::from(*it) == port)
}

/// Answers whoever connects until it is dropped.
pub(in crate::practice) async fn listen(listener: TcpListener, root: PathBuf, port: u16) {
    let root = Arc::new(root);
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let root = Arc::clone(&root);
                clients.spawn(async move {
                    // How it ended is between the client and nginx.
                    drop(serve(&root, port.into(), stream).await);
                });
            }
            // Out of file descriptors: some come back when a client leaves.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Answers one client at that port, who is told nothing but the certificate.
pub(in crate::practice) async fn serve<S>(root: &Path, port: u32, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let name = start.client_hello().server_name().unwrap_or_default().to_owned();
        let config = config(root, port, &name)?;
        let mut stream = start.into_stream(Arc::new(config)).await?;
        stream.shutdown().await
    };
    timeout(PATIENCE, answer).await?
}

fn config(root: &Path, port: u32, name: &str) -> io::Result<ServerConfig> {
    let mut sites = loaded::read(root)?;
    sites.retain(|it| it.ports.iter().any(|it| u32::from(*it) == port));
    // As nginx does it: the first site is for those whom no other knows.
    let site = sites.iter().find(|it| it.is_for(name)).or_else(|| sites.first());
    let keys = Keys(site.map(Loaded::keys).unwrap_or_default());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_no_client_auth().with_cert_resolver(Arc::new(keys)))
}

/// The certificates of a site: the first is shown whose kind the client can check.
#[derive(Debug)]
struct Keys(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits =
            |it: &&Arc<CertifiedKey>| it.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(fits).cloned()
    }
}

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(20);
