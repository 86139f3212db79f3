//! An order as data: a certificate that this program orders from a CA itself. The host makes the
//! key and the request; the chain that comes back is what the commands of the plan find in the
//! file that `CERTDECK_INPUT` names.

use crate::budget::{Account, Ca, NameSet, Wanted};
use crate::fleet::{HostName, Moment};

/// What is ordered, by whom it is proven, and with which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The `[[issuer]]` of the inventory.
    pub issuer: String,
    /// Whether its staging twin is asked.
    pub is_staging: bool,
    /// Whether it ends once control of every name is proven, at the staging twin: the host makes no
    /// key and gets no certificate.
    pub is_rehearsal: bool,
    /// Where the CA writes to, if the account has to be made first: a mail address.
    pub contact: Option<String>,
    /// The names, as they stand in the certificate.
    pub names: Vec<String>,
    /// The profile that is asked for (draft-ietf-acme-profiles).
    pub profile: Option<String>,
    /// The certificate that it replaces, as RFC 9773, section 4.1, names it.
    pub replaces: Option<String>,
    /// The key of the certificate.
    pub key: KeyPlan,
    /// The folder of the store on the host, as `/etc/certdeck`.
    pub folder: String,
    /// The lineage in that store.
    pub lineage: String,
    /// How control of each name is proven, in the order of the names.
    pub proofs: Vec<Proof>,
    /// Whether control over HTTP is looked at from here before the CA is asked to.
    pub is_prechecked: bool,
    /// As what its CA counts it.
    pub counted: Counted,
    /// When somebody has said, in words that had to be typed, that it is placed though limits are
    /// used up. That goes for what was known then, a time for which the CA has asked to be left
    /// alone among it, and not for what the CA says from then on.
    pub over: Option<Moment>,
}

impl Order {
    /// The order as the CA of that directory counts it.
    pub fn wanted(&self, directory: &str) -> Wanted {
        let ca = Ca::of_directory(directory);
        let wanted = Wanted::new(ca, NameSet::new(&self.names), Account::Own);
        Wanted {
            is_replacing: self.counted == Counted::Replacing,
            is_renewal: self.counted == Counted::Renewal,
            ..wanted
        }
    }
}

/// As what a CA counts an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// As any other.
    New,
    /// As one for names that had a certificate lately, which some limits do not count.
    Renewal,
    /// As one that comes within the time that the CA has suggested for what it replaces: not at
    /// all.
    Replacing,
}

impl Counted {
    pub(super) fn of(wanted: &Wanted) -> Self {
        match wanted {
            Wanted { is_replacing: true, .. } => Self::Replacing,
            Wanted { is_renewal: true, .. } => Self::Renewal,
            _ => Self::New,
        }
    }
}

/// The private key, which never leaves its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlan {
    /// The host makes a new one.
    New(KeyType),
    /// The one of the live version is used again: what is shared with other hosts stays so.
    Keep,
}

/// Kinds of private keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256.
    Ecdsa256,
    /// ECDSA on P-384.
    Ecdsa384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// How control of a name is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The name; a wildcard with its star.
    pub name: String,
    /// By what.
    pub prover: Prover,
}

/// What answers a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prover {
    /// http-01: a file below `.well-known/acme-challenge` on every host behind the name.
    Webroots {
        /// Where the file goes.
        spots: Vec<Webroot>,
        /// The port that the CA asks at: 80 (RFC 8555, section 8.3), another one for private CAs.
        port: u16,
    },
    /// dns-01: a record that this `[[dns]]` of the inventory writes.
    Dns(String),
}

/// A folder that is served at port 80.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Webroot {
    /// The host.
    pub host: HostName,
    /// The folder there.
    pub folder: String,
}
