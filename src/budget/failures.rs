//! `failures`: names that one account could not prove. Nothing is free of it but what replaces a
//! certificate in time.

use super::names::{normal, verified};
use super::{Account, Event, Kind, Scope, Wanted, What};

pub(super) const KIND: Kind = Kind {
    name: "failures",
    title: "failed validations",
    about: "validations of one name that failed for one account",
    is_own: false,
    refusal: "limit-failures",
    instead: "mend what failed and try it at the staging twin first (dry-run), which has limits of its own",
    limit: |it| it.failures,
    takes: |it| match it.what {
        What::Failed | What::Refused { .. } => names_of(it),
        _ => Vec::new(),
    },
    resets: |_| Vec::new(),
    wants: wanted,
};

/// The names that an order has to prove.
pub(super) fn wanted(order: &Wanted) -> Vec<Scope> {
    order.names.iter().map(|it| scope(it, &order.account)).collect()
}

/// The names that a failure or a refusal is about.
pub(super) fn names_of(event: &Event) -> Vec<Scope> {
    match &event.what {
        What::Refused { about: Some(name), .. } => vec![scope(&normal(name), &event.account)],
        _ => event.names.iter().map(|it| scope(it, &event.account)).collect(),
    }
}

/// A name as one account proves it.
pub(super) fn scope(name: &str, account: &Account) -> Scope {
    Scope::Name(verified(name).to_owned(), account.clone())
}
