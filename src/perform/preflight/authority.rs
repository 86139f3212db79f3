//! The CA, as it is now.

use super::Shared;
use crate::acme::{Error, account, health};
use crate::fleet::is_example;
use crate::inventory::Issuer;
use crate::perform::Tools;
use crate::preflight::{Authority, Case, Client, Found};
use crate::text::SafeText;

pub(super) async fn look(case: &Case, shared: &Shared) -> Found<Authority> {
    let (ca, tools) = (&case.ca, &shared.tools);
    if is_example(&ca.directory) {
        let host = SafeText::new(ca.host());
        let text = format!("{host}: the name is kept for examples (RFC 2606), so nobody is asked");
        return Err(SafeText::new(&text));
    }
    let office = &tools.office;
    let issuer = ca.issuer.clone().unwrap_or_else(|| unnamed(case, tools));
    // What is trusted is told by the issuer.
    let key = (issuer.name.clone(), ca.directory.clone());
    let health = shared.healths.see(key, health::look(office, &issuer, ca.is_staging)).await;
    let mut authority = Authority {
        took: u64::try_from(health.took.as_millis()).unwrap_or(u64::MAX),
        offset: health.offset,
        ..Authority::default()
    };
    match health.directory {
        Ok(directory) => authority.identities = directory.caa,
        Err(error) => trouble(&mut authority, &error),
    }
    match health.nonce {
        Ok(()) => {}
        Err(error @ Error::Busy { .. }) => trouble(&mut authority, &error),
        Err(error) => authority.nonce = Some(SafeText::new(&error.to_string())),
    }
    if case.client == Client::Us {
        authority.account = Some(match account::known(office, &issuer, ca.is_staging) {
            Ok(Some(record)) => Ok(record.url),
            Ok(None) => {
                Err(SafeText::new(&format!("{}: there is no account here yet", issuer.name)))
            }
            Err(error) => Err(SafeText::new(&error.to_string())),
        });
    }
    Ok(authority)
}

fn trouble(authority: &mut Authority, error: &Error) {
    let text = SafeText::new(&error.to_string());
    match error {
        Error::Busy { until, .. } => authority.busy = Some((*until, text)),
        _ => authority.trouble = Some(text),
    }
}

/// The CA of a client, which the inventory does not name.
fn unnamed(case: &Case, tools: &Tools) -> Issuer {
    Issuer {
        name: case.ca.host().to_owned(),
        directory: case.ca.directory.clone(),
        staging: None,
        contact: None,
        external: None,
        roots: tools.inventory.defaults.roots.clone(),
        profile: None,
        http_port: 80,
        order_limit: None,
    }
}
