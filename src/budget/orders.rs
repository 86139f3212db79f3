//! `orders`: new orders of one account; renewals of the same set are free of it, where the CA has
//! such a rule.

use super::{Account, Kind, Scope, What};

pub(super) const KIND: Kind = Kind {
    name: "orders",
    title: "orders of an account",
    about: "new orders by one account",
    is_own: false,
    refusal: "limit-orders",
    instead: "renewals of a set that has a certificate may still pass; find out what orders so often",
    limit: |it| it.orders,
    takes: |it| match it.what {
        What::Ordered if !it.is_renewal => vec![Scope::Account(it.account.clone())],
        // Of the orders of other clients, what came of them is seen.
        What::Issued(_) if !it.is_renewal && it.account != Account::Own => {
            vec![Scope::Account(it.account.clone())]
        }
        What::Refused { .. } => vec![Scope::Account(it.account.clone())],
        _ => Vec::new(),
    },
    resets: |_| Vec::new(),
    wants: |order| {
        if order.is_renewal { Vec::new() } else { vec![Scope::Account(order.account.clone())] }
    },
};
