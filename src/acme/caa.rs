//! Whether the zones of the names let a CA issue: it refuses otherwise, and that may count as a
//! failed validation.

use std::net::SocketAddr;

use super::{Account, resolver};
use crate::resolve::Ruling;
use crate::text::SafeText;

/// What a zone forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// Which name, and what its zone says.
    pub text: SafeText,
    /// The record that would allow it.
    pub hint: SafeText,
}

/// Looks at the CAA records (RFC 8659) that hold for each name, with the method by which it is
/// proven (RFC 8657). A CA that does not say what it is called there is not looked up; where the
/// DNS gives no answer here, the CA may get one.
pub async fn check(
    resolvers: &[SocketAddr],
    account: &Account,
    names: impl Iterator<Item = (&str, &str)>,
) -> Result<(), Forbidden> {
    let identities: Vec<&str> = account.directory().caa.iter().map(SafeText::as_str).collect();
    let Some(first) = identities.first() else { return Ok(()) };
    let resolver = resolver(resolvers).await;
    for (name, method) in names {
        let is_wildcard = name.starts_with("*.");
        let Ok(caa) = resolver.caa(name).await else { continue };
        if let Ruling::Forbidden(why) =
            caa.judge(is_wildcard, &identities, Some(account.url()), method)
        {
            let record = caa.to_publish(is_wildcard, first, Some(account.url()), method);
            let at = caa.at.unwrap_or_default();
            return Err(Forbidden {
                text: SafeText::new(&format!("{name}: {why}")),
                hint: SafeText::new(&format!(
                    "publish `{at} CAA {record}`, or order from a CA that it allows"
                )),
            });
        }
    }
    Ok(())
}
