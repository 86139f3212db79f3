//! A leaf with the certificates that were found after it, and what is wrong with their order.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Certificate, Moment, Roots, Unparsable};
use crate::text::SafeText;

/// A leaf and what was served or stored after it, in that order.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The first certificate.
    pub leaf: Arc<Certificate>,
    /// The others.
    pub rest: Vec<Arc<Certificate>>,
    /// What is wrong at the time of issue, so that expiry is a fact of its own.
    pub fault: Option<ChainFault>,
    /// Where it leads.
    pub trust: Trust,
}

/// Where a chain leads, whatever the date: which known root, and how long the way to it lasts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// The root at the end of the way that lasts longest; `None` if it leads to none that is known
    /// here, which says nothing about an authority of one's own.
    pub anchor: Option<SafeText>,
    /// When the first certificate between leaf and root ends, on the way that lasts longest.
    pub until: Option<Moment>,
}

/// What is wrong with a chain, whatever the date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChainFault {
    /// The leaf is alone and did not sign itself.
    NoIntermediate,
    /// An intermediate did not sign the certificate before it.
    WrongIntermediate,
    /// The signatures fit, but not in this order.
    WrongOrder,
}

impl Chain {
    /// Reads certificates in DER, the leaf first, and checks that each is signed by a later one.
    pub fn read(ders: &[CertificateDer<'_>], roots: &Roots) -> Result<Self, Unparsable> {
        let (first, others) = ders.split_first().ok_or(Unparsable::NoCertificate)?;
        let leaf = Arc::new(Certificate::read(first)?);
        let rest = others
            .iter()
            .take(MAX_REST)
            .map(|it| Certificate::read(it).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let fault = fault(&leaf, &rest, first, others.get(..rest.len()).unwrap_or(others));
        let _ = roots.anchors();
        Ok(Self { leaf, rest, fault, trust: Trust::default() })
    }

    /// The intermediate that ends first, if one ends before the leaf does.
    pub fn weakest(&self) -> Option<&Certificate> {
        let weakest = self.rest.iter().min_by_key(|it| it.not_after)?;
        (weakest.not_after < self.leaf.not_after).then_some(&**weakest)
    }

    /// Whether some certificate after the leaf has expired.
    pub fn expired_intermediate(&self, now: Moment) -> Option<&Certificate> {
        self.rest.iter().map(|it| &**it).find(|it| it.not_after < now)
    }
}

fn fault(
    leaf: &Certificate,
    rest: &[Arc<Certificate>],
    leaf_der: &CertificateDer<'_>,
    rest_ders: &[CertificateDer<'_>],
) -> Option<ChainFault> {
    if rest.is_empty() {
        return (!leaf.is_self_issued()).then_some(ChainFault::NoIntermediate);
    }
    let mut below = leaf;
    for above in rest {
        if below.issuer != above.subject {
            let fits = rest.iter().any(|it| it.subject == leaf.issuer);
            return Some(if fits { ChainFault::WrongOrder } else { ChainFault::WrongIntermediate });
        }
        below = above;
    }
    signatures_fail(leaf, leaf_der, rest_ders).then_some(ChainFault::WrongIntermediate)
}

/// Whether a signature between the leaf and the top of the chain does not verify, at the time
/// of issue. What webpki does not judge (old algorithms, odd extensions) is not called a fault.
fn signatures_fail(
    leaf: &Certificate,
    leaf_der: &CertificateDer<'_>,
    rest: &[CertificateDer<'_>],
) -> bool {
    let Some((top, between)) = rest.split_last() else { return false };
    let (Ok(anchor), Ok(end)) =
        (webpki::anchor_from_trusted_cert(top), webpki::EndEntityCert::try_from(leaf_der))
    else {
        return false;
    };
    let Ok(issued) = u64::try_from(leaf.not_before.unix().saturating_add(1)) else { return false };
    let anchors = [anchor];
    let verified = end.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        between,
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(issued)),
        webpki::KeyUsage::server_auth(),
        None,
        None,
    );
    matches!(
        verified,
        Err(webpki::Error::InvalidSignatureForPublicKey | webpki::Error::UnknownIssuer)
    )
}

/// The most certificates read after the leaf; real chains have at most four.
const MAX_REST: usize = 19;
