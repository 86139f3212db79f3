//! What nginx of a practice host serves: the certificates that it loaded when it was last
//! reloaded. Nothing listens; the only way there is through the host's SSH session.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::Acceptor;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::LazyConfigAcceptor;

use crate::fleet::Certificate;

/// The port of HTTPS.
pub(super) const PORT: u32 = 443;

/// What is loaded on a host with that root: one file for each site, with chain and key.
pub(super) const LOADED: &str = "run/nginx";

/// Answers one client, who is told nothing but the certificate.
pub(super) async fn serve<S>(root: &Path, stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().unwrap_or_default().to_owned();
    let sites = sites(root)?;
    // As nginx does it: the first site is for those whom no other knows.
    let site = sites.iter().find(|it| it.is_for(&name)).or_else(|| sites.first());
    let site = site.ok_or_else(|| io::Error::other("no site has a certificate"))?;
    let config = site.config().map_err(io::Error::other)?;
    let mut stream = start.into_stream(Arc::new(config)).await?;
    stream.shutdown().await
}

/// A site as it was loaded.
struct Site {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Site {
    fn read(path: &Path) -> Option<Self> {
        let chain = CertificateDer::pem_file_iter(path).ok()?.collect::<Result<_, _>>().ok()?;
        Some(Self { chain, key: PrivateKeyDer::from_pem_file(path).ok()? })
    }

    fn is_for(&self, name: &str) -> bool {
        let leaf = self.chain.first().and_then(|it| Certificate::read(it).ok());
        leaf.is_some_and(|it| it.names.iter().any(|it| it.as_str() == name))
    }

    fn config(&self) -> Result<ServerConfig, rustls::Error> {
        ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())
    }
}

fn sites(root: &Path) -> io::Result<Vec<Site>> {
    let mut paths: Vec<_> =
        fs::read_dir(root.join(LOADED))?.flatten().map(|it| it.path()).collect();
    paths.sort_unstable();
    Ok(paths.iter().filter_map(|it| Site::read(it)).collect())
}
