//! The authorities at which a chain may end.

use std::fmt;

use rustls_pki_types::{CertificateDer, TrustAnchor};

/// The roots that clients trust, and those that the inventory adds.
#[derive(Clone)]
pub struct Roots {
    anchors: Vec<TrustAnchor<'static>>,
}

impl Roots {
    /// The roots of Mozilla's programme, as they were when this program was built.
    pub fn public() -> Self {
        Self { anchors: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
    }

    /// None at all.
    pub const fn none() -> Self {
        Self { anchors: Vec::new() }
    }

    /// Adds an authority; `false` if it is no certificate that could be one.
    pub fn add(&mut self, der: &CertificateDer<'_>) -> bool {
        let anchor = webpki::anchor_from_trusted_cert(der).map(|it| it.to_owned());
        let is_one = anchor.is_ok();
        self.anchors.extend(anchor);
        is_one
    }

    /// What webpki checks against.
    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}

impl Default for Roots {
    fn default() -> Self {
        Self::public()
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("count", &self.anchors.len()).finish()
    }
}
