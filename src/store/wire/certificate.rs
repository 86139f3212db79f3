//! Certificates and chains in the snapshot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Tables, Text, at, moment, safe, text, text_if, unix};
use crate::fleet::{Certificate, Chain, ChainFault, Fingerprint, KeyKind, Moment, Trust};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireCertificate {
    sha256: [u8; 32],
    spki_sha256: [u8; 32],
    serial: Text,
    subject: Text,
    issuer: Text,
    names: Vec<Text>,
    not_before: i64,
    not_after: i64,
    logged_at: Option<i64>,
    #[serde(with = "WireKeyKind")]
    key: KeyKind,
    is_ca: bool,
    is_for_clients: bool,
    renewal_id: Option<Text>,
    der: Option<Vec<u8>>,
}

impl WireCertificate {
    pub(super) fn of(it: &Certificate) -> Self {
        Self {
            sha256: *it.sha256.digest(),
            spki_sha256: *it.spki_sha256.digest(),
            serial: text(&it.serial),
            subject: text(&it.subject),
            issuer: text(&it.issuer),
            names: it.names.iter().map(text).collect(),
            not_before: it.not_before.unix(),
            not_after: it.not_after.unix(),
            logged_at: unix(it.logged_at),
            key: it.key,
            is_ca: it.is_ca,
            is_for_clients: it.is_for_clients,
            renewal_id: text_if(it.renewal_id.as_ref()),
            der: it.der.as_deref().map(<[u8]>::to_vec),
        }
    }

    pub(super) fn certificate(self) -> Certificate {
        Certificate {
            sha256: Fingerprint::from_digest(self.sha256),
            spki_sha256: Fingerprint::from_digest(self.spki_sha256),
            serial: self.serial.0,
            subject: self.subject.0,
            issuer: self.issuer.0,
            names: self.names.into_iter().map(|it| it.0).collect(),
            not_before: Moment::from_unix(self.not_before),
            not_after: Moment::from_unix(self.not_after),
            logged_at: moment(self.logged_at),
            key: self.key,
            is_ca: self.is_ca,
            is_for_clients: self.is_for_clients,
            renewal_id: safe(self.renewal_id),
            der: self.der.map(Arc::from),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireChain {
    leaf: u32,
    rest: Vec<u32>,
    fault: Option<Fault>,
    anchor: Option<Text>,
    until: Option<i64>,
}

impl WireChain {
    pub(super) fn of(it: &Chain, tables: &mut Tables) -> Self {
        Self {
            leaf: tables.certificate(&it.leaf),
            rest: it.rest.iter().map(|above| tables.certificate(above)).collect(),
            fault: it.fault.map(Fault),
            anchor: text_if(it.trust.anchor.as_ref()),
            until: unix(it.trust.until),
        }
    }

    pub(super) fn chain(self, certificates: &[Arc<Certificate>]) -> Option<Chain> {
        Some(Chain {
            leaf: at(certificates, self.leaf)?,
            rest: self.rest.into_iter().map(|it| at(certificates, it)).collect::<Option<_>>()?,
            fault: self.fault.map(|it| it.0),
            trust: Trust { anchor: safe(self.anchor), until: moment(self.until) },
        })
    }
}

/// A fault of a chain, where it stands in an `Option`.
#[derive(Debug, Serialize, Deserialize)]
struct Fault(#[serde(with = "WireChainFault")] ChainFault);

#[derive(Serialize, Deserialize)]
#[serde(remote = "ChainFault")]
enum WireChainFault {
    NoIntermediate,
    WrongIntermediate,
    WrongOrder,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "KeyKind")]
enum WireKeyKind {
    Ecdsa(u16),
    Ed25519,
    Other,
    Rsa(u16),
}
