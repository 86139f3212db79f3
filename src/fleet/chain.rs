//! A leaf with the certificates that were found after it, and what is wrong with their order.

use std::cell::RefCell;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Certificate, Fingerprint, Moment, Roots, Unparsable, name};
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
        let others = others.get(..rest.len()).unwrap_or(others);
        let trust = trust(&leaf, &rest, first, others, roots);
        let fault = fault(&leaf, &rest, first, others)
            // A root may sign a leaf itself.
            .filter(|it| *it != ChainFault::NoIntermediate || trust.anchor.is_none());
        Ok(Self { leaf, rest, fault, trust })
    }

    /// All its certificates, the leaf first.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        [&self.leaf].into_iter().chain(&self.rest).map(|it| it.sha256).collect()
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

/// Where a chain leads at the time of issue; if nowhere, then where it leads once all that was
/// found is valid, for an intermediate may be newer than the leaf.
fn trust(
    leaf: &Certificate,
    rest: &[Arc<Certificate>],
    leaf_der: &CertificateDer<'_>,
    rest_ders: &[CertificateDer<'_>],
    roots: &Roots,
) -> Trust {
    let Ok(end) = webpki::EndEntityCert::try_from(leaf_der) else { return Trust::default() };
    let issued = leaf.not_before;
    let newest = rest.iter().map(|it| it.not_before).fold(issued, Moment::max);
    let mut moments = vec![issued, newest];
    moments.dedup();
    let ends = |der: &[u8]| {
        let at = rest_ders.iter().position(|it| it.as_ref() == der);
        at.and_then(|at| rest.get(at)).map(|it| it.not_after)
    };
    let best: RefCell<Option<(Option<Moment>, SafeText)>> = RefCell::default();
    for moment in moments {
        let Some(time) = second_after(moment) else { continue };
        // Every way is refused, so that the next is looked for; webpki bounds how many.
        let found = end.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            roots.anchors(),
            rest_ders,
            time,
            webpki::KeyUsage::server_auth(),
            None,
            Some(&|path: &webpki::VerifiedPath<'_>| {
                let until = path.intermediate_certificates().filter_map(|it| ends(&it.der())).min();
                let mut best = best.borrow_mut();
                // Nothing between leaf and root lasts longest.
                let lasts = |it: Option<Moment>| it.map_or(i64::MAX, Moment::unix);
                if best.as_ref().is_none_or(|it| lasts(it.0) < lasts(until)) {
                    *best = Some((until, name::of_anchor(path.anchor())));
                }
                Err(webpki::Error::UnknownIssuer)
            }),
        );
        drop(found);
        if let Some((until, anchor)) = best.take() {
            return Trust { anchor: Some(anchor), until };
        }
    }
    Trust::default()
}

/// A second after a moment, as webpki takes it.
fn second_after(moment: Moment) -> Option<UnixTime> {
    let seconds = u64::try_from(moment.unix().saturating_add(1)).ok()?;
    Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
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
    let Some(issued) = second_after(leaf.not_before) else { return false };
    let anchors = [anchor];
    let verified = end.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        between,
        issued,
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
