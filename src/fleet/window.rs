//! When a CA wants a certificate to be renewed (RFC 9773).

use super::{Certificate, Fingerprint, HOUR, Moment};
use crate::text::SafeText;

/// The window in which a CA wants a certificate to be renewed, as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The certificate.
    pub of: Fingerprint,
    /// Its first moment.
    pub start: Moment,
    /// Its last moment, after the first.
    pub end: Moment,
    /// Where the CA says why, if it has something to say.
    pub explanation: Option<SafeText>,
    /// When the CA was asked.
    pub asked_at: Moment,
}

impl Window {
    /// Whether the CA asks for the certificate to be replaced out of turn, because it was or will
    /// be revoked: the window has passed although the certificate is far from its end, and the CA
    /// says why (RFC 9773, section 4.2), or makes one that lies just before every question, as
    /// Boulder does (`core/objects.go`, `RenewalInfoImmediate`: from an hour to half an hour ago).
    pub fn is_summons(&self, leaf: &Certificate, now: Moment) -> bool {
        let is_early = self.end < leaf.renewal_opens().plus(-leaf.lifetime() / 20);
        let is_immediate = self.end.since(self.start) <= HOUR
            && (0..=HOUR).contains(&self.asked_at.since(self.end));
        is_early && self.end <= now && (self.explanation.is_some() || is_immediate)
    }
}
