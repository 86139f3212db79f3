//! `retry-after`: the CA has asked to be left alone, whatever it is asked for.

use super::{Account, Kind, Scope, What};

pub(super) const KIND: Kind = Kind {
    name: "retry-after",
    title: "asked to be left alone",
    about: "the CA has asked this machine to be left alone for a while",
    is_own: false,
    refusal: "limit",
    instead: "another [[issuer]] may take it; use a certificate that there is meanwhile (rollback, transplant)",
    limit: |_| None,
    takes: |it| match it.what {
        // What another client was told is for its account alone.
        What::Refused { .. } if it.account == Account::Own => vec![Scope::Ca],
        _ => Vec::new(),
    },
    resets: |_| Vec::new(),
    wants: |_| vec![Scope::Ca],
};
