//! `registered-domain`: over all accounts; renewals of the same set are free of it.

use super::names::registered_domain;
use super::{Kind, Scope, What};

pub(super) const KIND: Kind = Kind {
    name: "registered-domain",
    title: "registered domain",
    about: "new certificates for names under one registered domain, by anybody",
    is_own: false,
    refusal: "limit-domain",
    instead: "renewals of a set that has a certificate are free of it: renew that instead of ordering another set",
    limit: |it| it.registered_domain,
    takes: |it| match &it.what {
        What::Issued(_) if !it.is_renewal => domains(it.names.domains()),
        What::Refused { about: Some(name), .. } => domains(vec![registered_domain(name)]),
        // A refusal that does not tell which one may mean each of them.
        What::Refused { about: None, .. } => domains(it.names.domains()),
        _ => Vec::new(),
    },
    resets: |_| Vec::new(),
    wants: |order| if order.is_renewal { Vec::new() } else { domains(order.names.domains()) },
};

fn domains(all: Vec<String>) -> Vec<Scope> {
    all.into_iter().map(Scope::Domain).collect()
}
