//! `exact-set`: over all accounts, with no exception for renewals and none on request. Revoking
//! gives nothing back. In an outage this is the real budget.

use super::{Kind, Scope, What};

pub(super) const KIND: Kind = Kind {
    name: "exact-set",
    title: "exact set of names",
    about: "certificates for exactly the same names, by anybody; renewals count as well",
    is_own: false,
    refusal: "limit-exact-set",
    instead: "until then use a certificate that there is (rollback, transplant), or add or leave out a name: another set has a limit of its own",
    limit: |it| it.exact_set,
    // Also where the CA let an order pass for what it replaces (boulder, ra/ra.go,
    // `countCertificateIssued`).
    takes: |it| match it.what {
        What::Issued(_) | What::Refused { .. } => vec![Scope::Set(it.names.clone())],
        What::Failed | What::Ordered | What::Rehearsed | What::Unproven => Vec::new(),
    },
    resets: |_| Vec::new(),
    wants: |order| vec![Scope::Set(order.names.clone())],
};
